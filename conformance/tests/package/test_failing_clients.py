"""Clients that cannot be built, and code of the user's that raises while a request is under way."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.libraries import LIBRARIES
from conformance.tests.package.call_modes import WAYS, ask
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, MockService, whole
from langchain_baseten import (
    BasetenRequestError,
    ChatBaseten,
    MissingToolCallWarning,
)
from langchain_baseten._config.caller_warnings import warn_caller
from langchain_baseten._http.clients import tls_context

in_every_way = pytest.mark.parametrize("way", WAYS)
URL = "https://127.0.0.1:9/v1"


@pytest.fixture
def _fresh_tls() -> Iterator[None]:
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


# environment -> what the message names
UNBUILDABLE: dict[str, tuple[dict[str, str], str]] = {
    "a certificate file that is missing": ({"SSL_CERT_FILE": "/no/such/file.pem"}, "SSL_CERT_FILE"),
    "a proxy of an unknown scheme": ({"HTTPS_PROXY": "ftp://u:hush@127.0.0.1:9"}, "HTTPS_PROXY"),
    "a malformed proxy": ({"HTTPS_PROXY": "http://u:hush@127.0.0.1:port"}, "HTTPS_PROXY"),
}


@in_every_way
@pytest.mark.parametrize(("variables", "named"), UNBUILDABLE.values(), ids=UNBUILDABLE)
@pytest.mark.usefixtures("_fresh_tls")
async def test_a_client_that_cannot_be_built_is_an_error_of_the_package(
    variables: dict[str, str], named: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    model = ChatBaseten(model="m", api_key=KEY, base_url=URL, max_retries=0)
    with pytest.raises(BasetenRequestError, match=named) as caught:
        await ask(model, "Hello", way)

    assert "hush" not in str(caught.value)


class Mine(Exception):  # noqa: N818  named as httpx names one of its own below
    """An exception of the user's."""


def own_class(name: str, *bases: type[Exception]) -> Exception:
    made: Exception = type(name, bases or (Exception,), {})("mine")
    return made


OWN: dict[str, Exception] = {
    "own class": Mine("mine"),
    "named like a timeout": own_class("ReadTimeout"),
    "named like a status": own_class("HTTPStatusError"),
    "named like a transport error": own_class("TransportError", RuntimeError),
    "key": KeyError("mine"),
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


def hooked(library: Any, moment: str, hook: Callable[[Any], Any]) -> dict[str, Any]:
    """Return clients whose event hook or authentication runs a function."""

    async def hook_on_loop(value: Any) -> None:
        hook(value)

    transport = library.MockTransport(lambda _: library.Response(200, json=whole()))
    own, own_on_loop = (
        ({"auth": hook}, {"auth": hook})
        if moment == "auth"
        else ({"event_hooks": {moment: [hook]}}, {"event_hooks": {moment: [hook_on_loop]}})
    )
    return {
        "http_client": library.Client(transport=transport, **own),
        "http_async_client": library.AsyncClient(transport=transport, **own_on_loop),
    }


@in_each("way", WAYS.keys())
@in_each("exception", OWN)
@in_each("moment", ["request", "response", "auth"])
@in_each("library", LIBRARIES)
async def test_an_exception_of_the_users_own_code_is_passed_on_and_not_retried(
    library: Any, moment: str, exception: Exception, way: str
) -> None:
    calls: list[int] = []

    def hook(_: object) -> None:
        calls.append(1)
        raise exception

    clients = hooked(library, moment, hook)
    model = ChatBaseten(model="m", api_key=KEY, max_retries=2, **clients)
    with pytest.raises(type(exception)) as caught:
        await ask(model, "Hello", way)

    assert caught.value is exception
    assert calls == [1]


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return city


@in_each("way", WAYS.keys())
async def test_a_missing_call_warns_at_the_callers_line_each_time(way: str) -> None:
    model: Any = MockService(whole("No.")).model().bind_tools([get_weather], tool_choice="any")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        messages = [await ask(model, "Hello", way) for _ in range(2)]

    found = [w for w in caught if w.category is MissingToolCallWarning]
    assert [message.response_metadata["tool_call_missing"] for message in messages] == [True, True]
    assert len(found) == 2
    if way != "ainvoke":  # langchain-core awaits in a task, whose stack ends at the event loop
        assert {w.filename.rpartition("/")[2] for w in found} == {"call_modes.py"}


def test_a_warning_without_any_caller_points_at_the_outermost_frame() -> None:
    namespace = {"__name__": "langchain_core.made_up", "warn_caller": warn_caller}
    with pytest.warns(UserWarning, match="hello") as caught:
        exec("warn_caller('hello', UserWarning)", namespace)  # noqa: S102  our own text

    assert caught[0].filename == __file__


UNUSABLE: dict[str, dict[str, Any]] = {
    "no URL": {"model_url": "nowhere"},
    "a URL that is a number": {"model_url": 5},
    "a host under com": {"model_url": "https://a.api.baseten.com"},
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
    "model_kwargs that are text": {"model_kwargs": "x"},
    "extra_body that is text": {"extra_body": "x"},
    "disabled_params that are text": {"disabled_params": "x"},
    "a time limit that is text": {"stream_chunk_timeout": "x"},
    "a negative time limit": {"stream_chunk_timeout": -1},
    "an endless time limit": {"stream_chunk_timeout": float("inf")},
}


@in_each("update", UNUSABLE)
@in_each("way", WAYS.keys())
async def test_an_unusable_setting_of_a_copy_is_an_error_of_the_package(
    update: dict[str, Any], way: str
) -> None:
    service = MockService()
    with pytest.raises(BasetenRequestError):
        await ask(service.model().model_copy(update=update), "Hello", way)
    assert not service.requests


@in_each("way", WAYS.keys())
async def test_the_example_of_the_documentation_says_what_to_replace(way: str) -> None:
    model = ChatBaseten(
        model_url="https://model-<id>.api.baseten.co/environments/production/predict", api_key=KEY
    )
    with pytest.raises(BasetenRequestError, match="example of the documentation"):
        await ask(model, "Hello", way)
