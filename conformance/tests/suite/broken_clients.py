"""Clients that break what the soak checks, now and then: it has to notice each defect.

Knows our own client, from which they inherit all that is right.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any, ClassVar, Never
from urllib.parse import urlsplit

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import SecretStr

from conformance.maintenance.soak.behaviours import write_prompt
from langchain_baseten import BasetenAPIError, BasetenError, ChatBaseten

_FIRST = 20
"""Calls that are left alone: the soak warms up with some."""
_EVERY = 3
_KEPT: list[Any] = []
_RESULTS: list[ChatResult] = []


class Broken(ChatBaseten):
    """Before every third whole response one of its defects shows, each in turn."""

    defects: ClassVar[tuple[Callable[[Broken], None], ...]] = ()
    turns: ClassVar[Iterator[int]] = count()

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self._break()
        return super()._generate(*args, **kwargs)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self._break()
        return await super()._agenerate(*args, **kwargs)

    def _break(self) -> None:
        number, rest = divmod(next(self.turns), _EVERY)
        if self.defects and not rest and number * _EVERY > _FIRST:
            self.defects[number % len(self.defects)](self)


def _raise_untyped(_: Broken) -> Never:
    raise RuntimeError("dictionary changed size during iteration")


def _raise_typed(_: Broken) -> Never:
    raise BasetenAPIError("I would rather not")


def _reveal_the_key(model: Broken) -> Never:
    assert isinstance(model.baseten_api_key, SecretStr)
    raise BasetenAPIError(f"sent with {model.baseten_api_key.get_secret_value()}")


class FailingCalls(Broken):
    """Fails as no caller expects it; mixes up responses, sends cookies, cancels its own streams."""

    defects = (_raise_untyped, _raise_typed, _reveal_the_key)
    turns = count()
    streams: ClassVar[Iterator[int]] = count()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, default_headers={"Cookie": "who=me"})

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._generate(*args, **kwargs)
        _RESULTS.append(result)
        return _RESULTS[-2] if len(_RESULTS) > _FIRST // 4 and len(_RESULTS) % 2 else result

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        return await super()._agenerate(*args, **kwargs)

    # In streams: `agenerate` of langchain-core takes a cancellation for a result.
    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._cancel()
        yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        self._cancel()
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk

    def _cancel(self) -> None:
        number = next(self.streams)
        if number > _FIRST and number % _EVERY == 0:
            raise asyncio.CancelledError


def _keep_memory(_: Broken) -> None:
    _KEPT.append(b"x" * 20_000_000)


def _leave_a_thread(_: Broken) -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def _leave_a_file_open(_: Broken) -> None:
    _KEPT.append(os.open(os.devnull, os.O_RDONLY))


class Leaking(Broken):
    """Keeps memory, threads, files, tasks, and the connections of cancelled calls."""

    defects = (_keep_memory, _leave_a_thread, _leave_a_file_open)
    turns = count()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        _KEPT.append(asyncio.ensure_future(asyncio.sleep(3600)))
        try:
            return await super()._agenerate(*args, **kwargs)
        except asyncio.CancelledError:
            place, body = urlsplit(str(self.baseten_api_base)), write_prompt("silent", "0" * 16)
            _KEPT.append(held := socket.create_connection((place.hostname, place.port)))
            held.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body))
            held.sendall(body.encode())
            raise


class Inventing(ChatBaseten):
    """Responds where the server did not."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except BasetenError:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("Certainly!"))])


class Hanging(Broken):
    """Does not return."""

    defects = (lambda _: time.sleep(3600),)
    turns = count()
