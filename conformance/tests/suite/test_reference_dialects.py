from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conformance.reference import AnswerPlan, make_request, respond
from conformance.reference.catalogue import HOSTED
from conformance.reference.dialects import DIALECTS
from conformance.tests.suite.reference_requests import TWO, WEATHER

URL = "https://inference.baseten.co/v1/chat/completions"
NEW = {"zai-org/GLM-5.2", "thinkingmachines/inkling", "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B"}
FAMILIES = {model.family: slug for slug, model in reversed(list(HOSTED.items()))}
ALL = sorted(FAMILIES.values())


def ask(model: str, text: str, **fields: Any) -> AnswerPlan:
    plan = respond(
        make_request(
            URL, {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        )
    )
    assert plan.status == 200, plan.body
    return plan


def stream(model: str, text: str, **fields: Any) -> AnswerPlan:
    fields = {"stream_options": {"include_usage": True}, **fields}
    return ask(model, text, stream=True, **fields)


def whole(model: str, text: str, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(ask(model, text, **fields).body)
    return body


def choices(plan: AnswerPlan) -> list[dict[str, Any]]:
    return [event["choices"][0] for event in plan.events if event["choices"]]


def deltas(plan: AnswerPlan) -> list[dict[str, Any]]:
    return [choice["delta"] for choice in choices(plan)]


def call_deltas(model: str) -> list[dict[str, Any]]:
    found = deltas(stream(model, TWO, tools=[WEATHER]))
    return [call for delta in found for call in delta.get("tool_calls") or ()]


def arguments(entries: list[dict[str, Any]], index: int) -> Any:
    pieces = [entry["function"]["arguments"] for entry in entries if entry["index"] == index]
    return json.loads("".join(pieces))


def test_every_dialect_is_reachable_through_a_model() -> None:
    assert set(FAMILIES) == set(DIALECTS)


@pytest.mark.parametrize("model", ALL)
def test_a_stream_and_a_body_say_the_same(model: str) -> None:
    for text, fields in (("Hello there, friend", {}), (TWO, {"tools": [WEATHER]})):
        message = whole(model, text, **fields)["choices"][0]["message"]
        found = deltas(stream(model, text, **fields))
        assert "".join(d.get("content") or "" for d in found) == message.get("content", "")
        reasoning = "".join(d.get("reasoning_content") or "" for d in found)
        assert reasoning == message.get("reasoning_content", "")
    entries = call_deltas(model)
    assert [arguments(entries, at) for at in (0, 1)] == [{"city": "Paris"}, {"city": "Rome"}]
    assert [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]] == [
        {"city": "Paris"},
        {"city": "Rome"},
    ]


@pytest.mark.parametrize("model", ALL)
def test_events_are_framed_as_recorded(model: str) -> None:
    plan = stream(model, "Hello")
    assert dict(plan.headers)["content-type"] == "text/event-stream"
    assert dict(plan.headers)["cache-control"] == "no-cache"
    assert "content-length" not in dict(plan.headers)
    assert all(p.data.startswith(b"data: ") and p.data.endswith(b"\n\n") for p in plan.pieces)
    assert plan.says_done


@pytest.mark.parametrize("model", ALL)
def test_usage_grows_with_every_chunk_and_the_trailing_chunk_repeats_the_total(model: str) -> None:
    events = stream(model, "Hello there, friend").events
    counts = [event["usage"]["completion_tokens"] for event in events]
    assert counts == sorted(counts)
    assert counts[-1] == counts[-2] > counts[0] > 0
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == whole(model, "Hello there, friend")["usage"]
    assert all(e["usage"]["total_tokens"] == 8 + n for e, n in zip(events, counts, strict=True))


def test_usage_is_absent_unless_asked_for_and_can_be_kept_to_the_end() -> None:
    model = "zai-org/GLM-5.2"
    assert all("usage" not in event for event in stream(model, "Hi", stream_options=None).events)
    only = {"include_usage": True, "continuous_usage_stats": False}
    events = stream(model, "Hi", stream_options=only).events
    assert ["usage" in event for event in events] == [False] * (len(events) - 1) + [True]


@pytest.mark.parametrize("model", ALL)
def test_ids_model_and_order_of_keys_are_as_recorded(model: str) -> None:
    events = stream(model, "Hello").events
    assert len({event["id"] for event in events}) == 1
    assert {event["model"] for event in events} == {model}
    old = ["service_tier", "system_fingerprint"] * (model not in NEW)
    keys = ["id", "choices", "created", "model", *old, "object", "usage"]
    assert all(list(event) == keys for event in events)


@pytest.mark.parametrize("model", ALL)
def test_a_body_has_the_recorded_keys(model: str) -> None:
    body = whole(model, "Hello")
    assert list(body) == ["id", "choices", "created", "model", "object", "usage"]
    assert body["object"] == "chat.completion"
    assert re.fullmatch("chatcmpl-[0-9a-f]{32}", body["id"])
    spent, thought = body["usage"]["completion_tokens"], body["usage"]["completion_tokens_details"]
    assert body["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": spent,
        "total_tokens": 5 + spent,
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": thought["reasoning_tokens"],
            "rejected_prediction_tokens": 0,
        },
    }
    calling = whole(model, TWO, tools=[WEATHER])["choices"][0]
    assert calling["finish_reason"] == "tool_calls"
    assert None not in calling["message"].values()


@pytest.mark.parametrize(
    ("model", "later"),
    [
        ("MiniMaxAI/MiniMax-M2.5", ("fresh", "")),
        ("zai-org/GLM-5", ("fresh", "")),
        ("moonshotai/Kimi-K2-Instruct-0905", ("same", "")),
        ("moonshotai/Kimi-K2.5", ("same", "")),
        ("moonshotai/Kimi-K2.6", ("same", "")),
        ("moonshotai/Kimi-K2-Thinking", ("same", "")),
        ("openai/gpt-oss-120b", ("empty", None)),
        ("zai-org/GLM-5.1", ("same", None)),
        ("zai-org/GLM-5.2", ("same", "absent")),
    ],
)
def test_later_deltas_of_a_call_word_id_and_name_in_their_own_way(
    model: str, later: tuple[str, str | None]
) -> None:
    first, *rest = [entry for entry in call_deltas(model) if entry["index"] == 0]
    assert first["function"]["name"] == "get_weather"
    assert rest
    assert {entry["type"] for entry in (first, *rest)} == {"function"}
    names = {entry["function"].get("name", "absent") for entry in rest}
    assert names == {later[1]}
    ids = [entry["id"] for entry in rest]
    assert {
        "same": set(ids) == {first["id"]},
        "fresh": len({first["id"], *ids}) == len(ids) + 1,
        "empty": set(ids) == {""},
    }[later[0]]


@pytest.mark.parametrize(
    ("model", "head"),
    [
        ("zai-org/GLM-5", ""),
        ("moonshotai/Kimi-K2-Instruct-0905", ""),
        ("openai/gpt-oss-120b", ""),
        ("zai-org/GLM-5.1", '{"city"'),
        ("zai-org/GLM-5.2", '{"city'),
    ],
)
def test_the_first_delta_of_a_call_has_arguments_or_not(model: str, head: str) -> None:
    assert call_deltas(model)[0]["function"]["arguments"] == head


@pytest.mark.parametrize(
    "model",
    [
        "deepseek-ai/DeepSeek-V3.1",
        "deepseek-ai/DeepSeek-V4-Pro",
        "zai-org/GLM-4.6",
        "zai-org/GLM-4.7",
        "thinkingmachines/inkling",
    ],
)
def test_some_families_send_a_call_in_one_delta(model: str) -> None:
    assert [(e["index"], e["function"]["name"]) for e in call_deltas(model)] == [
        (0, "get_weather"),
        (1, "get_weather"),
    ]


def test_kimi_numbers_its_ids_and_kimi_thinking_does_not() -> None:
    numbered = [entry["id"] for entry in call_deltas("moonshotai/Kimi-K2.6")]
    assert set(numbered) == {"functions.get_weather:0", "functions.get_weather:1"}
    shared = whole("moonshotai/Kimi-K2-Thinking", TWO, tools=[WEATHER])["choices"][0]["message"]
    assert [call["id"] for call in shared["tool_calls"]] == ["functions.get_weather:0"] * 2
    assert {e["id"] for e in call_deltas("moonshotai/Kimi-K2-Thinking")} == {
        "functions.get_weather:0"
    }


@pytest.mark.parametrize("model", [slug for slug in ALL if "Kimi" not in slug])
def test_other_ids_are_long_and_differ_between_calls(model: str) -> None:
    calls = whole(model, TWO, tools=[WEATHER])["choices"][0]["message"]["tool_calls"]
    assert all(call["id"].startswith("chatcmpl-tool-") for call in calls)
    assert calls[0]["id"] != calls[1]["id"]


def test_kimi_2_5_ends_arguments_with_a_blank() -> None:
    calls = whole("moonshotai/Kimi-K2.5", TWO, tools=[WEATHER])["choices"][0]["message"]
    assert calls["tool_calls"][0]["function"]["arguments"] == '{"city": "Paris"} '


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("zai-org/GLM-5", {"content": "", "tool_calls": [], "role": "assistant"}),
        ("zai-org/GLM-5.1", {"content": None, "tool_calls": None, "role": "assistant"}),
        ("openai/gpt-oss-120b", {"content": None, "tool_calls": [], "role": None}),
    ],
)
def test_the_old_shape_carries_every_key(model: str, plain: dict[str, Any]) -> None:
    final = deltas(stream(model, "Hello"))[-1]
    assert final == plain | {"function_call": None, "refusal": None}
    assert list(final)[:5] == ["content", "function_call", "tool_calls", "role", "refusal"]


def test_the_role_is_on_every_delta_or_on_the_first() -> None:
    roles = [delta["role"] for delta in deltas(stream("zai-org/GLM-5", "Hello there"))]
    assert set(roles) == {"assistant"}
    roles = [delta["role"] for delta in deltas(stream("openai/gpt-oss-120b", "Hello there"))]
    assert roles == ["assistant"] + [None] * (len(roles) - 1)


def test_the_new_shape_omits_what_it_does_not_say() -> None:
    found = deltas(stream("zai-org/GLM-5.2", "Hello there"))
    assert found[0] == {"role": "assistant", "reasoning_content": "The user wrote"}
    assert {tuple(delta) for delta in found[1:]} == {("reasoning_content",), ("content",), ()}
    assert found[-1] == {}


@pytest.mark.parametrize(("model", "last"), [("zai-org/GLM-4.7", 1), ("zai-org/GLM-5", 0)])
def test_the_finish_rides_the_last_call_delta_or_follows_it(model: str, last: int) -> None:
    final = choices(stream(model, TWO, tools=[WEATHER]))[-1]
    assert final["finish_reason"] == "tool_calls"
    assert bool(final["delta"].get("tool_calls")) is bool(last)


@pytest.mark.parametrize("model", ALL)
def test_only_the_last_chunk_has_a_finish_reason(model: str) -> None:
    found = ["finish_reason" in choice for choice in choices(stream(model, "Hello there"))]
    assert found == [False] * (len(found) - 1) + [True]


@pytest.mark.parametrize("model", ["zai-org/GLM-5.2", "deepseek-ai/DeepSeek-V4-Pro"])
def test_a_short_answer_may_come_after_the_finish(model: str) -> None:
    plan = stream(model, "Repeat after me: Hello")
    end, late = choices(plan)[-2:]
    assert end["finish_reason"] == "stop"
    assert late["delta"]["content"] == "Hello"
    assert "finish_reason" not in late
    assert "usage" not in plan.events[-2]
    assert plan.events[-2]["choices"] == [late]
    assert plan.says_done


def test_an_answer_of_three_tokens_is_not_short() -> None:
    found = choices(stream("zai-org/GLM-5.2", "Repeat after me: Hello dear you"))
    assert found[-1]["delta"] == {}
    assert found[-1]["finish_reason"] == "stop"


def test_a_short_answer_without_reasoning_comes_before_the_finish() -> None:
    off = {"chat_template_args": {"enable_thinking": False}}
    found = choices(stream("zai-org/GLM-5.2", "Repeat after me: Hello", **off))
    assert found[0]["delta"]["content"] == "Hello"
    assert found[-1]["finish_reason"] == "stop"


def test_stop_reasons_are_integers_of_a_natural_stop() -> None:
    model = "zai-org/GLM-5.2"
    assert choices(stream(model, "Hello there"))[-1]["stop_reason"] == 154827
    assert choices(stream(model, TWO, tools=[WEATHER]))[-1]["stop_reason"] == 154829
    assert whole(model, "Hello")["choices"][0]["stop_reason"] == 154827
    assert "stop_reason" not in whole(model, "Hello", stop="said")["choices"][0]
    assert "stop_reason" not in whole(model, "Hello", max_tokens=2)["choices"][0]
    assert "stop_reason" not in whole("zai-org/GLM-5", "Hello")["choices"][0]


@pytest.mark.parametrize(
    ("model", "trailer"),
    [("zai-org/GLM-5.2", False), ("zai-org/GLM-5.1", False), ("zai-org/GLM-5", True)],
)
def test_a_stop_sequence_ends_a_stream_without_done(model: str, trailer: bool) -> None:
    plan = stream(model, "Count to 9", stop=["4"])
    assert not plan.says_done
    assert (plan.events[-1]["choices"] == []) is trailer
    assert choices(plan)[-1]["finish_reason"] == "stop"
    assert stream(model, "Count to 9", stop=["x"]).says_done


def test_glm_5_never_finishes_its_json() -> None:
    form = {"response_format": {"type": "json_object"}}
    assert "finish_reason" not in whole("zai-org/GLM-5", "Hi", **form)["choices"][0]
    plan = stream("zai-org/GLM-5", "Hi", **form)
    assert plan.says_done
    assert all("finish_reason" not in choice for choice in choices(plan))
    assert plan.events[-1]["choices"] != []
    assert "finish_reason" in whole("zai-org/GLM-5.1", "Hi", **form)["choices"][0]


@pytest.mark.parametrize(
    ("model", "keys", "counted"),
    [
        ("zai-org/GLM-5.2", ["content", "role", "reasoning_content"], True),
        ("deepseek-ai/DeepSeek-V4-Pro", ["content", "role", "reasoning_content"], True),
        ("openai/gpt-oss-120b", ["content", "role", "reasoning_content", "reasoning"], False),
        ("zai-org/GLM-4.6", ["content", "role", "reasoning_content", "reasoning"], False),
        ("MiniMaxAI/MiniMax-M2.5", ["content", "role", "reasoning_content", "reasoning"], False),
        ("moonshotai/Kimi-K2-Instruct-0905", ["content", "role"], False),
    ],
)
def test_reasoning_is_worded_and_counted_by_family(
    model: str, keys: list[str], counted: bool
) -> None:
    body = whole(model, "Hello")
    message = body["choices"][0]["message"]
    assert list(message) == keys
    assert message.get("reasoning", message.get("reasoning_content")) == message.get(
        "reasoning_content"
    )
    assert bool(body["usage"]["completion_tokens_details"]["reasoning_tokens"]) is counted


def test_content_is_absent_where_there_is_no_text() -> None:
    message = whole("zai-org/GLM-5", TWO, tools=[WEATHER])["choices"][0]["message"]
    assert list(message) == ["tool_calls", "role"]
    cut = whole("zai-org/GLM-5.2", "Hello", max_tokens=2)["choices"][0]
    assert list(cut["message"]) == ["role", "reasoning_content"]
    assert cut["finish_reason"] == "length"


@pytest.mark.parametrize("model", ["zai-org/GLM-4.6", "zai-org/GLM-5.2"])
def test_some_families_say_a_sentence_before_they_call(model: str) -> None:
    message = whole(model, TWO, tools=[WEATHER])["choices"][0]["message"]
    assert message["content"] == "I will call get_weather and get_weather."


@pytest.mark.parametrize("model", ["zai-org/GLM-5.1", "zai-org/GLM-5.2"])
def test_routing_headers_come_with_the_families_that_had_them(model: str) -> None:
    headers = dict(ask(model, "Hello").headers)
    assert headers["x-baseten-accepted-at"].isdigit()
    assert headers["via"] == "1.1 google"
    routed = model == "zai-org/GLM-5.1"
    assert ("x-baseten-model-id" in headers) is routed
    assert headers.get("x-baseten-session-id") == headers.get("x-baseten-request-id")


def test_calls_cut_by_the_budget_are_an_error() -> None:
    fields = {"tools": [WEATHER], "max_tokens": 4}
    body = {"model": "zai-org/GLM-5", "messages": [{"role": "user", "content": TWO}], **fields}
    plan = respond(make_request(URL, body))
    assert plan.status == 400
    assert json.loads(plan.body)["error"]["message"] == "Tool calls cutoff by max_tokens."
    cut = stream("zai-org/GLM-5", TWO, **fields)
    assert cut.events[-1] == {"error": {"message": "Tool calls cutoff by max_tokens.", "code": 400}}
    assert not cut.says_done
    assert all("finish_reason" not in event["choices"][0] for event in cut.events[:-1])


def test_cached_tokens_are_counted_for_long_prompts() -> None:
    details = whole("zai-org/GLM-5.2", "word " * 200)["usage"]["prompt_tokens_details"]
    assert details == {"audio_tokens": 0, "cached_tokens": 192}
