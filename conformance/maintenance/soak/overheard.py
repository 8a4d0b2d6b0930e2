"""What is said where no caller listens: asyncio's log, threads that die, finalizers that fail.

Knows the hooks of the interpreter; must not know what is a fault.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["listen"]


class _Ears(logging.Handler):
    def __init__(self, said: list[tuple[str, str]]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        self._said.append((record.name, text))


@contextmanager
def listen() -> Iterator[list[tuple[str, str]]]:
    """Yield a list that fills with pairs of who said something and what, while the block runs."""
    said: list[tuple[str, str]] = []
    ears, log = _Ears(said), logging.getLogger("asyncio")
    hooks = sys.unraisablehook, threading.excepthook

    def hear_unraisable(seen: Any) -> None:
        error = "".join(traceback.format_exception(seen.exc_value))
        said.append(("finalizer", f"{seen.exc_value!r} in {seen.object!r:.80}\n{error}"))

    def hear_thread(seen: Any) -> None:
        error = "".join(traceback.format_exception(seen.exc_value))
        said.append(("thread", f"{seen.exc_value!r}\n{error}"))

    log.addHandler(ears)
    sys.unraisablehook, threading.excepthook = hear_unraisable, hear_thread
    try:
        yield said
    finally:
        log.removeHandler(ears)
        sys.unraisablehook, threading.excepthook = hooks
