"""Statuses, bodies and wordings of every dialect seen, to the error that each stands for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langchain_baseten._protocol.error_responses import (
    error_from_event,
    error_from_response,
    is_error_payload,
    shorten,
)
from langchain_baseten._protocol.json_text import parse_body
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRequestTooLargeError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    ErrorResponse,
)

STATUSES: dict[int, type[BasetenError]] = {
    302: BasetenInvalidRequestError,
    400: BasetenInvalidRequestError,
    401: BasetenAuthenticationError,
    402: BasetenPermissionDeniedError,
    403: BasetenPermissionDeniedError,
    404: BasetenNotFoundError,
    405: BasetenInvalidRequestError,
    408: BasetenTimeoutError,
    409: BasetenConflictError,
    412: BasetenInvalidRequestError,
    413: BasetenRequestTooLargeError,
    422: BasetenUnprocessableError,
    429: BasetenRateLimitError,
    499: BasetenInvalidRequestError,
    500: BasetenAPIError,
    502: BasetenAPIError,
    503: BasetenAPIError,
    504: BasetenAPIError,
    529: BasetenAPIError,
    599: BasetenAPIError,
}


@pytest.mark.parametrize(("status", "cls"), STATUSES.items())
@pytest.mark.parametrize("body", ['{"error": "why"}', "why"], ids=["JSON", "text"])
def test_a_status_has_its_class(status: int, cls: type[BasetenError], body: str) -> None:
    error = error_from_response(status, body, {})

    assert type(error) is cls
    assert error.status_code == status
    assert str(error).startswith(f"why (HTTP {status}")


# body -> sentence
DIALECTS: dict[str, tuple[str, str]] = {
    "flat (Model APIs)": (
        '{"message":"returning log probs is not supported","type":"Bad Request","code":400}',
        "returning log probs is not supported",
    ),
    "wrapped, on many lines (Model APIs)": (
        (
            '{\n\t"error": {\n\t\t"code": 400,\n\t\t"message": "Validation: Temperature must be '
            'between 0 and 2, got 3",\n\t\t"type": "Bad Request"\n\t}\n}\n'
        ),
        "Validation: Temperature must be between 0 and 2, got 3",
    ),
    "a string (Model APIs)": (
        '{"error":"please check the api-key you provided"}',
        "please check the api-key you provided",
    ),
    "plain text (gateway)": (
        "No Authorization header provided",
        "No Authorization header provided",
    ),
    "a page (load balancer)": (
        (
            "<!DOCTYPE html>\n<html><head><title>502</title><style>p {color: red}</style></head>"
            "<body><h1>Error</h1><script>var x = '<p>';</script>\n<p>Try again.</p></body></html>"
        ),
        "502 Error Try again.",
    ),
    "text with angle brackets": ("expected <int>, got <str>", "expected <int>, got <str>"),
    "vLLM": (
        (
            '{"error":{"message":"The model `x` does not exist.","type":"NotFoundError",'
            '"param":"model","code":404}}'
        ),
        "The model `x` does not exist.",
    ),
    "SGLang, flat": (
        '{"object":"error","message":"bad n","type":"BAD_REQUEST","param":null,"code":400}',
        "bad n",
    ),
    "SGLang, wrapped": (
        '{"error":{"code":400,"message":"bad n","object":"error","param":null,"type":"x"}}',
        "bad n",
    ),
    "FastAPI": ('{"detail":"Not Found"}', "Not Found"),
    "FastAPI, a list": (
        '{"detail":[{"loc":["body","n"],"msg":"not an integer","type":"int"},{"msg":"too big"}]}',
        "not an integer; too big",
    ),
    "Truss": (
        '{"error":"Internal Server Error (in model/chainlet)."}',
        "Internal Server Error (in model/chainlet).",
    ),
    "llama.cpp": (
        '{"error":{"code":500,"message":"failed to parse grammar","type":"server_error"}}',
        "failed to parse grammar",
    ),
    "dedicated": (
        '{"error":"timed out","error_code":"timeout","detail":"after 1200 s"}',
        "timed out",
    ),
    "error null beside a message": ('{"error":null,"message":"why"}', "why"),
    "error of no words beside a message": ('{"error":{},"message":"why"}', "why"),
    "error of the wrong type": ('{"error":7,"message":"why"}', "why"),
    "TensorRT": ('{"error_message":"why"}', "why"),
    "errors": ('{"errors":["a","b",null]}', "a; b"),
    "a list": ('["a",{"message":"b"}]', "a; b"),
    "a JSON string": ('"why"', "why"),
    "no known key": ('{"status":"bad"}', '{"status": "bad"}'),
    "empty": ("", "the server gave no reason"),
    "white space": (" \n ", "the server gave no reason"),
    "an empty object": ("{}", "the server gave no reason"),
    "null": ("null", "the server gave no reason"),
    "a number": ("7", "the server gave no reason"),
    "many spaces": ("a\n\n  b\tc", "a b c"),
    "nested too deep": ("[" * 99_999, "[" * 499 + "…"),
}


@pytest.mark.parametrize(("body", "sentence"), DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_gives_its_sentence(body: str, sentence: str) -> None:
    assert str(error_from_response(500, body, {})) == f"{sentence} (HTTP 500 Internal Server Error)"


OVERFLOWS = {
    "vLLM": "This model's maximum context length is 2048 tokens. However, you requested 4000.",
    "vLLM's engine": "The decoder prompt (length 9) is longer than the maximum model length of 8.",
    "SGLang": "The input (8010 tokens) is longer than the model's context length (2048 tokens).",
    "SGLang, total": "Requested token count exceeds the model's maximum context length of 2048.",
    "TensorRT": "Input length 9 exceeds the maximum allowed input length of 8 tokens.",
    "TensorRT's engine": "Prompt length (9) exceeds maximum input length (8).",
    "TensorRT's limit by name": "prompt length 9 exceeds max_input_len 8",
    "llama.cpp": "the request exceeds the available context size, try increasing it",
    "llama.cpp's code": "exceed_context_size_error",
    "OpenAI's code": "context_length_exceeded",
    "OpenAI": "Your input exceeds the context window of this model.",
    "DeepSeek": "This model's maximum context length is 65536 tokens. Please reduce the length.",
    "Anthropic's words": "prompt is too long: 9 tokens > 8 maximum",
}


@pytest.mark.parametrize("sentence", OVERFLOWS.values(), ids=OVERFLOWS)
@pytest.mark.parametrize("status", [400, 422, 500])
def test_an_overflow_is_known_by_its_wording(sentence: str, status: int) -> None:
    error = error_from_response(status, json.dumps({"error": sentence}), {})

    assert type(error) is BasetenContextOverflowError
    assert str(error).endswith("Shorten the input.")


@pytest.mark.parametrize("sentence", OVERFLOWS.values(), ids=OVERFLOWS)
@pytest.mark.parametrize("code", [{}, {"code": 400}], ids=["uncoded", "coded"])
def test_an_overflow_inside_a_stream_is_known_too(sentence: str, code: dict[str, int]) -> None:
    error = error_from_event({"error": {"message": sentence, **code}})

    assert type(error) is BasetenContextOverflowError


LABELLED = [
    {"code": "context_length_exceeded"},
    {"type": "exceed_context_size_error", "code": 400},
    {"code": "Context Length Exceeded"},
]


@pytest.mark.parametrize("labels", LABELLED, ids=",".join)
def test_an_overflow_is_known_by_its_label(labels: dict[str, Any]) -> None:
    body = {"error": {"message": "too much", **labels}}

    assert type(error_from_response(400, json.dumps(body), {})) is BasetenContextOverflowError
    assert type(error_from_event(body)) is BasetenContextOverflowError


NO_OVERFLOWS: dict[str, tuple[int, str, type[BasetenError]]] = {
    "vLLM's limit of max_tokens": (
        400,
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context "
            "length is 8 tokens."
        ),
        BasetenInvalidRequestError,
    ),
    "max_tokens alone": (
        400,
        "max_tokens is too large: 9. This model's maximum context length is 8 tokens.",
        BasetenInvalidRequestError,
    ),
    "a limit of requests": (429, "maximum context length per minute", BasetenRateLimitError),
    "no such model": (404, "maximum context length", BasetenNotFoundError),
    "a large body": (413, "prompt is too long", BasetenRequestTooLargeError),
    "another length": (400, "name exceeds the maximum length of 64", BasetenInvalidRequestError),
}


@pytest.mark.parametrize(("status", "sentence", "cls"), NO_OVERFLOWS.values(), ids=NO_OVERFLOWS)
def test_what_only_sounds_like_an_overflow_is_none(
    status: int, sentence: str, cls: type[BasetenError]
) -> None:
    assert type(error_from_response(status, sentence, {})) is cls


def test_a_complaint_about_max_tokens_inside_a_stream_is_no_overflow() -> None:
    sentence = "max_tokens is too large: 9. This model's maximum context length is 8 tokens."

    assert type(error_from_event({"error": sentence})) is BasetenAPIError


LABELS: dict[str, type[BasetenError]] = {
    "rate_limit_exceeded": BasetenRateLimitError,
    "authentication_error": BasetenAuthenticationError,
    "permission_denied": BasetenPermissionDeniedError,
    "not_found": BasetenNotFoundError,
    "NotFoundError": BasetenNotFoundError,
    "Not Found": BasetenNotFoundError,
    "invalid_request_error": BasetenInvalidRequestError,
    "BAD_REQUEST": BasetenInvalidRequestError,
    "Bad Request": BasetenInvalidRequestError,
    "BadRequestError": BasetenInvalidRequestError,
    "timeout": BasetenTimeoutError,
    "upstream_error": BasetenAPIError,
    "internal_server_error": BasetenAPIError,
}


@pytest.mark.parametrize(("label", "cls"), LABELS.items())
@pytest.mark.parametrize("key", ["code", "type"])
def test_an_event_without_a_number_is_known_by_its_label(
    label: str, cls: type[BasetenError], key: str
) -> None:
    error = error_from_event({"error": {"message": "why", key: label}})

    assert type(error) is cls
    assert error.status_code is None
    assert str(error).startswith("why (inside an answer that began with HTTP 200)")


CODES: dict[str, tuple[Any, int | None]] = {
    "a number": ({"code": 429}, 429),
    "a decimal string": ({"code": "429"}, 429),
    "status": ({"status": 404}, 404),
    "status_code": ({"status_code": 500}, 500),
    "a label beside a number": ({"code": "x", "status": 404}, 404),
    "too small": ({"code": 200}, None),
    "too large": ({"code": 600}, None),
    "no status": ({"code": 4000}, None),
    "negative": ({"code": -400}, None),
    "a fraction": ({"code": 400.5}, None),
    "a boolean": ({"code": True}, None),
    "thousands of digits": ({"code": "4" * 5000}, None),
    "absent": ({}, None),
}


@pytest.mark.parametrize(("fields", "status"), CODES.values(), ids=CODES)
@pytest.mark.parametrize("wrapped", [True, False], ids=["wrapped", "flat"])
def test_an_event_has_the_status_of_its_code(
    fields: dict[str, Any], status: int | None, wrapped: bool
) -> None:
    inner = {"message": "why", **fields}

    assert error_from_event({"error": inner} if wrapped else inner).status_code == status


@pytest.mark.parametrize("payload", ["it broke", ["it broke"], {"error": "it broke"}])
def test_an_event_of_any_type_is_an_error(payload: Any) -> None:
    error = error_from_event(payload)

    assert str(error) == "it broke (inside an answer that began with HTTP 200)"
    assert error.body == payload
    assert error.response is None
    assert str(error_from_event({})).startswith("the server gave no reason (")


HINTS: dict[int, str] = {
    401: "Check BASETEN_API_KEY (or api_key=).",
    403: "Check BASETEN_API_KEY (or api_key=) and what it may do.",
    404: "Check model= (a slug of your workspace) or model_url=.",
    413: "Send less: smaller images or audio, or a shorter history.",
}


@pytest.mark.parametrize(("status", "hint"), HINTS.items())
def test_an_error_says_what_to_do(status: int, hint: str) -> None:
    assert str(error_from_response(status, "why", {})).endswith(f"). {hint}")


@pytest.mark.parametrize(("status", "words"), [(404, "HTTP 404 Not Found"), (529, "HTTP 529")])
def test_an_error_names_its_status(status: int, words: str) -> None:
    assert str(error_from_response(status, "why", {})).startswith(f"why ({words})")


IDS: dict[str, tuple[dict[str, str], str, str | None]] = {
    "Baseten's header": ({"x-baseten-request-id": "a", "x-request-id": "b"}, "", "a"),
    "another header": ({"x-request-id": "b", "request-id": "c"}, "", "b"),
    "a third header": ({"request-id": "c"}, "", "c"),
    "an empty header": ({"x-baseten-request-id": ""}, '{"request_id": "d"}', "d"),
    "the body, flat": ({}, '{"message": "x", "request_id": "d"}', "d"),
    "the body, wrapped": ({}, '{"error": {"message": "x", "request_id": "d"}}', "d"),
    "of the wrong type": ({}, '{"request_id": 7}', None),
    "none": ({}, "text", None),
}


@pytest.mark.parametrize(("headers", "body", "found"), IDS.values(), ids=IDS)
def test_the_request_id_is_found(headers: dict[str, str], body: str, found: str | None) -> None:
    assert error_from_response(500, body, headers).request_id == found


WAITS: dict[str, tuple[str, float | None, float | None]] = {
    "in the body": ('{"error": "x", "retry_after": 37}', None, 37.0),
    "a fraction": ('{"retry_after": 0.5}', None, 0.5),
    "the header comes first": ('{"retry_after": 37}', 2.0, 2.0),
    "zero in the header": ('{"retry_after": 37}', 0.0, 0.0),
    "negative": ('{"retry_after": -1}', None, None),
    "not a number": ('{"retry_after": NaN}', None, None),
    "endless": ('{"retry_after": Infinity}', None, None),
    "hundreds of digits": (f'{{"retry_after": {"9" * 400}}}', None, None),
    "words": ('{"retry_after": "soon"}', None, None),
    "no object": ("[37]", None, None),
    "absent": ("{}", None, None),
}


@pytest.mark.parametrize(("body", "header", "seconds"), WAITS.values(), ids=WAITS)
def test_the_wait_is_found(body: str, header: float | None, seconds: float | None) -> None:
    assert error_from_response(429, body, {}, retry_after=header).retry_after == seconds


def test_the_whole_answer_goes_with_the_error_but_no_cookie() -> None:
    error = error_from_response(400, '{"error": "why"}', {"via": "1.1 google", "set-cookie": "s"})

    assert error.body == {"error": "why"}
    assert error.response == ErrorResponse(400, '{"error": "why"}', {"via": "1.1 google"})


PAYLOADS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "an object": ({"error": {"message": "x"}}, "", True),
    "a string": ({"error": "x"}, "", True),
    "beside choices": ({"error": "x", "choices": []}, "", True),
    "null": ({"error": None, "choices": []}, "", False),
    "empty": ({"error": {}}, "", False),
    "a named event": ({}, "error", True),
    "another named event": ({"message": "x"}, "ping", False),
    "object: error": ({"object": "error", "message": "x"}, "", True),
    "flat with a code": ({"message": "x", "code": 400}, "", True),
    "flat with a type": ({"message": "x", "type": "error"}, "", True),
    "flat with another type": ({"message": "x", "type": "note"}, "", False),
    "flat beside choices": ({"message": "x", "code": 400, "choices": []}, "", False),
    "detail": ({"detail": "x"}, "", True),
    "detail beside choices": ({"detail": "x", "choices": []}, "", False),
    "an answer": ({"object": "chat.completion", "choices": [{}]}, "", False),
    "nothing": ({}, "", False),
}


@pytest.mark.parametrize(("payload", "event", "judged"), PAYLOADS.values(), ids=PAYLOADS)
def test_an_error_is_told_from_an_answer(payload: dict[str, Any], event: str, judged: bool) -> None:
    assert is_error_payload(payload, event) is judged


@pytest.mark.parametrize(
    ("text", "body"),
    [("[1]", [1]), ("x", "x"), ("", ""), ("[" * 99_999, "[" * 99_999)],
    ids=["JSON", "text", "nothing", "nested too deep"],
)
def test_a_body_is_json_where_it_can_be(text: str, body: Any) -> None:
    assert parse_body(text) == body


@pytest.mark.parametrize("length", [1, 9, 10, 11, 1000])
def test_a_text_is_cut_to_a_limit(length: int) -> None:
    found = shorten("x" * length, 10)

    assert found == ("x" * length if length <= 10 else "x" * 9 + "…")
