from __future__ import annotations

from typing import Any

import pytest

from conformance.reference import AnswerPlan, ReferenceServer, make_request, respond
from conformance.reference.exchange import encode_json
from conformance.tests.suite.reference_requests import AUDIO, HELLO, IMAGE, TOOL, VIDEO, seen

URL = "https://inference.baseten.co/v1/chat/completions"


def ask(model: str = "zai-org/GLM-5.2", **fields: Any) -> AnswerPlan:
    return respond(make_request(URL, {"model": model, "messages": [HELLO], **fields}))


def refusal(plan: AnswerPlan) -> str:
    body = plan.map_json(lambda value: value.get("error", value)).body
    return str(make_request("http://x/", body).json()["message"])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"frobnicate": 1}, "frobnicate (1): Extra inputs are not permitted"),
        ({"max_output_tokens": 8}, "max_output_tokens (8): Extra inputs are not permitted"),
        ({"messages": []}, "messages: Field required"),
        ({"messages": "hi"}, "messages: Input should be a valid list"),
        ({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"role": "robot"}]}, "messages.0.role (robot)"),
        ({"max_tokens": 0}, "max_tokens (0): Input should be greater than or equal to 1"),
        ({"max_tokens": 99999999}, "(99999999): Input should be less than or equal to 262144"),
        ({"max_tokens": "many"}, "max_tokens (many): Input should be a valid number"),
        ({"max_tokens": True}, "max_tokens (True): Input should be a valid number"),
        ({"n": 2}, "n (2): Input should be less than or equal to 1"),
        ({"top_p": 1.5}, "top_p (1.5)"),
        ({"top_p": 0}, "top_p (0): Input should be greater than 0"),
        ({"top_logprobs": 21}, "top_logprobs (21)"),
        ({"seed": 1.5}, "seed (1.5): Input should be a valid number"),
        ({"stop": ["x"] * 33}, "stop: List should have at most 32 items"),
        ({"temperature": 3}, "Validation: Temperature must be between 0 and 2, got 3"),
        ({"temperature": -1}, "Validation: Temperature must be between 0 and 2, got -1"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tool_choice": "auto"}, "When using tool_choice, tools must be set"),
        ({"tool_choice": "required", "tools": []}, "When using tool_choice, tools must be set"),
        ({"tool_choice": "any", "tools": [TOOL]}, "unknown tool_choice any"),
        ({"tool_choice": {"function": {"name": "g"}}, "tools": [TOOL]}, "unknown function g"),
        ({"tools": [{"type": "function"}]}, "tools.0.function.name: Field required"),
        ({"tools": ["f"]}, "tools.0.function.name: Field required"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": ""}}},
            "Validation: `response_format.json_schema.name` cannot be empty",
        ),
        ({"reasoning_effort": "medium"}, "must be one of none, high, max, got medium"),
        ({"logprobs": True, "top_logprobs": 2}, "logprobs > 1 due to advanced speculative"),
        ({"messages": seen(IMAGE)}, "does not support multimodal (image/video/audio) inputs."),
        ({"messages": seen(AUDIO)}, "does not support multimodal (image/video/audio) inputs."),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_with_its_sentence(
    fields: dict[str, Any], sentence: str
) -> None:
    plan = ask(**fields)
    assert plan.status == 400
    assert sentence in refusal(plan)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0},
        {"temperature": 2},
        {"temperature": None},
        {"top_p": 1},
        {"max_tokens": 262144},
        {"n": 1},
        {"seed": 42},
        {"stop": "x"},
        {"stop": ["x"] * 32},
        {"user": "u", "service_tier": "flex", "min_p": 0.1, "b10_cache_control": {}},
        {"chat_template_args": {"enable_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"tool_choice": "none"},
        {"tools": []},
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
        {"reasoning_effort": "max"},
        {"logprobs": True},
        {"messages": [HELLO, {"role": "assistant"}, {"role": "developer", "content": "Be brief"}]},
        {"messages": [HELLO | {"name": "ada"}]},
        {"stream": True, "stream_options": {"include_usage": True}},
    ],
)
def test_a_request_inside_the_rules_is_served(fields: dict[str, Any]) -> None:
    assert ask(**fields).status == 200


@pytest.mark.parametrize(
    ("model", "fields", "outcome"),
    [
        ("deepseek-ai/DeepSeek-V3.1", {"logprobs": True}, "returning log probs is not supported"),
        ("zai-org/GLM-5.2", {"logprobs": True, "top_logprobs": 2}, "logprobs > 1"),
        ("openai/gpt-oss-120b", {"logprobs": True, "top_logprobs": 5}, None),
        ("zai-org/GLM-5.1", {"logprobs": True}, None),
        ("deepseek-ai/DeepSeek-V4-Pro", {"logprobs": True, "top_logprobs": 5}, None),
        ("openai/gpt-oss-120b", {"reasoning_effort": "xhigh"}, None),
        ("openai/gpt-oss-120b", {"reasoning_effort": "huge"}, "must be one of none, minimal"),
        ("moonshotai/Kimi-K3", {"reasoning_effort": "medium"}, "must be one of low, high, max"),
        ("zai-org/GLM-5.3", {"reasoning_effort": "low"}, None),
        ("moonshotai/Kimi-K2.6", {"reasoning_effort": "anything"}, None),
        ("moonshotai/Kimi-K2.6", {"messages": seen(IMAGE)}, None),
        ("moonshotai/Kimi-K2.6", {"messages": seen(AUDIO)}, "audio_url is not supported"),
        ("moonshotai/Kimi-K2.6", {"messages": seen(VIDEO)}, "video_url is not supported"),
        ("thinkingmachines/inkling", {"messages": seen(AUDIO)}, None),
        ("deepseek-ai/DeepSeek-V3.1", {"messages": seen(IMAGE)}, "image_url is not supported"),
    ],
)
def test_what_a_model_takes_is_its_own(
    model: str, fields: dict[str, Any], outcome: str | None
) -> None:
    plan = ask(model, **fields)
    if outcome is None:
        assert plan.status == 200
        assert b"logprob" not in plan.body
    else:
        assert plan.status == 400
        assert outcome in refusal(plan)


def test_an_ignored_or_refused_body_names_the_first_mistake_of_the_parse_only() -> None:
    plan = ask(frobnicate=1, temperature=3)
    assert refusal(plan) == "Invalid request: ['frobnicate (1): Extra inputs are not permitted']"


def test_a_prompt_longer_than_the_context_is_refused_with_both_lengths() -> None:
    responder = ReferenceServer(context=20)
    body = {"model": "zai-org/GLM-5.2", "messages": [HELLO | {"content": "word " * 30}]}
    plan = responder(make_request(URL, body))
    assert plan.status == 400
    assert refusal(plan) == "Input length 35 exceeds the maximum allowed input length of 20 tokens."
    short = {"model": "zai-org/GLM-5.2", "messages": [HELLO | {"content": "word " * 10}]}
    assert responder(make_request(URL, short)).status == 200


def test_a_context_is_the_models_own_by_default() -> None:
    plan = ask("deepseek-ai/DeepSeek-V3.1", messages=[HELLO | {"content": "a " * 163_840}])
    assert "maximum allowed input length of 163840 tokens." in refusal(plan)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            "zai-org/GLM-5.2",
            (
                b'{"message":"Validation: Temperature must be between 0 and 2, got 3",'
                b'"type":"Bad Request","code":400}'
            ),
        ),
        (
            "zai-org/GLM-5.1",
            (
                b'{\n\t"error": {\n\t\t"code": 400,\n\t\t"message": '
                b'"Validation: Temperature must be between 0 and 2, got 3",\n'
                b'\t\t"type": "Bad Request"\n\t}\n}\n'
            ),
        ),
    ],
)
def test_the_shape_of_an_error_follows_the_model(model: str, body: bytes) -> None:
    plan = ask(model, temperature=3)
    assert plan.body == body
    headers = dict(plan.headers)
    assert headers["content-length"] == str(len(body))
    assert ("x-baseten-request-id" in headers) is (model == "zai-org/GLM-5.1")


def test_a_body_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    raw = encode_json({"model": "x", "messages": [HELLO | {"content": "a" * 5_000_000}]})
    plan = respond(make_request(URL, raw))
    assert (plan.status, plan.body) == (413, b'{"error":"Request body too large"}\n')
