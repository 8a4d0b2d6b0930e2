"""Which models share connections, and when those are closed."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import os
import pickle
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from langchain_baseten._http import clients, connections
from langchain_baseten._http.connections import Connections
from langchain_baseten._http.request import AsyncClient

NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
SERVER = "https://server.test"
PATIENCE = 5.0


@pytest.fixture(autouse=True)
def _nothing_is_left(own_connections: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(connections, "_LINGER", 0.1)
    yield
    wait_until(lambda: not connections._process.clients)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert condition()


def socket_options(client: Any) -> Any:
    return client._transport._pool._socket_options


def test_a_client_is_created_once_and_again_after_close() -> None:
    model = Connections()
    first = model.sync_client(SERVER)
    assert model.sync_client(SERVER) is first
    model.close()
    assert first.is_closed
    second = model.sync_client(SERVER)
    assert second is not first
    model.close()
    model.close()


def test_a_client_that_was_closed_is_not_kept() -> None:
    model = Connections()
    client = weakref.ref(model.sync_client(SERVER))
    model.close()
    gc.collect()
    assert client() is None


def test_models_of_one_server_and_the_same_settings_share_their_clients() -> None:
    first, second = Connections(), Connections()

    async def work() -> None:
        one = await first.async_client(SERVER)
        assert await second.async_client(SERVER) is one
        await first.aclose()
        assert not one.is_closed
        await second.aclose()
        assert one.is_closed

    client = first.sync_client(SERVER)
    assert second.sync_client(SERVER) is client
    first.close()
    assert not client.is_closed
    second.close()
    assert client.is_closed
    asyncio.run(work())


def test_another_server_other_options_or_another_proxy_take_another_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = [Connections() for _ in range(4)] + [Connections([NO_DELAY])]
    found = {id(models[0].sync_client(SERVER)), id(models[1].sync_client("https://other.test"))}
    found.add(id(models[4].sync_client(SERVER)))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    found.add(id(models[2].sync_client(SERVER)))
    monkeypatch.setenv("NO_PROXY", "server.test")
    found.add(id(models[3].sync_client(SERVER)))
    assert len(found) == len(models)
    for model in models:
        model.close()


def test_a_model_that_asks_for_another_server_gets_its_client() -> None:
    model = Connections()
    first = model.sync_client(SERVER)
    assert model.sync_client("https://other.test") is not first
    model.close()
    del model
    wait_until(lambda: first.is_closed)


def test_a_closed_model_that_shared_nothing_closes_nothing_of_others() -> None:
    idle, user = Connections(), Connections()
    client = user.sync_client(SERVER)
    idle._key = user._key
    idle.close()
    assert not client.is_closed
    user.close()


def test_the_clients_of_a_forgotten_model_are_closed_a_moment_later() -> None:
    model = Connections()
    client = model.sync_client(SERVER)
    began = time.monotonic()
    del model
    wait_until(lambda: client.is_closed)
    assert time.monotonic() - began >= connections._LINGER


def test_the_next_model_takes_over_the_client_of_a_forgotten_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_LINGER", 1.0)  # longer than a busy machine takes for five
    found = []
    for _ in range(5):
        model = Connections()
        gone = weakref.ref(model)
        found.append(model.sync_client(SERVER))
        del model
        assert gone() is None
    assert all(client is found[0] for client in found)


def test_a_model_that_is_forgotten_while_the_reaper_ends_is_reaped_too() -> None:
    class Late(connections._Process):
        """Notes one more model in the moment in which the thread is about to end."""

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "reaping" and not value and (late := self.__dict__.pop("late", None)):
                self.forgotten.append(late)

    process, later = Late(), Connections()
    shared = process.add(later._find_key(SERVER), connections._Shared(later.sync_client(SERVER)))
    shared.users.add(later._token)
    process.__dict__["late"] = (0.0, later._token, weakref.WeakSet([shared]))
    process.reaping = True
    process.reap()
    assert shared.client.is_closed
    assert not process.clients
    later.close()


def test_each_event_loop_has_its_own_client_which_is_closed_with_it() -> None:
    model = Connections()

    async def work() -> AsyncClient:
        first, second = await asyncio.gather(model.async_client(SERVER), model.async_client(SERVER))
        assert first is second
        assert await model.async_client(SERVER) is first
        assert not first.is_closed
        return first

    one, two = asyncio.run(work()), asyncio.run(work())
    assert one is not two
    assert one.is_closed
    assert two.is_closed
    assert not connections._process.clients


def test_a_loop_that_was_closed_plainly_is_forgotten_by_a_model_that_lives_on() -> None:
    model = Connections()
    for _ in range(5):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(model.async_client(SERVER))
        loop.close()
    assert len(connections._process.clients) == 1
    model.sync_client(SERVER)
    assert list(connections._process.clients) == [None]
    model.close()


def test_aclose_closes_both_clients_and_the_next_request_creates_others() -> None:
    model = Connections()

    async def work() -> None:
        await model.aclose()
        client, threads = await model.async_client(SERVER), model.sync_client(SERVER)
        await model.aclose()
        assert client.is_closed
        assert threads.is_closed
        assert await model.async_client(SERVER) is not client

    asyncio.run(work())


def test_the_client_of_a_forgotten_model_is_closed_in_its_running_loop() -> None:
    async def work() -> None:
        model = Connections()
        client = await model.async_client(SERVER)
        del model
        gc.collect()
        until = time.monotonic() + PATIENCE
        while not client.is_closed and time.monotonic() < until:  # noqa: ASYNC110  nothing signals it
            await asyncio.sleep(0.01)
        assert client.is_closed

    asyncio.run(work())


def test_a_client_is_closed_from_another_thread_in_its_running_loop() -> None:
    async def work() -> None:
        model = Connections()
        client = await model.async_client(SERVER)
        (shared,) = list(model._joined or ())
        connections._close_from_outside(shared)
        for _ in range(3):
            await asyncio.sleep(0)
        assert client.is_closed

    asyncio.run(work())


def test_a_client_that_two_close_at_once_is_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        model = Connections()
        client: Any = await model.async_client(SERVER)
        (shared,) = list(model._joined or ())
        close = client.aclose

        async def close_slowly() -> None:
            await asyncio.sleep(0)
            await close()

        monkeypatch.setattr(client, "aclose", close_slowly)
        await asyncio.gather(connections._end(shared), connections._end(shared))
        assert client.is_closed

    asyncio.run(work())


@pytest.mark.parametrize("turns", range(12))
def test_a_loop_that_ends_while_a_client_is_closed_waits_for_it(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgotten model's client is closed so many turns after the loop cancelled its tasks."""
    model, steps, complaints = Connections(), list[str](), list[dict[str, Any]]()

    async def close_late(shared: connections._Shared) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            close: Callable[[], Any] = functools.partial(connections._close_inside, shared)
            for _ in range(turns):
                close = functools.partial(asyncio.get_running_loop().call_soon, close)
            close()

    async def work() -> asyncio.Task[None]:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        client: Any = await model.async_client(SERVER)
        close = client.aclose

        async def close_slowly() -> None:
            steps.append("begun")
            await close()
            for _ in range(3):
                await asyncio.sleep(0)
            steps.append("ended")

        monkeypatch.setattr(client, "aclose", close_slowly)
        (shared,) = list(model._joined or ())
        task = asyncio.create_task(close_late(shared))
        await asyncio.sleep(0)
        return task

    asyncio.run(work())
    gc.collect()
    assert complaints == []
    assert steps.count("begun") == steps.count("ended") > 0


@pytest.mark.parametrize("is_run", [True, False], ids=["asyncio.run", "closed plainly"])
def test_a_loop_that_ends_before_its_task_has_begun_to_close_a_client_says_nothing(
    caplog: pytest.LogCaptureFixture, *, is_run: bool
) -> None:
    """`asyncio.run` cancels the task and the client is closed; nobody can in a closed loop."""

    async def work() -> Any:
        model = Connections()
        client = await model.async_client(SERVER)
        (shared,) = list(model._joined or ())
        # In the last turn of the loop.
        asyncio.get_running_loop().call_soon(connections._close_inside, shared)
        return client

    if is_run:
        assert asyncio.run(work()).is_closed
    else:
        with closing(asyncio.new_event_loop()) as loop:
            loop.run_until_complete(work())
        wait_until(lambda: not connections._process.clients)
    gc.collect()
    assert not caplog.records


def test_a_loop_that_is_closed_plainly_leaves_no_client_half_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []

    async def work() -> None:
        model = Connections()
        client: Any = await model.async_client(SERVER)
        close = client.aclose

        async def close_slowly() -> None:
            steps.append("begun")
            await asyncio.sleep(0)
            await close()
            steps.append("ended")

        monkeypatch.setattr(client, "aclose", close_slowly)
        (shared,) = list(model._joined or ())
        # Begins in the last turn of the loop.
        connections._close_inside(shared)

    with closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(work())
    assert steps == ["begun", "ended"]


async def test_what_a_client_waits_for_as_it_is_closed_is_waited_for() -> None:
    due, steps = asyncio.Event(), list[str]()

    async def close() -> None:
        await asyncio.sleep(0)
        steps.append("begun")
        await due.wait()
        steps.append("ended")

    async def set_due() -> None:
        steps.append("due")
        due.set()

    setting = asyncio.create_task(set_due())
    await connections._skip_turns(close())
    await setting
    assert steps == ["begun", "due", "ended"]


def test_a_client_whose_loop_has_not_seen_it_yet_is_left_to_who_makes_it() -> None:
    client = clients.make_async_client(())
    asyncio.run(connections._end(connections._Shared(client, None)))
    assert not client.is_closed
    asyncio.run(client.aclose())


def test_tasks_that_wait_for_the_certificates_at_once_get_one_client() -> None:
    model = Connections()

    async def work() -> None:
        clients.tls_context.cache_clear()
        first, second = await asyncio.gather(model.async_client(SERVER), model.async_client(SERVER))
        assert first is second

    asyncio.run(work())


def test_a_model_that_is_forgotten_after_its_loop_was_closed_plainly_is_no_failure() -> None:
    model = Connections()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(model.async_client(SERVER))
    loop.close()
    del model
    wait_until(lambda: not connections._process.clients)


def test_a_copy_and_a_pickle_have_no_share_but_keep_the_socket_options() -> None:
    model = Connections([NO_DELAY])
    client = model.sync_client(SERVER)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301  our own pickle
        assert other._key is None
        assert socket_options(other.sync_client(SERVER)) == [NO_DELAY]
        other.close()
        assert not client.is_closed
    model.close()


def test_connections_are_equal_if_their_socket_options_are() -> None:
    opened, unopened = Connections([NO_DELAY]), Connections([NO_DELAY])
    opened.sync_client(SERVER)
    assert opened == unopened
    assert opened != Connections()
    assert opened != "connections"
    opened.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_use_or_close_its_parents_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_parents", [])
    model = Connections([NO_DELAY])
    parents: Any = model.sync_client(SERVER)
    process = connections._process
    with process.lock:  # as a thread may hold it when another one forks
        connections._begin_child()
        own = model.sync_client(SERVER)
    assert own is not parents
    assert socket_options(own) == [NO_DELAY]
    model.close()
    assert own.is_closed
    assert not parents.is_closed
    assert connections._parents == [process]
    parents.close()


def test_what_threads_still_share_is_closed_at_exit() -> None:
    model = Connections()
    client = model.sync_client(SERVER)
    connections._close_all()
    assert client.is_closed
    model.close()


def test_threads_that_come_at_once_get_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Connections()
    barrier = threading.Barrier(8)
    make = clients.make_client

    def make_together(options: Any) -> Any:
        barrier.wait(PATIENCE)
        return make(options)

    monkeypatch.setattr(connections, "make_client", make_together)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(model.sync_client(SERVER))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1
    model.close()
