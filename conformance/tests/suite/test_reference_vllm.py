from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import AnswerPlan, make_request, respond
from conformance.tests.suite.reference_requests import NAMED, TWO, WEATHER

URL = "https://model-abc.api.baseten.co/environments/production/sync/v1/chat/completions"
QUIET = {"chat_template_kwargs": {"enable_thinking": False}}
USAGE = {"stream_options": {"include_usage": True}}


def ask(text: str, model: str = "tiny", **fields: Any) -> AnswerPlan:
    messages = [{"role": "user", "content": text}]
    plan = respond(make_request(URL, {"model": model, "messages": messages, **fields}))
    assert plan.status == 200, plan.body
    return plan


def whole(text: str, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(ask(text, **fields).body)
    return body


def stream(text: str, **fields: Any) -> list[dict[str, Any]]:
    plan = ask(text, stream=True, **fields)
    assert plan.says_done
    return plan.events


def choices(events: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
    found = [choice for event in events for choice in event["choices"]]
    return [choice for choice in found if choice["index"] == index]


def test_a_body_has_the_recorded_keys() -> None:
    body = whole("Hello")
    assert list(body) == [
        "id",
        "object",
        "created",
        "model",
        "choices",
        "service_tier",
        "system_fingerprint",
        "usage",
        "prompt_logprobs",
        "prompt_token_ids",
        "prompt_text",
        "kv_transfer_params",
        "ec_transfer_params",
        "metrics",
    ]
    choice = body["choices"][0]
    assert list(choice) == [
        "index",
        "message",
        "logprobs",
        "finish_reason",
        "stop_reason",
        "token_ids",
        "routed_experts",
    ]
    assert list(choice["message"]) == [
        "role",
        "content",
        "refusal",
        "annotations",
        "audio",
        "function_call",
        "reasoning",
    ]
    assert body["usage"]["prompt_tokens_details"] is None
    assert list(body["usage"])[:3] == ["prompt_tokens", "total_tokens", "completion_tokens"]


def test_reasoning_is_under_its_own_key_and_counted() -> None:
    body = whole("Hello")
    message = body["choices"][0]["message"]
    assert message["reasoning"] == '\nThe user wrote "Hello". I know what to say.\n'
    assert message["content"] == '\n\nYou said "Hello".'
    assert "reasoning_content" not in message
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] > 5
    quiet = whole("Hello", **QUIET)
    assert quiet["choices"][0]["message"]["reasoning"] is None
    assert quiet["choices"][0]["message"]["content"] == 'You said "Hello".'
    assert quiet["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0}


def test_the_default_deployment_reasons_when_asked_to() -> None:
    assert whole("Hello", model="omni")["choices"][0]["message"]["reasoning"] is None
    asked = whole("Hello", model="omni", chat_template_kwargs={"enable_thinking": True})
    assert asked["choices"][0]["message"]["reasoning"]


def test_a_stream_opens_with_the_role_and_ends_with_usage() -> None:
    events = stream("Hello", **QUIET, **USAGE)
    keys = ["id", "object", "created", "model", "choices"]
    assert list(events[0]) == [*keys, "prompt_token_ids", "prompt_text"]
    assert events[0]["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    assert all(list(event) == keys for event in events[1:-1])
    assert events[1]["choices"][0] == {
        "index": 0,
        "delta": {"content": "You"},
        "logprobs": None,
        "finish_reason": None,
        "token_ids": None,
    }
    assert events[-2]["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
        "token_ids": None,
    }
    assert list(events[-1]) == [*keys, "usage", "system_fingerprint"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == {
        "prompt_tokens": 5,
        "total_tokens": 11,
        "completion_tokens": 6,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def test_usage_comes_only_when_asked_for() -> None:
    assert all("usage" not in event for event in stream("Hello"))


def test_running_usage_is_on_every_chunk_and_the_total_is_repeated() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    events = stream("Hello", **QUIET, stream_options=options)
    counts = [event["usage"]["completion_tokens"] for event in events]
    assert counts == [0, 1, 2, 3, 4, 5, 6, 6, 6]


def test_a_stream_and_a_body_say_the_same() -> None:
    for text, fields in (("Hello there", {}), (TWO, {"tools": [WEATHER]})):
        message = whole(text, **fields)["choices"][0]["message"]
        found = [choice["delta"] for choice in choices(stream(text, **fields))]
        assert "".join(d.get("content") or "" for d in found) == (message["content"] or "")
        assert "".join(d.get("reasoning") or "" for d in found) == message["reasoning"]


def test_a_call_starts_with_id_and_name_and_goes_on_without_them() -> None:
    events = stream(TWO, tools=[WEATHER], **QUIET)
    found = [choice["delta"] for choice in choices(events) if "tool_calls" in choice["delta"]]
    assert all(delta["content"] is None for delta in found)
    entries = [call for delta in found for call in delta["tool_calls"]]
    first, *rest = [call for call in entries if call["index"] == 0]
    assert list(first) == ["id", "type", "index", "function"]
    assert first["function"] == {"name": "get_weather"}
    assert {tuple(call) for call in rest} == {("index", "function")}
    assert {tuple(call["function"]) for call in rest} == {("arguments",)}
    assert "".join(call["function"]["arguments"] for call in rest) == '{"city": "Paris"}'
    ids = [call["id"] for call in entries if "id" in call]
    assert len(set(ids)) == len(ids) == 2


@pytest.mark.parametrize(
    ("choice", "content", "finish", "count"),
    [
        (None, None, "tool_calls", 2),
        ("auto", None, "tool_calls", 2),
        ("required", "", "tool_calls", 1),
        (NAMED, "", "stop", 1),
    ],
)
def test_forced_calls_are_finished_in_their_own_way(
    choice: Any, content: str | None, finish: str, count: int
) -> None:
    fields = {"tools": [WEATHER], **QUIET} | ({"tool_choice": choice} if choice else {})
    body = whole(TWO, **fields)["choices"][0]
    assert body["message"]["content"] == content
    assert body["finish_reason"] == finish
    assert len(body["message"]["tool_calls"]) == count
    assert choices(stream(TWO, **fields))[-1]["finish_reason"] == finish


def test_a_tool_whose_schema_has_an_unknown_type_is_called_all_the_same() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "objekt"}}}
    choice = whole("Hello", tools=[tool], tool_choice="required")["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


def test_parallel_calls_can_be_forbidden() -> None:
    fields = {"tools": [WEATHER], "parallel_tool_calls": False, **QUIET}
    assert len(whole(TWO, **fields)["choices"][0]["message"]["tool_calls"]) == 1


def test_a_call_cut_by_the_budget_is_text_in_a_body_and_a_call_in_a_stream() -> None:
    fields = {"tools": [WEATHER], "max_tokens": 4, **QUIET}
    choice = whole(TWO, **fields)["choices"][0]
    assert choice["message"]["content"] == (
        '<tool_call>\n{"name": "get_weather", "arguments": {"city'
    )
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "length"
    found = choices(stream(TWO, **fields))
    assert any("tool_calls" in choice["delta"] for choice in found)
    assert found[-1]["finish_reason"] == "length"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_both_names_of_the_budget_are_honoured(field: str) -> None:
    body = whole("Hello", **QUIET, **{field: 2})
    assert body["choices"][0]["message"]["content"] == "You said"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 2


def test_the_stop_reason_is_the_stop_sequence() -> None:
    choice = whole("Count to 9", **QUIET, stop="4")["choices"][0]
    assert (choice["stop_reason"], choice["finish_reason"]) == ("4", "stop")
    end = choices(stream("Count to 9", **QUIET, stop=["4"]))[-1]
    assert (end["stop_reason"], end["finish_reason"]) == ("4", "stop")


def test_log_probabilities_are_given_for_every_token() -> None:
    body = whole("Hello", logprobs=True)
    entries = body["choices"][0]["logprobs"]["content"]
    # The reference server counts what it says, not the marks around it.
    marks = ["<think>", "</think>", "<|im_end|>"]
    assert len(entries) == body["usage"]["completion_tokens"] + len(marks)
    assert [entry["token"] for entry in entries if entry["token"] in marks] == marks
    assert list(entries[0]) == ["token", "logprob", "bytes", "top_logprobs"]
    assert bytes(entries[0]["bytes"]).decode() == entries[0]["token"]
    assert entries[0]["logprob"] < 0
    assert entries[0]["top_logprobs"] == []
    streamed = [
        entry
        for choice in choices(stream("Hello", logprobs=True))
        for entry in (choice["logprobs"] or {"content": []})["content"]
    ]
    assert streamed == entries


def test_the_first_alternative_is_the_token_itself_and_the_rest_are_less_likely() -> None:
    entry = whole("Hello", logprobs=True, top_logprobs=3)["choices"][0]["logprobs"]["content"][0]
    ranked = entry["top_logprobs"]
    assert len(ranked) == 3
    assert ranked[0] == {key: entry[key] for key in ("token", "logprob", "bytes")}
    assert len({one["token"] for one in ranked}) == 3
    assert ranked[0]["logprob"] > ranked[1]["logprob"] > ranked[2]["logprob"]


def tokens(choice: dict[str, Any]) -> list[str] | None:
    return choice["logprobs"] and [entry["token"] for entry in choice["logprobs"]["content"]]


def test_log_probabilities_of_calls_and_of_nothing() -> None:
    body = whole(TWO, tools=[WEATHER], logprobs=True, **QUIET)
    entries = body["choices"][0]["logprobs"]["content"]
    assert len(entries) == body["usage"]["completion_tokens"] + 1
    nothing = whole("Repeat after me: ", **QUIET, logprobs=True)["choices"][0]
    assert tokens(nothing) == ["<|im_end|>"]


def test_the_end_of_an_answer_has_a_log_probability_unless_a_stop_sequence_ended_it() -> None:
    end = choices(stream("Hello", logprobs=True, **QUIET))[-1]
    assert (end["delta"], end["finish_reason"], tokens(end)) == ({}, "stop", ["<|im_end|>"])
    stopped = choices(stream("Count to 9", logprobs=True, stop="4", **QUIET))[-1]
    assert (stopped["delta"], stopped["finish_reason"], tokens(stopped)) == ({}, "stop", None)


def test_tokens_that_are_no_text_are_events_only_with_log_probabilities() -> None:
    text = "Repeat after me: é 😀"
    told = choices(stream(text, logprobs=True, **QUIET))
    silent = [(choice["delta"], tokens(choice)) for choice in told]
    assert silent[1:] == [
        ({}, [""]),
        ({"content": "é"}, ["é"]),
        *[({}, [""])] * 3,
        ({"content": " 😀"}, [" 😀"]),
        ({}, ["<|im_end|>"]),
    ]
    assert told[1]["logprobs"]["content"][0]["bytes"] == []
    assert told[1]["finish_reason"] is None
    plain = [choice["delta"] for choice in choices(stream(text, **QUIET))]
    assert plain[1:] == [{"content": "é"}, {"content": " 😀"}, {}]
    assert tokens(whole(text, logprobs=True, **QUIET)["choices"][0]) == [
        token for _, found in silent[1:] for token in found or ()
    ]


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        (QUIET, {"content": "You"}),
        ({}, {"reasoning": "\nThe"}),
        (QUIET | {"tools": [WEATHER]}, {}),
        (QUIET | {"logprobs": True}, {"content": "You"}),
    ],
    ids=["text", "thinking", "call", "log probabilities"],
)
def test_what_the_budget_cuts_is_finished_by_its_last_token_but_a_call_is_not(
    fields: dict[str, Any], last: dict[str, Any]
) -> None:
    text = TWO if "tools" in fields else "Hello"
    end = choices(stream(text, max_tokens=1, **fields))[-1]
    assert list(end)[:3] == ["index", "delta", "logprobs"]
    assert list(end)[3:] == ["finish_reason", "stop_reason", "token_ids"]
    assert (end["delta"], end["finish_reason"], end["stop_reason"]) == (last, "length", None)
    assert tokens(end) == (["You"] if "logprobs" in fields else None)


def test_thinking_that_the_budget_cuts_is_not_closed() -> None:
    cut = tokens(whole("Hello", max_tokens=1, logprobs=True)["choices"][0])
    assert cut == ["<think>", "\nThe"]
    assert tokens(choices(stream("Hello", max_tokens=1, logprobs=True))[-1]) == ["\nThe"]


def test_two_choices_are_numbered_and_interleaved() -> None:
    fields = {"n": 2, "temperature": 0.7, **QUIET}
    body = whole("Hello", **fields)
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["usage"]["completion_tokens"] == 12
    events = stream("Hello", **fields, **USAGE)
    order = [choice["index"] for event in events for choice in event["choices"]]
    assert order == [0, 1] * 8
    assert events[-1]["usage"]["completion_tokens"] == 12
    texts = [
        "".join(choice["delta"].get("content", "") for choice in choices(events, index))
        for index in (0, 1)
    ]
    assert texts == ['You said "Hello".'] * 2


def test_two_choices_have_calls_of_their_own() -> None:
    body = whole("weather in Rome", tools=[WEATHER], n=2, **QUIET)
    ids = [choice["message"]["tool_calls"][0]["id"] for choice in body["choices"]]
    assert ids[0] != ids[1]


def test_cached_tokens_are_named_only_when_there_are_any() -> None:
    long = "word " * 200
    assert whole(long)["usage"]["prompt_tokens_details"] == {"cached_tokens": 192}
    assert stream(long, **USAGE)[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 192}


def test_the_headers_are_those_of_a_deployment() -> None:
    headers = dict(ask("Hello").headers)
    assert headers["server"] == "nginx/1.22.1"
    assert len(headers["x-baseten-request-id"]) == 32
    kind = dict(ask("Hello", stream=True).headers)["content-type"]
    assert kind == "text/event-stream; charset=utf-8"


def test_an_empty_answer_has_content_none_and_a_role_and_a_finish_chunk() -> None:
    text = "Repeat after me: "
    assert whole(text, **QUIET)["choices"][0]["message"]["content"] is None
    assert [choice["delta"] for choice in choices(stream(text, **QUIET))] == [
        {"role": "assistant", "content": ""},
        {},
    ]
