"""The folder in which new cassettes are made, and the way from there to their place.

Knows files, locks and leftovers. Must not know what is recorded or whether it is any good.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

__all__ = ["BusyError", "Workbench"]

_PREFIX = ".recording-"
_PROBE = ".recording-probe"


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
        """Hold the cassettes, alone.

        Raises:
            BusyError: Somebody else holds them.
            OSError: Nothing could be put there later.
        """
        self._root.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(self._root)
        try:
            self._prepare()
        except BaseException:
            self._leave()
            raise
        return self

    def _prepare(self) -> None:
        _clean_up(self._root)
        place = mkdtemp(prefix=f"{_PREFIX}{self._root.name}-", dir=self._root.parent)
        self._place = Path(place)
        self.aside = self._place / self._root.name
        self.aside.mkdir()
        if self._root.exists():
            # What is paid for must not fail in the end because the folder is read-only, or a mount.
            (self._place / _PROBE).touch()
            (self._place / _PROBE).replace(self._root / _PROBE).unlink()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._place != Path():
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
            OSError: One of them cannot be put there; all old ones are back, or the message says
                where they lie.
        """
        kept = self._place / "old"
        done: dict[str, bool] = {}
        try:
            for name in sorted(names):
                place = self._root / name
                place.parent.mkdir(parents=True, exist_ok=True)
                was_there = place.exists()
                if was_there:
                    (kept / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(place, kept / name)
                _flush(self.aside / name)
                done[name] = was_there
                (self.aside / name).replace(place)
        except BaseException as error:
            if lost := [name for name in done if not self._put_back(name, kept, done[name])]:
                raise self._rescue(kept, lost) from error
            raise

    def _put_back(self, name: str, kept: Path, was_there: bool) -> bool:
        """Put one old cassette back, or take a new one away that had none; tell if that worked."""
        try:
            if was_there:
                (kept / name).replace(self._root / name)
            else:
                (self._root / name).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _rescue(self, kept: Path, lost: Sequence[str]) -> OSError:
        place = Path(mkdtemp(prefix=f"{self._root.name}-old-", dir=self._root.parent))
        kept.replace(place / self._root.name)
        return OSError(
            f"{len(lost)} old cassettes could not be put back ({lost[0]}, …); they lie in {place}"
        )


def _clean_up(root: Path) -> None:
    """Remove what killed recorders left beside the cassettes; who holds them is alone."""
    for place in root.parent.glob(f"{_PREFIX}{root.name}-*"):
        shutil.rmtree(place, ignore_errors=True)
    (root / _PROBE).unlink(missing_ok=True)


def _hold(root: Path) -> int:
    """Return what holds the cassettes for this process until it is closed, or the process ends.

    It is the folder around them that is locked: it is there before they are, nobody removes it, and
    no file is left behind.
    """
    opened = os.open(root.parent, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(opened)
        raise BusyError(f"another recorder is at work on {root}") from error
    return opened


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
