"""What is a fault: every judgement of the soak, and nothing else.

Pure: what was seen goes in, faults come out. Must not know any clock or socket.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.maintenance.soak.behaviours import BEHAVIOURS, Outcome
from conformance.maintenance.soak.calls import MODES
from langchain_baseten import BasetenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.maintenance.soak.calls import Call
    from conformance.maintenance.soak.resources import Resources

__all__ = [
    "AT_END",
    "Fault",
    "check_background",
    "check_call",
    "check_durations",
    "check_growth",
    "check_server",
]

AT_END = {
    "sockets": 0,
    "files": 0,
    "tasks": 0,
    "threads": 0,
    # What allocators keep, and no more.
    "memory": 32_000_000,
    # At any moment, with one attack on memory at a time.
    "peak": 768_000_000,
}
"""How much more than at the start may be held when every model was closed and forgotten."""
_CANCELLED = (asyncio.CancelledError, TimeoutError)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        rule: Which rule is broken.
        what: What was seen, without anything that differs between two of its kind.
        detail: What else helps to find it.
    """

    rule: str
    what: str
    detail: str = ""


def check_call(call: Call, *, disturbed: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with a call that has ended.

    Args:
        call: The call.
        disturbed: Whether the server restarted meanwhile, or its model was closed.
    """
    outcome, error = BEHAVIOURS[call.behaviour].outcome, call.error
    yield from _check_result(call)
    if error is None:
        if call.result and outcome is not Outcome.SUCCEEDS and MODES[call.mode].complete:
            yield Fault("invented response", str(call), repr(call.result)[:300])
        return
    typed, name, detail = isinstance(error, BasetenError), _name(error), _describe(call, error)
    if isinstance(error, _CANCELLED) and not typed:
        if not call.cancellation:
            yield Fault("unexpected cancellation", name, detail)
        return
    if not typed:
        yield Fault("untyped error", name, detail)
    elif outcome is Outcome.SUCCEEDS and not disturbed:
        yield Fault("unexpected error", f"{name}: {error}"[:120], detail)
    elif "Timeout" in name and outcome is not Outcome.STALLS:
        # A connection that breaks, or is closed, is noticed at once.
        yield Fault("unexpected timeout", name, detail)
    yield from _check_key(call, error)


def _check_result(call: Call) -> Iterator[Fault]:
    if call.result is None:
        partial = getattr(getattr(call.error, "partial", None), "content", "")
        if partial and not call.expected[0].startswith(partial):
            yield Fault("wrong response", "partial", f"{call}: {partial!r:.200}")
        return
    expected = call.expected
    if not MODES[call.mode].complete:
        pairs = zip(expected, call.result, strict=False)
        expected = tuple(right[: len(begun)] for right, begun in pairs)
    if call.result != expected:
        detail = f"{call}: {call.result!r:.300} is not {call.expected!r:.300}"
        yield Fault("wrong response", call.mode, detail)


def _check_key(call: Call, error: BaseException) -> Iterator[Fault]:
    texts = {
        "text": f"{error} {error!r}",
        "attributes": repr(vars(error)),
        "traceback": "".join(traceback.format_exception(error)),
    }
    for where, text in texts.items():
        if call.key in text:
            yield Fault("leaked key", f"{where} of {_name(error)}", str(call))


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _describe(call: Call, error: BaseException) -> str:
    frames = traceback.format_exception(error, limit=-4)
    return f"{call}: {error!r:.200}\n{''.join(frames)[-1500:]}"


def check_growth(
    start: Resources, now: Resources, allowed: Mapping[str, int], when: str
) -> Iterator[Fault]:
    """Yield what is held beyond the start.

    Args:
        start: What was held then.
        now: What is held now.
        allowed: The names of what is compared, and how much more may be held.
        when: In words.
    """
    for name, more in allowed.items():
        before, after = getattr(start, name), getattr(now, name)
        if after > before + more:
            pending = now.pending if name == "tasks" else ()
            detail = "\n".join((f"{before:,} became {after:,}, {more:,} more allowed", *pending))
            yield Fault("leak", f"{name} {when}", detail)


def check_server(counts: Mapping[str, int]) -> Iterator[Fault]:
    """Yield what the server sees and may not see while no call is under way."""
    if counts["unfinished"]:
        yield Fault("leak", "responses of calls that have ended", str(counts["unfinished"]))
    if counts["cookies"]:
        yield Fault("sent cookie", "a request had a cookie", f"{counts['cookies']} requests")


def check_durations(durations: Iterable[tuple[Call, float]], limit: float) -> Iterator[Fault]:
    """Yield the calls under way that take more seconds than any may."""
    for call, seconds in durations:
        if seconds > limit:
            yield Fault("hang", str(call), f"for {seconds:.0f} seconds, {limit:.0f} allowed")


def check_background(errors: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """Yield the errors that reached no caller, given as pairs of source and text."""
    for source, text in errors:
        first = (text.strip().splitlines() or [""])[0]
        yield Fault("background error", f"{source}: {first:.100}", text[-1500:])
