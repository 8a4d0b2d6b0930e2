from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from conformance.recording import redaction
from conformance.targets import LANES

HOSTED, DEDICATED = LANES["model-apis"], LANES["dedicated"]
CHAT = "https://model-abcd1234.api.baseten.co/environments/production/sync/v1/chat/completions"
PNG = "iVBORw0KGgo" * 30


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (f"http://127.0.0.1:1{DEDICATED.base_path}/chat/completions", CHAT),
        ("https://model-real0001.api.baseten.co/deployment/d1/sync/v1/chat/completions", CHAT),
        ("http://127.0.0.1:8100/v1/chat/completions", CHAT),
        ("http://user:pass@127.0.0.1:8100/v1/chat/completions", CHAT),
        (CHAT, CHAT),
        ("http://[::1]:8100/odd", CHAT.replace("/chat/completions", "/odd")),
        (
            f"https://{DEDICATED.host}{DEDICATED.base_path}2/odd",
            f"https://{DEDICATED.host}{DEDICATED.base_path}{DEDICATED.base_path}2/odd",
        ),
        (CHAT.replace("chat", "models/v1/chat"), CHAT.replace("chat", "models/v1/chat")),
    ],
)
def test_every_address_of_a_lane_is_recorded_as_its_canonical_one(
    sent: str, canonical: str
) -> None:
    assert redaction.make_canonical(sent, DEDICATED) == canonical
    assert redaction.make_canonical(canonical, DEDICATED) == canonical


def test_model_apis_have_an_address_of_their_own_and_without_a_lane_it_stays() -> None:
    sent = "http://localhost:1/v1/models"
    assert redaction.make_canonical(sent, HOSTED) == "https://inference.baseten.co/v1/models"
    assert redaction.make_canonical(sent) == sent


def test_unknown_query_values_userinfo_and_fragments_are_left_out() -> None:
    uri = "https://me:secret@inference.baseten.co/v1/models?version=2&api_key=abc&x=&version=3#f"
    assert redaction.make_canonical(uri) == (
        "https://inference.baseten.co/v1/models?version=2&api_key=REDACTED&x=REDACTED&version=3"
    )


def test_only_allowed_headers_are_kept_whatever_their_spelling() -> None:
    given = {"Content-Type": ["a"], "Set-Cookie": ["s"], "X-New-Secret": ["n"], "x-request-id": []}
    kept = redaction.keep_headers(given, redaction.RESPONSE_HEADERS)
    assert kept == {"content-type": ["a"], "x-request-id": []}
    assert redaction.keep_headers({"ACCEPT": "a", "Cookie": "b"}, redaction.REQUEST_HEADERS) == {
        "accept": "a"
    }


@pytest.mark.parametrize("key", ["plain-key", 'quo"te\\d', "per/cent+key=", "ümlaut"])
def test_a_key_is_removed_however_json_or_a_url_spells_it(key: str) -> None:
    text = f"{key} {json.dumps({'a': key})} {quote(key, safe='')}"
    cleaned = redaction.remove_keys(text, ["", key])
    assert cleaned == 'REDACTED {"a": "REDACTED"} REDACTED'


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (["orchard.lantern"], "orchard+lantern REDACTED ORCHARD orchard"),
        (["orchard", "orchard.lantern"], "REDACTED+lantern REDACTED ORCHARD REDACTED"),
        (["orchard.lantern", "orchard"], "REDACTED+lantern REDACTED ORCHARD REDACTED"),
        ([None, ""], "orchard+lantern orchard.lantern ORCHARD orchard"),
    ],
)
def test_nothing_but_the_keys_is_removed_and_of_two_the_longer_one(
    keys: list[str | None], left: str
) -> None:
    text = "orchard+lantern orchard.lantern ORCHARD orchard"
    assert redaction.remove_keys(text, keys) == left


IMAGE, XML = "data:image/png;", "data:application/vnd.x+xml;"
HASH = r"sha256,[0-9a-f]{64}"


@pytest.mark.parametrize(
    ("part", "hashed"),
    [
        ({"url": f"{IMAGE}base64,%s"}, re.escape(IMAGE) + HASH),
        ({"url": f"{XML}base64,%s"}, re.escape(XML) + HASH),
        ({"data": "%s", "format": "wav"}, HASH),
        ({"file_data": "%s"}, HASH),
    ],
)
def test_data_is_replaced_by_its_hash_and_equal_data_by_equal_ones(
    part: dict[str, str], hashed: str
) -> None:
    name, text = next(iter(part)), json.dumps(part)
    first, other = text.replace("%s", PNG), text.replace("%s", PNG[::-1])
    written = redaction.hash_assets(f"[{first}, {other}, {first}]")
    one, two, again = (each[name] for each in json.loads(written))
    assert one == again != two
    assert re.fullmatch(hashed, one)
    assert redaction.hash_assets(written) == written


@pytest.mark.parametrize(
    "part",
    [{"text": PNG}, {"data": f"{PNG}!"}, {"metadata": PNG}, {"url": f"{IMAGE}base64,AAAA"}],
)
def test_what_is_no_data_or_short_stays_as_it_is(part: dict[str, str]) -> None:
    assert redaction.hash_assets(json.dumps(part)) == json.dumps(part)


def test_ids_are_replaced_and_stay_equal_or_different_as_they_were() -> None:
    ids = redaction.Ids()
    ids.learn({"x-request-id": ["3f2a-99bc-77de"]}, '{"id": "chatcmpl-94229fac47b7"}')
    ids.learn({}, 'data: {"id": "chatcmpl-aaaabbbb1111"}\n\ndata: [DONE]\n\ndata: 5\n\n')
    ids.learn({"x-request-id": ["chatcmpl-94229fac47b7"]}, "not JSON")
    text = "chatcmpl-94229fac47b7 chatcmpl-aaaabbbb1111 3f2a-99bc-77de chatcmpl-94229fac47b7"
    first, second, third, again = ids.replace(text).split()
    assert first == again == "chatcmpl-000000000002"
    assert second == "chatcmpl-000000000003"
    assert third == "0000-0000-0001"


@pytest.mark.parametrize(
    ("body", "given", "put"),
    [
        ('{"message": "no", "request_id": "req_AbCdEf123456"}', "req_AbCdEf123456", "req_%012d"),
        ('data: [not JSON\n\ndata:{"id": "wxyz7890"}\n\n', "wxyz7890", "%08d"),
    ],
)
def test_an_id_is_learnt_from_an_error_and_from_any_event(body: str, given: str, put: str) -> None:
    ids = redaction.Ids()
    ids.learn({"x-request-id": ["abcd1234"]}, body)
    assert ids.replace(f"abcd1234 {given}") == f"00000001 {put % 2}"


@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps({"id": odd}) for odd in ("a1", "", None, 12345678901, "chatcmpl-1")),
        '{"choices": [{"tool_calls": [{"id": "chatcmpl-tool-0123456789"}]}]}',
        *(
            json.dumps({"id": word, "role": word, "usage": {f"{word}_tokens": 3}, "a": f"a {word}"})
            for word in ("assistant", "completion", "chatcmpl-abcdefgh")
        ),
        *(f'{{"id": "{number}", "at": {number}}}' for number in ("1700000000", "-17000000.25")),
        '{"id": "chatcmpl-94229fac47b7", "x": ' + "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
    ],
    ids=lambda body: body[:40],
)
def test_what_names_nothing_a_word_a_number_or_a_call_is_no_id(body: str) -> None:
    ids = redaction.Ids()
    ids.learn({"x-request-id": ["1700000000"]}, body)
    assert ids.replace(body) == body


@pytest.mark.parametrize("text", ["{}", "/v1/{}/x", 'say \\"{}\\"', "\\n{}", "\\u00e9{}", "ü{}"])
def test_an_id_is_replaced_wherever_it_stands(text: str) -> None:
    ids = redaction.Ids()
    ids.learn({}, '{"id": "req_abcd1234"}')
    assert ids.replace(text.format("req_abcd1234")) == text.format("req_00000001")


def test_ids_that_begin_alike_stay_different() -> None:
    ids = redaction.Ids()
    texts = ["chatcmpl-12345678", "chatcmpl-123456789", "chatcmpl-00000002", "chatcmpl-00000001"]
    for each in texts:
        ids.learn({}, json.dumps({"id": each}))
    assert ids.replace(" ".join(texts)).split() == [
        "chatcmpl-00000001",
        "chatcmpl-000000002",
        "chatcmpl-00000003",
        "chatcmpl-00000004",
    ]


@pytest.mark.parametrize("odd", ["a:b/c.12345678", "id 12345678!", "ä-1234-abcde"])
def test_an_id_of_odd_letters_is_replaced(odd: str) -> None:
    ids = redaction.Ids()
    ids.learn({"x-request-id": [odd]}, "")
    assert not set("2345678") & set(ids.replace(f"it is {odd}"))
