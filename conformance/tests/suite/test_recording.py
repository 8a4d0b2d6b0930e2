from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.request import Request
from vcr.serializers import yamlserializer

from conformance.recording import vcr_hooks as recording
from conformance.recording.cassettes import find_flaws, read_provenance
from conformance.recording.provenance import hash_request
from conformance.targets import FAKE_KEY, LANES
from conformance.tests.suite.cassette_builders import ABOUT

if TYPE_CHECKING:
    from pathlib import Path

URI = "http://127.0.0.1:4711/v1/chat/completions"
KEY = "sk-very-secret-0123"


def _request(body: Any = None, uri: str = URI, **headers: str) -> Request:
    return Request("POST", uri, json.dumps(body or {}).encode(), headers)


def _response(
    body: bytes = b"x", headers: dict[str, list[str]] | None = None, status: int = 200
) -> dict[str, Any]:
    return {
        "status": {"code": status, "message": ""},
        "headers": headers or {},
        "body": {"string": body},
    }


@pytest.fixture
def redactor() -> recording.Redactor:
    return recording.Redactor(LANES["model-apis"], [KEY])


def test_a_request_keeps_its_canonical_address_and_allowed_headers(
    redactor: recording.Redactor,
) -> None:
    headers = {"ACCEPT": "a", "Authorization": "Bearer x", "x-new-secret": "s", "Cookie": "c"}
    kept = redactor.redact_request(_request(None, **headers))
    assert dict(kept.headers) == {"accept": "a"}
    assert kept.uri == "https://inference.baseten.co/v1/chat/completions"


def test_no_key_is_kept_in_address_body_headers_or_answer(redactor: recording.Redactor) -> None:
    request = _request({"a": KEY, "b": FAKE_KEY}, f"{URI}?version={KEY}", accept="a")
    kept = redactor.redact_request(request)
    assert json.loads(kept.body) == {"a": "REDACTED", "b": "REDACTED"}
    answer = redactor.redact_response(_response(f"no {KEY}".encode(), {"Content-Type": [KEY]}))
    assert answer is not None
    assert answer["body"] == {"string": b"no REDACTED"}
    assert KEY not in f"{kept.uri} {kept.headers} {answer}"


def test_redacting_twice_changes_nothing(redactor: recording.Redactor) -> None:
    picture = "data:image/png;base64," + "A" * 400
    once = redactor.redact_request(_request({"a": picture, "k": KEY}, f"{URI}?x=1", accept="a"))
    uri, headers, body = once.uri, dict(once.headers), once.body
    assert picture.encode() not in body
    twice = redactor.redact_request(once)
    assert (twice.uri, dict(twice.headers), twice.body) == (uri, headers, body)


def test_a_request_without_a_body_stays_without(redactor: recording.Redactor) -> None:
    assert redactor.redact_request(Request("GET", URI, None, {})).body is None


def test_an_id_is_replaced_wherever_it_comes_again(redactor: recording.Redactor) -> None:
    said = b'{"id": "chatcmpl-0a1b2c3d4e5f"}'
    answer = redactor.redact_response(_response(said, {"X-Request-Id": ["0a1b2c3d-99ff"]}))
    assert answer is not None
    assert answer["body"]["string"] == b'{"id": "chatcmpl-000000000002"}'
    assert answer["headers"] == {"x-request-id": ["00000000-0001"]}
    later = redactor.redact_request(_request({"previous": "chatcmpl-0a1b2c3d4e5f"}))
    assert json.loads(later.body) == {"previous": "chatcmpl-000000000002"}


def test_what_the_status_says_is_cleaned_too(redactor: recording.Redactor) -> None:
    answer = _response(b"", {"x-request-id": ["0a1b2c3d"]})
    answer["status"] = {"code": 500, "message": f"No {KEY} of 0a1b2c3d"}
    kept = redactor.redact_response(answer)
    assert kept is not None
    assert kept["status"] == {"code": 500, "message": "No REDACTED of 00000001"}


def test_a_number_in_a_body_is_no_id(redactor: recording.Redactor) -> None:
    said = b'{"created": 1700000000, "id": "1700000000"}'
    answer = redactor.redact_response(_response(said, {"x-request-id": ["1700000000"]}))
    assert answer is not None
    assert answer["body"] == {"string": said}
    assert answer["headers"] == {"x-request-id": ["1700000000"]}
    later = redactor.redact_request(_request({"seed": 1700000000, "id": "1700000000"}))
    assert json.loads(later.body) == {"seed": 1700000000, "id": "1700000000"}


def test_half_a_character_is_kept_as_it_came(redactor: recording.Redactor) -> None:
    answer = redactor.redact_response(_response(body := b"\xff half a character \xc3"))
    assert answer is not None
    assert answer["body"] == {"string": body}


def test_a_limited_request_is_not_kept(redactor: recording.Redactor) -> None:
    assert redactor.redact_response(_response(status=429)) is None


def test_replay_never_records_and_the_body_is_matched() -> None:
    settings = recording.vcr_settings(record=False)
    assert settings["record_mode"] == "none"
    assert settings["allow_playback_repeats"] is False
    assert settings["match_on"] == ("method", "uri", "json_body")
    assert settings["decode_compressed_response"] is True
    assert recording.vcr_settings(record=True)["record_mode"] == "all"


def test_only_what_is_recorded_is_redacted() -> None:
    assert recording.vcr_settings(record=False)["before_record_response"] is None
    redact = recording.vcr_settings(record=True)["before_record_response"]
    assert redact(_response(headers={"Set-Cookie": ["s"], "Content-Type": ["a"]}))["headers"] == {
        "content-type": ["a"]
    }


def test_replay_looks_for_the_address_that_is_asked() -> None:
    settings = recording.vcr_settings(record=False)
    assert settings["before_record_request"](_request(None, uri=URI)).uri == URI


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
        (
            {"id": "call_" + "0" * 32, "again": "call_" + "0" * 32},
            {"id": "call_" + "f" * 32, "again": "call_" + "f" * 32},
        ),
        (
            {"tools": [{"description": "Adds.\n\n    Twice."}]},
            {"tools": [{"description": "Adds.\n\nTwice."}]},
        ),
        (
            {"id": "ca8a6d9f-1396-4280-bd32-d2138c32f271"},
            {"id": "e0fe2b72-cf3f-4a9c-95ba-b829b660bd97"},
        ),
    ],
    ids=["key order", "own ids", "an indented docstring", "ids that langchain-core makes up"],
)
def test_bodies_that_mean_the_same_match(recorded: Any, sent: Any) -> None:
    recording.match_json_body(_request(recorded), _request(sent))


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ({"model": "a"}, {"model": "b"}),
        ({"stream": True}, {}),
        (
            {"x": "call_" + "0" * 32, "y": "call_" + "0" * 32},
            {"x": "call_" + "1" * 32, "y": "call_" + "2" * 32},
        ),
        ({"id": "functions.f:0"}, {"id": "functions.f:1"}),
        ({"tools": [{"description": "Adds."}]}, {"tools": [{"description": "Takes."}]}),
    ],
    ids=[
        "another model",
        "no stream",
        "ids linked otherwise",
        "the server's own ids",
        "another description",
    ],
)
def test_bodies_that_differ_do_not_match(recorded: Any, sent: Any) -> None:
    with pytest.raises(AssertionError, match="the body differs"):
        recording.match_json_body(_request(recorded), _request(sent))


def test_a_changed_picture_does_not_match(redactor: recording.Redactor) -> None:
    first, second = ({"url": f"data:image/png;base64,{x * 300}"} for x in "AB")
    recorded = redactor.redact_request(_request(first))
    recording.match_json_body(recorded, redactor.redact_request(_request(first)))
    with pytest.raises(AssertionError, match="the body differs"):
        recording.match_json_body(recorded, redactor.redact_request(_request(second)))


def test_a_request_without_a_body_matches_another_one() -> None:
    first, second = Request("GET", URI, None, {}), Request("GET", URI, None, {})
    recording.match_json_body(first, second)


def test_a_body_given_as_text_is_read_as_well() -> None:
    first, second = _request({"a": 1}), _request({"a": 1})
    first.body = '{"a": 1}'
    recording.match_json_body(first, second)


def test_a_written_cassette_says_what_was_asked_and_where_it_came_from(tmp_path: Path) -> None:
    bodies = [{"model": "b"}, {"model": "a"}]
    writer = recording.CassetteWriter(lambda m, r: replace(ABOUT, model=m, requests=r))
    path = tmp_path / "new/lane/a.yaml"
    requests = [*map(_request, bodies), Request("GET", URI, None, {})]
    for _ in range(2):
        writer.save_cassette(
            str(path),
            {"requests": requests, "responses": [_response()] * len(requests)},
            yamlserializer,
        )
    about = read_provenance(path)
    assert about is not None
    assert about.model == "None, a, b"
    assert about.requests == tuple(map(hash_request, [*bodies, {}]))
    assert find_flaws(tmp_path) == []


def test_every_cassette_is_begun_anew() -> None:
    writer = recording.CassetteWriter(lambda m, r: ABOUT)
    with pytest.raises(CassetteNotFoundError, match=r"^a\.yaml$"):
        writer.load_cassette("a.yaml", yamlserializer)
