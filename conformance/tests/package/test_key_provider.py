"""A function as API key: called for each request, shown nowhere, and pickled by its name."""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import threading
import traceback
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from langchain_core.load import dumps
from pydantic import SecretStr

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService
from langchain_baseten import (
    BasetenEmbeddings,
    BasetenRequestError,
    ChatBaseten,
)
from langchain_baseten._config.api_key import KeyProvider

URL = "https://model-abcd1234.api.baseten.co/environments/production/sync"
VECTORS = {"data": [{"index": 0, "embedding": [0.5]}]}


def fetch_key() -> str:
    return "sk-of-a-module-0123456789"


class Vault:
    """Gives another key each time."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    @property
    def keys(self) -> list[str]:
        return [f"sk-rotated-{n}-0123456789" for n in range(len(self.threads))]

    def fetch(self) -> str:
        self.threads.append(threading.get_ident())
        return self.keys[-1]

    def fetch_secret(self) -> SecretStr:
        return SecretStr(self.fetch())

    async def afetch(self) -> str:
        await asyncio.sleep(0)
        return self.fetch()

    def begin(self) -> Any:
        return self.afetch()


class AsyncVault(Vault):
    """An object whose call is a coroutine function."""

    async def __call__(self) -> str:
        return await self.afetch()


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass


SYNC: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda model: model.invoke("Hi"),
    "stream": lambda model: list(model.stream("Hi")),
    "list_models": lambda model: model.list_models(),
}
ASYNC: dict[str, Callable[[Any], Any]] = {
    "ainvoke": lambda model: asyncio.run(model.ainvoke("Hi")),
    "astream": lambda model: asyncio.run(drain(model.astream("Hi"))),
    "alist_models": lambda model: asyncio.run(model.alist_models()),
}
GIVE: dict[str, Callable[[Vault], Any]] = {
    "a function": lambda vault: vault.fetch,
    "a function of a secret": lambda vault: vault.fetch_secret,
    "a partial function": lambda vault: functools.partial(Vault.fetch, vault),
}
GIVE_ASYNC: dict[str, Callable[[Vault], Any]] = {
    "an async function": lambda vault: vault.afetch,
    "a partial async function": lambda vault: functools.partial(Vault.afetch, vault),
    "a function of an awaitable": lambda vault: vault.begin,
}


def answer_for(way: str) -> list[Any]:
    return [{"data": []}] if "list" in way else []


def sent_keys(service: MockService) -> list[str]:
    return [r.headers["authorization"].removeprefix("Bearer ") for r in service.requests]


@in_each("way", [*SYNC, *ASYNC])
@in_each("give", GIVE)
def test_a_function_is_called_for_each_request(give: Any, way: str) -> None:
    service, vault = MockService(*answer_for(way)), Vault()
    model = service.model(api_key=give(vault))
    assert vault.keys == []
    for _ in range(3):
        (SYNC | ASYNC)[way](model)

    assert sent_keys(service) == vault.keys
    assert len(vault.keys) == 3


@in_each("way", ASYNC.keys())
@in_each("give", GIVE_ASYNC)
def test_an_async_function_is_awaited_for_each_request(give: Any, way: str) -> None:
    service, vault = MockService(*answer_for(way)), Vault()
    model = service.model(api_key=give(vault))
    ASYNC[way](model)
    ASYNC[way](model)

    assert sent_keys(service) == vault.keys
    assert len(vault.keys) == 2


def test_an_object_with_an_async_call_runs_in_the_loop() -> None:
    service, vault = MockService(), AsyncVault()
    asyncio.run(service.model(api_key=vault).ainvoke("Hi"))

    assert vault.threads == [threading.get_ident()]


@in_each("way", SYNC.keys())
@in_each("give", GIVE_ASYNC)
def test_a_synchronous_call_says_that_it_cannot_await(give: Any, way: str) -> None:
    service = MockService()

    with pytest.raises(BasetenRequestError, match="async function"):
        SYNC[way](service.model(api_key=give(Vault())))
    assert service.requests == []


@in_each("way", [*SYNC, *ASYNC])
@in_each(
    ("found", "words"),
    [(None, "NoneType"), (b"sk-0123456789", "bytes"), ("", "empty"), ("Bearer x", "Bearer")],
)
def test_what_is_no_key_is_refused_and_not_shown(found: Any, words: str, way: str) -> None:
    service = MockService()
    with pytest.raises(BasetenRequestError, match=words) as caught:
        (SYNC | ASYNC)[way](service.model(api_key=lambda: found))

    assert service.requests == []
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    package = [f for f in lines.stack if "/langchain_baseten/" in f.filename]
    assert package
    assert "sk-0123456789" not in str([frame.locals for frame in package])


@in_each("way", [*SYNC, *ASYNC])
def test_what_the_function_raises_is_passed_on(way: str) -> None:
    def fail() -> str:
        raise httpx2.ConnectError("the vault is closed")

    service = MockService()
    with pytest.raises(httpx2.ConnectError, match="vault"):
        (SYNC | ASYNC)[way](service.model(api_key=fail, max_retries=3))
    assert service.requests == []


WRITE: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "dumps": dumps,
    "fields": lambda model: model.model_dump(),
    "json": lambda model: model.model_dump_json(),
    "identity": lambda model: model._identifying_params,
    "pickle": lambda model: pickle.dumps(model).decode("latin-1"),
}


@in_each("write", WRITE)
def test_neither_the_key_nor_the_function_is_shown(write: Any) -> None:
    function = functools.partial(str, "sk-secret-0123456789")
    model = ChatBaseten(model="m", api_key=function)
    if write is WRITE["pickle"]:  # a function's own arguments travel with it
        model = ChatBaseten(model="m", api_key=fetch_key)
    written = str(write(model))

    assert "sk-" not in written
    assert "functools" not in written


def test_a_model_with_a_function_is_dumped_with_a_reference_to_the_environment() -> None:
    for key in (fetch_key, "sk-plain-0123456789"):
        assert dumps(ChatBaseten(model="m", api_key=key)).count('"BASETEN_API_KEY"') == 1


def test_a_function_of_a_module_travels_in_a_pickle_and_in_copies() -> None:
    model = ChatBaseten(model="m", api_key=fetch_key)
    landed = pickle.loads(pickle.dumps(model))  # noqa: S301  our own

    for each in (landed, copy.deepcopy(model), copy.copy(model), model.model_copy(deep=True)):
        assert each.baseten_api_key == model.baseten_api_key == KeyProvider(fetch_key)
    assert hash(model.baseten_api_key) == hash(KeyProvider(fetch_key))
    assert model.baseten_api_key != KeyProvider(Vault().fetch)


def test_a_function_that_cannot_travel_is_named_in_the_error() -> None:
    with pytest.raises(TypeError, match=r"passed as api_key cannot be pickled .*top level"):
        pickle.dumps(ChatBaseten(model="m", api_key=lambda: "sk-0123456789"))


def test_embeddings_take_a_function_as_well() -> None:
    service, vault = MockService(VECTORS), Vault()
    embeddings = BasetenEmbeddings(model_url=URL, api_key=vault.fetch, **service.clients())
    embeddings.embed_query("a")
    asyncio.run(embeddings.aembed_query("a"))

    assert sent_keys(service) == vault.keys
    assert isinstance(embeddings.api_key, KeyProvider)
    assert len(vault.keys) == 2
