from __future__ import annotations

import json
from typing import Any

import pytest
from vcr.request import Request

from conformance import recording
from conformance.targets import FAKE_KEY

URI = "http://127.0.0.1:4711/v1/chat/completions"


def _request(body: Any = None, uri: str = URI, **headers: str) -> Request:
    return Request("POST", uri, json.dumps(body or {}).encode(), headers)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (URI, "https://inference.baseten.co/v1/chat/completions"),
        (
            "http://localhost:1/production/sync/v1/chat/completions?a=1",
            "https://model-abcd1234.api.baseten.co/production/sync/v1/chat/completions?a=1",
        ),
        ("https://inference.baseten.co/v1/models", "https://inference.baseten.co/v1/models"),
    ],
    ids=["model-apis", "dedicated", "already canonical"],
)
def test_a_stand_in_server_is_recorded_under_the_address_it_stands_for(
    sent: str, canonical: str
) -> None:
    assert recording.make_canonical(sent) == canonical


def test_a_request_keeps_allowed_headers_only_whatever_their_spelling() -> None:
    request = _request(
        None, **{"ACCEPT": "a", "Authorization": "Bearer x", "x-new-secret": "s", "Cookie": "c"}
    )
    kept = recording.redact_request(request)
    assert dict(kept.headers) == {"accept": "a"}


def test_redacting_twice_changes_nothing() -> None:
    once = recording.redact_request(_request({"a": 1}, accept="a"))
    uri, headers, body = once.uri, dict(once.headers), once.body
    twice = recording.redact_request(once)
    assert (twice.uri, dict(twice.headers), twice.body) == (uri, headers, body)


def test_a_response_keeps_allowed_headers_only_whatever_their_spelling() -> None:
    response = {
        "status": {"code": 200},
        "headers": {"Content-Type": ["a"], "Set-Cookie": ["s"], "X-Baseten-Session-Id": ["i"]},
        "body": {"string": b"x"},
    }
    assert recording.redact_response(response)["headers"] == {"content-type": ["a"]}
    assert recording.redact_response(response)["body"] == {"string": b"x"}


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
    ],
    ids=["another model", "no stream", "ids linked otherwise", "the server's own ids"],
)
def test_bodies_that_differ_do_not_match(recorded: Any, sent: Any) -> None:
    with pytest.raises(AssertionError, match="the body differs"):
        recording.match_json_body(_request(recorded), _request(sent))


def test_a_request_without_a_body_matches_another_one() -> None:
    first, second = Request("GET", URI, None, {}), Request("GET", URI, None, {})
    recording.match_json_body(first, second)


def test_a_body_given_as_text_is_read_as_well() -> None:
    first, second = _request({"a": 1}), _request({"a": 1})
    first.body = '{"a": 1}'
    recording.match_json_body(first, second)


def test_replay_never_records_and_the_body_is_matched() -> None:
    settings = recording.vcr_settings(record=False)
    assert settings["record_mode"] == "none"
    assert settings["allow_playback_repeats"] is False
    assert "json_body" in settings["match_on"]
    assert recording.vcr_settings(record=True)["record_mode"] == "all"


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("authorization: x", "an authorization header"),
        ("  Authorization:\n  - Bearer abcdefghijk", "an authorization header"),
        ("said Bearer abcdefghijkl", "a bearer token"),
        ("Api-Key abcdefgh12345", "a bearer token"),
        ("Set-Cookie: a=b", "a cookie"),
        ("  cookie:\n  - a", "a cookie"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "a JSON web token"),
        ("sk-abcdefghijklmnop1234", "a key"),
        ("AbCd1234.abcdefghijklmnopqrstuvwxyz012345", "a Baseten key"),
        (f"x {FAKE_KEY} y", "the suite's own key"),
    ],
)
def test_a_planted_secret_is_found_and_not_shown(planted: str, found: str) -> None:
    named = list(recording.find_secrets(f"first line\n{planted}\n"))
    assert any(name.startswith(found) and "in line 2" in name for name in named)
    assert not any(planted in name for name in named)


def test_a_key_in_use_is_found_to_the_letter() -> None:
    assert list(recording.find_secrets("a plain-word b", ("plain-word",))) == ["a key in use"]


def test_a_clean_text_holds_no_secret() -> None:
    text = (
        '{"model": "zai-org/GLM-5.2", "id": "chatcmpl-123", "content": "the cookie is a biscuit"}'
    )
    assert list(recording.find_secrets(text, ("",))) == []
