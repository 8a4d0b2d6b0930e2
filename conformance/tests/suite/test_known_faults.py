"""A fault that many checks meet is told by one claim."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import ReceivedRequest
from conformance.subjects.known_faults import find_told

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
LOOKED = {"type": "function", "function": {"name": "look"}}
CHOICE = "the service refuses the tool_choice sent, as tools.choice.forced says"
SPLIT = "the pieces of a streamed call are not put together, as tools.stream.merge-by-index says"
AUDIO = "audio is sent without its data, as audio.dedicated.data says"
HEARD = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
SCHEMA = "a schema is not sent as json_schema, as structured.method.json-schema says"


def ask(path: str = "/v1/chat/completions", **more: Any) -> ReceivedRequest:
    body = {"model": "zai-org/GLM-5.2", "messages": [{"role": "user", "content": "Hello"}], **more}
    headers = (("authorization", "Bearer abcdefgh"), ("content-type", "application/json"))
    return ReceivedRequest("POST", path, headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, ""),
        ({"tools": [TOOL], "tool_choice": "any"}, CHOICE),
        ({"tools": [TOOL], "tool_choice": "required"}, ""),
        ({"tools": [TOOL], "tool_choice": LOOKED}, ""),
        ({"response_format": {"type": "json_object", "schema": {}}}, SCHEMA),
        ({"response_format": {"type": "json_object"}}, ""),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, AUDIO),
        ({"messages": [{"role": "user", "content": [HEARD]}]}, ""),
        ({"messages": [{"role": "assistant", "tool_calls": []}]}, ""),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, ""),
    ],
)
def test_what_a_request_shows_is_told_by_the_claim_that_is_about_it(
    more: dict[str, Any], told: str
) -> None:
    assert find_told([ask(), ask(**more)], {"tools.invoke.call"}) == told
    told_here = {"tools.choice.forced", "structured.method.json-schema", "audio.dedicated.data"}
    assert find_told([ask(**more)], told_here) == ""


@pytest.mark.parametrize(
    ("more", "told"),
    [({"tools": [TOOL], "stream": True}, SPLIT), ({"tools": [TOOL]}, ""), ({"stream": True}, "")],
)
def test_a_client_that_splits_streamed_calls_fails_one_claim(
    more: dict[str, Any], told: str
) -> None:
    assert find_told([ask(**more)], {"tools.invoke.call"}, splits=True) == told
    assert find_told([ask(**more)], {"tools.stream.merge-by-index"}, splits=True) == ""
    assert find_told([ask(**more)], {"tools.invoke.call"}) == ""


def test_other_requests_than_for_an_answer_show_nothing() -> None:
    assert find_told([ReceivedRequest("GET", "/v1/models")], ()) == ""


def test_a_choice_that_the_service_takes_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.subjects.known_faults._REFUSED", 0)
    assert find_told([ask(tools=[TOOL], tool_choice="any")], ()) == ""
