"""When the events of a live stream arrive, which no recording can show.

Knows httpx2's byte streams and a clock; the judgement on the times is pure. Must not know claims.
"""

from __future__ import annotations

import re
import time
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2

from conformance.maintenance.drift.shapes import Change, Severity
from conformance.verdicts.costs import read_payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Arrival", "Stopwatch", "judge_timing"]

_SMALL = 0.1
"""A part of the whole time; what is shorter is nothing beside the wait."""
_STEADY = 0.01
"""Seconds between two events that no buffer leaves: it hands them over as fast as it can."""
_FEW = 3
_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_TEXT = ("content", "reasoning", "reasoning_content")


class Arrival(NamedTuple):
    """One event that is complete.

    Attributes:
        at: Seconds since the request.
        text: Whether it carries text or reasoning.
    """

    at: float
    text: bool


class Stopwatch(httpx2.HTTPTransport):
    """A transport that notes when each event of an answer is complete.

    It reads to the end before anybody else does: a slow reader would look like a slow server.

    Args:
        clock: Seconds; default the monotonic clock.
        settings: Those of `httpx2.HTTPTransport`.

    Attributes:
        arrivals: The events of the last answer.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, **settings: Any) -> None:
        super().__init__(**settings)
        self.arrivals: list[Arrival] = []
        self._clock = clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; see `httpx2.BaseTransport`."""
        self.arrivals = []
        # What is compressed comes when the compressor likes, and is not seen here as it is.
        request.headers["accept-encoding"] = "identity"
        began, events, rest, chunks = self._clock(), [], b"", []
        response = super().handle_request(request)
        stream = response.stream
        assert isinstance(stream, httpx2.SyncByteStream)
        try:
            for chunk in stream:
                at = self._clock() - began
                chunks.append(chunk)
                *whole, rest = _BLANK.split(rest + chunk)
                events += [Arrival(at, _carries_text(each)) for each in whole]
        finally:
            stream.close()
        self.arrivals = events
        response.stream = httpx2.ByteStream(b"".join(chunks))
        return response


def _carries_text(event: bytes) -> bool:
    payloads = read_payloads(event.decode("utf-8", "replace"))
    try:
        deltas = [choice["delta"] for payload in payloads for choice in payload["choices"]]
        return any(delta.get(name) for delta in deltas for name in _TEXT)
    except (LookupError, TypeError, AttributeError):
        return False


def judge_timing(lane: str, arrivals: Sequence[tuple[float, bool]]) -> Change:
    """Return what the arrival times show about token-level streaming.

    Only events with text count: a role at once, pings and a late `[DONE]` prove nothing. A buffer
    gives itself away by a wait beside which the time that its text takes is nothing.

    Args:
        lane: Where it streamed.
        arrivals: For each event of one long answer: seconds since the request, and whether it
            carries text.
    """
    where = f"token-level streaming ({lane})"
    times = [at for at, text in arrivals if text]
    if not times:
        what = f"no text came in {len(arrivals)} events" if arrivals else "no event came"
        return Change(Severity.WARNING, where, what)
    noun = "event" if len(times) == 1 else "events"
    seen = f"{len(times)} {noun} with text, the first after {times[0]:.3f} s"
    bursts = _find_bursts(times)
    gaps = [after - before for before, after in pairwise(times)]
    busy = sum(burst[-1] - burst[0] for burst in bursts)
    buffered = busy <= _SMALL * times[-1] and (len(times) < _FEW or median(gaps) < _STEADY)
    if buffered and len(bursts) < _FEW:
        return Change(Severity.WARNING, where, f"{seen}: {_name_bursts(bursts)}")
    tempo = f", the median gap {median(gaps) * 1000:.1f} ms, the last after {times[-1]:.3f} s"
    also = f", {_name_bursts(bursts)}" if buffered else ""
    return Change(Severity.INFORMATION, where, seen + tempo + also)


def _find_bursts(times: Sequence[float]) -> list[list[float]]:
    """Return the times in groups that long gaps divide."""
    bursts = [[times[0]]]
    for before, at in pairwise(times):
        if at - before > _SMALL * times[-1]:
            bursts.append([])
        bursts[-1].append(at)
    return bursts


def _name_bursts(bursts: Sequence[Sequence[float]]) -> str:
    if len(bursts) == 1:
        return "all at once, so nothing streams"
    each = ", ".join(f"{len(burst)} at {burst[0]:.3f} s" for burst in bursts)
    return f"in {len(bursts)} bursts: {each}"
