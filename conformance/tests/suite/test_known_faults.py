"""A fault that many checks meet is reported by one claim, and hides no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.reference import ReceivedRequest
from conformance.subjects import known_faults
from conformance.subjects.known_faults import (
    find_cause,
    find_reported,
    is_retried,
    overlook,
    repair,
    spell_plainly,
)

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
LOOK = {"type": "function", "function": {"name": "look"}}
STRANGE = {"type": "function", "function": {"name": "any"}}
AUDIO_PART = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
SCHEMA = {"title": "Visit", "type": "object"}
MOVED = {"type": "json_schema", "json_schema": {"name": "Visit", "schema": SCHEMA}}
MISPLACED = {"type": "json_object", "schema": SCHEMA}
NAMELESS = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
CUT = "the model is asked for by the end of its name alone, as instantiation.model.slug says"
CHOICE = "the service refuses the tool_choice sent, as tools.choice.forced says"
METHOD = "a schema is not sent as json_schema, as structured.method.json-schema says"
NAME = "a schema is sent without the name that it needs, as structured.method.json-schema says"
SPLIT = "the pieces of a streamed call are not put together, as tools.stream.merge-by-index says"
AUDIO = "audio is sent without its data, as audio.dedicated.data says"
CALLS = "calls of earlier turns are not sent, as tools.history.round-trip says"
SPOILT = "a call does not arrive as it was sent, as tools.invoke.call says"
FAILED = ValueError("it failed")


@pytest.fixture(autouse=True)
def _begin() -> Iterator[None]:
    known_faults.begin_check(["tools.agent.loop"], ())
    yield
    known_faults.begin_check((), ())


def ask(path: str = "/v1/chat/completions", **more: Any) -> ReceivedRequest:
    body = {"model": "zai-org/GLM-5.2", "messages": [{"role": "user", "content": "Hello"}], **more}
    headers = (("authorization", "Bearer abcdefgh"), ("content-type", "application/json"))
    return ReceivedRequest("POST", path, headers, json.dumps(body).encode())


def say(*content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": [*content]}], **more}


@pytest.mark.parametrize(
    ("more", "repaired", "reported"),
    [
        ({"model": "gpt-oss-120b"}, {"model": "openai/gpt-oss-120b"}, CUT),
        ({"tools": [TOOL], "tool_choice": "any"}, {"tool_choice": "required"}, CHOICE),
        ({"tools": [TOOL], "tool_choice": True}, {"tool_choice": "required"}, CHOICE),
        ({"tools": [TOOL], "tool_choice": STRANGE}, {"tool_choice": "required"}, CHOICE),
        ({"tools": [TOOL], "tool_choice": "look"}, {"tool_choice": LOOK}, CHOICE),
        ({"response_format": MISPLACED}, {"response_format": MOVED}, METHOD),
        ({"response_format": NAMELESS}, {"response_format": MOVED}, NAME),
    ],
)
def test_what_can_be_put_right_hides_nothing_else_and_is_never_a_pass(
    more: dict[str, Any], repaired: dict[str, Any], reported: str
) -> None:
    sent = ask(**more)
    assert repair(sent).json() == {**sent.json(), **repaired}
    assert [reported] == known_faults.OVERLOOKED
    assert find_reported([sent], FAILED) == ""


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": LOOK},
        {"tools": [TOOL], "tool_choice": None},
        {"tools": "look", "tool_choice": "any"},
        {"tool_choice": "any"},
        {"response_format": {"type": "json_object"}},
        {"response_format": MOVED},
        {"response_format": "json_object"},
        {"model": "omni"},
    ],
)
def test_a_request_as_services_take_it_is_left_alone(more: dict[str, Any]) -> None:
    assert repair(sent := ask(**more)) is sent
    assert known_faults.OVERLOOKED == []


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        ({}, ""),
        (say({"type": "input_audio"}), AUDIO),
        (say(AUDIO_PART), ""),
        (say("Sunny.", role="tool"), CALLS),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}, {"role": "tool"}]}, ""),
    ],
)
def test_what_cannot_be_put_right_is_told_by_the_claim_that_is_about_it(
    more: dict[str, Any], reported: str
) -> None:
    assert repair(sent := ask(**more)) is sent
    assert find_reported([ask(), sent], FAILED) == reported


@pytest.mark.parametrize(
    ("known", "more", "reported"),
    [
        ("tools.stream.merge-by-index", {"tools": [TOOL], "stream": True}, SPLIT),
        ("tools.stream.merge-by-index", {"tools": [TOOL]}, ""),
        ("tools.stream.merge-by-index", {"stream": True}, ""),
        ("tools.invoke.call", {"tools": [TOOL]}, SPOILT),
        ("tools.invoke.call", {}, ""),
        ("tools.invoke.call", {"tools": [TOOL], "stream": True}, ""),
        ("tools.invoke.call, streamed", {"tools": [TOOL], "stream": True}, SPOILT),
    ],
)
def test_what_a_request_alone_does_not_show_has_to_be_known(
    known: str, more: dict[str, Any], reported: str
) -> None:
    assert find_reported([ask(**more)], FAILED) == ""
    known_faults.begin_check((), [known])
    assert find_reported([ask(**more)], FAILED) == reported
    known_faults.begin_check([known.partition(",")[0]], [known])
    assert find_reported([ask(**more)], FAILED) == ""


def test_the_claim_that_is_about_a_fault_names_it_once() -> None:
    sent = ask(tools=[TOOL], tool_choice="any")
    assert find_cause([sent]) == ""
    known_faults.begin_check(["tools.choice.forced"], ())
    assert repair(sent) is sent
    assert not overlook("tools.choice.forced", "it is refused")
    assert known_faults.OVERLOOKED == []
    assert find_cause([ask(), sent]) == "the service refuses the tool_choice sent"


def test_what_the_client_does_not_take_is_told_by_the_claim_that_is_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(known_faults.REFUSALS, repr(FAILED), "structured.bind.schemas")
    reported = "what is given is not taken, as structured.bind.schemas says: it failed"
    assert find_reported((), FAILED) == reported
    assert find_reported((), TypeError("it failed")) == ""
    mute = NotImplementedError()
    monkeypatch.setitem(known_faults.REFUSALS, repr(mute), "structured.bind.schemas")
    assert find_reported((), mute).endswith("structured.bind.schemas says: NotImplementedError")
    known_faults.begin_check(["structured.bind.schemas"], ())
    assert find_reported((), FAILED) == ""


def test_a_schema_in_words_alone_is_none_that_a_service_can_keep_to() -> None:
    words = say(json.dumps({"properties": {"city": {"type": "string"}}}))
    known_faults.begin_check(["structured.async.default"], ())
    assert find_reported([ask(**words)], FAILED).startswith(
        "the schema is asked for in words alone"
    )
    for more in (words | {"tools": [TOOL]}, words | {"response_format": MOVED}, {}):
        assert find_reported([ask(**more)], FAILED) == ""
    known_faults.begin_check(["messages.invoke.string"], ())
    assert find_reported([ask(**words)], FAILED) == ""


def test_a_call_of_a_kind_that_the_client_refuses_is_told_by_one_claim() -> None:
    known_faults.refuse_call("messages.invoke.string", "it answers no call")
    assert find_reported((), FAILED) == "it answers no call, as messages.invoke.string says"
    known_faults.begin_check(["messages.invoke.string"], ())
    known_faults.refuse_call("messages.invoke.string", "it answers no call")
    assert find_reported((), FAILED) == ""
    assert find_cause(()) == "it answers no call"


def test_a_client_that_goes_on_asking_is_told_of_by_the_claim_of_retries() -> None:
    endless = ValueError("no end after 10 seconds, in which the client sent request after request")
    known_faults.ANSWERED.extend([503, 200])
    assert find_reported((), endless) == ""
    assert not is_retried()
    known_faults.ANSWERED.append(503)
    assert not is_retried()
    known_faults.ANSWERED.append(502)
    assert is_retried()
    reported = "the client goes on asking a service that fails, as retries.policy.transient says"
    assert find_reported((), endless) == reported
    assert find_reported((), FAILED) == ""
    known_faults.begin_check(["retries.policy.transient"], ())
    known_faults.ANSWERED.extend([503, 503])
    assert not is_retried()
    assert find_reported((), endless) == ""


def test_a_text_may_be_sent_as_a_list_of_one() -> None:
    text, other = {"type": "text", "text": "Hello"}, {"type": "text", "text": "!", "cached": True}
    assert spell_plainly(ask(**say(text))).json()["messages"][0]["content"] == "Hello"
    for parts in ((text, text), (other,), (AUDIO_PART,), ()):
        assert spell_plainly(sent := ask(**say(*parts))) is sent
    assert spell_plainly(sent := ask()) is sent
    assert spell_plainly(ask(stop="END")).json()["stop"] == ["END"]
    assert spell_plainly(sent := ask(stop=["END"])) is sent


@pytest.mark.parametrize(
    "request_",
    [
        ReceivedRequest("GET", "/v1/models"),
        ReceivedRequest("POST", "/v1/chat/completions", body=b"{"),
        ReceivedRequest("POST", "/v1/chat/completions", body=b"[]"),
    ],
)
def test_other_requests_than_for_an_answer_show_nothing(request_: ReceivedRequest) -> None:
    assert repair(request_) is request_
    assert spell_plainly(request_) is request_
    assert find_reported([request_], FAILED) == ""


@pytest.mark.parametrize(
    ("judged", "reported"),
    [
        ("usage.stream.last", "the client asks for no stream, as streaming.sync.incremental says"),
        ("streaming.sync.incremental", ""),
        ("usage.invoke.once", ""),
    ],
)
def test_a_client_that_asks_for_no_stream_is_told_so_by_the_claim_of_first_chunks(
    judged: str, reported: str
) -> None:
    known_faults.begin_check([judged], ["streaming.sync.incremental"])
    assert find_reported((), FAILED) == reported
