"""The folder in which new cassettes are made, and how they replace the old ones.

Knows files. Must not know what is recorded or whether it is any good. Git keeps the old cassettes.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ReplacedInPartError", "Staging", "check_writable", "open_staging", "replace_cassettes"]


class ReplacedInPartError(OSError):
    """Some cassettes were replaced and the others could not be; the message says how many."""


@dataclass(frozen=True, slots=True)
class Staging:
    """A temporary folder.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def staged(self) -> Path:
        """The new cassettes."""
        return self.folder / "cassettes"

    def log(self, step: str) -> Path:
        """Return the file for the log of a step."""
        return self.folder / f"{step}.jsonl"

    def list_names(self, step: str, names: Iterable[str]) -> Path:
        """Write names of cassettes into a file, one a line, and return the file."""
        path = self.folder / f"{step}.names"
        path.write_text("\n".join(sorted(names)), encoding="utf-8")
        return path


@contextmanager
def open_staging() -> Iterator[Staging]:
    """Yield a folder that is removed when the block ends; the cassettes may be read-only."""
    with TemporaryDirectory(prefix="recording-") as folder:
        staging = Staging(Path(folder))
        staging.staged.mkdir()
        yield staging


def check_writable(root: Path) -> None:
    """See that a folder takes cassettes before anything is sent or paid for.

    Raises:
        OSError: It does not.
    """
    root.mkdir(parents=True, exist_ok=True)
    TemporaryFile(dir=root).close()


def replace_cassettes(staged: Path, root: Path, names: Iterable[str]) -> None:
    """Put new cassettes in the place of the old ones, each in one step.

    Killed in the middle, every cassette is the old one or the new one, and complete.

    Args:
        staged: Folder of the new cassettes.
        root: Folder of the old ones.
        names: Paths below both.

    Raises:
        ReplacedInPartError: One of them cannot be written, or Ctrl-C came.
    """
    ordered = sorted(names)
    for number, name in enumerate(ordered):
        place = root / name
        new = place.with_name(f".{place.name}.new")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(staged / name, new)
            new.replace(place)
        except (OSError, KeyboardInterrupt) as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            why = str(error) or "interrupted"
            raise ReplacedInPartError(
                f"{number} of {len(ordered)} cassettes were replaced, then: {why}"
            ) from error
