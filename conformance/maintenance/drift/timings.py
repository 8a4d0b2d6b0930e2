"""What the arrival times of a live stream show, which no recording can. Pure."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from conformance.maintenance.drift.shapes import Change, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["judge_timing"]

_SMALL = 0.1
"""A part of the whole time; what is shorter is nothing beside the wait."""
_STEADY = 0.01
"""Seconds between two chunks that no buffer leaves: it hands them over as fast as it can."""
_FEW = 3


def judge_timing(lane: str, arrivals: Sequence[tuple[float, bool]]) -> Change:
    """Return what the arrival times show about token-level streaming.

    Only chunks with text count: a role at once and a late end prove nothing. A buffer shows by a
    wait beside which the time that its text takes is nothing.

    Args:
        lane: Where it streamed.
        arrivals: For each chunk of one long answer: seconds since the request, and whether it
            carries text or reasoning.
    """
    where = f"token-level streaming ({lane})"
    times = [at for at, text in arrivals if text]
    if not times:
        what = f"no text came in {len(arrivals)} chunks" if arrivals else "no chunk came"
        return Change(Severity.WARNING, where, what)
    noun = "chunk" if len(times) == 1 else "chunks"
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
