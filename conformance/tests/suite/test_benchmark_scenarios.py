"""What the benchmark's server sends, and what is expected of a client that reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.maintenance.benchmarks.quantities import QUANTITIES, find_outcome, shrink
from conformance.maintenance.benchmarks.scenarios import (
    Outcome,
    Scenario,
    expect,
    fingerprint,
    list_messages,
    list_tool_names,
    make_arguments,
    render_reply,
    render_stream,
)

STREAMED = [
    Scenario(kind, size)
    for kind, size in (("words", 300), ("packets", 5), ("crowd", 3), ("deltas", 40))
]
STREAMED += [Scenario("arguments", size) for size in (10, 5000)]


def read_deltas(scenario: Scenario) -> list[dict[str, Any]]:
    *events, end, rest = b"".join(render_stream(scenario)).split(b"\n\n")
    assert (end, rest) == (b"data: [DONE]", b"")
    choices = [json.loads(event.removeprefix(b"data: "))["choices"][0] for event in events]
    assert [c["finish_reason"] is None for c in choices] == [True] * (len(choices) - 1) + [False]
    return [choice["delta"] for choice in choices]


@pytest.mark.parametrize("scenario", STREAMED, ids=lambda scenario: scenario.model)
def test_a_stream_holds_what_is_expected_of_it(scenario: Scenario) -> None:
    deltas = read_deltas(scenario)
    texts = [delta["content"] for delta in deltas if delta.get("content")]
    calls = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
    if calls:
        arguments = json.loads("".join(call["arguments"] for call in calls))
        assert expect(scenario) == Outcome.of("", None, [(calls[0]["name"], arguments)])
    else:
        streams = scenario.size if scenario.kind == "crowd" else 1
        assert expect(scenario) == Outcome.of("".join(texts), len(texts) * streams)


def test_a_paced_stream_has_an_event_in_each_part() -> None:
    paced, at_once = Scenario("packets", 50), Scenario("words", 50)
    assert paced.pace > 0 == at_once.pace
    assert all(part.count(b"data: ") == 1 for part in render_stream(paced))
    assert len(render_stream(at_once)) == 1


def test_arguments_have_the_size_that_they_are_named_for() -> None:
    text, deltas = make_arguments(Scenario("deltas", 40))
    assert len(deltas) == 40
    assert "".join(deltas) == text
    text, deltas = make_arguments(Scenario("arguments", 6400))
    assert len(json.loads(text)["note"]) == 6400
    assert len(deltas) == 64


def test_a_conversation_ends_with_the_user() -> None:
    for size in (1, 2, 7):
        messages = list_messages(size)
        assert len(set(messages)) == size
        assert messages[-1][0] == "user"


def test_the_reply_depends_on_all_of_the_request() -> None:
    messages, tools = list_messages(5), list_tool_names(3)
    changed = [
        (messages[:-1], tools),
        (messages[::-1], tools),
        ([("assistant", messages[0][1]), *messages[1:]], tools),
        (messages, tools[1:]),
    ]
    texts = {fingerprint(*request) for request in [(messages, tools), *changed]}
    assert len(texts) == len(changed) + 1


def test_the_server_replies_with_the_fingerprint_that_is_expected() -> None:
    body: dict[str, Any] = {
        "model": "reply-1",
        "messages": [{"role": role, "content": text} for role, text in list_messages(3)],
        "tools": [{"function": {"name": name}} for name in list_tool_names(2)],
    }
    message = json.loads(render_reply(body))["choices"][0]["message"]
    assert Outcome.of(message["content"]) == expect(Scenario("reply", 1), 3, 2)
    del body["tools"]
    message = json.loads(render_reply(body))["choices"][0]["message"]
    assert Outcome.of(message["content"]) == expect(Scenario("reply", 1), 3)


def test_a_models_name_chooses_the_scenario() -> None:
    assert [Scenario.parse(scenario.model) for scenario in STREAMED] == STREAMED


# --- the table of quantities ---


def test_every_quantity_has_an_outcome_but_an_import() -> None:
    without = [q.name for q in QUANTITIES if find_outcome(q, q.sizes[0]) is None]
    assert without == ["import"]
    named = {q.name: q for q in QUANTITIES}
    assert len(named) == len(QUANTITIES)
    assert find_outcome(named["messages"], 9) == expect(Scenario("reply", 1), 9)
    assert find_outcome(named["tools"], 9) == expect(Scenario("reply", 1), 1, 9)
    assert find_outcome(named["stream"], 9) == expect(Scenario("words", 9))


def test_growth_is_measured_by_all_that_a_request_or_response_can_have_more_of() -> None:
    counted = {q.counted: len(q.sizes) for q in QUANTITIES if q.counted}
    assert all(sizes >= 3 for sizes in counted.values())
    assert counted.keys() == {
        *("chunks", "messages", "tools", "argument deltas", "argument bytes"),
        "concurrent streams",
    }
    assert all(q.counted or len(q.sizes) == 1 for q in QUANTITIES)


def test_what_is_compared_is_a_quantity_of_the_same_sizes() -> None:
    sizes = {q.name: q.sizes for q in QUANTITIES}
    assert all(sizes[q.beside] == q.sizes for q in QUANTITIES if q.beside)


def test_a_quick_run_has_the_smallest_sizes() -> None:
    quick = [shrink(quantity) for quantity in QUANTITIES]
    assert max(q.repeats for q in quick) == 2
    assert {q.name: q.sizes for q in quick}["concurrent"] == (25, 50)
