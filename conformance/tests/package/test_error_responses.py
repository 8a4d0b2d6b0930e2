"""Statuses, bodies and wordings of every known dialect, and the error that each stands for."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.error_responses import (
    error_from_event,
    error_from_response,
    is_error_payload,
    is_success,
)
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenError,
    BasetenInvalidKeyError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRequestTooLargeError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    ErrorResponse,
)

STATUSES: dict[int, type[BasetenError]] = {
    1: BasetenAPIError,
    99: BasetenAPIError,
    100: BasetenInvalidResponseError,
    101: BasetenInvalidResponseError,
    199: BasetenInvalidResponseError,
    300: BasetenInvalidResponseError,
    302: BasetenInvalidResponseError,
    304: BasetenInvalidResponseError,
    399: BasetenInvalidResponseError,
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
    600: BasetenAPIError,
    999: BasetenAPIError,
}


@in_each(("status", "cls"), STATUSES.items())
@in_each("body", {"JSON": '{"error": "why"}', "text": "why"})
def test_status_has_its_class(status: int, cls: type[BasetenError], body: str) -> None:
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
        "n: not an integer; too big",
    ),
    "FastAPI, deep inside": (
        '{"detail":[{"loc":["body","messages",0,"role"],"msg":"Field required"}]}',
        "messages.0.role: Field required",
    ),
    "FastAPI, a header": ('{"detail":[{"loc":["header","x-a"],"msg":"no"}]}', "header.x-a: no"),
    "FastAPI, the whole body": ('{"detail":[{"loc":["body"],"msg":"no"}]}', "no"),
    "a place of another kind": ('{"detail":[{"loc":"body","msg":"no"}]}', "no"),
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
    "no known key": ('{"status":"bä"}', '{"status": "bä"}'),
    "empty": ("", "the server gave no reason"),
    "white space": (" \n ", "the server gave no reason"),
    "an empty object": ("{}", "the server gave no reason"),
    "null": ("null", "the server gave no reason"),
    "a number": ("7", "the server gave no reason"),
    "many spaces": ("a\n\n  b\tc", "a b c"),
    "nested too deep": ("[" * 99_999, "[" * 499 + "…"),
}


@in_each(("body", "sentence"), DIALECTS)
def test_sentence_is_found_in_every_dialect(body: str, sentence: str) -> None:
    assert str(error_from_response(500, body, {})) == f"{sentence} (HTTP 500 Internal Server Error)"


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


@in_each(("label", "cls"), LABELS.items())
@in_each("key", ["code", "type"])
def test_event_without_a_number_is_known_by_its_label(
    label: str, cls: type[BasetenError], key: str
) -> None:
    error = error_from_event({"error": {"message": "why", key: label}})

    assert type(error) is cls
    assert error.status_code is None
    assert str(error).startswith("why (inside a response that began with HTTP 200)")


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


@in_each(("fields", "status"), CODES)
@in_each("wrapped", {"wrapped": True, "flat": False})
def test_event_has_the_status_of_its_code(
    fields: dict[str, Any], status: int | None, wrapped: bool
) -> None:
    inner = {"message": "why", **fields}

    assert error_from_event({"error": inner} if wrapped else inner).status_code == status


@in_each("payload", ["it broke", ["it broke"], {"error": "it broke"}])
def test_event_of_any_type_becomes_an_error(payload: Any) -> None:
    error = error_from_event(payload)

    assert str(error) == "it broke (inside a response that began with HTTP 200)"
    assert error.body == payload
    assert error.response is None
    assert str(error_from_event({})).startswith("the server gave no reason (")


MODEL_HINT = "Check model= (a slug of your workspace) or model_url=."
PATH_HINT = (
    "No model seems to be served at this path: check the path of base_url= (it usually ends in "
    "/v1) or model_url=."
)
HINTS: dict[int, str] = {
    401: "Check BASETEN_API_KEY (or api_key=).",
    403: "Check the permissions of BASETEN_API_KEY (or api_key=).",
    404: MODEL_HINT,
    413: "Send less: smaller images or audio, or a shorter history.",
}


@in_each(("status", "hint"), HINTS.items())
def test_message_says_what_to_do(status: int, hint: str) -> None:
    assert str(error_from_response(status, '{"error": "why"}', {})).endswith(f"). {hint}")
    assert str(error_from_event({"message": "why", "code": status})).endswith(f"). {hint}")


# status, body -> whether the path of the URL looks wrong
PATHS: dict[str, tuple[int, str, bool]] = {
    "a page": (404, "<html><head><title>404 Not Found</title></head></html>", True),
    "Go's router": (404, "404 page not found\n", True),
    "plain text": (404, "no such route", True),
    "no body": (404, "", True),
    "Starlette's router": (404, '{"detail":"Not Found"}', True),
    "Starlette's router, wrong method": (405, '{"detail":"Method Not Allowed"}', True),
    "nginx, wrong method": (405, "<html><title>405 Not Allowed</title></html>", True),
    "llama.cpp's router": (404, '{"error":{"code":404,"message":"File Not Found"}}', True),
    "Model APIs": (404, '{"error":"please check the model you provided"}', False),
    "Model APIs, wrapped": (404, '{"error":{"message":"Model not found","code":404}}', False),
    "Model APIs, wrapped, short": (404, '{"error":{"message":"Not Found","code":404}}', False),
    "vLLM": (404, '{"error":{"message":"The model `x` does not exist.","code":404}}', False),
    "FastAPI, a sentence": (404, '{"detail":"Model x is not loaded."}', False),
    "another status": (400, "404 page not found", False),
}


@in_each(("status", "body", "wrong"), PATHS)
def test_wrong_path_has_a_hint_of_its_own(status: int, body: str, wrong: bool) -> None:
    assert str(error_from_response(status, body, {})).endswith(PATH_HINT) is wrong


URL = "https://inference.baseten.co/v1/chat/completions"
KNOWN = (
    "deepseek-ai/DeepSeek-V3.1",
    "moonshotai/Kimi-K2.5",
    "moonshotai/Kimi-K2.6",
    "openai/gpt-oss-120b",
    "zai-org/GLM-4.7",
    "zai-org/GLM-5.2",
    "zai-org/GLM-5.2-Fast",
)
# model -> what is suggested
SUGGESTIONS: dict[str, str] = {
    "zai-org/GLM-5.2-fast": "Did you mean 'zai-org/GLM-5.2-Fast', ",
    "GLM-5.2": "Did you mean 'zai-org/GLM-5.2'",
    "gpt-oss-120b": "Did you mean 'openai/gpt-oss-120b'?",
    "baseten/openai/gpt-oss-120b": "Did you mean 'openai/gpt-oss-120b'?",
    "openai/gpt-oss-20b": "Did you mean 'openai/gpt-oss-120b'?",
    "kimi k2.5": "Did you mean 'moonshotai/Kimi-K2.5', 'moonshotai/Kimi-K2.6'?",
    "moonshotai/Kimi-K2,6": "Did you mean 'moonshotai/Kimi-K2.6', 'moonshotai/Kimi-K2.5'?",
    "deepseek-v3.1": "Did you mean 'deepseek-ai/DeepSeek-V3.1'?",
    "zai-org/GLM-4.7": "",
    "no/such-model": "",
    "gpt-4o": "",
    "claude": "",
    "x": "",
    "/": "",
}


@in_each(("model", "suggestion"), SUGGESTIONS.items())
def test_unknown_model_is_named_with_the_url_and_similar_models(
    model: str, suggestion: str
) -> None:
    error = error_from_response(
        404, '{"error": "why"}', {}, model=model, url=URL, known_models=KNOWN
    )

    expected = f"why (HTTP 404 Not Found). Requested model {model!r} at {URL}. {suggestion}"
    assert str(error).startswith(expected)
    assert ("Did you mean" in str(error)) is bool(suggestion)
    assert str(error).endswith(MODEL_HINT)


@in_each(
    ("given", "words"),
    {
        "nothing": ({}, ""),
        "model": ({"model": "m"}, "Requested model 'm'. "),
        "URL": ({"url": URL}, f"Requested {URL}. "),
        "URL with secrets": (
            {"url": "https://u:pass@h/v1?key=pass#pass"},
            "Requested https://h/v1. ",
        ),
        "long model": ({"model": "m" * 300}, f"Requested model '{'m' * 99}…'. "),
    },
)
def test_only_what_is_known_of_the_request_is_named(given: dict[str, Any], words: str) -> None:
    error = error_from_response(404, '{"error": "why"}', {}, **given)

    assert str(error) == f"why (HTTP 404 Not Found). {words}{MODEL_HINT}"


def test_request_is_named_for_a_wrong_address_only_and_models_for_a_right_path() -> None:
    requested: dict[str, Any] = {"model": "GLM-5.2", "url": URL, "known_models": KNOWN}
    rejected, lost = (error_from_response(status, "why", {}, **requested) for status in (400, 404))

    assert str(rejected) == "why (HTTP 400 Bad Request)"
    assert str(lost).endswith(f"Requested model 'GLM-5.2' at {URL}. {PATH_HINT}")


KEY_BODIES: dict[str, tuple[int, str, type[BasetenError]]] = {
    "recorded": (403, '{"error":"please check the api-key you provided"}', BasetenInvalidKeyError),
    "two words": (403, '{"error":{"message":"Invalid API key."}}', BasetenInvalidKeyError),
    "one word": (403, "Invalid apikey", BasetenInvalidKeyError),
    "no word of the key": (403, '{"error":"Forbidden"}', BasetenPermissionDeniedError),
    "permission": (
        403,
        '{"error":"Your API key does not have permission to call this model."}',
        BasetenPermissionDeniedError,
    ),
    "scope": (403, '{"error":"API key out of scope"}', BasetenPermissionDeniedError),
    "access": (
        403,
        '{"error":"This api key has no access to the environment."}',
        BasetenPermissionDeniedError,
    ),
    "401": (401, '{"error":"check the api key"}', BasetenAuthenticationError),
    "400": (400, '{"error":"check the api key"}', BasetenInvalidRequestError),
}


@in_each(("status", "body", "cls"), KEY_BODIES)
def test_wrong_key_is_known_by_status_and_wording(
    status: int, body: str, cls: type[BasetenError]
) -> None:
    assert type(error_from_response(status, body, {})) is cls


REDIRECTS: dict[str, tuple[int, str, dict[str, str], str]] = {
    "without a target": (
        301,
        "",
        {},
        (
            "the server sent no answer (HTTP 301 Moved Permanently). Check base_url= or "
            "model_url=, and any proxy on the way."
        ),
    ),
    "with a target": (
        302,
        "",
        {"location": "https://user:pass@a.example/v1?token=x#y"},
        (
            "the server sent no answer (HTTP 302 Found). It redirects to https://a.example/v1, "
            "where the key is not sent. If you trust that URL, set it as base_url= or model_url=."
        ),
    ),
    "with a page": (
        307,
        "<html>moved</html>",
        {"location": "/login"},
        (
            "moved (HTTP 307 Temporary Redirect). It redirects to /login, where the key is not "
            "sent. If you trust that URL, set it as base_url= or model_url=."
        ),
    ),
    "with the wording of an overflow": (
        300,
        "maximum context length is 10 tokens",
        {},
        (
            "maximum context length is 10 tokens (HTTP 300 Multiple Choices). Check base_url= or "
            "model_url=, and any proxy on the way."
        ),
    ),
    "no redirect": (
        101,
        "",
        {"retry-after": "5"},
        (
            "the server sent no answer (HTTP 101 Switching Protocols). Check base_url= or "
            "model_url=, and any proxy on the way."
        ),
    ),
}


@in_each(("status", "body", "headers", "message"), REDIRECTS)
def test_a_status_that_rejects_nothing_is_a_failure_of_the_server(
    status: int, body: str, headers: dict[str, str], message: str
) -> None:
    error = error_from_response(status, body, headers)

    assert type(error) is BasetenInvalidResponseError
    assert str(error) == message
    assert not error.is_retryable


def test_a_location_is_no_target_where_the_request_was_rejected() -> None:
    error = error_from_response(400, "why", {"location": "https://a.example"})

    assert str(error) == "why (HTTP 400 Bad Request)"
    assert error_from_response(503, "why", {}).is_retryable


def test_the_status_that_a_response_with_an_error_began_with_is_named() -> None:
    error = error_from_event({"error": "why"}, 201, {"x-request-id": "r1"})

    assert str(error) == "why (inside a response that began with HTTP 201)"
    assert error.request_id == "r1"


@in_each(
    ("status", "success"),
    [(100, False), (199, False), (200, True), (204, True), (299, True), (300, False), (404, False)],
)
def test_every_status_from_200_to_299_is_success(status: int, success: bool) -> None:
    assert is_success(status) is success


@in_each(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, ""),
        (0.2, ". The server asks to wait 1 s."),
        (37.4, ". The server asks to wait 37 s."),
        (3600.0, ". The server asks to wait 3600 s."),
        (1e9, ". The server asks to wait 1000000000 s."),
        (1e300, ""),
    ],
)
def test_message_names_the_requested_wait(seconds: float | None, words: str) -> None:
    error = error_from_response(429, "why", {}, retry_after=seconds)

    assert str(error) == f"why (HTTP 429 Too Many Requests){words}"


@pytest.mark.parametrize(("status", "words"), [(404, "HTTP 404 Not Found"), (529, "HTTP 529")])
def test_message_names_the_status(status: int, words: str) -> None:
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


@in_each(("headers", "body", "found"), IDS)
def test_request_id_is_found(headers: dict[str, str], body: str, found: str | None) -> None:
    assert error_from_response(500, body, headers).request_id == found


WAITS: dict[str, tuple[str, float | None, float | None]] = {
    "in the body": ('{"error": "x", "retry_after": 37}', None, 37.0),
    "a fraction": ('{"retry_after": 0.5}', None, 0.5),
    "the header comes first": ('{"retry_after": 37}', 2.0, 2.0),
    "zero in the header": ('{"retry_after": 37}', 0.0, 0.0),
    "zero": ('{"retry_after": 0}', None, 0.0),
    "a thousand million": ('{"retry_after": 1e9}', None, 1e9),
    "one more": ('{"retry_after": 1000000001}', None, None),
    "negative": ('{"retry_after": -1}', None, None),
    "nearly zero": ('{"retry_after": -0.5}', None, None),
    "not a number": ('{"retry_after": NaN}', None, None),
    "endless": ('{"retry_after": Infinity}', None, None),
    "hundreds of digits": (f'{{"retry_after": {"9" * 400}}}', None, None),
    "words": ('{"retry_after": "soon"}', None, None),
    "a boolean": ('{"retry_after": true}', None, None),
    "a list": ('{"retry_after": []}', None, None),
    "in an inner error": ('{"error": {"message": "x", "retry_after": 75.5}}', None, 75.5),
    "no object": ("[37]", None, None),
    "absent": ("{}", None, None),
}


@in_each(("body", "header", "seconds"), WAITS)
def test_retry_after_is_found(body: str, header: float | None, seconds: float | None) -> None:
    assert error_from_response(429, body, {}, retry_after=header).retry_after == seconds


def test_error_has_the_response_without_its_cookies() -> None:
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


@in_each(("payload", "event", "judged"), PAYLOADS)
def test_error_payload_is_recognized(payload: dict[str, Any], event: str, judged: bool) -> None:
    assert is_error_payload(payload, event) is judged


@in_each("length", [1, 9, 10, 11, 1000])
def test_text_is_shortened_to_a_limit(length: int) -> None:
    found = shorten("x" * length, 10)

    assert found == ("x" * length if length <= 10 else "x" * 9 + "…")
