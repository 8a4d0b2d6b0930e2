"""What this process holds at one moment, and the errors that reach no caller.

Knows /proc, the garbage collector and the interpreter's hooks; must not know what is a fault.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Resources", "background_errors", "count_resources", "return_freed_memory"]

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Names of glibc's malloc.h."""


@dataclass(frozen=True)
class Resources:
    """What is held. Where there is no /proc, what only that shows is 0.

    Attributes:
        sockets: Open sockets, those of event loops to themselves included.
        files: Other open file descriptors.
        tasks: Tasks of asyncio that are not done.
        threads: Threads.
        memory: Resident bytes.
        peak: Maximum of resident bytes since the process began.
        pending: Where some of the tasks are, to find what left them.
    """

    sockets: int = 0
    files: int = 0
    tasks: int = 0
    threads: int = 0
    memory: int = 0
    peak: int = 0
    pending: tuple[str, ...] = ()


def count_resources() -> Resources:
    """Collect what is unreachable, then count what is left."""
    for _ in range(3):
        gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    # Not isinstance: it asks proxies for their class, and a proxy may answer with an error.
    found: Any = (each for each in gc.get_objects() if issubclass(type(each), asyncio.Task))
    tasks = [task for task in found if not task.done()]
    links, status = list(_read_descriptors()), _read_status()
    sockets = sum(link.startswith("socket:") for link in links)
    return Resources(
        sockets=sockets,
        files=len(links) - sockets,
        tasks=len(tasks),
        threads=threading.active_count(),
        memory=status.get("VmRSS", 0),
        peak=status.get("VmHWM", 0),
        pending=tuple(f"{task!r:.300} at {task.get_stack()}" for task in tasks[:3]),
    )


def _read_descriptors() -> Iterator[str]:
    folder = Path("/proc/self/fd")
    for path in list(folder.iterdir()) if folder.exists() else ():
        # The descriptor that listed the folder is gone by now.
        with contextlib.suppress(OSError):
            yield os.readlink(path)  # noqa: PTH115  the kernel's text as it is


def _read_status() -> dict[str, int]:
    """Return the kernel's figures for this process that are in kilobytes, as bytes."""
    path = Path("/proc/self/status")
    lines = path.read_text("ascii", "replace").splitlines() if path.exists() else []
    rows = (line.split() for line in lines if line.endswith(" kB"))
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def return_freed_memory() -> None:
    """Have the C library return what is freed, so that resident memory is what is held.

    glibc keeps a heap for each thread and never returns its end: 130 MB after a minute of soaking,
    with 19 MB in use. One heap is trimmed, and large blocks are mapped one by one: see mallopt(3).
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_ARENA_MAX, 1)
        libc.mallopt(_MMAP_THRESHOLD, 128 * 1024)


class _Keeper(logging.Handler):
    """Appends each error of a log to a list, with its traceback."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an error; see `logging.Handler`."""
        self._found.append((record.name, self.format(record)))


@contextlib.contextmanager
def background_errors() -> Iterator[list[tuple[str, str]]]:
    """Yield a list that fills with the errors that reach no caller, as pairs of source and text.

    They come from asyncio's log, from threads and from finalizers.
    """
    found: list[tuple[str, str]] = []
    keeper, log = _Keeper(found), logging.getLogger("asyncio")
    hooks = sys.unraisablehook, threading.excepthook

    def keep(source: str, seen: Any) -> None:
        where = f" in {seen.object!r:.80}" if source == "finalizer" else ""
        lines = traceback.format_exception(seen.exc_value)
        found.append((source, f"{seen.exc_value!r}{where}\n{''.join(lines)}"))

    log.addHandler(keeper)
    sys.unraisablehook, threading.excepthook = partial(keep, "finalizer"), partial(keep, "thread")
    try:
        yield found
    finally:
        log.removeHandler(keeper)
        sys.unraisablehook, threading.excepthook = hooks
