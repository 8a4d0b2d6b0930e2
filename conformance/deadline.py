"""An end to what has none by itself: a response sent byte by byte, a client that goes on asking.

Knows the clock; must not know requests. Timeouts of a transport begin anew with each byte.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline"]


class Deadline:
    """Calls a function in the main thread, wherever that is, unless it is ended in time.

    Without an alarm, as on Windows, or in another thread it never does.
    """

    def __init__(self) -> None:
        self._before: Any = None

    def begin(self, seconds: float, expire: Callable[[], object], again: float = 0.0) -> None:
        """Begin, or begin anew.

        Args:
            seconds: How long.
            expire: Called once the time is over; what it raises is raised where the program is.
            again: Seconds after which it is called once more, and so on; 0 for never.
        """
        self.end()
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGALRM, lambda *_: expire())
            signal.setitimer(signal.ITIMER_REAL, seconds, again)

    def end(self) -> None:
        """Call nothing any more."""
        if self._before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            self._before = None
