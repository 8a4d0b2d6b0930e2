"""What a process holds at one moment, and what is said in it where no caller listens.

Knows /proc, the garbage collector and the hooks of the interpreter; must not know what is a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Census", "listen", "take_census", "tame_memory"]

_DESCRIPTORS = Path("/proc/self/fd")
_STATUS = Path("/proc/self/status")
_KILOBYTE = 1024
_SHOWN = 3
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Names of glibc's malloc.h."""


@dataclass(frozen=True)
class Census:
    """What is held. Where there is no /proc, what only it tells is 0.

    Attributes:
        sockets: Open sockets, those of event loops to themselves included.
        files: Other open file descriptors.
        tasks: Tasks of asyncio that are not done.
        threads: Threads.
        memory: Resident bytes.
        peak: Most bytes that were resident since the process began.
        doing: What some of the tasks are at, to find who left them.
    """

    sockets: int = 0
    files: int = 0
    tasks: int = 0
    threads: int = 0
    memory: int = 0
    peak: int = 0
    doing: tuple[str, ...] = ()


def take_census() -> Census:
    """Collect what is unreachable, then count what is left."""
    for _ in range(3):
        gc.collect()
    _give_back_memory()
    links = _read_links()
    sockets = sum(link.startswith("socket:") for link in links)
    kilobytes = _read_status()
    pending = [thing for thing in gc.get_objects() if _is_pending(thing)]
    return Census(
        sockets=sockets,
        files=len(links) - sockets,
        tasks=len(pending),
        threads=threading.active_count(),
        memory=kilobytes.get("VmRSS", 0) * _KILOBYTE,
        peak=kilobytes.get("VmHWM", 0) * _KILOBYTE,
        doing=tuple(_describe(task) for task in pending[:_SHOWN]),
    )


def _describe(task: asyncio.Task[object]) -> str:
    frames = [f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in task.get_stack()]
    return f"{task!r:.300} at {frames}"


def _is_pending(thing: object) -> TypeGuard[asyncio.Task[object]]:
    # Not isinstance: it asks proxies for their class, and a proxy may answer with an error.
    return type(thing) is asyncio.Task and not thing.done()


def _read_links() -> list[str]:
    links = []
    for name in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.exists() else ():  # noqa: PTH208  names, not paths
        # The descriptor that listed the folder is gone by now.
        with contextlib.suppress(OSError):
            links.append(os.readlink(_DESCRIPTORS / name))  # noqa: PTH115  the kernel's text as it is
    return links


def _read_status() -> dict[str, int]:
    if not _STATUS.exists():
        return {}
    rows = (line.split() for line in _STATUS.read_text("ascii", "replace").splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if row[-1:] == ["kB"]}


def tame_memory() -> None:
    """Have the C library give back what is freed, so that resident memory tells what is held.

    glibc keeps a heap for each thread and never gives back its end: 130 MB after a minute of
    soaking, with 19 MB in use. One heap is trimmed, and large blocks are mapped one by one: see
    mallopt(3).
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_ARENA_MAX, 1)
        libc.mallopt(_MMAP_THRESHOLD, 128 * _KILOBYTE)


def _give_back_memory() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


# --- what is said where no caller listens ---------------------------------------------------------


class _Ears(logging.Handler):
    def __init__(self, said: list[tuple[str, str]]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        self._said.append((record.name, text))


@contextlib.contextmanager
def listen() -> Iterator[list[tuple[str, str]]]:
    """Yield a list that fills with pairs of who said something and what, while the block runs."""
    said: list[tuple[str, str]] = []
    ears, log = _Ears(said), logging.getLogger("asyncio")
    hooks = sys.unraisablehook, threading.excepthook

    def hear(who: str, seen: Any) -> None:
        error = "".join(traceback.format_exception(seen.exc_value))
        where = f" in {seen.object!r:.80}" if who == "finalizer" else ""
        said.append((who, f"{seen.exc_value!r}{where}\n{error}"))

    log.addHandler(ears)
    sys.unraisablehook, threading.excepthook = partial(hear, "finalizer"), partial(hear, "thread")
    try:
        yield said
    finally:
        log.removeHandler(ears)
        sys.unraisablehook, threading.excepthook = hooks
