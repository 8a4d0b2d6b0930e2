"""Credentials of gateways and proxies are sent, and written down nowhere."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from pydantic import SecretStr

from conformance.tests.package.exposed import expose
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, MockService, whole
from langchain_baseten import BasetenError, ChatBaseten
from langchain_baseten._http.credentials import (
    MASK,
    conceal,
    is_credential,
    is_secret_name,
    mask,
    reveal,
    reveal_recognized,
)

SECRET = "s3cr3t-Value-0987654321xyz"
URL = "https://model-abcd1234.api.baseten.co"

SECRET_NAMES = [
    *("Ocp-Apim-Subscription-Key", "x-functions-key", "X-Functions-Clientid-Secret"),
    *("x-amz-security-token", "X-Amz-Signature", "X-Amz-Credential", "x-amzn-oidc-data"),
    *("x-signature", "X-Hub-Signature-256", "X-Signed-By", "x-goog-api-key", "X-Goog-Signature"),
    *("CF-Access-Client-Secret", "CF-Access-Client-Id", "X-Goog-IAP-JWT-Assertion"),
    *("Authorization", "Proxy-Authorization", "x-api-key", "api-key", "apikey", "X-ApiKey"),
    *("Cookie", "x-vault-token", "X-Auth", "Helicone-Auth", "x-portkey-virtual-key", "DPoP"),
    *("x-ms-client-principal", "X-Credentials", "X-Passwd", "X-PIN", "X-Client-Cert", "X-JWT"),
    *("X-Auth-Token", "X-Password", "baseten_api_key"),
    *("code", "sig", "key", "subscription-key", "subscriptionKey", "access_token", "pwd", "sas"),
]
PLAIN_NAMES = [
    *("User-Agent", "Accept", "X-Request-Id", "traceparent", "x-session-affinity", "X-Tenant-Id"),
    *("Idempotency-Key", "api-version", "X-Design", "X-Keyword", "X-Author", "max_tokens"),
    *("thinking_token_budget", "stop_token_ids", "x-deployment", "X-Forwarded-For"),
]


@in_each("name", SECRET_NAMES)
def test_a_credential_is_recognized_by_the_name_that_gateways_use(name: str) -> None:
    assert is_secret_name(name)
    assert is_secret_name(name.upper())


@in_each("name", PLAIN_NAMES)
def test_other_headers_are_no_credentials(name: str) -> None:
    assert not is_secret_name(name)


VALUES: dict[Any, bool] = {
    "Bearer abc": True,
    "Basic dTpw": True,
    "SharedAccessSignature sr=x": True,
    "eyJhbGciOiJIUzI1NiJ9.e30.x": True,
    "sk-abc": True,
    "aB3dE6gHzYxWvUtSrQpO": True,
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": False,
    "6f9619ff-8b86-d011-b42d-00cf4fc964ff": False,
    "langchain-baseten/1.0 (Linux)": False,
    "a token of gratitude": False,
    "": False,
    None: False,
    True: False,
    7: False,
    SecretStr("x"): True,
    ("a", SecretStr("x")): True,
    ("a", "Bearer abc"): True,
}


@in_each(("value", "secret"), VALUES.items())
def test_a_credential_is_recognized_by_its_value(value: Any, secret: bool) -> None:
    assert is_credential("X-Team", value) is secret


def test_credentials_are_concealed_and_revealed() -> None:
    given = {"code": SECRET, "sig": [SECRET, None], "pin": 1234, "v": 2}
    concealed = conceal(given)

    assert SECRET not in repr(concealed)
    assert reveal(concealed) == {"code": SECRET, "sig": [SECRET, ""], "pin": "1234", "v": 2}
    assert reveal(conceal(concealed)) == reveal(concealed)
    assert mask(given) == {"code": MASK, "sig": [MASK, MASK], "pin": MASK, "v": 2}


@in_each("given", [None, "text", 7])
def test_what_is_no_mapping_is_left_alone(given: Any) -> None:
    assert (conceal(given), reveal(given), reveal_recognized(given)) == (given, given, given)


class _Tracer(BaseTracer):
    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def _persist_run(self, run: Run) -> None:
        self.runs.append(run.model_dump_json())


class _Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.started: list[str] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.started.append(repr((serialized, kwargs)))


def _run(model: ChatBaseten, way: str, **call: Any) -> Any:
    tracer, listener = _Tracer(), _Listener()
    config: Any = {"callbacks": [tracer, listener]}

    async def collect() -> None:
        async for _ in model.astream("Hi", config, **call):
            pass

    calls: dict[str, Callable[[], Any]] = {
        "invoke": lambda: model.invoke("Hi", config, **call),
        "ainvoke": lambda: asyncio.run(model.ainvoke("Hi", config, **call)),
        "stream": lambda: list(model.stream("Hi", config, **call)),
        "astream": lambda: asyncio.run(collect()),
        "generate": lambda: model.generate(
            [[HumanMessage("Hi")]], callbacks=[tracer, listener], **call
        ),
    }
    exposed = expose(calls[way])
    assert tracer.runs
    assert listener.started
    exposed.look_at([*tracer.runs, *listener.started], "a trace")
    return exposed


WAYS = ["invoke", "ainvoke", "stream", "astream"]
PLACES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default_headers": ({"default_headers": {"X-Functions-Key": SECRET, "Cookie": SECRET}}, {}),
    "default_query": ({"default_query": {"code": SECRET, "sig": [SECRET], "v": 1}}, {}),
    "base_url": ({"base_url": f"https://gateway.example/v1?code={SECRET}"}, {}),
    "model_url": ({"model_url": f"{URL}/environments/production/predict?api-key={SECRET}#x"}, {}),
    "extra_headers": ({}, {"extra_headers": {"x-api-key": SECRET}}),
    "an authorization": ({}, {"extra_headers": {"authorization": f"Bearer {SECRET}"}}),
    "default_headers of a call": ({}, {"default_headers": {"x-api-key": SECRET}}),
    "extra_query": ({}, {"extra_query": {"sig": SECRET, "v": 1}}),
}
ANSWERS: dict[str, Callable[[], Any]] = {
    "answered": whole,
    "echoed": lambda: httpx.Response(401, json={"error": {"message": f"bad {SECRET}", SECRET: 1}}),
}


@in_each("way", [*WAYS, "generate"])
@in_each(("settings", "call"), PLACES)
@in_each("answer", ANSWERS)
def test_a_credential_is_sent_and_shown_by_no_call(
    answer: Callable[[], Any], settings: dict[str, Any], call: dict[str, Any], way: str
) -> None:
    service = MockService(answer())
    exposed = _run(service.model(**settings), way, **call)

    sent = service.requests[0]
    assert SECRET in f"{sent.url}{sent.headers.multi_items()}{sent.headers.get('authorization')}"
    assert exposed.where(SECRET) == []


@in_each("way", WAYS)
@in_each(("settings", "call"), PLACES)
def test_a_credential_is_shown_by_no_request_that_cannot_be_built(
    settings: dict[str, Any], call: dict[str, Any], way: str
) -> None:
    exposed = _run(MockService().model(**settings), way, **call, timeout=-1)

    assert exposed.where("is not a time limit")
    assert exposed.where(SECRET) == []


class _HookError(Exception):
    """An error of the user's own code."""


def _fail(_: httpx.Response) -> None:
    raise _HookError


async def _fail_async(_: httpx.Response) -> None:
    raise _HookError


@in_each("way", WAYS)
@in_each(("settings", "call"), PLACES)
def test_a_credential_is_in_no_local_where_an_error_of_the_user_passes(
    settings: dict[str, Any], call: dict[str, Any], way: str
) -> None:
    model = MockService().model(**settings)
    model.http_client.event_hooks["response"] = [_fail]
    model.http_async_client.event_hooks["response"] = [_fail_async]

    exposed = _run(model, way, **call)

    assert exposed.where("_HookError")
    assert any("local" in place for place, _ in exposed.places)
    assert exposed.where(SECRET) == []


def _assign(model: ChatBaseten, settings: dict[str, Any]) -> ChatBaseten:
    for name, value in settings.items():
        setattr(model, name, value)
    return model


CHANGES: dict[str, Callable[[ChatBaseten, dict[str, Any]], ChatBaseten]] = {
    "copied": lambda model, settings: model.model_copy(update=settings),
    "assigned": _assign,
}
CHANGED: dict[str, dict[str, Any]] = {
    "base URL": {"baseten_api_base": f"https://gateway.example/v1?code={SECRET}"},
    "model URL": {"model_url": f"{URL}?code={SECRET}"},
    "headers": {"default_headers": {"x-api-key": SECRET}},
    "query": {"default_query": {"code": SECRET}},
}


@in_each("change", CHANGES)
@in_each("settings", CHANGED)
def test_a_credential_that_is_set_later_is_sent_and_written_nowhere(
    settings: dict[str, Any], change: Callable[..., ChatBaseten]
) -> None:
    service = MockService()
    model = change(service.model(), settings)
    model.invoke("Hi")
    bare = model.model_copy(update={"http_client": None, "http_async_client": None})

    sent = service.requests[0]
    assert SECRET in f"{sent.url}{sent.headers.multi_items()}"
    assert SECRET not in f"{model!r}{dumps(model)}{bare.model_dump()}{pickle.dumps(bare)!r}"


def test_only_credentials_of_a_pasted_url_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"https://gateway.example/v1?tab=logs&code={SECRET}#top"
    monkeypatch.setenv("BASETEN_BASE_URL", url)
    service = MockService()
    model = service.model(default_query={"v": "1"})
    model.invoke("Hi")

    assert model.baseten_api_base == "https://gateway.example/v1"
    assert model._find_url_source() == "BASETEN_BASE_URL"
    assert dict(service.requests[0].url.params) == {"code": SECRET, "v": "1"}


def test_a_credential_of_a_base_url_that_is_not_used_is_not_sent() -> None:
    service = MockService()
    model = service.model(model_url=URL)
    model.baseten_api_base = f"https://gateway.example/v1?code={SECRET}"
    model.invoke("Hi")

    assert service.requests[0].url.query == b""


@in_each(
    "url",
    [
        f"https://me:{SECRET}@gateway.example/v1",
        f"https://me:{SECRET}?x@gateway.example/v1",
        f"https://me:{SECRET}/x@gateway.example/v1",
        f"me:{SECRET}@gateway.example/v1",
    ],
)
def test_a_password_in_a_url_is_refused_and_shown_nowhere(url: str) -> None:
    exposed = expose(lambda: ChatBaseten(model="m", api_key=KEY, base_url=url))
    assert exposed.places
    assert exposed.where(SECRET) == []

    model = MockService().model()
    model.baseten_api_base = url
    exposed = expose(lambda: model.invoke("Hi"))
    assert exposed.where("The URL")
    assert exposed.where(SECRET) == []
    assert SECRET not in repr(model)


def test_an_at_sign_in_a_path_is_no_password() -> None:
    url = "https://gateway.example/v1/@cf/meta"

    assert ChatBaseten(model="m", api_key=KEY, base_url=f'"{url}?x=1"').baseten_api_base == url


def test_plain_headers_and_parameters_are_written_down() -> None:
    model = ChatBaseten(
        model="m",
        api_key=KEY,
        default_headers={"x-session-affinity": "a", "x-api-key": SECRET},
        default_query={"api-version": "7", "code": SECRET},
    )
    dumped = json.loads(dumps(model))["kwargs"]

    assert dumped["default_headers"] == {"x-session-affinity": "a"}
    assert dumped["default_query"] == {"api-version": "7"}
    assert model.model_dump()["default_query"] == {"api-version": "7", "code": MASK}
    assert model._get_invocation_params(extra_headers={"x-team": "a"})["extra_headers"] == {
        "x-team": "a"
    }


def test_options_of_a_trace_keep_what_is_sent_to_the_model() -> None:
    options: dict[str, Any] = {
        "prompt_cache_key": "sessions",
        "stop_token_ids": [1],
        "user": "Bearer of news",
        "api_key": SECRET,
        "extra_headers": [("x-api-key", SECRET)],
        "extra_body": {"client_secret": SECRET, "top": 1},
    }
    shown = ChatBaseten(model="m", api_key=KEY)._get_invocation_params(**options)

    assert shown["stop_token_ids"] == [1]
    assert shown["user"] == "Bearer of news"
    assert shown["extra_body"] == {"client_secret": MASK, "top": 1}
    assert SECRET not in repr(shown)


@in_each("name", ["extra_headers", "extra_query", "default_headers"])
@in_each("place", ["constructor", "assigned", "call"])
def test_headers_in_model_kwargs_are_refused_and_not_shown(name: str, place: str) -> None:
    service = MockService()
    kwargs = {name: {"x-api-key": SECRET}}

    def use() -> Any:
        if place == "constructor":
            return service.model(model_kwargs=kwargs)
        model = service.model()
        if place == "assigned":
            model.model_kwargs = kwargs
            assert SECRET not in repr(model) + dumps(model)
            return model.invoke("Hi")
        return model.invoke("Hi", model_kwargs=kwargs)

    exposed = expose(use)
    assert exposed.where(f"{name} is a setting of the client")
    assert exposed.where(SECRET) == []
    assert not service.requests


def test_a_secret_may_be_passed_as_a_secret() -> None:
    service = MockService()
    headers: Any = {"x-api-key": SecretStr(SECRET)}
    model = service.model(default_headers=headers)
    model.invoke("Hi", extra_headers={"x-other": SecretStr("plain")})

    assert model.default_headers == {"x-api-key": SECRET}
    assert service.requests[0].headers["x-api-key"] == SECRET
    assert service.requests[0].headers["x-other"] == "plain"


WRAPPED = [SecretStr("of-one-team")]


@in_each(
    ("field", "value"),
    {
        "headers": ("default_headers", *WRAPPED),
        "query": ("default_query", *WRAPPED),
        "list": ("default_query", WRAPPED),
    },
)
def test_what_only_its_type_says_to_be_a_secret_is_written_nowhere(field: str, value: Any) -> None:
    service, given = MockService(), dict[str, Any]({field: {"x-team": value}})
    model = service.model(**given)
    travelled = pickle.loads(pickle.dumps(ChatBaseten(model="m", api_key=KEY, **given)))  # noqa: S301  our own bytes
    for one in (model, model.model_copy(), travelled):
        written = [repr(one), dumps(one), one.model_dump(), one.model_dump_json()]
        assert "of-one-team" not in f"{written}{one._get_llm_string()}"
    assert b"of-one-team" not in pickle.dumps(travelled)

    travelled.model_copy(update=service.clients()).invoke("Hi")
    model.invoke("Hi")
    for request in service.requests:
        assert "of-one-team" in (request.headers.get("x-team"), request.url.params.get("x-team"))


def test_what_a_client_of_the_user_adds_is_redacted() -> None:
    echo = httpx.Response(401, json={"error": f"bad {SECRET}"})
    transport = httpx.MockTransport(lambda _: echo)
    for own in (
        {"headers": {"x-api-key": SECRET}},
        {"params": {"code": SECRET}},
        {"auth": ("me", SECRET)},
        {"cookies": {"session": SECRET}},
    ):
        client = httpx.Client(transport=transport, **own)
        model = ChatBaseten(model="m", api_key=KEY, http_client=client, max_retries=0)
        with pytest.raises(BasetenError, match="redacted") as caught:
            model.invoke("Hi")
        assert SECRET not in f"{caught.value}{vars(caught.value)}"
