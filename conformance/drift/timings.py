"""When the pieces of a live stream arrive, which no recording can tell.

Knows httpx's byte streams and a clock; the judgement on the times is pure. Must not know claims.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from conformance.drift.shapes import Change, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Stopwatch", "Timing", "judge_timing"]

_INSTANT = 0.001


@dataclass(slots=True)
class Timing:
    """When a stream's reads came.

    Attributes:
        reads: Seconds from the request to each read that brought something.
        events: How many events the body had.
    """

    reads: list[float] = field(default_factory=list)
    events: int = 0


class Stopwatch(httpx.HTTPTransport):
    """A transport that notes when each piece of a body arrives.

    Args:
        clock: Seconds; default the monotonic clock.
        settings: Those of `httpx.HTTPTransport`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, **settings: Any) -> None:
        super().__init__(**settings)
        self.timing = Timing()
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; see `httpx.BaseTransport`."""
        self.timing = Timing()
        began = self._clock()
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Watched(response.stream, self.timing, lambda: self._clock() - began)
        return response


class _Watched(httpx.SyncByteStream):
    def __init__(
        self, stream: httpx.SyncByteStream, timing: Timing, elapsed: Callable[[], float]
    ) -> None:
        self._stream, self._timing, self._elapsed = stream, timing, elapsed

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            if piece:
                self._timing.reads.append(self._elapsed())
                self._timing.events += piece.count(b"data:")
            yield piece

    def close(self) -> None:
        self._stream.close()


def judge_timing(lane: str, timing: Timing) -> Change:
    """Return what the arrival times say about token-level streaming.

    Args:
        lane: Where it streamed.
        timing: The times of one long answer.
    """
    where = f"token-level streaming ({lane})"
    reads, events = timing.reads, timing.events
    if not reads or not events:
        return Change(Severity.WARNING, where, "no event came")
    spread = reads[-1] - reads[0]
    told = f"{events} events in {len(reads)} reads, the first after {reads[0]:.3f} s"
    if len(reads) == 1 or spread < _INSTANT:
        return Change(Severity.WARNING, where, f"{told}: all at once, so nothing streams")
    return Change(Severity.INFORMATION, where, f"{told}, the last {spread:.3f} s later")
