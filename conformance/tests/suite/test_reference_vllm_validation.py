from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import AnswerPlan, ReferenceServer, make_request, respond
from conformance.tests.suite.reference_requests import AUDIO, HELLO, IMAGE, TOOL, VIDEO, seen

URL = "https://model-abc.api.baseten.co/production/sync/v1/chat/completions"
BAD_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "Person", "schema": {"type": "objekt"}},
}
ENGINE = "BadRequestError"
PARSER = "Bad Request"


def ask(**fields: Any) -> AnswerPlan:
    body = {"model": "tiny", "messages": [HELLO], **fields}
    return respond(make_request(URL, {k: v for k, v in body.items() if v != "absent"}))


@pytest.mark.parametrize(
    ("fields", "message", "kind", "param"),
    [
        (
            {"messages": "absent"},
            (
                "1 validation error:\n  {'type': 'missing', 'loc': 'body.messages', "
                "'msg': 'Field required', 'input': '<dict of 1 items>'}"
            ),
            PARSER,
            "body.messages",
        ),
        ({"messages": None}, "'NoneType' object is not iterable", ENGINE, None),
        (
            {"messages": "Hello"},
            (
                "1 validation error:\n  {'type': 'list_type', 'loc': 'body.messages', "
                "'msg': 'Input should be a valid list', 'input': 'Hello'}"
            ),
            PARSER,
            "body.messages",
        ),
        (
            {"messages": []},
            "Cannot apply chat template to an empty conversation. Provide at least one message.",
            ENGINE,
            None,
        ),
        (
            {"temperature": -3},
            "temperature must be non-negative, got -3.0. (parameter=temperature, value=-3.0)",
            ENGINE,
            "temperature",
        ),
        (
            {"temperature": "hot"},
            (
                "1 validation error:\n  {'type': 'float_parsing', 'loc': 'body.temperature', "
                "'msg': 'Input should be a valid number, unable to parse string as a number', "
                "'input': 'hot'}"
            ),
            PARSER,
            "body.temperature",
        ),
        (
            {"max_tokens": 0},
            "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
            ENGINE,
            "max_tokens",
        ),
        (
            {"max_completion_tokens": -5},
            "max_tokens must be at least 1, got -5. (parameter=max_tokens, value=-5)",
            ENGINE,
            "max_tokens",
        ),
        (
            {"max_tokens": 100000},
            (
                "max_tokens=100000 cannot be greater than max_model_len=2048. Please request fewer "
                "output tokens. (parameter=max_tokens, value=100000)"
            ),
            ENGINE,
            "max_tokens",
        ),
        ({"n": 0}, "n must be at least 1, got 0.", ENGINE, None),
        (
            {"n": 2, "temperature": 0},
            "n must be 1 when using greedy sampling, got 2.",
            ENGINE,
            None,
        ),
        (
            {"stream_options": {"include_usage": True}},
            "Stream options can only be defined when `stream=True`. (parameter=stream_options)",
            ENGINE,
            "stream_options",
        ),
        (
            {"tools": []},
            (
                "`tools` must not be an empty array. Either provide at least one tool or omit the "
                "field entirely. (parameter=tools)"
            ),
            ENGINE,
            "tools",
        ),
        (
            {"tools": [{"type": "function", "function": {"description": "x"}}]},
            (
                "1 validation error:\n  {'type': 'missing', 'loc': 'body.tools.0.function.name', "
                "'msg': 'Field required', 'input': '<dict of 1 items>'}"
            ),
            PARSER,
            "body.tools.0.function.name",
        ),
        (
            {"tool_choice": "required"},
            "When using `tool_choice`, `tools` must be set. (parameter=tool_choice)",
            ENGINE,
            "tool_choice",
        ),
        (
            {"tools": [TOOL], "tool_choice": "any"},
            (
                'Invalid value for `tool_choice`: any! Only named tools, "none", "auto" or '
                '"required" are supported. (parameter=tool_choice)'
            ),
            ENGINE,
            "tool_choice",
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            (
                "The tool specified in `tool_choice` does not match any of the specified `tools` "
                "(parameter=tool_choice)"
            ),
            ENGINE,
            "tool_choice",
        ),
        (
            {"logprobs": True, "top_logprobs": 50},
            (
                "Requested sample logprobs of 50, which is greater than max allowed: 20 "
                "(parameter=logprobs, value=50)"
            ),
            ENGINE,
            "logprobs",
        ),
        ({"response_format": BAD_SCHEMA}, "Grammar error: Invalid type: objekt", ENGINE, None),
        (
            {"response_format": {"type": "yaml"}},
            (
                "1 validation error:\n  {'type': 'literal_error', "
                "'loc': 'body.response_format.type', "
                "'msg': 'Input should be 'text', 'json_object' or 'json_schema'', 'input': 'yaml'}"
            ),
            PARSER,
            "body.response_format.type",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            (
                "1 validation error:\n  {'type': 'missing', "
                "'loc': 'body.response_format.json_schema.name', 'msg': 'Field required', "
                "'input': '<dict of 1 items>'}"
            ),
            PARSER,
            "body.response_format.json_schema.name",
        ),
        ({"messages": seen(IMAGE)}, "tiny is not a multimodal model", ENGINE, None),
        (
            {"model": "omni", "messages": seen(IMAGE, VIDEO)},
            "At most 0 video(s) may be provided in one prompt.",
            ENGINE,
            None,
        ),
        (
            {"messages": [HELLO | {"content": "word " * 2048}]},
            (
                "This model's maximum context length is 2048 tokens. However, your prompt contains "
                "at "
                "least 2049 input tokens, which exceeds this limit even without any output tokens. "
                "Please reduce the length of the input prompt. (parameter=input_tokens, value=2049)"
            ),
            ENGINE,
            "input_tokens",
        ),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_in_the_engines_words(
    fields: dict[str, Any], message: str, kind: str, param: str | None
) -> None:
    plan = ask(**fields)
    assert plan.status == 400
    assert json.loads(plan.body) == {
        "error": {"message": message, "type": kind, "param": param, "code": 400}
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"frobnicate": 1, "metadata": {"a": "b"}, "user": "u1"},
        {"messages": [{"role": "robot", "content": "Hi"}]},
        {"messages": [{"role": "user"}]},
        {"temperature": 5},
        {"n": 1},
        {"n": 2},
        {"max_tokens": 2048},
        {"logprobs": True, "top_logprobs": 20},
        {"tool_choice": "none"},
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "", "schema": {}}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": ["object", "null"]}},
            }
        },
        {"stream": True, "stream_options": {"include_usage": True}},
        {"model": "omni", "messages": seen(IMAGE, AUDIO)},
        {"model": "absent"},
    ],
)
def test_what_the_engine_tolerates_is_served(fields: dict[str, Any]) -> None:
    assert ask(**fields).status == 200


def test_a_bad_schema_is_found_after_a_stream_has_begun() -> None:
    plan = ask(response_format=BAD_SCHEMA, stream=True)
    assert plan.status == 200
    assert plan.is_stream
    assert [event["error"]["message"] for event in plan.events] == [
        "Grammar error: Invalid type: objekt"
    ]
    assert plan.says_done


def test_other_complaints_come_before_a_stream_begins() -> None:
    assert ask(temperature=-3, stream=True).status == 400


@pytest.mark.parametrize(
    ("body", "told", "param"),
    [
        (b"", "'missing'", "body"),
        (b'{"model": "x", "messages": [', "'json_invalid'", "body.28"),
        (
            b"[1]",
            (
                "'model_attributes_type', 'loc': 'body', 'msg': 'Input should be a valid "
                "dictionary or object to extract fields from', 'input': '<list of 1 items>'}"
            ),
            "body",
        ),
    ],
)
def test_a_body_that_is_no_object_is_refused_by_the_parser(
    body: bytes, told: str, param: str
) -> None:
    plan = respond(make_request(URL, body))
    error = json.loads(plan.body)["error"]
    assert plan.status == 400
    assert error["message"].startswith(f"1 validation error:\n  {{'type': {told}")
    assert (error["type"], error["param"]) == (PARSER, param)


def test_an_unknown_model_is_not_found() -> None:
    plan = ask(model="no-such-model")
    assert plan.status == 404
    assert json.loads(plan.body)["error"] == {
        "message": "The model `no-such-model` does not exist. Valid aliases: omni, tiny.",
        "type": "NotFoundError",
        "param": "model",
        "code": 404,
    }


@pytest.mark.parametrize(
    "name", ["model", "baseten", "baseten-model", "default", "model-abc123", "zai-org/GLM-5.2"]
)
def test_names_that_clients_derive_are_served_and_repeated(name: str) -> None:
    assert json.loads(ask(model=name).body)["model"] == name


def test_a_body_without_a_model_is_served_by_the_default() -> None:
    assert json.loads(ask(model="absent").body)["model"] == "omni"


def test_the_context_can_be_made_small() -> None:
    body = {"model": "omni", "messages": [HELLO | {"content": "word " * 30}]}
    plan = ReferenceServer(context=20)(make_request(URL, body))
    assert "maximum context length is 20 tokens" in json.loads(plan.body)["error"]["message"]
