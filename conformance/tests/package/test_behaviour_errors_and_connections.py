"""Errors, keys, the gateway, connections and copies, driven through the public API alone."""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import json
import logging
import pickle
import subprocess
import sys
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from langchain_core.utils import _gateway
from pydantic import BaseModel, ValidationError

import langchain_baseten
from conformance.checks.faults.sockets import ScriptServer, unused_port
from conformance.checks.faults.wire_bytes import (
    COMMENT,
    DONE,
    FINISH,
    HEAD,
    STREAM,
    event,
    frame,
    say,
    serve,
)
from conformance.tests.package import mock_service
from conformance.tests.package.call_modes import WAYS, ask
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, calling, whole
from langchain_baseten import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConnectionError,
    BasetenContextOverflowError,
    BasetenEmbeddings,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRequestError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    ChatBaseten,
    EndpointError,
)
from langchain_baseten._http.clients import tls_context
from langchain_baseten._protocol.overflow_wordings import WORDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.checks.faults.sockets import Line

pytestmark = pytest.mark.untraced(
    "a behaviour is shown with many values, and the tests of each module run its lines at less"
)

MODEL_URL = "https://model-abcd1234.api.baseten.co/environments/production/sync/v1"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
VARIABLES = ("BASETEN_API_KEY", "BASETEN_BASE_URL", "BASETEN_API_BASE", "LANGSMITH_GATEWAY")
EMBED = ("embed_query", "aembed_query")
SOON = 0.2

in_every_way = in_each("way", WAYS.keys())
in_every_way_and_embeddings = in_each("way", [*WAYS, *EMBED])


@pytest.fixture(autouse=True)
def _clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *PROXIES, *map(str.lower, PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


class MockService(mock_service.MockService):
    """Answers each request with a response of its own."""

    def _answer(self, request: httpx.Request) -> httpx.Response:
        found = super()._answer(request)
        return httpx.Response(found.status_code, content=found.content, headers=found.headers)


def embeddings_of(service: MockService, **options: Any) -> BasetenEmbeddings:
    own = {"model_url": MODEL_URL, "api_key": KEY, "max_retries": 0, **service.clients()}
    return BasetenEmbeddings(**{**own, **options})


async def run(service: MockService, way: str, **options: Any) -> Any:
    """Invoke, stream or embed once."""
    if way in WAYS:
        return await ask(service.model(**options), "Hello", way)
    return await embed(embeddings_of(service, **options), way)


async def embed(model: BasetenEmbeddings, way: str) -> list[float]:
    return model.embed_query("a") if way == "embed_query" else await model.aembed_query("a")


async def fail(service: MockService, way: str, **options: Any) -> BasetenError:
    """Return the error of a request that must fail."""
    with pytest.raises(BasetenError) as caught:
        await run(service, way, **options)
    return caught.value


def respond(status: int, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, str):
        return httpx.Response(status, text=body, headers=named)
    return httpx.Response(status, json=body, headers=named)


def as_stream(*payloads: Any) -> str:
    events = [p if isinstance(p, str) else json.dumps(p) for p in payloads]
    return "".join(f"data: {one}\n\n" for one in [*events, "[DONE]"])


def body_for(way: str, payload: Any) -> httpx.Response:
    """Return a response with status 200 that fits how the way reads it."""
    text = as_stream(payload) if "stream" in way else json.dumps(payload)
    return httpx.Response(200, text=text)


# --- everything that goes wrong is a BasetenError -------------------------------------------------


@pytest.fixture
def _fresh_tls() -> Iterator[None]:
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


UNBUILDABLE: dict[str, dict[str, str]] = {
    "missing certificates": {"SSL_CERT_FILE": "/no/such/file.pem"},
    "certificates that are a folder": {"SSL_CERT_FILE": "/"},
    "certificates that are none": {"SSL_CERT_FILE": "/etc/hostname"},
    "unknown proxy scheme": {"HTTPS_PROXY": "ftp://u:hush-hush@127.0.0.1:9"},
    "malformed proxy": {"HTTPS_PROXY": "http://u:hush-hush@127.0.0.1:port"},
    "malformed proxy for all": {"ALL_PROXY": "http://u:hush-hush@[::1:9"},
}


@in_every_way_and_embeddings
@pytest.mark.parametrize("variables", UNBUILDABLE.values(), ids=UNBUILDABLE)
@pytest.mark.usefixtures("_fresh_tls")
async def test_client_that_cannot_be_built(
    variables: dict[str, str], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BasetenRequestError, match=next(iter(variables))) as caught:
        await run(MockService(), way, http_client=None, http_async_client=None)

    assert "hush" not in f"{caught.value!r}{vars(caught.value)}"


class Mine(Exception):  # noqa: N818  not named as an error of this package
    """An exception of the user's."""


def own_class(name: str, *bases: type[Exception]) -> Exception:
    made: Exception = type(name, bases or (Exception,), {})("mine")
    return made


OWN: dict[str, Exception] = {
    "own class": Mine("mine"),
    "named like a timeout": own_class("ReadTimeout"),
    "named like a status": own_class("HTTPStatusError"),
    "named like a transport error": own_class("TransportError", RuntimeError),
    "file": FileNotFoundError(2, "mine"),
    "permission": PermissionError(13, "mine"),
    "connection": ConnectionResetError("mine"),
    "timeout": TimeoutError("mine"),
    "end of file": EOFError("mine"),
    "encoding": UnicodeEncodeError("ascii", "ü", 0, 1, "mine"),
    "value": ValueError("mine"),
    "recursion": RecursionError("mine"),
    "import": ImportError("mine"),
}


def hooked(library: Any, moment: str, hook: Callable[[Any], None]) -> dict[str, Any]:
    """Return clients whose event hook or authentication runs a function."""

    async def hook_on_loop(value: Any) -> None:
        hook(value)

    def authenticate(request: Any) -> Any:
        hook(request)
        return request

    transport = library.MockTransport(lambda _: library.Response(200, json=whole()))
    if moment == "auth":
        return {
            "http_client": library.Client(transport=transport, auth=authenticate),
            "http_async_client": library.AsyncClient(transport=transport, auth=authenticate),
        }
    return {
        "http_client": library.Client(transport=transport, event_hooks={moment: [hook]}),
        "http_async_client": library.AsyncClient(
            transport=transport, event_hooks={moment: [hook_on_loop]}
        ),
    }


@in_every_way_and_embeddings
@pytest.mark.parametrize("moment", ["request", "response", "auth"])
@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.traced("other tests do not get to some line that it runs")
async def test_exception_of_a_hook_is_passed_on_and_not_retried(
    library: str, moment: str, way: str
) -> None:
    for exception in OWN.values():
        calls: list[int] = []

        def hook(_: Any, exception: Exception = exception, calls: list[int] = calls) -> None:
            calls.append(1)
            raise exception

        clients = hooked(pytest.importorskip(library), moment, hook)
        with pytest.raises(type(exception)) as caught:
            await run(MockService(), way, max_retries=2, **clients)

        assert caught.value is exception
        assert calls == [1]


@in_every_way_and_embeddings
@pytest.mark.parametrize("raised", [ConnectionResetError("gone"), EOFError("gone")], ids=repr)
async def test_system_error_of_a_transport_stands_for_the_connection(
    raised: Exception, way: str
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise raised

    transport = httpx.MockTransport(answer)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    with pytest.raises(BasetenConnectionError, match="gone"):
        await run(MockService(), way, **clients)


STATUSES: dict[int, type[BasetenError]] = {
    401: BasetenAuthenticationError,
    404: BasetenNotFoundError,
    422: BasetenUnprocessableError,
    429: BasetenRateLimitError,
    500: BasetenAPIError,
}


@in_every_way_and_embeddings
@pytest.mark.parametrize("library", ["httpx", "httpx2"])
async def test_raise_for_status_of_a_hook_becomes_the_typed_error(library: str, way: str) -> None:
    module = pytest.importorskip(library)

    async def hook_on_loop(response: Any) -> None:
        await response.aread()
        response.raise_for_status()

    for status, error in STATUSES.items():
        transport = module.MockTransport(
            lambda _, status=status: module.Response(status, json={"error": f"no {KEY}"})
        )
        clients = {
            "http_client": module.Client(
                transport=transport, event_hooks={"response": [lambda r: r.raise_for_status()]}
            ),
            "http_async_client": module.AsyncClient(
                transport=transport, event_hooks={"response": [hook_on_loop]}
            ),
        }
        with pytest.raises(error) as caught:
            await run(MockService(), way, **clients)
        assert caught.value.status_code == status
        assert KEY not in f"{caught.value!r}{vars(caught.value)}"


UNUSABLE: dict[str, dict[str, Any]] = {
    "no URL": {"model_url": "nowhere"},
    "a URL that is a number": {"model_url": 5},
    "another scheme": {"baseten_api_base": "ftp://host"},
    "no base URL": {"baseten_api_base": None},
    "an empty base URL": {"baseten_api_base": ""},
    "a header that is no text": {"default_headers": {"a": 1}},
    "headers that are text": {"default_headers": "x"},
    "a header that is not ASCII": {"default_headers": {"a": "ü"}},
    "a query that is text": {"default_query": "x"},
    "a timeout that is text": {"request_timeout": "soon"},
    "negative retries": {"max_retries": -1},
    "a client that is none": {"http_client": object(), "http_async_client": object()},
    "a key that is a number": {"baseten_api_key": 5},
}
UNUSABLE_CHAT: dict[str, dict[str, Any]] = {
    "model_kwargs that are text": {"model_kwargs": "x"},
    "extra_body that is text": {"extra_body": "x"},
    "disabled_params that are text": {"disabled_params": "x"},
    "a time limit that is text": {"stream_chunk_timeout": "x"},
    "a negative time limit": {"stream_chunk_timeout": -1},
    "an endless time limit": {"stream_chunk_timeout": float("inf")},
}


@in_every_way_and_embeddings
@pytest.mark.parametrize(
    "update", (UNUSABLE | UNUSABLE_CHAT).values(), ids=UNUSABLE | UNUSABLE_CHAT
)
@pytest.mark.traced("other tests do not get to some line that it runs")
async def test_unusable_setting_of_a_copy_is_an_error_of_the_package(
    update: dict[str, Any], way: str
) -> None:
    service = MockService()
    if way in WAYS:
        with pytest.raises(BasetenRequestError):
            await ask(service.model().model_copy(update=update), "Hello", way)
    elif update in UNUSABLE.values() and "baseten_api_base" not in update:
        with pytest.raises(BasetenRequestError):
            await embed(embeddings_of(service).model_copy(update=update), way)
    assert not service.requests


BAD_KEYS = {
    "Bearer": (f"Bearer {KEY}", "begins with Bearer"),
    "Api-Key": (f"Api-Key {KEY}", "begins with Api-Key"),
    "quoted": (f'"{KEY}"', "quotation mark"),
    "half a quotation": (f"{KEY}'", "quotation mark"),
    "placeholder": ("<your-api-key>", "placeholder"),
    "variable": ("$BASETEN_API_KEY", "placeholder"),
    "empty": ("", "empty"),
    "line break": (f"{KEY}\nx", "white space"),
}


@pytest.mark.parametrize(("key", "words"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_mangled_key_is_an_error_of_the_package_wherever_it_is_set(key: str, words: str) -> None:
    model = MockService().model()

    def assign() -> None:
        model.baseten_api_key = key

    attempts: list[Callable[[], Any]] = [
        lambda: ChatBaseten(api_key=key),
        lambda: ChatBaseten(baseten_api_key=key),
        lambda: BasetenEmbeddings(model_url=MODEL_URL, api_key=key),
        lambda: model.model_copy(update={"baseten_api_key": key}),
        assign,
    ]
    for attempt in attempts:
        with pytest.raises((BasetenError, ValidationError), match=words) as caught:
            attempt()
        assert KEY not in str(caught.value)


ODD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**400, 1e308, "", "x", "1", "\ud83d"),
    *([], [1], ["a"], [None], [[]], [{}], [{"index": 0}], {}, {"a": 1}, {"index": 0}),
]


def completion() -> dict[str, Any]:
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
    }
    message = {"role": "assistant", "content": "Hello", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "delta": copy.deepcopy(message)}
    choice |= {"finish_reason": "stop", "logprobs": {"content": [{"token": "a", "index": 0}]}}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return {"id": "a", "model": "m", "choices": [choice], "usage": usage}


PLACES: tuple[tuple[Any, ...], ...] = (
    *((k,) for k in ("id", "object", "created", "model", "choices", "usage", "error", "detail")),
    *((k,) for k in ("message", "code", "system_fingerprint", "service_tier", "new")),
    *(("choices", 0, k) for k in ("index", "message", "delta", "finish_reason", "logprobs", "new")),
    ("choices", 0, "logprobs", "content"),
    *(
        ("choices", 0, kind, k)
        for kind in ("message", "delta")
        for k in ("role", "content", "tool_calls", "function_call", "reasoning", "refusal", "new")
    ),
    *(
        ("choices", 0, kind, "tool_calls", 0, *k)
        for kind in ("message", "delta")
        for k in (("id",), ("index",), ("type",), ("function",), ("function", "name"))
    ),
    *(
        ("choices", 0, kind, "tool_calls", 0, "function", "arguments")
        for kind in ("message", "delta")
    ),
    *(("usage", f"{k}_tokens") for k in ("prompt", "completion", "total", "reasoning")),
    *(("usage", f"{k}_tokens_details") for k in ("prompt", "completion")),
    ("usage", "prompt_tokens_details", "cached_tokens"),
)


def put(payload: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a payload with one value replaced."""
    changed = copy.deepcopy(payload)
    at = changed
    for key in place[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    at[place[-1]] = value
    return changed


async def read_or_fail(response: httpx.Response, way: str) -> None:
    """Check that a response is read, or is an error of the package that travels."""
    try:
        read = await run(MockService(response), way)
    except BasetenError as error:
        check_travels(error)
    else:
        repr(read)
        if way in WAYS:
            assert read.content_blocks is not None


def check_travels(error: BasetenError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  our own bytes
        assert type(other) is type(error)
        assert str(other) == str(error)
        # as text: a NaN in a body is equal to nothing
        assert repr({**vars(other), "partial": None}) == repr({**vars(error), "partial": None})


@pytest.mark.once("plain values in JSON, which no interpreter reads otherwise")
@pytest.mark.parametrize(("number", "place"), list(enumerate(PLACES)), ids=str)
async def test_value_of_a_wrong_type_raises_nothing_else(
    number: int, place: tuple[Any, ...]
) -> None:
    # Each place and each value meets all four ways, and together a whole answer and a stream of
    # either kind; of the two colours, which read alike, one after the other has its turn.
    for odd, sync in zip(ODD, itertools.cycle((number % 2, 1 - number % 2)), strict=False):
        payload = put(completion(), place, odd)
        whole_way, stream_way = ("invoke", "stream") if sync else ("ainvoke", "astream")
        await read_or_fail(body_for(whole_way, payload), whole_way)
        await read_or_fail(body_for(stream_way, payload), stream_way)
        text = as_stream(completion(), payload, completion())
        await read_or_fail(httpx.Response(200, text=text), stream_way)


@pytest.mark.parametrize("way", EMBED)
async def test_embeddings_value_of_a_wrong_type_raises_nothing_else(way: str) -> None:
    rows = {"data": [{"index": 0, "embedding": [0.5]}]}
    places = [("data",), ("error",), ("object",), *(("data", 0, k) for k in ("index", "embedding"))]
    for place in [*places, ("data", 0, "embedding", 0)]:
        for odd in ODD:
            await read_or_fail(httpx.Response(200, text=json.dumps(put(rows, place, odd))), way)


NESTING = {
    "errors": ('{"error":', "}"),
    "lists": ("[", "]"),
    "choices": ('{"choices":[', "]}"),
    "unknown fields": ('{"x":', "}"),
    "in a completion": ('{"choices":[{"message":{"content":"a"},"delta":{}}],"x":', "}"),
    "details": ('{"detail":[', "]}"),
}


DEPTHS = (50, 99, 100, 101, 300, 600, 900, 980, 20_000)


@pytest.mark.parametrize(("number", "status"), list(enumerate((200, 400, 500))), ids=str)
@pytest.mark.parametrize("brackets", NESTING.values(), ids=NESTING)
async def test_nesting_of_any_depth_raises_nothing_else(
    brackets: tuple[str, str], number: int, status: int
) -> None:
    # Each depth meets whole answers, streams and embeddings with each status, the dearest depth one
    # of them; of the two colours, which read alike, one after the other has its turn.
    opening, closing = brackets
    for turn, depth in enumerate(DEPTHS, number):
        text = opening * depth + r'"\ud83d"' + closing * depth
        on_loop = ("ainvoke", "astream", "aembed_query")
        ways = on_loop if turn % 2 else ("invoke", "stream", "embed_query")
        for way in ways if depth < 1000 else ways[number : number + 1]:
            await read_or_fail(httpx.Response(status, text=text), way)
            await read_or_fail(httpx.Response(status, text=as_stream(text)), way)


async def test_nesting_that_can_be_walked_is_still_an_error_with_its_sentence() -> None:
    text = '{"error":' * 30 + '"too much"' + "}" * 30
    error = await fail(MockService(respond(400, text)), "invoke")

    assert "too much" in str(error)
    assert isinstance(error.body, dict)


@pytest.mark.traced("other tests do not get to some line that it runs")
def test_many_shallow_brackets_are_no_nesting() -> None:
    answer = whole("Hello") | {"extra": [[{}] for _ in range(500)]}

    assert len(MockService(answer).model().invoke("Hello").response_metadata["extra"]) == 500


FUZZED_KEYS = (
    *("choices", "message", "delta", "content", "index", "error", "usage", "tool_calls"),
    *("function", "name", "arguments", "id", "code", "type", "data", "embedding", "text"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FUZZED_KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    place=st.sampled_from(PLACES), value=json_values, whole_body=st.booleans(), status=st.booleans()
)
def test_fuzzed_body_raises_nothing_else(
    place: tuple[Any, ...], value: Any, *, whole_body: bool, status: bool
) -> None:
    payload = value if whole_body else put(completion(), place, value)

    async def work() -> None:
        for way in ("invoke", "astream", "embed_query"):
            response = body_for(way, payload)
            response.status_code = 200 if status else 400
            await read_or_fail(response, way)

    asyncio.run(work())


@settings(max_examples=100)
@given(content=st.binary(max_size=200))
def test_fuzzed_bytes_raise_nothing_else(content: bytes) -> None:
    async def work() -> None:
        for way in ("ainvoke", "stream", "aembed_query"):
            await read_or_fail(httpx.Response(200, content=content), way)
            await read_or_fail(httpx.Response(200, content=b"data: " + content + b"\n\n"), way)

    asyncio.run(work())


# --- overflows ------------------------------------------------------------------------------------

DIALECTS: dict[str, Callable[[str], Any]] = {
    "flat": lambda s: {"message": s, "type": "invalid_request_error", "code": 400},
    "wrapped": lambda s: {"error": {"message": s, "type": "BadRequestError", "code": 400}},
    "string": lambda s: {"error": s},
    "vLLM": lambda s: {"object": "error", "message": s, "type": "BadRequestError", "code": 400},
    "SGLang": lambda s: {"object": "error", "message": s, "code": 400, "param": None},
    "detail": lambda s: {"detail": s},
    "detail as a list": lambda s: {"detail": [{"loc": ["body"], "msg": s, "type": "value_error"}]},
    "after a long preamble": lambda s: {"error": {"message": f"{'Traceback. ' * 60}{s}"}},
}


@pytest.mark.once("compares texts, which no interpreter reads otherwise")
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("wording", WORDINGS, ids=lambda w: f"{w.engine} {w.version}")
async def test_overflow_is_known_by_its_wording(
    wording: Any, dialect: Callable[[str], Any]
) -> None:
    body = dialect(wording.example)
    for way in (*WAYS, *EMBED):
        error = await fail(MockService(respond(400, body)), way)
        assert isinstance(error, BasetenContextOverflowError), way
    for way in ("stream", "astream"):
        begun = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
        error = await fail(MockService(httpx.Response(200, text=as_stream(begun, body))), way)
        assert isinstance(error, BasetenContextOverflowError), way
        assert error.partial is not None
    for way in ("invoke", "ainvoke"):
        error = await fail(MockService(respond(200, body)), way)
        assert isinstance(error, BasetenContextOverflowError), way


@pytest.mark.parametrize("label", ["context_length_exceeded", "ContextWindowExceededError"])
@pytest.mark.parametrize("key", ["code", "type"])
async def test_overflow_is_known_by_its_label(key: str, label: str) -> None:
    for body in (
        {"error": {"message": "no", key: label}},
        {"message": "no", "code": 400, key: label},
    ):
        for way in (*WAYS, *EMBED):
            error = await fail(MockService(respond(400, body)), way)
            assert isinstance(error, BasetenContextOverflowError)


async def test_bad_request_of_another_kind_is_no_overflow() -> None:
    for sentence in ("context is missing", "max_tokens is too large: 9", "input is invalid"):
        error = await fail(MockService(respond(400, {"error": sentence})), "invoke")
        assert type(error) is BasetenInvalidRequestError


# --- statuses and waits ---------------------------------------------------------------------------


@in_every_way
@pytest.mark.parametrize("status", [200, 201, 202, 203, 206])
async def test_success_of_any_kind_with_a_message_is_a_message(status: int, way: str) -> None:
    response = body_for(way, completion())
    response.status_code = status

    assert (await run(MockService(response), way)).text == "Hello"


@in_every_way_and_embeddings
async def test_success_without_a_body_is_an_error(way: str) -> None:
    assert isinstance(await fail(MockService(respond(204, "")), way), BasetenInvalidResponseError)


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


LONG_WAITS: dict[str, tuple[dict[str, Any], Any, tuple[float, float]]] = {
    "seconds": ({"retry_after": "61"}, {"error": "x"}, (61, 61)),
    "fraction": ({"retry_after": "60.5"}, {"error": "x"}, (60.5, 60.5)),
    "date": ({"retry_after": in_an_hour}, {"error": "x"}, (3000, 3600)),
    "last date": ({"retry_after": "Fri, 31 Dec 9999 23:59:59 -2359"}, {}, (1e9, 1e12)),
    "milliseconds": ({"retry_after_ms": "90000"}, {"error": "x"}, (90, 90)),
    "milliseconds first": ({"retry_after_ms": "90000", "retry_after": "1"}, {}, (90, 90)),
    "body": ({}, {"error": "x", "retry_after": 75}, (75, 75)),
    "wrapped body": ({}, {"error": {"message": "x", "retry_after": 75.5}}, (75.5, 75.5)),
}


@in_every_way_and_embeddings
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", LONG_WAITS.values(), ids=LONG_WAITS)
async def test_long_wait_is_raised_at_once(
    wait: tuple[dict[str, Any], Any, tuple[float, float]], status: int, way: str
) -> None:
    told, body, (least, most) = wait
    headers = {name: value() if callable(value) else value for name, value in told.items()}
    service = MockService(respond(status, body, **headers))
    begun = time.monotonic()
    error = await fail(service, way, max_retries=5)

    assert time.monotonic() - begun < 5
    assert len(service.requests) == 1
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


@pytest.mark.parametrize("value", ["nan", "-5", "inf", "soon", "", "1e999", "99 Foo 2020"])
async def test_wait_that_cannot_be_read_is_none(value: str) -> None:
    for name in ("retry_after", "retry_after_ms"):
        error = await fail(MockService(respond(429, {}, **{name: value})), "invoke")
        assert error.retry_after is None


@pytest.mark.parametrize("value", [True, -1, "x", None, [], 10**400])
async def test_wait_of_a_body_that_is_no_number_is_none(value: Any) -> None:
    text = json.dumps({"error": "x", "retry_after": value})

    assert (await fail(MockService(respond(429, text)), "invoke")).retry_after is None


@in_every_way_and_embeddings
async def test_forbidden_key_is_caught_either_way(way: str) -> None:
    for body in ({"error": "Invalid api-key"}, {"error": "bad API key"}, {"message": "no api_key"}):
        error = await fail(MockService(respond(403, body)), way)
        assert isinstance(error, BasetenAuthenticationError)
        assert isinstance(error, BasetenPermissionDeniedError)
    error = await fail(MockService(respond(403, {"error": "API key lacks permission"})), way)
    assert not isinstance(error, BasetenAuthenticationError)


# --- messages -------------------------------------------------------------------------------------


@in_every_way
async def test_model_that_is_not_found_is_named_with_near_ones(way: str) -> None:
    error = await fail(
        MockService(respond(404, {"error": "no such model"})), way, model="zai-org/GLM-5.1x"
    )

    assert "'zai-org/GLM-5.1x'" in str(error)
    assert "https://inference.baseten.co/v1/chat/completions" in str(error)
    assert "Did you mean" in str(error)
    assert "path of base_url" not in str(error)


@in_every_way
@pytest.mark.parametrize("body", [{"detail": "Not Found"}, "<html><h1>404</h1></html>", ""])
async def test_wrong_path_gets_a_hint_of_its_own(body: Any, way: str) -> None:
    error = await fail(MockService(respond(404, body)), way, base_url="https://proxy.example/api")

    assert "path of base_url=" in str(error)
    assert "https://proxy.example/api/chat/completions" in str(error)
    assert "Did you mean" not in str(error)


SOURCES: dict[str, tuple[str, str]] = {
    "argument": ("base_url=", "base_url"),
    "first variable": ("BASETEN_BASE_URL", ""),
    "second variable": ("BASETEN_API_BASE", ""),
    "model URL": ("model_url=", "model_url"),
}


@in_every_way
@pytest.mark.parametrize(("source", "argument"), SOURCES.values(), ids=SOURCES)
async def test_failed_connection_names_host_port_and_setting(
    source: str, argument: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = unused_port()
    url = f"http://127.0.0.1:{port}/v1"
    if not argument:
        monkeypatch.setenv(source, url)
    named: dict[str, Any] = {argument: url} if argument else {}
    model = ChatBaseten(model="m", api_key=KEY, max_retries=0, **named)
    with pytest.raises(BasetenConnectionError) as caught:
        await ask(model, "Hello", way)
    await model.aclose()

    assert f"127.0.0.1:{port} (set by {source})" in str(caught.value)


@pytest.mark.parametrize("path", ["predict", "sync/v1", "sync"])
async def test_example_url_constructs_and_says_what_to_replace(path: str) -> None:
    url = f"https://model-<id>.api.baseten.co/environments/production/{path}"
    for way in WAYS:
        with pytest.raises(EndpointError, match="Replace <id> with the id of your model"):
            await run(MockService(), way, model_url=url)
    for way in EMBED:
        with pytest.raises(EndpointError, match="Replace <id> with the id of your model"):
            await run(MockService(), way, model_url=url)


COM_HOSTS = ("model-abcd1234.api.baseten", "inference.baseten", "MODEL-ABCD1234.API.Baseten")


@pytest.mark.parametrize("host", COM_HOSTS)
@pytest.mark.parametrize("rest", [".com/v1", ".com/environments/production/predict", ".com:443/v1"])
@pytest.mark.traced("other tests do not get to some line that it runs")
def test_host_under_com_is_rejected_with_the_host_to_write(host: str, rest: str) -> None:
    for argument in ("model_url", "base_url"):
        with pytest.raises(ValidationError, match=f"Write the host as {host.lower()}.co\\."):
            ChatBaseten(api_key=KEY, **{argument: f"https://{host}{rest}"})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=r"\.co\."):
        BasetenEmbeddings(api_key=KEY, model_url=f"https://{host}{rest}")


@pytest.mark.parametrize("host", ["baseten.com.example", "notbaseten.com", "baseten.comp"])
def test_host_that_only_looks_like_com_is_custom(host: str) -> None:
    assert ChatBaseten(api_key=KEY, base_url=f"https://{host}/v1").endpoint.kind == "custom"


async def test_host_under_com_set_by_a_copy_is_an_error_too() -> None:
    for way in WAYS:
        model = MockService().model().model_copy(update={"model_url": "https://a.api.baseten.com"})
        with pytest.raises(EndpointError, match="Write the host"):
            await ask(model, "Hello", way)


@pytest.mark.parametrize("cls", [ChatBaseten, BasetenEmbeddings])
def test_two_urls_warn_at_the_callers_line_each_time(cls: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            cls(model_url=MODEL_URL, base_url="https://p.example/v1", api_key=KEY)
            line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]

    assert [(w.category, w.filename, w.lineno) for w in caught] == [
        (UserWarning, __file__, line)
    ] * 2


# --- retries --------------------------------------------------------------------------------------


@in_every_way
@pytest.mark.usefixtures("short_backoff")
async def test_retries_are_logged_and_reported_to_the_run(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    class Handler(BaseCallbackHandler):
        def on_retry(self, retry_state: Any, **_: Any) -> None:
            seen.append(retry_state.attempt_number)

    class AsyncHandler(AsyncCallbackHandler):
        async def on_retry(self, retry_state: Any, **_: Any) -> None:
            seen.append(retry_state.attempt_number)

    busy = respond(503, {"error": KEY}, retry_after="0", x_request_id=KEY)
    handler: Any = AsyncHandler() if way.startswith("a") else Handler()
    service = MockService(busy, busy, whole())
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="langchain_baseten"):
        await ask(service.model(max_retries=2, callbacks=[handler]), "Hello", way)

    logged = [r.getMessage() for r in caplog.records if r.name == "langchain_baseten"]
    # langchain-core gives the run manager to `_generate` and `_agenerate` alone.
    assert seen == ([] if "stream" in way else [1, 2])
    assert len(logged) == 2
    assert KEY not in "".join(logged)


@pytest.mark.parametrize("way", EMBED)
@pytest.mark.usefixtures("short_backoff")
async def test_retries_of_embeddings_are_logged(way: str, caplog: pytest.LogCaptureFixture) -> None:
    good = respond(200, {"data": [{"index": 0, "embedding": [0.5]}]})
    service = MockService(respond(429, {"error": KEY}, retry_after="0"), good)
    with caplog.at_level(logging.DEBUG, logger="langchain_baseten"):
        assert await run(service, way, max_retries=1) == [0.5]

    logged = [r.getMessage() for r in caplog.records if r.name == "langchain_baseten"]
    assert len(logged) == 1
    assert KEY not in logged[0]


# --- keys -----------------------------------------------------------------------------------------

LONG_KEY = 'qK7zPw9R.ab"cd\\ef/gh+ij==0123456789'
"""A key that JSON and URLs write in other ways."""


def shown_by(error: BasetenError) -> str:
    """Return all that an exception shows or holds."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    # The suite's own frames hold the key, since they write it into the responses.
    inner = [f for f in frames if not f.f_globals["__name__"].startswith("conformance")]
    kept = [f"{k}={v!r}" for f in inner for k, v in f.f_locals.items()]
    assert kept
    parts = [str(error), repr(error), repr(vars(error)), repr(error.args), *kept]
    assert error.__cause__ is None
    return "".join([*parts, str(pickle.dumps(error)), repr(error.__context__)])


def check_hidden(error: BasetenError, key: str = LONG_KEY) -> None:
    shown = shown_by(error)
    # What a repr writes of a backslash or a quotation mark is none of the key's own spellings.
    for part in (key, json.dumps(key)[1:-1], key[:12], "abcdefgh" if "abcdefgh" in key else key):
        assert part not in shown, part


@in_every_way_and_embeddings
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 413, 422, 429, 500])
async def test_key_echoed_in_a_response_is_not_shown(status: int, way: str) -> None:
    bodies: list[Any] = [
        {"error": f"bad key {LONG_KEY}", "code": 400},
        {"error": {"message": LONG_KEY, LONG_KEY: [LONG_KEY]}, "request_id": LONG_KEY},
        {"message": f"key={LONG_KEY}", "code": LONG_KEY},
        f"no {LONG_KEY}",
        json.dumps({"error": LONG_KEY}).replace("/", "\\/"),
        *(f"{'x' * length} {LONG_KEY} and more" for length in (470, 480, 486, 490)),
    ]
    for body in bodies:
        response = respond(status, body, x_request_id=LONG_KEY, x_echo=f"Bearer {LONG_KEY}")
        check_hidden(await fail(MockService(response), way, api_key=LONG_KEY))


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("begun", [True, False])
async def test_key_echoed_inside_a_stream_is_not_shown(way: str, *, begun: bool) -> None:
    first = [{"choices": [{"index": 0, "delta": {"content": "Hel"}}]}] if begun else []
    for last in (
        {"error": {"message": f"bad {LONG_KEY}", "code": 401}},
        {"detail": LONG_KEY},
        "{" + LONG_KEY,
        json.dumps({"error": "x" * 485 + LONG_KEY}),
    ):
        text = as_stream(*first, last)
        check_hidden(await fail(MockService(httpx.Response(200, text=text)), way, api_key=LONG_KEY))


@in_every_way_and_embeddings
async def test_key_of_a_header_or_query_of_the_users_is_not_shown(way: str) -> None:
    own = "qK7zPw9R-abcdefgh+0123456789=="
    settings_of: list[dict[str, Any]] = [
        {"default_headers": {"Authorization": f"Bearer {own}"}},
        {"default_headers": {"X-Api-Key": own}},
        {"default_query": {"api_key": own}},
    ]
    for options in settings_of:
        for body in (f"unknown key {own}", {"error": own}):
            check_hidden(await fail(MockService(respond(401, body)), way, **options), own)
    url = str(httpx.URL("https://x.example/", params={"api_key": own}))
    error = await fail(
        MockService(respond(302, "", location=url)), way, default_query={"api_key": own}
    )
    assert "qK7zPw9R" not in shown_by(error)


@in_every_way
async def test_body_that_is_cut_inside_the_key_does_not_show_it(way: str) -> None:
    error = await fail(
        MockService(respond(401, f'{{"error": "bad {LONG_KEY[:20]}')), way, api_key=LONG_KEY
    )
    assert LONG_KEY[:12] not in shown_by(error)


@pytest.mark.parametrize("name", ["baseten_api_key", "api_key"])
async def test_key_set_later_as_text_works_and_stays_secret(name: str) -> None:
    for how in ("assign", "copy"):
        service = MockService(respond(401, {"error": LONG_KEY}))
        model: Any = service.model()
        if how == "copy":
            model = model.model_copy(update={"baseten_api_key": LONG_KEY})
        elif name == "baseten_api_key":
            model.baseten_api_key = LONG_KEY
        else:
            return
        bare = model.model_copy(update={"http_client": None, "http_async_client": None})
        for way in WAYS:
            with pytest.raises(BasetenAuthenticationError) as caught:
                await ask(model, "Hello", way)
            check_hidden(caught.value)
        written = f"{model!r}{model}{dumps(model)}{pickle.dumps(bare)!r}{model.model_dump()}"
        written += f"{bare.model_dump_json()}{vars(model)}"
        assert "qK7zPw9R" not in written
        assert {r.headers["authorization"] for r in service.requests} == {f"Bearer {LONG_KEY}"}


async def test_key_of_embeddings_set_later_as_text_works_and_stays_secret() -> None:
    service = MockService(respond(401, {"error": LONG_KEY}))
    model = embeddings_of(service)
    model.baseten_api_key = LONG_KEY
    for way in EMBED:
        with pytest.raises(BasetenAuthenticationError) as caught:
            await embed(model, way)
        check_hidden(caught.value)
    assert "qK7zPw9R" not in f"{model!r}{vars(model)}{model.model_dump()}"
    assert service.requests[-1].headers["authorization"] == f"Bearer {LONG_KEY}"


READ_PICKLE = """
import pickle, sys, warnings
warnings.simplefilter("always")
model = pickle.loads(bytes.fromhex(sys.argv[1]))
print(model._choose_auth({}).secrets[0])
"""


@pytest.mark.parametrize(("other", "warns"), [("b-key-0123456789", True), (KEY, False)])
def test_pickle_read_beside_another_key_warns(other: str, *, warns: bool) -> None:
    pickled = pickle.dumps(ChatBaseten(model="m", api_key=KEY)).hex()
    done = subprocess.run(  # noqa: S603  our own Python and bytes
        [sys.executable, "-c", READ_PICKLE, pickled],
        env={"BASETEN_API_KEY": other, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == other
    assert ("pickled with another API key" in done.stderr) is warns


def exceptions() -> list[type[BasetenError]]:
    named = (getattr(langchain_baseten, name) for name in langchain_baseten.__all__)
    return [cls for cls in named if isinstance(cls, type) and issubclass(cls, BasetenError)]


@pytest.mark.parametrize("cls", exceptions(), ids=lambda cls: cls.__name__)
def test_every_exception_pickles_and_copies(cls: type[BasetenError]) -> None:
    error = cls("message")
    error.status_code, error.request_id, error.retry_after = 400, "r1", 5.0
    error.body = {"a": [1]}
    error.is_retryable = False
    check_travels(error)


# --- the gateway ----------------------------------------------------------------------------------

GATEWAY_KEY = "ls-gateway-0123456789"
langsmith_gateway: Any = getattr(_gateway, "langsmith_gateway", None)
needs_context = pytest.mark.skipif(langsmith_gateway is None, reason="an older langchain-core")


@pytest.mark.parametrize("variable", ["true", "1", "https://g.example", "https://g.example/"])
async def test_gateway_of_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_GATEWAY", variable)
    monkeypatch.setenv("LANGSMITH_GATEWAY_API_KEY", GATEWAY_KEY)
    host = "https://g.example" if "g.ex" in variable else "https://gateway.smith.langchain.com"
    for way in WAYS:
        service = MockService()
        await run(service, way, api_key=None)
        assert str(service.requests[0].url) == f"{host}/baseten/v1/chat/completions"
        assert service.requests[0].headers["authorization"] == f"Bearer {GATEWAY_KEY}"


@in_every_way_and_embeddings
async def test_dedicated_url_stays_out_of_the_gateway(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_GATEWAY", "true")
    monkeypatch.setenv("LANGSMITH_GATEWAY_API_KEY", GATEWAY_KEY)
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    service = MockService(respond(500, {}))
    await fail(service, way, model_url=MODEL_URL, api_key=None)

    assert str(service.requests[0].url).startswith(MODEL_URL)
    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("variable", ["false", "0", "no", ""])
async def test_gateway_that_is_switched_off(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_GATEWAY", variable)
    service = MockService()
    await run(service, "invoke")

    assert service.requests[0].url.host == "inference.baseten.co"


@needs_context
@in_every_way
async def test_gateway_of_a_context_outlives_it_in_every_copy(way: str) -> None:
    service = MockService(headers={"X-LangSmith-Gateway-Metadata": '{"provider": "baseten"}'})
    with langsmith_gateway(
        api_key=GATEWAY_KEY, base_url="https://g.example", headers={"X-Service-Key": "hush-0123"}
    ):
        model = service.model(base_url="https://elsewhere.example/v1")
    copies = [model, copy.copy(model), copy.deepcopy(model), model.model_copy()]
    for one in copies:
        await ask(one, "Hello", way)
        request = service.requests[-1]
        assert str(request.url) == "https://g.example/baseten/v1/chat/completions"
        assert request.headers["x-service-key"] == "hush-0123"
        assert request.headers["authorization"] == f"Bearer {GATEWAY_KEY}"
        assert "hush-0123" not in f"{one!r}{dumps(one)}{one.model_dump()}{vars(one)}"


@needs_context
@in_every_way
async def test_gateway_header_echoed_by_the_server_is_not_shown(way: str) -> None:
    with langsmith_gateway(
        api_key=GATEWAY_KEY, base_url="https://g.example", headers={"X-Service-Key": "hush-0123"}
    ):
        model = MockService(respond(401, f"bad {GATEWAY_KEY} and hush-0123")).model()
    with pytest.raises(BasetenAuthenticationError) as caught:
        await ask(model, "Hello", way)

    assert "hush-0123" not in shown_by(caught.value)
    assert GATEWAY_KEY not in shown_by(caught.value)


# --- silence, ends and reuse, over real sockets ---------------------------------------------------

ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
streamed = pytest.mark.parametrize("way", ["stream", "astream"])


@pytest.fixture
def start() -> Iterator[Callable[[Callable[[Line], object]], ScriptServer]]:
    servers: list[ScriptServer] = []

    def begin(script: Callable[[Line], object]) -> ScriptServer:
        servers.append(ScriptServer(script).__enter__())
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


def comment_after(*begun: bytes) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.answer(HEAD, *begun)
        while line.pause(0.02):
            line.send(COMMENT)

    return script


def silence_after(*begun: bytes) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.answer(HEAD, *begun)
        line.sees_close()

    return script


async def run_at(server: ScriptServer, way: str, **options: Any) -> Any:
    own: dict[str, Any] = {"model": "m", "api_key": KEY, "max_retries": 0, "timeout": 30}
    model = ChatBaseten(**{**own, "base_url": server.url, **options})
    try:
        return await ask(model, "Hello", way)
    finally:
        await model.aclose()


@streamed
@pytest.mark.parametrize("silent", [comment_after(), silence_after()], ids=["comments", "silence"])
async def test_wait_for_the_first_event_is_the_read_timeout(
    silent: Any, way: str, start: Any
) -> None:
    server = start(silent)
    begun = time.monotonic()
    with pytest.raises(BasetenTimeoutError) as caught:
        await run_at(server, way, timeout=(2, SOON), stream_chunk_timeout=0.01)

    assert SOON <= time.monotonic() - begun < 5
    assert caught.value.partial is None


@streamed
async def test_comments_alone_are_not_retried(way: str, start: Any) -> None:
    server = start(comment_after())
    with pytest.raises(BasetenTimeoutError):
        await run_at(server, way, timeout=(2, SOON), max_retries=3)

    assert len(server.requests) == 1


MID_STREAM: dict[str, Callable[[Line], None]] = {
    "comments after a role": comment_after(ROLE),
    "comments after a text": comment_after(ROLE, say("Hel")),
    "silence after a role": silence_after(ROLE),
    "silence after a text": silence_after(ROLE, say("Hel")),
    "silence after a comment": silence_after(ROLE, say("Hel"), COMMENT),
    "silence after the finish reason": silence_after(ROLE, say("Hel"), FINISH),
}


@streamed
@pytest.mark.parametrize("script", MID_STREAM.values(), ids=MID_STREAM)
@pytest.mark.traced("other tests do not get to some line that it runs")
async def test_silence_inside_a_stream_ends_by_the_stream_chunk_timeout(
    script: Any, way: str, start: Any
) -> None:
    server = start(script)
    begun = time.monotonic()
    with pytest.raises(BasetenTimeoutError, match="stream_chunk_timeout="):
        await run_at(server, way, stream_chunk_timeout=SOON, max_retries=2)

    assert SOON <= time.monotonic() - begun < 5
    assert len(server.requests) == 1


@in_every_way
async def test_response_is_requested_without_compression(way: str) -> None:
    service = MockService()
    await run(service, way)
    await run(service, way, default_headers={"accept-encoding": "gzip"})
    sent = [request.headers["accept-encoding"] for request in service.requests]

    assert sent == ["identity", "gzip"]


@streamed
@pytest.mark.traced("other tests do not get to some line that it runs")
async def test_tail_that_never_ends_holds_nobody(way: str, start: Any) -> None:
    for script in (comment_after(say("Hello"), FINISH, DONE), silence_after(say("Hello"), DONE)):
        begun = time.monotonic()
        assert (await run_at(start(script), way)).text == "Hello"
        assert time.monotonic() - begun < 5


@pytest.mark.traced("other tests do not get to some line that it runs")
async def test_connection_is_reused_after_streams(start: Any) -> None:
    for ways in (("stream", "stream", "invoke", "stream"), ("astream", "ainvoke", "astream")):
        server = start(serve)
        model = ChatBaseten(model="m", api_key=KEY, base_url=server.url, max_retries=0)
        for way in ways:
            assert (await ask(model, "Hello", way)).text == "Hello"
        await model.aclose()
        assert server.connections == 1


def test_many_threads_share_one_model(start: Any) -> None:
    def slow(line: Line) -> None:
        while (request := line.request()) is not None:
            if b'"stream":true' not in request:
                line.pause(2 * SOON)  # longer than the streams' time limit
                line.send(frame("200 OK", json.dumps(whole()).encode()))
                continue
            for part in STREAM:
                line.send(part)
                line.pause(0.005)

    server = start(slow)
    model = ChatBaseten(
        model="m", api_key=KEY, base_url=server.url, max_retries=0, stream_chunk_timeout=SOON
    )

    def work(number: int) -> str:
        if number % 3:
            return "".join(str(chunk.content) for chunk in model.stream("Hello"))
        return str(model.invoke("Hello").content)

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(work, range(60)))
    model.close()

    assert found == ["Hello"] * 60
    assert server.connections <= 13


async def test_many_tasks_share_one_model(start: Any) -> None:
    server = start(serve)
    model = ChatBaseten(
        model="m", api_key=KEY, base_url=server.url, max_retries=0, stream_chunk_timeout=2
    )
    ways = ["astream", "ainvoke"] * 15
    found = await asyncio.gather(*(ask(model, "Hello", way) for way in ways))
    found += await asyncio.gather(*(ask(model, "Hello", way) for way in ways))
    await model.aclose()

    assert [message.text for message in found] == ["Hello"] * 60
    assert server.connections <= 30


# --- clients and copies ---------------------------------------------------------------------------


def libraries() -> Iterator[Any]:
    yield httpx
    yield httpx2


@in_every_way_and_embeddings
async def test_authentication_of_a_client_is_respected(way: str) -> None:
    for library in libraries():
        seen: list[str] = []

        def answer(request: Any, library: Any = library, seen: list[str] = seen) -> Any:
            seen.append(request.headers["authorization"])
            return library.Response(500)

        transport = library.MockTransport(answer)
        clients = {
            "http_client": library.Client(transport=transport, auth=("user", "password")),
            "http_async_client": library.AsyncClient(
                transport=transport, auth=("user", "password")
            ),
        }
        await fail(MockService(), way, **clients)
        assert [value.split()[0] for value in seen] == ["Basic"]


TIMEOUTS: dict[str, tuple[Callable[[Any], Any], dict[str, float | None]]] = {
    "seconds": (lambda _: 7, {"connect": 7, "read": 7, "write": 7, "pool": 7}),
    "two": (lambda _: (1, 2), {"connect": 1, "read": 2, "write": 1200, "pool": 1200}),
    "four": (lambda _: (1, 2, 3, 4), {"connect": 1, "read": 2, "write": 3, "pool": 4}),
    "object": (
        lambda library: library.Timeout(9, read=3),
        {"connect": 9, "read": 3, "write": 9, "pool": 9},
    ),
    "other object": (
        lambda _: httpx.Timeout(9, read=None),
        {"connect": 9, "read": None, "write": 9, "pool": 9},
    ),
    "default": (lambda _: None, {"connect": 10, "read": 1200, "write": 1200, "pool": 1200}),
}


@in_every_way
@pytest.mark.parametrize(("make_timeout", "expected"), TIMEOUTS.values(), ids=TIMEOUTS)
async def test_timeouts_reach_the_clients_of_both_libraries(
    make_timeout: Callable[[Any], Any], expected: dict[str, float | None], way: str
) -> None:
    for library in libraries():
        seen: list[Any] = []

        def answer(request: Any, library: Any = library, seen: list[Any] = seen) -> Any:
            seen.append(dict(request.extensions["timeout"]))
            return library.Response(200, text=body_for(way, completion()).text)

        transport = library.MockTransport(answer)
        clients = {
            "http_client": library.Client(transport=transport),
            "http_async_client": library.AsyncClient(transport=transport),
        }
        await run(MockService(), way, timeout=make_timeout(library), **clients)
        assert seen == [expected]


RAISED: dict[str, type[BasetenError]] = {
    "ConnectTimeout": BasetenTimeoutError,
    "ReadTimeout": BasetenTimeoutError,
    "PoolTimeout": BasetenTimeoutError,
    "ConnectError": BasetenConnectionError,
    "ReadError": BasetenConnectionError,
    "RemoteProtocolError": BasetenConnectionError,
    "ProxyError": BasetenConnectionError,
    "LocalProtocolError": BasetenRequestError,
    "UnsupportedProtocol": BasetenRequestError,
    "TooManyRedirects": BasetenConnectionError,
}


@in_every_way_and_embeddings
@pytest.mark.parametrize(("name", "error"), RAISED.items(), ids=RAISED)
async def test_exceptions_of_both_libraries_are_typed(
    name: str, error: type[BasetenError], way: str
) -> None:
    for library in libraries():

        def answer(_: Any, library: Any = library) -> Any:
            raise getattr(library, name)("oh no")

        transport = library.MockTransport(answer)
        clients = {
            "http_client": library.Client(transport=transport),
            "http_async_client": library.AsyncClient(transport=transport),
        }
        assert isinstance(await fail(MockService(), way, **clients), error)


@in_every_way
@pytest.mark.traced("other tests do not get to some line that it runs")
async def test_httpx2_client_works_over_real_sockets(way: str, start: Any) -> None:
    server = start(serve)
    with httpx2.Client() as client:
        async with httpx2.AsyncClient() as async_client:
            own = {"http_client": client, "http_async_client": async_client}
            for _ in range(2):
                assert (await run_at(server, way, **own)).text == "Hello"
    assert server.connections == 1


@streamed
async def test_silence_inside_a_stream_ends_with_an_httpx2_client(way: str, start: Any) -> None:
    server = start(silence_after(ROLE, say("Hel")))
    begun = time.monotonic()
    with httpx2.Client() as client:
        async with httpx2.AsyncClient() as async_client:
            own = {"http_client": client, "http_async_client": async_client}
            with pytest.raises(BasetenTimeoutError):
                await run_at(server, way, stream_chunk_timeout=SOON, **own)
    assert time.monotonic() - begun < 5


async def test_socket_options_of_a_copy_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket  # noqa: PLC0415  for the names of options alone

    seen: list[Any] = []
    for name in ("HTTPTransport", "AsyncHTTPTransport"):
        built = getattr(httpx2, name)

        def build(*args: Any, built: Any = built, **kwargs: Any) -> Any:
            seen.append(kwargs.get("socket_options"))
            return built(*args, **kwargs)

        monkeypatch.setattr(httpx2, name, build)
    option = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    url = f"http://127.0.0.1:{unused_port()}/v1"
    first = ChatBaseten(model="m", api_key=KEY, base_url=url, max_retries=0)
    for way in ("invoke", "ainvoke"):
        with pytest.raises(BasetenConnectionError):
            await ask(first, "Hello", way)
        model = first.model_copy(update={"http_socket_options": [option]})
        with pytest.raises(BasetenConnectionError):
            await ask(model, "Hello", way)
        assert seen[-1] == [option]
        await model.aclose()
    await first.aclose()


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda m: m.model_copy(),
    "deep model_copy": lambda m: m.model_copy(deep=True),
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),  # noqa: S301  our own bytes
    "bind": lambda m: copy.deepcopy(m.bind(stop=["x"])).bound,
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
async def test_copies_share_connections_until_the_last_one_closes(
    make: Callable[[Any], Any], start: Any
) -> None:
    server = start(serve)
    model = ChatBaseten(model="m", api_key=KEY, base_url=server.url, max_retries=0)
    for way in ("invoke", "ainvoke"):
        await ask(model, "Hello", way)
        before = server.connections
        copied = make(model)
        assert (await ask(copied, "Hello", way)).text == "Hello"
        await copied.aclose()
        await ask(model, "Hello", way)
        assert server.connections == before
    await model.aclose()
    await ask(model, "Hello", "invoke")
    assert server.connections == 3


async def test_configured_model_leaves_the_original_open(start: Any) -> None:
    server = start(serve)
    model = ChatBaseten(model="m", api_key=KEY, base_url=server.url, max_retries=0)
    field = ConfigurableField(id="t")
    configured = model.configurable_fields(temperature=field).with_config(
        {"configurable": {"t": 0.5}}
    )
    assert len(list(configured.stream("Hello"))) > 1
    for way in ("invoke", "stream"):
        await ask(model, "Hello", way)
        assert (await ask(configured, "Hello", way)).text == "Hello"
        assert (await ask(model, "Hello", way)).text == "Hello"
    model.close()


def vectors(*rows: Any) -> httpx.Response:
    return respond(200, {"data": list(rows)})


def row(index: Any, *values: float) -> dict[str, Any]:
    return {"index": index, "embedding": list(values)}


WRONG_ROWS: dict[str, tuple[Any, ...]] = {
    "twice the same": (row(0, 0.5), row(0, 0.5)),
    "one missing": (row(0, 0.5),),
    "one too many": (row(0, 0.5), row(1, 0.5), row(2, 0.5)),
    "beyond the end": (row(0, 0.5), row(2, 0.5)),
    "negative": (row(0, 0.5), row(-1, 0.5)),
    "other lengths": (row(0, 0.5), row(1, 0.5, 0.5)),
    "empty": (row(0), row(1)),
    "half without index": (row(1, 0.5), {"embedding": [0.5]}),
}


@pytest.mark.parametrize("rows", WRONG_ROWS.values(), ids=WRONG_ROWS)
async def test_rows_that_do_not_fit_the_texts_are_an_error(rows: tuple[Any, ...]) -> None:
    model = embeddings_of(MockService(vectors(*rows)))
    with pytest.raises(BasetenInvalidResponseError):
        model.embed_documents(["a", "b"])
    with pytest.raises(BasetenInvalidResponseError):
        await model.aembed_documents(["a", "b"])


async def test_rows_are_put_in_the_order_of_the_texts() -> None:
    model = embeddings_of(MockService(vectors(row(1, 2.0), row(0, 1.0))))

    assert model.embed_documents(["a", "b"]) == [[1.0], [2.0]]
    assert await model.aembed_documents(["a", "b"]) == [[1.0], [2.0]]


async def test_embeddings_copy_and_close(start: Any) -> None:
    answer = frame("200 OK", json.dumps({"data": [row(0, 0.5)]}).encode())

    def script(line: Line) -> None:
        while line.request() is not None:
            line.send(answer)

    server = start(script)
    with BasetenEmbeddings(model_url=server.url, api_key=KEY, max_retries=0) as model:
        model.embed_query("a")
        for make in list(COPIES.values())[:4]:
            before = server.connections
            with make(model) as copied:
                assert copied.embed_query("a") == [0.5]
            assert model.embed_query("a") == [0.5]
            assert server.connections == before
    async with BasetenEmbeddings(model_url=server.url, api_key=KEY, max_retries=0) as model:
        assert await model.aembed_query("a") == [0.5]


@pytest.mark.parametrize("way", EMBED)
async def test_error_inside_a_success_of_embeddings_is_typed(way: str) -> None:
    for body, error in (
        ({"error": {"message": "slow", "code": 429}}, BasetenRateLimitError),
        ({"object": "error", "message": "no", "code": 404}, BasetenNotFoundError),
        ({"detail": "prompt is too long"}, BasetenContextOverflowError),
    ):
        assert type(await fail(MockService(respond(200, body)), way)) is error


# --- the model's name and token counts ------------------------------------------------------------


def test_model_is_the_name_also_after_copies() -> None:
    chosen = ChatBaseten(model="zai-org/x", api_key=KEY)
    derived = ChatBaseten(model_url=MODEL_URL, api_key=KEY)
    default = ChatBaseten(api_key=KEY)
    embedding = BasetenEmbeddings(model_url=MODEL_URL, api_key=KEY)
    expected = {
        "zai-org/x": chosen,
        "model-abcd1234": derived,
        "zai-org/GLM-5.2": default,
    }
    for make in (lambda m: m, *COPIES.values()):
        for name, model in expected.items():
            assert make(model).model == make(model).model_name == name
    for make in list(COPIES.values())[:5]:
        assert make(embedding).model == "model-abcd1234"


def test_derived_name_follows_the_url_of_a_copy() -> None:
    derived = ChatBaseten(model_url=MODEL_URL, api_key=KEY)
    other = MODEL_URL.replace("abcd1234", "wxyz5678")

    assert derived.model_copy(update={"model_url": other}).model == "model-wxyz5678"
    assert derived.model_copy(update={"model_name": "mine"}).model == "mine"
    assert copy.deepcopy(derived.model_copy(update={"model_url": other})).model == "model-wxyz5678"


@in_every_way
async def test_token_counts_that_are_floats_count(way: str) -> None:
    usage = {"prompt_tokens": 3.0, "completion_tokens": 2.0, "total_tokens": 5.0}
    usage["prompt_tokens_details"] = {"cached_tokens": 1.0}  # type: ignore[assignment]
    message = await run(MockService({**whole(), "usage": usage}), way)

    assert message.usage_metadata["input_tokens"] == 3
    assert message.usage_metadata["total_tokens"] == 5
    assert message.usage_metadata["input_token_details"] == {"cache_read": 1}


def test_token_counts_of_a_batch_are_added_up_whatever_they_are() -> None:
    for odd in ODD:
        usage = {"prompt_tokens": 3.0, "completion_tokens": 2, "prompt_tokens_details": odd}
        model = MockService(respond(200, json.dumps({**whole(), "usage": usage}))).model()
        result = model.generate([[HumanMessage("a")], [HumanMessage("b")]])
        assert result.llm_output is not None
        assert result.llm_output["token_usage"]["prompt_tokens"] == 6


# --- fallbacks and type hints ---------------------------------------------------------------------


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return city


class Weather(BaseModel):
    """The weather of a city."""

    city: str


@in_every_way
async def test_tools_and_structured_output_of_fallbacks(way: str) -> None:
    first = MockService(respond(500, {})).model()
    arguments = {"city": "Paris"}
    backed: Any = first.with_fallbacks([MockService(calling("get_weather", arguments)).model()])
    message = await ask(backed.bind_tools([get_weather]), "Hello", way)
    assert [call["args"] for call in message.tool_calls] == [arguments]

    backed = first.with_fallbacks([MockService(calling("Weather", arguments)).model()])
    chain = backed.with_structured_output(Weather)
    found = (await chain.ainvoke("Hello")) if way.startswith("a") else chain.invoke("Hello")
    assert found == Weather(city="Paris")


def test_threads_are_not_left_behind() -> None:
    before = set(threading.enumerate())
    model = embeddings_of(MockService(respond(500, {})))
    with pytest.raises(BasetenAPIError):
        model.embed_documents(["x" * 5000] * 20)

    assert set(threading.enumerate()) == before
