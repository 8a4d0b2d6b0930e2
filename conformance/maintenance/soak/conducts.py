"""How the soak's server behaves: one table, each row a script and what a caller may expect of it.

Pure: a script yields steps. Must not know the client that is soaked.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from conformance.maintenance.soak.wire import (
    Asked,
    Cut,
    Linger,
    Pause,
    Shut,
    frame,
    reply,
    write_pieces,
)

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
_BUSY = b'{"error": {"message": "Too many requests", "type": "rate_limit"}}'
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


def _slow(asked: Asked) -> Iterator[Step]:
    yield Pause(0.02)
    yield from reply(asked, pause=0.01)


def _commented(asked: Asked) -> Iterator[Step]:
    if not asked.streamed:
        yield from reply(asked)
        return
    padded = [more for piece in write_pieces(asked) for more in (b": ping\n\n", piece)]
    yield from frame("200 OK", padded, kind=_EVENT)


def _informed(asked: Asked) -> Iterator[Step]:
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 3
    yield from reply(asked)


def _informed_for_ever(asked: Asked) -> Iterator[Step]:
    for _ in range(_DRIPS):
        yield b"HTTP/1.1 103 Early Hints\r\n\r\n"
        yield Pause(_DRIP)
    yield Cut()


def _closed(asked: Asked) -> Iterator[Step]:
    yield from reply(asked, "Connection: close")
    yield Shut()


def _closed_while_idle(asked: Asked) -> Iterator[Step]:
    yield from reply(asked)
    yield Pause(0.005)
    yield Shut()


def _with_a_cookie(asked: Asked) -> Iterator[Step]:
    return reply(asked, f"Set-Cookie: who={asked.nonces[-1]}; Path=/")


def _with_a_tail(asked: Asked) -> Iterator[Step]:
    whole = b"".join(step for step in reply(asked) if isinstance(step, bytes))
    stranger = replace(asked, nonces=(STRANGER,) * len(asked.nonces))
    yield whole + b"".join(step for step in reply(stranger) if isinstance(step, bytes))


def _cut_before(asked: Asked) -> Iterator[Step]:
    yield Cut()


def _cut_inside(asked: Asked) -> Iterator[Step]:
    steps = list(reply(asked, pause=0.002))
    yield from steps[: len(steps) * 2 // 3]
    yield Cut()


def _once(first: Script) -> Script:
    """Return a script that misbehaves at the first try and answers at the next."""
    return lambda asked: reply(asked) if asked.tries else first(asked)


def _busy(retry_after: str) -> Script:
    return lambda asked: frame(
        "429 Too Many Requests", [_BUSY], *([f"Retry-After: {retry_after}"] if retry_after else [])
    )


def _broken(asked: Asked) -> Iterator[Step]:
    return frame("500 Internal Server Error", [_BROKEN])


def _page(asked: Asked) -> Iterator[Step]:
    page = b"<html><h1>502 Bad Gateway</h1><script>alert(1)</script></html>"
    return frame("502 Bad Gateway", [page], kind="text/html")


def _silent(asked: Asked) -> Iterator[Step]:
    yield Linger()


def _silent_inside(asked: Asked) -> Iterator[Step]:
    steps = list(reply(asked))
    yield from steps[: len(steps) // 2]
    yield Linger()


def _dripping(asked: Asked) -> Iterator[Step]:
    whole = b"".join(step for step in reply(asked) if isinstance(step, bytes))
    for at in range(_DRIPS):
        yield whole[at : at + 1]
        yield Pause(_DRIP)
    yield Cut()


def _chattering(asked: Asked) -> Iterator[Step]:
    pings = [b'data: {"id": "c-1", "choices": []}\n\n'] * _DRIPS
    steps = list(frame("200 OK", pings, kind=_EVENT, pause=_DRIP))
    yield from steps[:-1]
    yield Cut()


def _noise(asked: Asked) -> Iterator[Step]:
    yield bytes(range(256)) * 4 + b"\r\n\r\n"
    yield Shut()


def _no_json(asked: Asked) -> Iterator[Step]:
    kind = _EVENT if asked.streamed else "application/json"
    return frame("200 OK", [b'data: {"choices": [{"del\n\n', b'"ta": \xff\xfe}]\n\n'], kind=kind)


def _nested(asked: Asked) -> Iterator[Step]:
    text = b'{"choices": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    if asked.streamed:
        return frame("200 OK", [b"data: " + text + b"\n\n"], kind=_EVENT)
    return frame("200 OK", [text])


def _gzipped(asked: Asked) -> Iterator[Step]:
    body = gzip.compress(b"".join(write_pieces(asked)))
    kind = _EVENT if asked.streamed else "application/json"
    return frame("200 OK", [body], "Content-Encoding: gzip", kind=kind)


@cache
def _bomb() -> bytes:
    return gzip.compress(gzip.compress(gzip.compress(bytes(_BOMB), compresslevel=1)))


def _bomb_answer(asked: Asked) -> Iterator[Step]:
    return frame("200 OK", [_bomb()], "Content-Encoding: gzip, gzip, gzip")


def _bomb_error(asked: Asked) -> Iterator[Step]:
    return frame("500 Broken", [_bomb()], "Content-Encoding: gzip, gzip, gzip")


def _endless(first: bytes) -> Script:
    def run(asked: Asked) -> Iterator[Step]:
        kind = _EVENT if asked.streamed else "application/json"
        yield f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
        yield first
        for _ in range(ENDLESS // 65_536):
            yield b"a" * 65_536
        yield Shut()

    return run


def _echo_the_key(asked: Asked) -> Iterator[Step]:
    said = f"Invalid key {asked.key}, sent as 'Authorization: Bearer {asked.key}'"
    body = json.dumps({"error": {"message": said, "type": "auth", asked.key: said}}).encode()
    return frame("401 Unauthorized", [body], f"X-Echo: {asked.key}")


CONDUCTS: dict[str, Conduct] = {
    "plain": Conduct(reply, Due.ANSWER, weight=300),
    "slow": Conduct(_slow, Due.ANSWER, weight=60),
    "commented": Conduct(_commented, Due.ANSWER),
    "informed": Conduct(_informed, Due.ANSWER),
    "informed-for-ever": Conduct(_informed_for_ever, Due.ERROR, weight=1, brisk=True),
    "closed": Conduct(_closed, Due.ANSWER),
    "closed-while-idle": Conduct(_closed_while_idle, Due.ANSWER),
    "cookie": Conduct(_with_a_cookie, Due.ANSWER),
    "tail": Conduct(_with_a_tail, Due.ANSWER),
    "cut-before-once": Conduct(_once(_cut_before), Due.ANSWER, weight=2),
    "cut-before": Conduct(_cut_before, Due.ERROR, weight=1),
    "cut-inside": Conduct(_cut_inside, Due.ERROR, weight=2),
    "busy-once": Conduct(_once(_busy("")), Due.ANSWER, weight=2),
    "busy-once-zero": Conduct(_once(_busy("0")), Due.ANSWER, weight=2),
    "busy-once-second": Conduct(_once(_busy("1")), Due.ANSWER, weight=1),
    "busy-once-past": Conduct(_once(_busy("Wed, 21 Oct 2015 07:28:00 GMT")), Due.ANSWER, weight=1),
    "busy-once-garbled": Conduct(_once(_busy("soon\x01")), Due.EITHER, weight=1),
    "busy": Conduct(_busy("0"), Due.ERROR, weight=1),
    "busy-for-hours": Conduct(_busy("7200"), Due.ERROR, weight=2),
    "broken-once": Conduct(_once(_broken), Due.ANSWER, weight=2),
    "broken": Conduct(_broken, Due.ERROR, weight=1),
    "page": Conduct(_page, Due.ERROR, weight=1),
    "silent": Conduct(_silent, Due.ERROR, weight=2, brisk=True),
    "silent-inside": Conduct(_silent_inside, Due.ERROR, weight=2, brisk=True),
    "dripping": Conduct(_dripping, Due.ERROR, weight=1, brisk=True),
    "chattering": Conduct(_chattering, Due.ERROR, weight=1, brisk=True),
    "noise": Conduct(_noise, Due.ERROR, weight=1),
    "no-json": Conduct(_no_json, Due.ERROR, weight=2),
    "nested": Conduct(_nested, Due.ERROR, weight=1),
    "gzipped": Conduct(_gzipped, Due.EITHER, weight=2),
    "bomb-answer": Conduct(_bomb_answer, Due.ERROR, weight=1, heavy=True),
    "bomb-error": Conduct(_bomb_error, Due.ERROR, weight=1, heavy=True),
    "endless-line": Conduct(_endless(b"data: "), Due.ERROR, weight=1, heavy=True),
    "endless-body": Conduct(_endless(b'{"choices": "'), Due.ERROR, weight=1, heavy=True),
    "key-echo": Conduct(_echo_the_key, Due.ERROR, weight=3),
}
