"""The body of a response that passes its chunks on as they come, and reports once what they were.

Knows how sync and async clients read and close a body; must not know what is counted.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance.libraries import AsyncBody, Body, errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conformance.services.budget import Meter

__all__ = ["CountedBody"]

_LOST = errors("TransportError")
_DONE = re.compile(rb"(?m)^data: ?\[DONE\]")


class CountedBody(Body, AsyncBody):
    """A body whose reads a meter counts.

    Args:
        stream: The body as it comes.
        note: Takes what came of it, and whether the connection was lost.
        meter: Is asked what to make of an end that is none.
    """

    def __init__(
        self,
        stream: Any,
        note: Callable[..., None],
        meter: Meter,
    ) -> None:
        self._stream = stream
        self._note = note
        self._meter = meter
        self._body = bytearray()
        self._last = time.monotonic()
        self._ended = self._lost = self._noted = False

    def __iter__(self) -> Iterator[bytes]:
        with self._noting_its_end():
            for chunk in self._stream:
                yield self._take(chunk)
                if self._meter.stays_open and self._complete:
                    break

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._noting_its_end():
            async for chunk in self._stream:
                yield self._take(chunk)
                if self._meter.stays_open and self._complete:
                    break

    @contextmanager
    def _noting_its_end(self) -> Iterator[None]:
        try:
            yield
        except _LOST as error:
            self._lost = self._meter.loses(error, complete=self._complete)
            if self._lost:
                raise
        self._ended = True

    @property
    def _complete(self) -> bool:
        return _DONE.search(self._body) is not None

    def _take(self, chunk: bytes) -> bytes:
        self._body += chunk
        if b"data:" in chunk:
            self._last = time.monotonic()
        return chunk

    def tell(self) -> None:
        """Report the body as far as it came, once: some clients close after the check alone."""
        if not self._noted:
            self._noted = True
            left = not (self._ended or self._lost)
            self._note(bytes(self._body), lost=self._lost, left=left)

    # Clients close once, however the body ended.
    def _end(self) -> None:
        if not self._ended and not self._lost:
            self._meter.leave(time.monotonic() - self._last)
        self.tell()

    def close(self) -> None:
        self._end()
        self._stream.close()

    async def aclose(self) -> None:
        self._end()
        await self._stream.aclose()
