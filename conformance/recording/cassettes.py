"""The cassettes on disk: where each lies, what it holds, and where it came from.

Knows files and their provenance; must not know VCR's hooks or what a check wants.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from conformance import FOLDER, SuiteFault
from conformance.recording.provenance import LOADER, Provenance, find_alteration, read_header, split
from conformance.verdicts.costs import Cost, count_answer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = [
    "ROOT",
    "estimate",
    "find_flaws",
    "find_provenance",
    "find_unplayed",
    "list_cassettes",
    "name_cassette",
    "read_interactions",
    "read_provenance",
]

ROOT = FOLDER.parent / "cassettes"

_UNSAFE = re.compile(r"""[<>?%*:|"'/\\]""")


def list_cassettes(root: Path = ROOT) -> list[Path]:
    """Return all cassettes below a folder, sorted: files, and no links to others."""
    found = root.rglob("*.yaml")
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def name_cassette(check: str, lane: str) -> str:
    """Return the path of a check's cassette below the cassettes' folder.

    Args:
        check: Node id of the check.
        lane: Lane in which it is judged.
    """
    base, bracket, parameters = check.partition("[")
    file, *names = base.split("::")
    folder = PurePosixPath(file).stem.removeprefix("test_")
    name = _UNSAFE.sub("-", f"{'.'.join(names)}{bracket}{parameters}")
    return f"{lane}/{folder}/{name}.yaml"


def read_interactions(path: Path) -> list[dict[str, Any]]:
    """Return a cassette's interactions as VCR wrote them.

    Raises:
        SuiteFault: The cassette is empty or cannot be read.
    """
    try:
        document = yaml.load(path.read_bytes(), Loader=LOADER)  # noqa: S506  a safe loader
        found = list(document["interactions"])
    except (yaml.YAMLError, UnicodeError, KeyError, TypeError) as flaw:
        raise SuiteFault(f"{path.name} is not a cassette: {type(flaw).__name__}") from flaw
    if not found:
        raise SuiteFault(f"{path.name} holds no interaction")
    return found


def estimate(paths: Iterable[Path]) -> Cost:
    """Return what it costs to hold recorded conversations once more; nothing where none is.

    Args:
        paths: The cassettes; a file that is missing costs nothing.

    Returns:
        The number of requests, and the tokens that their answers counted. Another model counts
        otherwise and may say more: the tokens are an estimate.

    Raises:
        SuiteFault: One of the files is no cassette.
    """
    spent: list[int] = []
    for path in filter(Path.is_file, paths):
        try:
            spent += map(_count_tokens, read_interactions(path))
        except (LookupError, TypeError) as flaw:
            raise SuiteFault(f"{path.name} is not a cassette: {type(flaw).__name__}") from flaw
    return Cost(len(spent), sum(spent))


def _count_tokens(interaction: dict[str, Any]) -> int:
    response = interaction["response"]
    bodies = (interaction["request"]["body"], response["body"]["string"])
    requested, received = (
        each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each or "")
        for each in bodies
    )
    return count_answer(response["status"]["code"], requested, received)


@cache
def read_provenance(path: Path) -> Provenance | None:
    """Return where a cassette came from; None if it does not say.

    Raises:
        SuiteFault: It says so in a way that cannot be read.
        OSError: There is no such cassette.
    """
    header, _ = split(path.read_text(encoding="utf-8", errors="replace"))
    return read_header(header, path.name)


def find_provenance(path: Path) -> Provenance | None:
    """Return where a cassette came from; None if it does not say so, or is not there."""
    try:
        return read_provenance(path) if path.is_file() else None
    except SuiteFault:
        return None


def find_flaws(root: Path = ROOT) -> list[str]:
    """Return what is wrong with the cassettes below a folder: unlabelled or altered ones."""
    return [flaw for path in list_cassettes(root) if (flaw := find_flaw(path, root))]


def find_flaw(path: Path, root: Path = ROOT) -> str:
    """Return what is wrong with one cassette's label, or with its content since; empty if nothing.

    Args:
        path: The cassette.
        root: The folder that its name is relative to.
    """
    name = path.relative_to(root).as_posix()
    try:
        return find_alteration(path.read_text(encoding="utf-8"), name)
    except UnicodeError:
        return f"{name}: not UTF-8"


def find_unplayed(root: Path, played: Collection[str]) -> list[str]:
    """Return what is wrong when these cassettes are all that a whole replay asked for.

    Args:
        root: Folder of the cassettes.
        played: Their paths below it.
    """
    names = [path.relative_to(root).as_posix() for path in list_cassettes(root)]
    return [f"{name}: a cassette that no check plays" for name in names if name not in played]
