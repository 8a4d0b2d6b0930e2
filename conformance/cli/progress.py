"""How far a run is, on stderr: a line that is rewritten on a terminal, one now and then elsewhere.

Knows the record's kinds of lines; must not know what they say.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TextIO

__all__ = ["Progress"]

_COUNTED = (b'{"kind": "outcome"', b'{"kind": "binding"')
_COLLECTED = b'{"kind": "collected"}'

_SECONDS = {True: 0.0, False: 10.0}
"""Between two lines: on a terminal, and elsewhere, as in the log of a CI job."""


class Progress:
    """Counts the checks that a run has judged.

    Args:
        stream: Where it is written.
        clock: Seconds, from any start.
        silent: Whether nothing is written, because the run itself is shown.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        silent: bool = False,
    ) -> None:
        self._silent = silent
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._clock = clock
        self._said = clock()
        self._width = 0

    def show(self, records: Sequence[Path]) -> None:
        """Say how far a run is, if the last time was long enough ago.

        Args:
            records: What the run has written so far; they may not be there yet.
        """
        now = self._clock()
        if self._silent or now - self._said < _SECONDS[self._terminal]:
            return
        self._said = now
        parts = [record.read_bytes() if record.exists() else b"" for record in records]
        done, all_of_them = (sum(part.count(kind) for part in parts) for kind in _COUNTED)
        # Before each part has collected its checks, their number would be too small.
        collected = all(_COLLECTED in part for part in parts)
        text = f"{done} of {all_of_them} checks judged" if collected else "collecting the checks"
        if not self._terminal:
            self._write(f"{text}\n")
            return
        self._write(f"\r{text:<{self._width}}")
        self._width = len(text)

    def close(self) -> None:
        """Leave the terminal's line empty."""
        if self._width:
            self._write(f"\r{'':<{self._width}}\r")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
