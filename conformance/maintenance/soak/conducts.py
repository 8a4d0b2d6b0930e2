"""How the soak's server behaves: one table, each row a script and what a caller may expect of it.

Pure: a script yields steps. Must not know the client that is soaked.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, partial
from itertools import islice, repeat
from typing import TYPE_CHECKING, TypeAlias

from conformance.maintenance.soak.wire import Asked, End, frame, reply, write_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conformance.maintenance.soak.wire import Step

    Script: TypeAlias = Callable[[Asked], Iterable[Step]]

__all__ = ["CONDUCTS", "DEEP", "ENDLESS", "STRANGER", "Conduct", "Due", "play"]

ENDLESS = 64_000_000
"""Bytes after which what has no end is cut all the same, for the machine's sake."""
_BOMB = 256_000_000
"""Bytes of zeros in a kilobyte of thrice gzipped ones."""
DEEP = 100_000
"""Levels of nesting."""
STRANGER = "f" * 16
"""The nonce of an answer that nobody asked for."""
_DRIP = 0.05
_DRIPS = 60
"""Drips of 0.05 seconds: three seconds, longer than any brisk call's silence may last."""
_EVENT = "text/event-stream"
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
_PAST = "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"
_NOISE = bytes(range(256)) * 4 + b"\r\n\r\n"
_BUSY = b'{"error": {"message": "Too many requests", "type": "rate_limit"}}'
_PAGE = b"<html><h1>502 Bad Gateway</h1><script>alert(1)</script></html>"
_BROKEN = b'{"error": {"message": "Internal server error", "type": "server"}}'


class Due(Enum):
    """What a caller may expect: the answer, a typed error, or either of them."""

    ANSWER = "answer"
    ERROR = "error"
    EITHER = "either"


@dataclass(frozen=True)
class Conduct:
    """One behaviour.

    Attributes:
        script: Yields the steps of a response.
        due: What has to come of a call that nobody disturbs.
        weight: How often it is drawn, beside the others.
        brisk: Whether the caller has to be impatient, since only a timeout ends the call.
        heavy: Whether it takes so much memory or time that one at a time is enough.
    """

    script: Script
    due: Due
    weight: int = 16
    brisk: bool = False
    heavy: bool = False


def play(asked: Asked) -> Iterable[Step]:
    """Return the steps of the response to a request."""
    return CONDUCTS[asked.conduct].script(asked)


# --- scripts that need more than a line -----------------------------------------------------------


def _write(asked: Asked) -> bytes:
    return b"".join(step for step in reply(asked) if isinstance(step, bytes))


def _commented(asked: Asked) -> Iterable[Step]:
    if not asked.streamed:
        return reply(asked)
    padded = [more for piece in write_pieces(asked) for more in (b": ping\n\n", piece)]
    return frame("200 OK", padded, kind=_EVENT)


def _with_a_tail(asked: Asked) -> Iterable[Step]:
    stranger = replace(asked, nonces=(STRANGER,) * len(asked.nonces))
    return [_write(asked) + _write(stranger)]


def _cut_inside(asked: Asked) -> Iterable[Step]:
    steps = list(reply(asked, pause=0.002))
    return [*steps[: len(steps) * 2 // 3], End.CUT]


def _silent_inside(asked: Asked) -> Iterable[Step]:
    steps = list(reply(asked))
    return [*steps[: len(steps) // 2], End.LINGER]


def _once(first: Script) -> Script:
    """Return a script that misbehaves at the first try and answers at the next."""
    return lambda asked: reply(asked) if asked.tries else first(asked)


def _refuse(status: str, body: bytes, *headers: str, kind: str = "application/json") -> Script:
    return lambda _: frame(status, [body], *headers, kind=kind)


_busy = partial(_refuse, "429 Too Many Requests", _BUSY)
_broken = _refuse("500 Internal Server Error", _BROKEN)


def _drip(drips: Iterable[bytes]) -> Iterable[Step]:
    """Return steps that write one drip after another, and then cut."""
    return [*(step for drip in islice(drips, _DRIPS) for step in (drip, _DRIP)), End.CUT]


def _dripping(asked: Asked) -> Iterable[Step]:
    return _drip(_write(asked)[at : at + 1] for at in range(_DRIPS))


def _chattering(asked: Asked) -> Iterable[Step]:
    pings = [b'data: {"id": "c-1", "choices": []}\n\n'] * _DRIPS
    *steps, _ = frame("200 OK", pings, kind=_EVENT, pause=_DRIP)
    return [*steps, End.CUT]


def _no_json(asked: Asked) -> Iterable[Step]:
    pieces = (b'data: {"choices": [{"del\n\n', b'"ta": \xff\xfe}]\n\n')
    return frame("200 OK", pieces, kind=asked.kind)


def _nested(asked: Asked) -> Iterable[Step]:
    text = b'{"choices": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    piece = b"data: " + text + b"\n\n" if asked.streamed else text
    return frame("200 OK", [piece], kind=asked.kind)


def _gzipped(asked: Asked) -> Iterable[Step]:
    body = gzip.compress(b"".join(write_pieces(asked)))
    return frame("200 OK", [body], "Content-Encoding: gzip", kind=asked.kind)


@cache
def _pack_bomb() -> bytes:
    return gzip.compress(gzip.compress(gzip.compress(bytes(_BOMB), compresslevel=1)))


def _bomb(status: str) -> Script:
    return lambda _: frame(status, [_pack_bomb()], "Content-Encoding: gzip, gzip, gzip")


def _endless(first: bytes) -> Script:
    def run(asked: Asked) -> Iterator[Step]:
        lines = ("HTTP/1.1 200 OK", f"Content-Type: {asked.kind}", "Connection: close", "", "")
        yield "\r\n".join(lines).encode()
        yield first
        for _ in range(ENDLESS // 65_536):
            yield b"a" * 65_536
        yield End.SHUT

    return run


def _echo_the_key(asked: Asked) -> Iterable[Step]:
    said = f"Invalid key {asked.key}, sent as 'Authorization: Bearer {asked.key}'"
    body = json.dumps({"error": {"message": said, "type": "auth", asked.key: said}}).encode()
    return frame("401 Unauthorized", [body], f"X-Echo: {asked.key}")


# --- the table ------------------------------------------------------------------------------------

CONDUCTS: dict[str, Conduct] = {
    "plain": Conduct(reply, Due.ANSWER, weight=300),
    "slow": Conduct(lambda asked: (0.02, *reply(asked, pause=0.01)), Due.ANSWER, weight=60),
    "commented": Conduct(_commented, Due.ANSWER),
    "informed": Conduct(lambda asked: (_HINTS * 3, *reply(asked)), Due.ANSWER),
    "informed-for-ever": Conduct(lambda _: _drip(repeat(_HINTS)), Due.ERROR, weight=1, brisk=True),
    "closed": Conduct(lambda asked: (*reply(asked, "Connection: close"), End.SHUT), Due.ANSWER),
    "closed-while-idle": Conduct(lambda asked: (*reply(asked), 0.005, End.SHUT), Due.ANSWER),
    "cookie": Conduct(
        lambda asked: reply(asked, f"Set-Cookie: who={asked.nonces[-1]}; Path=/"), Due.ANSWER
    ),
    "tail": Conduct(_with_a_tail, Due.ANSWER),
    "cut-before-once": Conduct(_once(lambda _: [End.CUT]), Due.ANSWER, weight=2),
    "cut-before": Conduct(lambda _: [End.CUT], Due.ERROR, weight=1),
    "cut-inside": Conduct(_cut_inside, Due.ERROR, weight=2),
    "busy-once": Conduct(_once(_busy()), Due.ANSWER, weight=2),
    "busy-once-zero": Conduct(_once(_busy("Retry-After: 0")), Due.ANSWER, weight=2),
    "busy-once-second": Conduct(_once(_busy("Retry-After: 1")), Due.ANSWER, weight=1),
    "busy-once-past": Conduct(_once(_busy(_PAST)), Due.ANSWER, weight=1),
    "busy-once-garbled": Conduct(_once(_busy("Retry-After: soon\x01")), Due.EITHER, weight=1),
    "busy": Conduct(_busy("Retry-After: 0"), Due.ERROR, weight=1),
    "busy-for-hours": Conduct(_busy("Retry-After: 7200"), Due.ERROR, weight=2),
    "broken-once": Conduct(_once(_broken), Due.ANSWER, weight=2),
    "broken": Conduct(_broken, Due.ERROR, weight=1),
    "page": Conduct(_refuse("502 Bad Gateway", _PAGE, kind="text/html"), Due.ERROR, weight=1),
    "silent": Conduct(lambda _: (End.LINGER,), Due.ERROR, weight=2, brisk=True),
    "silent-inside": Conduct(_silent_inside, Due.ERROR, weight=2, brisk=True),
    "dripping": Conduct(_dripping, Due.ERROR, weight=1, brisk=True),
    "chattering": Conduct(_chattering, Due.ERROR, weight=1, brisk=True),
    "noise": Conduct(lambda _: (_NOISE, End.SHUT), Due.ERROR, weight=1),
    "no-json": Conduct(_no_json, Due.ERROR, weight=2),
    "nested": Conduct(_nested, Due.ERROR, weight=1),
    "gzipped": Conduct(_gzipped, Due.EITHER, weight=2),
    "bomb-answer": Conduct(_bomb("200 OK"), Due.ERROR, weight=1, heavy=True),
    "bomb-error": Conduct(_bomb("500 Broken"), Due.ERROR, weight=1, heavy=True),
    "endless-line": Conduct(_endless(b"data: "), Due.ERROR, weight=1, heavy=True),
    "endless-body": Conduct(_endless(b'{"choices": "'), Due.ERROR, weight=1, heavy=True),
    "key-echo": Conduct(_echo_the_key, Due.ERROR, weight=3),
}
