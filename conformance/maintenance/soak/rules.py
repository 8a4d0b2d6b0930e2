"""What is a fault: every judgement of the soak, and nothing else.

Pure: what was seen goes in, faults come out. Must not know who saw it, nor any clock or socket.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.maintenance.soak.conducts import Due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conformance.maintenance.soak.census import Census

__all__ = [
    "GROWTH",
    "PEAK",
    "Call",
    "Fault",
    "Rest",
    "judge_call",
    "judge_end",
    "judge_overheard",
    "judge_rest",
    "judge_waits",
]

GROWTH = 32_000_000
"""Bytes that may be resident at the end beyond the start: what allocators keep, and no more."""
PEAK = 768_000_000
"""Bytes by which memory may have risen at any moment, with one attack on memory at a time."""
_CAUSED = (asyncio.CancelledError, TimeoutError)


@dataclass(frozen=True)
class Fault:
    """One thing that may not be.

    Attributes:
        rule: Which rule it breaks.
        what: What was seen, without anything that differs between two of its kind.
        detail: What else helps to find it.
    """

    rule: str
    what: str
    detail: str = ""


@dataclass(frozen=True)
class Call:
    """One call that has ended, and what its caller knows.

    Attributes:
        deed: How it was made, in words.
        due: What the server owed it.
        right: The right answers, one for each prompt.
        key: The API key that it was made with.
        heard: What came back, one for each prompt; None if nothing did.
        whole: Whether the caller read all that came.
        error: What was raised.
        caused: Whether the caller cancelled it, or set a time limit of its own.
        disturbed: Whether meanwhile the server restarted or its model was closed.
        brisk: Whether it was made not to wait long, since the server does not answer in time.
    """

    deed: str
    due: Due = Due.ANSWER
    right: tuple[Any, ...] = ()
    key: str = ""
    heard: tuple[Any, ...] | None = None
    whole: bool = True
    error: BaseException | None = None
    caused: bool = False
    disturbed: bool = False
    brisk: bool = False


@dataclass(frozen=True)
class Rest:
    """A moment at which no call is under way.

    Attributes:
        before: What was held at the start.
        now: What is held.
        busy: Connections that the server sees inside a request or a response.
        allowed: Connections that may be kept: as many as each pool had calls at once.
        refused: Calls that were made now, each by itself, and not answered.
        cookies: Requests that carried a cookie.
    """

    before: Census
    now: Census
    busy: int = 0
    allowed: int = 0
    refused: tuple[str, ...] = ()
    cookies: int = 0


def judge_call(call: Call, is_typed: Callable[[BaseException], bool]) -> Iterator[Fault]:
    """Yield what is wrong with a call.

    Args:
        call: The call.
        is_typed: Whether an error is one of the client's own.
    """
    yield from _judge_answer(call)
    error = call.error
    if error is None:
        if call.due is Due.ERROR and call.whole and call.heard is not None:
            yield Fault("answer out of nothing", call.deed, repr(call.heard)[:300])
        return
    if isinstance(error, _CAUSED) and not is_typed(error):
        if not call.caused:
            yield Fault("cancelled by nobody", _name(error), _tell(call, error))
        return
    if not is_typed(error):
        yield Fault("untyped error", _name(error), _tell(call, error))
    elif call.due is Due.ANSWER and not call.disturbed:
        yield Fault("error for an answer", f"{_name(error)}: {error}"[:120], _tell(call, error))
    elif "Timeout" in _name(error) and not call.brisk:
        # A connection that breaks, or is closed, is no reason to wait: it is seen at once.
        yield Fault("waited for nobody", _name(error), _tell(call, error))
    yield from _judge_words(call, error)


def _judge_answer(call: Call) -> Iterator[Fault]:
    heard = call.heard
    if heard is None:
        partial = getattr(getattr(call.error, "partial", None), "content", "")
        if partial and not call.right[0].startswith(partial):
            yield Fault("wrong answer", "partial", f"{call.deed}: {partial!r:.200}")
        return
    right = (
        call.right
        if call.whole
        else tuple(r[: len(h)] for r, h in zip(call.right, heard, strict=False))
    )
    if heard != right:
        detail = f"{call.deed}: {heard!r:.300} is not {call.right!r:.300}"
        yield Fault("wrong answer", call.deed.partition(" ")[0], detail)


def _judge_words(call: Call, error: BaseException) -> Iterator[Fault]:
    if not call.key:
        return
    told = {
        "text": f"{error} {error!r}",
        "attributes": repr(vars(error)),
        "traceback": "".join(traceback.format_exception(error)),
    }
    for where, text in told.items():
        if call.key in text:
            yield Fault("key told", f"{where} of {_name(error)}", call.deed)


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _tell(call: Call, error: BaseException) -> str:
    frames = traceback.format_exception(error, limit=-4)
    return f"{call.deed}: {error!r:.200}\n{''.join(frames)[-1500:]}"


def judge_rest(rest: Rest) -> Iterator[Fault]:
    """Yield what is left of calls that have all ended."""
    if rest.busy:
        yield Fault("connection held", "a call has ended, its response has not", f"{rest.busy}")
    added = rest.now.sockets - rest.before.sockets
    if added > rest.allowed:
        detail = f"{added} more than at the start, {rest.allowed} calls at once at most"
        yield Fault("sockets leaked", "more kept than were ever used at once", detail)
    if rest.now.tasks > rest.before.tasks:
        detail = f"{rest.before.tasks} became {rest.now.tasks}"
        yield Fault("tasks leaked", "at rest", "\n".join((detail, *rest.now.doing)))
    for refused in rest.refused:
        yield Fault("not served at once", "a single call at rest", refused)
    if rest.cookies:
        yield Fault("cookie sent", "a request carried a cookie", f"{rest.cookies} requests")


def judge_end(start: Census, end: Census) -> Iterator[Fault]:
    """Yield what is left when every model was closed and forgotten."""
    for name in ("sockets", "files", "tasks", "threads"):
        before, after = getattr(start, name), getattr(end, name)
        if after > before:
            doing = end.doing if name == "tasks" else ()
            detail = "\n".join((f"{before} became {after}", *doing))
            yield Fault(f"{name} leaked", "at the end", detail)
    grown, risen = end.memory - start.memory, end.peak - start.memory
    if grown > GROWTH:
        detail = f"{grown / 1e6:.0f} MB more, {GROWTH / 1e6:.0f} allowed"
        yield Fault("memory leaked", "at the end", detail)
    if risen > PEAK:
        detail = f"{risen / 1e6:.0f} MB at one moment, {PEAK / 1e6:.0f} allowed"
        yield Fault("memory without bound", "at some moment", detail)


def judge_waits(waits: Iterable[tuple[str, float]], bound: float) -> Iterator[Fault]:
    """Yield the calls that take longer than any may.

    Args:
        waits: Calls under way, each with its seconds so far.
        bound: Most seconds.
    """
    for deed, seconds in waits:
        if seconds > bound:
            yield Fault("hangs", deed, f"for {seconds:.0f} seconds, {bound:.0f} allowed")


def judge_overheard(said: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """Yield what was said where no caller listens: by asyncio's log, threads and finalizers.

    Args:
        said: Pairs of who said it and what.
    """
    for who, what in said:
        lines = what.strip().splitlines() or [""]
        yield Fault("said behind our back", f"{who}: {lines[0]:.100}", what[-1500:])
