"""A gate at which all workers wait while nothing may be under way.

Knows threads; must not know what they do.
"""

from __future__ import annotations

import threading

__all__ = ["Gate"]


class Gate:
    """Open until somebody asks for rest.

    Args:
        workers: How many pass through it.
    """

    def __init__(self, workers: int) -> None:
        self._changed = threading.Condition()
        self._walking = workers
        self._open = True

    def pass_through(self) -> None:
        """Wait while the gate is closed."""
        with self._changed:
            self._walking -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open)
            self._walking += 1

    def leave(self) -> None:
        """Tell that this worker will not come again."""
        with self._changed:
            self._walking -= 1
            self._changed.notify_all()

    def close(self, patience: float) -> bool:
        """Close the gate, and wait until nobody walks; tell whether that came about in time."""
        with self._changed:
            self._open = False
            return self._changed.wait_for(lambda: not self._walking, patience)

    def open(self) -> None:
        """Let all go on."""
        with self._changed:
            self._open = True
            self._changed.notify_all()
