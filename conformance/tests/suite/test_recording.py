from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.request import Request
from vcr.serializers import yamlserializer

from conformance.recording import vcr_hooks as recording
from conformance.recording.cassettes import find_flaws, read_provenance
from conformance.recording.provenance import hash_request
from conformance.targets import FAKE_KEY, LANES
from conformance.tests.suite.cassette_builders import ABOUT

URI = "http://127.0.0.1:4711/v1/chat/completions"
KEY = "sk-very-secret-0123"
NOUGHTS, ONES = ("call_" + digit * 32 for digit in "01")


def _request(body: Any = None, uri: str = URI, **headers: str) -> Request:
    return Request("POST", uri, json.dumps(body or {}).encode(), headers)


def _response(
    body: bytes = b"x", status: int = 200, message: str = "", **headers: Any
) -> dict[str, Any]:
    return {
        "status": {"code": status, "message": message},
        "headers": {name.replace("_", "-"): [value] for name, value in headers.items()},
        "body": {"string": body},
    }


@pytest.fixture
def redactor() -> recording.Redactor:
    return recording.Redactor(LANES["model-apis"], [KEY])


def test_a_request_is_kept_at_its_lanes_address_without_keys_pictures_and_other_headers(
    redactor: recording.Redactor,
) -> None:
    headers = {"ACCEPT": "a", "Authorization": f"Bearer {KEY}", "x-new-secret": "s", "Cookie": "c"}
    body = {"a": KEY, "b": FAKE_KEY, "c": "data:image/png;base64," + "A" * 400}
    request = _request(body, f"{URI}?version={KEY}&x=1", **headers)
    for _ in ("once", "on loading, again"):
        request = redactor.redact_request(request)
        assert request.uri == (
            "https://inference.baseten.co/v1/chat/completions?version=REDACTED&x=REDACTED"
        )
        assert dict(request.headers) == {"accept": "a"}
        found = json.loads(request.body)
        assert found["c"].startswith("data:image/png;sha256,")
        assert found == {"a": "REDACTED", "b": "REDACTED", "c": found["c"]}


def test_a_request_without_a_body_stays_without(redactor: recording.Redactor) -> None:
    assert redactor.redact_request(Request("GET", URI, None, {})).body is None


ID, NEW = "0a1b2c3d-99ff", "00000000-0001"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            _response(f"no {KEY}".encode(), 500, f"No {KEY}", Content_Type=KEY, Set_Cookie="s"),
            _response(b"no REDACTED", 500, "No REDACTED", **{"content-type": "REDACTED"}),
        ),
        (
            _response(f'{{"id": "{ID}"}}'.encode(), 500, f"No {ID}", X_Request_Id=ID),
            _response(f'{{"id": "{NEW}"}}'.encode(), 500, f"No {NEW}", **{"x-request-id": NEW}),
        ),
        (_response(b"\xff half a letter \xc3"), _response(b"\xff half a letter \xc3")),
        (_response(status=429), None),
    ],
    ids=["a key", "an id", "half a letter", "a request that is waited for and sent again"],
)
def test_a_response_is_kept_without_what_its_service_gave_it_alone(
    redactor: recording.Redactor, given: Any, kept: Any
) -> None:
    assert redactor.redact_response(given) == kept


def test_an_id_of_a_response_is_replaced_in_later_requests(redactor: recording.Redactor) -> None:
    redactor.redact_response(_response(b'{"id": "chatcmpl-0a1b2c3d4e5f"}'))
    later = redactor.redact_request(_request({"previous": "chatcmpl-0a1b2c3d4e5f"}))
    assert json.loads(later.body) == {"previous": "chatcmpl-000000000001"}


@pytest.mark.parametrize("record", [True, False])
def test_replay_never_records_and_only_what_is_recorded_is_redacted(*, record: bool) -> None:
    settings = recording.vcr_settings(record=record)
    redact = settings.pop("before_record_response")
    request = settings.pop("before_record_request")(_request())
    assert settings == {
        "record_mode": "all" if record else "none",
        "match_on": ("method", "uri", "json_body"),
        "allow_playback_repeats": False,
        "decode_compressed_response": True,
    }
    assert request.uri == URI, "without a lane the address is looked for that is asked"
    kept = redact(_response(Set_Cookie="s", Content_Type="a"))["headers"] if record else redact
    assert kept == ({"content-type": ["a"]} if record else None)


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
        ({"id": NOUGHTS, "again": NOUGHTS}, {"id": ONES, "again": ONES}),
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
        ({"x": NOUGHTS, "y": NOUGHTS}, {"x": ONES, "y": "call_" + "2" * 32}),
        ({"id": "functions.f:0"}, {"id": "functions.f:1"}),
        ({"tools": [{"description": "Adds."}]}, {"tools": [{"description": "Takes."}]}),
    ],
    ids=["model", "no stream", "ids linked otherwise", "the server's own ids", "description"],
)
def test_bodies_that_differ_do_not_match(recorded: Any, sent: Any) -> None:
    with pytest.raises(AssertionError, match="the body differs"):
        recording.match_json_body(_request(recorded), _request(sent))


def test_what_differs_is_named_and_nothing_else() -> None:
    recorded, sent = {"model": "a", "seed": 7, "stop": ["END"]}, {"model": "a", "seed": 8}
    output = "the body differs: seed: recorded 7, sent 8; stop: recorded ['END'], sent None"
    with pytest.raises(AssertionError, match=re.escape(output)):
        recording.match_json_body(_request(recorded), _request(sent))
    with pytest.raises(AssertionError, match=re.escape("differs: recorded [1], sent [2]")):
        recording.match_json_body(_request([1]), _request([2]))


@pytest.mark.parametrize(
    ("likest", "message"),
    [
        ([("request", ["uri"], [("json_body", "the body differs: a")])], "the body differs"),
        ([("request", ["uri", "json_body"], [])], "it is sent more often than it was recorded"),
        ([], "it is sent more often than it was recorded"),
    ],
)
def test_the_change_is_found_however_deep_the_refusal_lies(likest: list[Any], message: str) -> None:
    cassette = SimpleNamespace(
        find_requests_with_most_matches=lambda _: likest, _path="a.yaml", record_mode="none"
    )
    refused = CannotOverwriteExistingCassetteException(cassette=cassette, failed_request="request")
    failed = ValueError("the service cannot be reached")
    failed.__cause__ = refused
    assert recording.find_change(failed).startswith(message)
    assert recording.find_change(ValueError("another one")) == ""


def test_a_changed_picture_does_not_match(redactor: recording.Redactor) -> None:
    first, second = ({"url": f"data:image/png;base64,{x * 300}"} for x in "AB")
    recorded = redactor.redact_request(_request(first))
    recording.match_json_body(recorded, redactor.redact_request(_request(first)))
    with pytest.raises(AssertionError, match="the body differs"):
        recording.match_json_body(recorded, redactor.redact_request(_request(second)))


def test_a_body_may_be_a_text_or_none() -> None:
    for one, other in (('{"a":1}', b'{"a": 1}'), (None, None)):
        first, second = _request(), _request()
        first.body, second.body = one, other
        recording.match_json_body(first, second)


def test_a_written_cassette_says_what_was_asked_and_where_it_came_from(tmp_path: Path) -> None:
    bodies = [{"model": "b"}, {"model": "a"}]
    writer = recording.CassetteWriter(lambda m, r: replace(ABOUT, model=m, requests=r))
    path = tmp_path / "new/lane/a.yaml"
    requests = [*map(_request, bodies), Request("GET", URI, None, {})]
    played = {"requests": requests, "responses": [_response()] * len(requests)}
    for _ in range(2):
        writer.save_cassette(str(path), played, yamlserializer)
    about = read_provenance(path)
    assert about is not None
    assert about.model == "None, a, b"
    assert about.requests == tuple(map(hash_request, [*bodies, {}]))
    assert find_flaws(tmp_path) == []


def test_every_cassette_is_begun_anew() -> None:
    writer = recording.CassetteWriter(lambda m, r: ABOUT)
    with pytest.raises(CassetteNotFoundError, match=r"^a\.yaml$"):
        writer.load_cassette("a.yaml", yamlserializer)
