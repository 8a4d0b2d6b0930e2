"""Whole answers to messages: every key absent, null, doubled or of the wrong type."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from conformance.tests.package.in_each import in_each
from conformance.tests.package.sse_builders import REASONED_PARTS as REASONED
from langchain_baseten._protocol.response import (
    ResponseContext,
    combine_outputs,
    read_extras,
    read_header_metadata,
    read_response,
    read_top,
)
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
)

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}


def completion(message: Any = None, *, choice: dict[str, Any] | None = None, **top: Any) -> str:
    one = {"index": 0, "message": message, "finish_reason": "stop", **(choice or {})}
    return json.dumps({"choices": [one], **top})


def read_all(body: str, **settings: Any) -> Any:
    numbers = count()
    headers = settings.pop("headers", {})
    given = {"new_id": lambda: f"fresh-{next(numbers)}", "requested_model": "asked", **settings}
    return read_response(body, headers, ResponseContext(**given))


def read(body: str, **settings: Any) -> AIMessage:
    message = read_all(body, **settings).generations[0].message
    assert isinstance(message, AIMessage)
    return message


# message -> content, additional_kwargs
MESSAGES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "text": ({"role": "assistant", "content": "a"}, "a", {}),
    "content absent": ({"role": "assistant"}, "", {}),
    "content null": ({"content": None}, "", {}),
    "content empty": ({"content": ""}, "", {}),
    "content as parts": ({"content": [{"type": "text", "text": "a"}, "b", {"x": 1}, 7]}, "ab", {}),
    "content of the wrong type": ({"content": {"text": "a"}}, "", {}),
    "reasoning_content": (
        {"content": "a", "reasoning_content": "r"},
        "a",
        {"reasoning_content": "r"},
    ),
    "reasoning": ({"content": "a", "reasoning": "r"}, "a", {"reasoning_content": "r"}),
    "both": ({"reasoning": "r", "reasoning_content": "r"}, "", {"reasoning_content": "r"}),
    "reasoning_content null beside reasoning": (
        {"reasoning": "r", "reasoning_content": None},
        "",
        {"reasoning_content": "r"},
    ),
    "reasoning null": ({"content": "a", "reasoning_content": None}, "a", {}),
    "reasoning of the wrong type": ({"content": "a", "reasoning": {"effort": "low"}}, "a", {}),
    "a refusal": ({"content": None, "refusal": "no"}, "", {"refusal": "no"}),
    "refusal of the wrong type": ({"content": "a", "refusal": {"x": 1}}, "a", {}),
    "refusal null": ({"content": "a", "refusal": None}, "a", {}),
    "half a surrogate pair": (
        {"content": "\ud83e", "reasoning": "\ud83er", "refusal": "\udd16"},
        "\ufffd",
        {"reasoning_content": "\ufffdr", "refusal": "\ufffd"},
    ),
    "a surrogate pair": ({"content": "\ud83e\udd16"}, "\U0001f916", {}),
    "reasoning beside a part that repeats it": (
        {"content": [{"type": "thinking", "thinking": "r"}], "reasoning_content": "r"},
        "",
        {"reasoning_content": "r"},
    ),
}


@in_each(("message", "content", "side"), MESSAGES)
def test_text_reasoning_and_refusal_are_read(
    message: Any, content: str, side: dict[str, Any]
) -> None:
    found = read(completion(message))

    assert found.content == content
    assert found.additional_kwargs == side


# message -> names of the calls, of the broken calls
CALLED: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "a call": ({"tool_calls": [CALL]}, ["f"], []),
    "beside content (GLM)": ({"content": "a", "tool_calls": [CALL]}, ["f"], []),
    "an extra index (SGLang)": ({"tool_calls": [{**CALL, "index": 0}]}, ["f"], []),
    "broken arguments": (
        {"tool_calls": [CALL, {"id": "b", "function": {"name": "g", "arguments": "{"}}]},
        ["f"],
        ["g"],
    ),
    "null": ({"tool_calls": None}, [], []),
    "empty": ({"tool_calls": []}, [], []),
    "not a list": ({"tool_calls": CALL}, ["f"], []),
    "a legacy call": ({"function_call": {"name": "f", "arguments": "{}"}}, ["f"], []),
    "a legacy call beside a call": (
        {"tool_calls": [CALL], "function_call": {"name": "f", "arguments": "{}"}},
        ["f"],
        [],
    ),
    "a legacy call that is null": ({"function_call": None}, [], []),
}


@in_each(("message", "valid", "broken"), CALLED)
def test_tool_calls_are_read(message: dict[str, Any], valid: list[str], broken: list[str]) -> None:
    found = read(completion(message))

    assert [call["name"] for call in found.tool_calls] == valid
    assert [call["name"] for call in found.invalid_tool_calls] == broken


def test_parallel_calls_never_share_an_id() -> None:
    found = read(completion({"tool_calls": [CALL, CALL, {**CALL, "id": ""}]}))

    assert [call["id"] for call in found.tool_calls] == ["a", "a_1", "fresh-0"]


def test_each_choice_has_its_own_tool_calls() -> None:
    choices = [{"index": n, "message": {"tool_calls": [CALL]}} for n in range(2)]
    found = read_all(json.dumps({"choices": choices})).generations

    assert [one.message.tool_calls[0]["id"] for one in found] == ["a", "a"]


REQUIRED: dict[str, tuple[dict[str, Any], bool, bool]] = {
    "lost (GLM-4.6)": ({"role": "assistant"}, True, True),
    "there": ({"tool_calls": [CALL]}, True, False),
    "there, but broken": (
        {"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]},
        True,
        False,
    ),
    "not required": ({"role": "assistant"}, False, False),
}


@in_each(("message", "required", "lost"), REQUIRED)
def test_a_required_call_that_is_missing_is_marked(
    message: dict[str, Any], required: bool, lost: bool
) -> None:
    metadata = read(completion(message), call_required=required).response_metadata

    assert metadata.get("tool_call_missing", False) is lost


def test_metadata_of_the_response_is_kept() -> None:
    body = completion(
        {"content": "a"},
        choice={"stop_reason": 154827, "logprobs": {"content": []}, "matched_stop": None},
        id="chatcmpl-1",
        model="zai-org/GLM-5.2",
        object="chat.completion",
        created=1,
        system_fingerprint="fp",
        service_tier="flex",
        timings={"ms": 1},
        kv=None,
        usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    )
    result = read_all(body, headers={"x-baseten-request-id": "r1"})

    assert result.generations[0].message.response_metadata == {
        "model_provider": "baseten",
        "model_name": "zai-org/GLM-5.2",
        "id": "chatcmpl-1",
        "system_fingerprint": "fp",
        "service_tier": "flex",
        "finish_reason": "stop",
        "stop_reason": 154827,
        "logprobs": {"content": []},
        "timings": {"ms": 1},
        "request_id": "r1",
        "token_usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    assert result.generations[0].generation_info == {
        "finish_reason": "stop",
        "logprobs": {"content": []},
    }
    assert result.llm_output == {
        "model_provider": "baseten",
        "model_name": "zai-org/GLM-5.2",
        "id": "chatcmpl-1",
        "system_fingerprint": "fp",
        "token_usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


def test_a_response_without_a_model_gets_the_requested_model() -> None:
    result = read_all('{"choices": [{"message": {}, "finish_reason": ""}]}')

    assert result.generations[0].message.response_metadata == {
        "model_provider": "baseten",
        "model_name": "asked",
        "finish_reason": None,
        "token_usage": {},
    }
    assert result.llm_output == {
        "model_provider": "baseten",
        "model_name": "asked",
        "token_usage": {},
    }


def test_fields_of_the_server_never_replace_reserved_metadata() -> None:
    conflicting = {"model_provider": "x", "token_usage": {"x": 1}, "finish_reason": "x"}
    metadata = read(
        completion({}, choice=conflicting | {"finish_reason": "stop"}, **conflicting)
    ).response_metadata

    assert metadata["model_provider"] == "baseten"
    assert metadata["token_usage"] == {}
    assert metadata["finish_reason"] == "stop"


def test_usage_is_on_the_first_choice_only() -> None:
    choices = [{"index": n, "message": {"content": str(n)}} for n in range(2)]
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    found = read_all(json.dumps({"choices": choices, "usage": usage})).generations

    assert [one.text for one in found] == ["0", "1"]
    assert [bool(one.message.usage_metadata) for one in found] == [True, False]


@in_each("usage", [None, "x", 7, [1], {}])
def test_usage_of_the_wrong_type_is_none(usage: Any) -> None:
    result = read_all(completion({"content": "a"}, usage=usage))

    assert result.generations[0].message.usage_metadata is None
    assert combine_outputs([result.llm_output])["token_usage"] == {}


# body -> class, words
REFUSED: dict[str, tuple[str, type[BasetenError], str]] = {
    "empty": ("", BasetenInvalidResponseError, "is not a JSON object: an empty body"),
    "a page": (
        "<html><body>Sign in</body></html>",
        BasetenInvalidResponseError,
        "is not a JSON object: Sign in",
    ),
    "an array": ("[1]", BasetenInvalidResponseError, "is not a JSON object"),
    "cut off": ('{"choices": [{', BasetenInvalidResponseError, "is not a JSON object"),
    "nested too deep": ("[" * 99_999, BasetenInvalidResponseError, "is not a JSON object"),
    "an event stream": ('data: {"x": 1}\n\n', BasetenInvalidResponseError, "is not a JSON object"),
    "choices absent": ('{"id": "x"}', BasetenInvalidResponseError, "response holds no choices: "),
    "choices null": ('{"choices": null}', BasetenInvalidResponseError, "holds no choices"),
    "choices empty": ('{"choices": []}', BasetenInvalidResponseError, "holds no choices"),
    "choices of the wrong type": ('{"choices": 5}', BasetenInvalidResponseError, "no choices"),
    "choices that are no objects": ('{"choices": [1]}', BasetenInvalidResponseError, "no choices"),
    "message null": (completion(None), BasetenInvalidResponseError, "a choice without a message"),
    "message absent": (
        '{"choices": [{"finish_reason": "stop"}]}',
        BasetenInvalidResponseError,
        "a choice without a message",
    ),
    "message of the wrong type": (
        completion("a"),
        BasetenInvalidResponseError,
        "without a message",
    ),
    "a second message null": (
        '{"choices": [{"message": {"content": "a"}}, {"message": null}]}',
        BasetenInvalidResponseError,
        "a choice without a message",
    ),
    "an error": ('{"error": "boom"}', BasetenAPIError, "boom"),
    "a coded error": (
        '{"error": {"message": "boom", "code": "400"}}',
        BasetenInvalidRequestError,
        "boom",
    ),
    "an error beside choices": ('{"choices": [{}], "error": "boom"}', BasetenAPIError, "boom"),
}


@in_each(("body", "cls", "words"), REFUSED)
def test_a_body_that_is_no_completion_is_an_error(
    body: str, cls: type[BasetenError], words: str
) -> None:
    with pytest.raises(BasetenError, match=words) as caught:
        read_all(body)

    assert type(caught.value) is cls


@pytest.mark.parametrize(("text", "body"), [('{"id": "x"}', {"id": "x"}), ("<p>", "<p>")])
def test_the_error_holds_a_body_that_is_no_completion(text: str, body: Any) -> None:
    with pytest.raises(BasetenError) as caught:
        read_all(text)

    assert caught.value.body == body


def test_a_response_with_error_null_is_read() -> None:
    assert read(completion({"content": "a"}, error=None)).content == "a"


def test_extra_fields_are_kept_in_their_order_and_empty_ones_are_not() -> None:
    payload: dict[str, Any] = {
        "b": 1,
        "known": 2,
        "a": 0,
        "c": None,
        "d": "",
        "e": [],
        "f": {},
        "g": False,
    }

    assert list(read_extras(payload, frozenset({"known"})).items()) == [
        ("b", 1),
        ("a", 0),
        ("g", False),
    ]
    assert read_extras({"known": 2}, frozenset({"known"})) == {}


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
def test_headers_are_kept_on_request_without_cookies(keep: bool) -> None:
    headers = {"x-baseten-request-id": "r1", "set-cookie": "s", "via": "1.1 google"}
    found = read_header_metadata(headers, keep_all=keep)

    assert found.pop("headers", None) == (
        {"x-baseten-request-id": "r1", "via": "1.1 google"} if keep else None
    )
    assert found == {"request_id": "r1"}


def test_no_request_id_is_no_metadata() -> None:
    assert read_header_metadata({"x-baseten-request-id": ""}, keep_all=False) == {}


def test_an_empty_name_of_the_model_is_none() -> None:
    assert read_top({"model": ""}, "asked")["model_name"] == "asked"


@in_each(("parts", "text", "reasoning"), REASONED)
def test_reasoning_parts_are_reasoning_and_no_text(
    parts: list[Any], text: str, reasoning: str
) -> None:
    found = read(completion({"content": parts}))

    assert found.content == text
    assert found.additional_kwargs.get("reasoning_content", "") == reasoning


@in_each("reason", ["abort", "error"])
@in_each("failed", {"first choice": 0, "second choice": 1})
def test_a_failure_of_the_engine_is_an_error_with_the_partial_message(
    reason: str, failed: int
) -> None:
    choices = [
        {"index": n, "message": {"content": f"par{n}"}, "finish_reason": "stop"} for n in range(2)
    ]
    choices[failed]["finish_reason"] = reason
    with pytest.raises(BasetenAPIError, match=f"finish reason {reason!r}") as caught:
        read_all(json.dumps({"choices": choices, "usage": {"prompt_tokens": 1}}))

    error = caught.value
    assert type(error) is BasetenAPIError
    assert error.partial is not None
    assert error.partial.content == f"par{failed}"
    assert error.partial.response_metadata["finish_reason"] == reason


def test_an_engine_that_failed_before_its_message_is_reported() -> None:
    with pytest.raises(BasetenAPIError, match="finish reason 'abort'") as caught:
        read_all(completion(None, choice={"finish_reason": "abort"}))

    assert type(caught.value) is BasetenAPIError


@in_each("reason", [["abort"], {"type": "stop"}, 7, None])
def test_a_finish_reason_of_the_wrong_type_is_kept(reason: Any) -> None:
    found = read(completion({"content": "a"}, choice={"finish_reason": reason}))

    assert found.response_metadata["finish_reason"] == reason


def test_nothing_that_a_response_holds_has_lone_surrogates() -> None:
    half = "\ud83d"
    function = {"name": half, "arguments": json.dumps({half: half})}
    message = {"content": half, "tool_calls": [{"id": half, "function": function}]}
    choice = {"logprobs": {"content": [{"token": half}]}, "x": half, "finish_reason": half}
    result = read_all(completion(message, choice=choice, model=half, y={half: half}))

    repr(result).encode()
    json.dumps(result.llm_output, ensure_ascii=False).encode()
    found = result.generations[0].message
    found.model_dump_json()
    assert found.tool_calls[0]["args"] == {"\ufffd": "\ufffd"}


def test_an_error_that_holds_half_an_emoji_can_be_printed() -> None:
    with pytest.raises(BasetenAPIError) as caught:
        read_all('{"error": {"message": "no \\ud83d"}}')

    assert "no \ufffd" in str(caught.value)
    json.dumps(caught.value.body, ensure_ascii=False).encode()


def test_metadata_of_the_gateway_is_generation_info() -> None:
    headers = {"x-langsmith-gateway-metadata": '{"run": "x"}'}
    (generation,) = read_all(completion({"content": "a"}), headers=headers).generations

    assert generation.generation_info["lc_gateway_metadata"] == {"run": "x"}


def test_the_message_of_a_failed_engine_names_the_finish_reason() -> None:
    with pytest.raises(BasetenAPIError) as caught:
        read_all(completion({"content": "a"}, choice={"finish_reason": "abort"}))

    assert str(caught.value) == (
        "The engine failed and ended the response with the finish reason 'abort'. What had "
        "arrived is in `.partial`."
    )
