"""What a process holds at one moment: sockets, files, tasks, threads, memory.

Knows /proc and the garbage collector; must not know what is too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import threading
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Census", "take_census"]

_DESCRIPTORS = Path("/proc/self/fd")
_STATUS = Path("/proc/self/status")
_KILOBYTE = 1024


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
    """

    sockets: int = 0
    files: int = 0
    tasks: int = 0
    threads: int = 0
    memory: int = 0
    peak: int = 0


def take_census() -> Census:
    """Collect what is unreachable, then count what is left."""
    for _ in range(3):
        gc.collect()
    _give_back_memory()
    links = _read_links()
    sockets = sum(link.startswith("socket:") for link in links)
    kilobytes = _read_status()
    return Census(
        sockets=sockets,
        files=len(links) - sockets,
        tasks=sum(_is_pending(thing) for thing in gc.get_objects()),
        threads=threading.active_count(),
        memory=kilobytes.get("VmRSS", 0) * _KILOBYTE,
        peak=kilobytes.get("VmHWM", 0) * _KILOBYTE,
    )


def _is_pending(thing: object) -> bool:
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


def _give_back_memory() -> None:
    # What was freed and is kept for later by the C library is no growth.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
