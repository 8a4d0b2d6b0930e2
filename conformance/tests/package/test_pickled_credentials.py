"""Pickles hold references to credentials, and a model that misses one says so."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumpd
from pydantic import SecretStr

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, MockService
from langchain_baseten import BasetenEmbeddings, BasetenRequestError, ChatBaseten
from langchain_baseten._config import references
from langchain_baseten._config.references import MOST_SECRETS, SecretTable, reference_for
from langchain_baseten._http.credentials import reveal

SECRET = "s3cr3t-Value-0987654321xyz"
URL = "https://model-abcd1234.api.baseten.co"


def _in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", SecretTable())
    monkeypatch.setenv("BASETEN_API_KEY", KEY)


SETTINGS: dict[str, Any] = {
    "default_headers": {"X-Functions-Key": SECRET, "x-team": "a"},
    "default_query": {"code": SECRET, "sig": [SECRET, SECRET], "v": "1"},
}


def test_a_pickle_finds_its_credentials_in_the_same_process() -> None:
    for model in (
        ChatBaseten(model="m", api_key=KEY, **SETTINGS),
        BasetenEmbeddings(model_url=URL, api_key=KEY, **SETTINGS),
    ):
        pickled = pickle.dumps(model)
        found = pickle.loads(pickled)  # noqa: S301  our own bytes

        assert SECRET.encode() not in pickled
        assert (found.default_headers, found.default_query) == tuple(SETTINGS.values())
        assert found == model


@pytest.mark.parametrize("field", SETTINGS)
def test_a_model_without_its_credentials_sends_nothing(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(ChatBaseten(model="m", api_key=KEY, **{field: SETTINGS[field]}))
    _in_another_process(monkeypatch)
    twice = pickle.loads(pickle.dumps(pickle.loads(pickled)))  # noqa: S301  our own bytes
    service = MockService()
    model = twice.model_copy(update=service.clients())

    with pytest.raises(BasetenRequestError, match=r"unpickled without default_\w+\['"):
        model.invoke("Hi")
    assert not service.requests

    of_call = {name.lower(): "x" for name in SETTINGS[field]}
    model.invoke("Hi", **{field.replace("default", "extra"): of_call})
    setattr(model, field, SETTINGS[field])
    model.invoke("Hi")
    assert len(service.requests) == 2


def test_a_bound_credential_travels_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    bound = model.bind(extra_headers={"x-api-key": SECRET}, extra_query={"code": SECRET})
    pickled = pickle.dumps(bound)
    found = pickle.loads(pickled)  # noqa: S301  our own bytes

    assert SECRET.encode() not in pickled
    assert reveal(found.kwargs["extra_headers"]) == {"x-api-key": SECRET}

    _in_another_process(monkeypatch)
    found = pickle.loads(pickled)  # noqa: S301  our own bytes
    with pytest.raises(BasetenRequestError, match="never travels in a pickle"):
        found.invoke("Hi")


# --- the table of secrets ------------------------------------------------------------------------


def test_the_least_recently_used_secret_is_forgotten() -> None:
    table = SecretTable(limit=2)
    first, second = (table.add(SecretStr(text)) for text in ("a", "b"))
    assert table.find(first) == SecretStr("a")
    third = table.add(SecretStr("c"))

    assert len(table) == 2
    assert table.find(second) is None
    assert (table.find(first), table.find(third)) == (SecretStr("a"), SecretStr("c"))
    assert table.add(SecretStr("b")) != second
    assert "'b'" not in repr(vars(table))


def test_thousands_of_secrets_cost_no_more_than_a_few() -> None:
    table = SecretTable()
    compared = 0

    class Counted(SecretStr):
        def get_secret_value(self) -> str:
            nonlocal compared
            compared += 1
            return super().get_secret_value()

    names = [table.add(Counted(f"key-{number}")) for number in range(MOST_SECRETS + 5)]

    assert compared == MOST_SECRETS + 5
    assert len(set(names)) == MOST_SECRETS + 5
    assert len(table) == MOST_SECRETS


def test_a_forgotten_key_is_not_replaced_by_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = SecretTable(limit=1)
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", table)
    pickled = pickle.dumps(ChatBaseten(model="m", api_key=KEY))
    reference_for(SecretStr("another"))
    monkeypatch.setenv("BASETEN_API_KEY", "sk-of-somebody-else")
    model = pickle.loads(pickled)  # noqa: S301  our own bytes

    assert model.baseten_api_key is None
    with pytest.raises(BasetenRequestError, match="is not remembered here"):
        model.invoke("Hi")

    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    assert pickle.loads(pickled).baseten_api_key == SecretStr(KEY)  # noqa: S301  same


def _pickle(model: ChatBaseten) -> None:
    found = pickle.loads(pickle.dumps(model))  # noqa: S301  our own bytes
    assert found.default_headers == SETTINGS["default_headers"]


def _copy(model: ChatBaseten) -> None:
    for deep in (True, False):
        assert model.model_copy(deep=deep).default_query == SETTINGS["default_query"]


def _assign(model: ChatBaseten) -> None:
    for name in ("temperature", "top_p", "min_p"):
        setattr(model, name, 0.5)
    model.default_headers = dict(SETTINGS["default_headers"])
    model.baseten_api_key = SecretStr(KEY)


def _read(model: ChatBaseten) -> None:
    for read in (repr, dict, dumpd, type(model).model_dump):
        assert read(model)


USES: dict[str, Callable[[ChatBaseten], None]] = {
    "pickled": _pickle,
    "copied": _copy,
    "read": _read,
}


@in_each("use", USES)
def test_a_model_is_pickled_copied_and_read_while_others_assign_and_call(
    use: Callable[[ChatBaseten], None],
) -> None:
    failures: list[BaseException] = []
    models = [ChatBaseten(model="m", api_key=KEY, **SETTINGS) for _ in range(60)]

    def work(task: Callable[[ChatBaseten], object]) -> None:
        try:
            for model in models:
                task(model)
        except BaseException as failure:  # noqa: BLE001  a thread's failure is the test's
            failures.append(failure)

    # langchain-core would keep what traces show among the attributes, from the first call on.
    tasks: list[Callable[[ChatBaseten], object]] = [use, use, _assign, lambda m: m._serialized]
    threads = [threading.Thread(target=work, args=(task,)) for task in tasks]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_waits_for_a_thread_that_holds_the_table() -> None:
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with references._LOCK:
            held.set()
            forked.wait(0.1)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if references._LOCK.acquire(timeout=5) else 1)
    forked.set()
    thread.join()

    assert os.waitpid(child, 0)[1] == 0
