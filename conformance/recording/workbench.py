"""The folder in which new cassettes are made, and the way from there to their place.

Knows files, locks and leftovers. Must not know what is recorded or whether it is any good.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

__all__ = ["BusyError", "Workbench"]

_PREFIX = ".recording-"
_LOCK = "lock"


class BusyError(RuntimeError):
    """Another recorder is at work on the same cassettes."""


class Workbench:
    """A folder that is gone when the block ends, on the file system of the cassettes.

    Attributes:
        aside: Where new cassettes are written.

    Args:
        root: The cassettes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._place = Path()
        self.aside = Path()

    def __enter__(self) -> Self:
        self._root.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(self._root.parent):
            clean_up(self._root)
            place = mkdtemp(prefix=f"{_PREFIX}{self._root.name}-", dir=self._root.parent)
            self._place = Path(place)
            self._lock = _hold(self._place / _LOCK)
        self.aside = self._place / self._root.name
        self.aside.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        os.close(self._lock)

    def log(self, step: str) -> Path:
        """Return the file for the log of a step."""
        return self._place / f"{step}.jsonl"

    def list_names(self, step: str, names: Iterable[str]) -> Path:
        """Write names of cassettes into a file, one a line, and return it."""
        path = self._place / f"{step}.names"
        path.write_text("\n".join(sorted(names)), encoding="utf-8")
        return path

    def replace(self, names: Iterable[str]) -> None:
        """Put new cassettes in the place of the old ones, each in one step.

        Killed in the middle, every cassette is the old one or the new one, and whole. Whatever
        else stops it puts the old ones back first.

        Args:
            names: Paths below the folder.

        Raises:
            OSError: One of them cannot be put there; all old ones are back.
        """
        kept = self._place / "old"
        done: list[str] = []
        try:
            for name in sorted(names):
                place = self._root / name
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.exists():
                    (kept / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(place, kept / name)
                _flush(self.aside / name)
                done.append(name)
                (self.aside / name).replace(place)
        except BaseException:
            for name in done:
                self._put_back(name, kept / name)
            raise

    def _put_back(self, name: str, old: Path) -> None:
        if old.exists():
            old.replace(self._root / name)
        else:
            (self._root / name).unlink(missing_ok=True)


def clean_up(root: Path) -> None:
    """Remove what killed recorders left beside the cassettes.

    Args:
        root: The cassettes.

    Raises:
        BusyError: One of them is alive.
    """
    for place in root.parent.glob(f"{_PREFIX}{root.name}-*"):
        with contextlib.suppress(FileNotFoundError):
            os.close(_hold(place / _LOCK))
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let nobody else begin: a place that is made and not yet held looks like a leftover."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _hold(path: Path) -> int:
    """Return an open file that no other process holds; the lock ends with the process."""
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(opened)
        raise BusyError(f"another recorder is at work in {path.parent}") from error
    return opened


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
