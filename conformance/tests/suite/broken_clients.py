"""Factories of clients that each break one thing, now and then: the soak has to notice.

Knows our own client, from which they inherit all that is right.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Never
from urllib.parse import urlsplit

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import SecretStr

from langchain_baseten import BasetenAPIError, BasetenError, ChatBaseten

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_EVERY = 5
_KEPT: list[Any] = []
_HEARD: list[ChatResult] = []
_TURNS: Counter[str] = Counter()


_FIRST = 20
"""Calls that are left alone: the soak warms up with some."""


def _is_due(model: object) -> bool:
    name = type(model).__name__
    _TURNS[name] += 1
    return _TURNS[name] > _FIRST and _TURNS[name] % _EVERY == 0


class Broken(ChatBaseten):
    """Does something wrong at every fifth whole answer, before or after it came."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        if _is_due(self):
            self._spoil()
        return self._alter(super()._generate(*args, **kwargs))

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        if _is_due(self):
            self._spoil()
        return self._alter(await super()._agenerate(*args, **kwargs))

    def _spoil(self) -> None: ...

    def _alter(self, result: ChatResult) -> ChatResult:
        return result


class Mixing(Broken):
    """Gives an answer to the next caller."""

    def _alter(self, result: ChatResult) -> ChatResult:
        _HEARD.append(result)
        return _HEARD[-2] if len(_HEARD) % _EVERY == 0 else result


class Raising(Broken):
    """Raises what no user of this package would catch."""

    def _spoil(self) -> Never:
        raise RuntimeError("dictionary changed size during iteration")


class Cancelling(Broken):
    """Is cancelled, though nobody did; in streams, since `agenerate` takes that for an answer."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        if _is_due(self):
            raise asyncio.CancelledError
        yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        if _is_due(self):
            raise asyncio.CancelledError
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class Failing(Broken):
    """Raises a typed error for nothing."""

    def _spoil(self) -> Never:
        raise BasetenAPIError("I would rather not")


class Telling(Broken):
    """Says the key."""

    def _spoil(self) -> Never:
        key = self.baseten_api_key
        assert isinstance(key, SecretStr)
        raise BasetenAPIError(f"sent with {key.get_secret_value()}")


class Hoarding(Broken):
    """Keeps memory."""

    def _spoil(self) -> None:
        _KEPT.append(b"x" * 20_000_000)


class Spawning(Broken):
    """Leaves threads behind."""

    def _spoil(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class Opening(Broken):
    """Leaves files open."""

    def _spoil(self) -> None:
        _KEPT.append(os.open(os.devnull, os.O_RDONLY))


class Sleeping(Broken):
    """Does not come back."""

    def _spoil(self) -> None:
        time.sleep(3600)


class Inventing(Broken):
    """Answers where the server did not."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except BasetenError:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("Certainly!"))])


class Keeping(Broken):
    """Keeps the connection of a cancelled call."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        place = urlsplit(str(self.baseten_api_base))
        held = socket.create_connection((place.hostname, place.port))
        held.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        try:
            result = await super()._agenerate(*args, **kwargs)
        except asyncio.CancelledError:
            _KEPT.append(held)
            raise
        held.close()
        return result


class Reminding(Broken):
    """Leaves tasks behind."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        _KEPT.append(asyncio.ensure_future(asyncio.sleep(3600)))
        return await super()._agenerate(*args, **kwargs)


class Muttering(Broken):
    """Fails where nobody listens."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        return await super()._agenerate(*args, **kwargs)


class Baking(Broken):
    """Sends cookies."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, default_headers={"Cookie": "who=me"})
