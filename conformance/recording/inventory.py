"""`python -m conformance cassettes`: which cassettes there are, how old they are, what is wrong.

Knows how cassettes are listed. Age and evidence are information here: the release gate judges them.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Column
from rich.table import Table as Grid

from conformance import SuiteFault
from conformance.media import open_console, to_json, to_terminal
from conformance.recording.cassettes import ROOT, find_flaw, list_cassettes, read_provenance
from conformance.recording.plan import name_age
from conformance.recording.rerecord import RecordingError, collect_names
from conformance.recording.scanner import scan_file, scan_folder, withhold
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from rich.console import Console

__all__ = ["CassetteInfo", "find_orphan", "main", "take_inventory"]

_RED, _USAGE = 1, 2
_DESCRIPTION = """Lists the cassettes: age, evidence, models, size; and what is wrong: altered,
unused or orphaned ones, secrets, and files that are no cassettes. Age and evidence are information
here: `release` judges them."""


_TEXTS = ("name", "evidence", "source", "model", "lane")


@dataclass(frozen=True, slots=True)
class CassetteInfo:
    """One cassette.

    Attributes:
        name: Path below the folder.
        evidence: `reference`, `engine` or `live`; empty without a readable label.
        source: What answered.
        age: Days since it was recorded; None if it does not say.
        model: Models requested.
        lane: Lane.
        requests: How many requests it holds.
        size: Bytes.
        wrong: What is wrong with it; empty for nothing.
    """

    name: str
    evidence: str
    source: str
    age: int | None
    model: str
    lane: str
    requests: int
    size: int
    wrong: tuple[str, ...]


def take_inventory(
    root: Path,
    known: Collection[str] | None = None,
    keys: Iterable[str] = (),
    today: date | None = None,
) -> list[CassetteInfo]:
    """Return every cassette below a folder.

    Args:
        root: The folder.
        known: Names that the suite's checks replay; None to leave that question out.
        keys: Keys in use, which none may hold, and which are not shown.
        today: The day that ages are counted to.
    """
    keys = tuple(keys)
    bare = {_strip(name) for name in known or ()}
    found = []
    for path in list_cassettes(root):
        name = path.relative_to(root).as_posix()
        orphan = "" if known is None else find_orphan(name, known, bare)
        flaws = (find_flaw(path, root), orphan, *map(str, scan_file(path, root, keys)))
        one = replace(_read(path, name, today), wrong=tuple(filter(None, flaws)))
        shown: dict[str, Any] = {each: withhold(getattr(one, each), keys) for each in _TEXTS}
        shown["wrong"] = tuple(withhold(flaw, keys) for flaw in one.wrong)
        found.append(replace(one, **shown))
    return found


def _read(path: Path, name: str, today: date | None) -> CassetteInfo:
    size = path.stat().st_size
    try:
        about = read_provenance(path)
    except SuiteFault:
        about = None
    if about is None:
        return CassetteInfo(name, "", "", None, "", name.partition("/")[0], 0, size, ())
    age, count = name_age(about.recorded, today), len(about.requests)
    facts = (about.evidence, about.source, age, about.model, about.lane, count, size)
    return CassetteInfo(name, *facts, ())


def find_orphan(name: str, known: Collection[str], bare: Collection[str]) -> str:
    """Return why no check replays a cassette; empty if one does.

    Args:
        name: The cassette.
        known: The cassettes that checks replay.
        bare: The same without parameters.
    """
    if name in known:
        return ""
    if _strip(name) in bare:
        return f"{name}: unused, its check has no such parameters; delete it"
    return f"{name}: orphaned, no check has this name; delete it"


def _strip(name: str) -> str:
    return name.removesuffix(".yaml").partition("[")[0]


def print_inventory(found: Sequence[CassetteInfo], console: Console) -> None:
    """Print a row for each cassette, the sums, and what is wrong."""
    grid = Grid(
        Column("cassette", overflow="fold"), "age", "evidence", "model", "lane", "requests", "size"
    )
    for one in found:
        label = f"{one.evidence}: {one.source}" if one.evidence else "none"
        age = "?" if one.age is None else f"{one.age} d"
        sizes = (str(one.requests), f"{one.size / 1000:.1f} kB")
        name = one.name.removeprefix(f"{one.lane}/")
        grid.add_row(*map(to_terminal, (name, age, label, one.model, one.lane, *sizes)))
    console.print(grid)
    for one in found:
        for wrong in one.wrong:
            console.print(to_terminal(f"✗ {wrong}"), soft_wrap=True)
    console.print(to_terminal(_sum_up(found)))


def _sum_up(found: Sequence[CassetteInfo]) -> str:
    labels = Counter(one.evidence or "unlabelled" for one in found)
    ages = [one.age for one in found if one.age is not None]
    counted = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    size = sum(one.size for one in found) / 1_000_000
    oldest = f", the oldest {max(ages)} days old" if ages else ""
    requests = sum(one.requests for one in found)
    wrong = sum(bool(one.wrong) for one in found)
    return (
        f"{len(found)} cassettes ({counted}), {requests} requests, {size:.1f} MB{oldest}; "
        f"{wrong} with something wrong"
    )


def write_inventory(found: Sequence[CassetteInfo]) -> str:
    """Return the list as JSON."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return to_json({"listed": now, "cassettes": [asdict(one) for one in found]}, indent=1)


def main(argv: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Run `cassettes`; return 0 if all is well, 1 if something is wrong, 2 if nothing is listed."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance cassettes", description=_DESCRIPTION
    )
    parser.add_argument("--cassettes", type=Path, default=ROOT, help="folder of the cassettes")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    options = parser.parse_args(argv)
    console, complain = open_console(160), open_console(stderr=True)
    root = options.cassettes
    if not root.is_dir():
        complain.print(to_terminal(f"{root} is no folder of cassettes"), soft_wrap=True)
        return _USAGE
    try:
        known = collect_names(environment)
    except RecordingError as error:
        complain.print(to_terminal(error), soft_wrap=True)
        return _USAGE
    keys = find_keys(environment)
    found = take_inventory(root, known, keys)
    # What lies beside the cassettes is published with them.
    listed = set(list_cassettes(root))
    beside = [hit for hit in scan_folder(root, keys) if hit.path not in listed]
    if options.json:
        print(write_inventory(found))
    else:
        print_inventory(found, console)
        missing = sorted(known - {one.name for one in found})
        for name in missing:
            console.print(to_terminal(f"· never recorded: {name}"), soft_wrap=True)
        if missing:
            console.print(f"{len(missing)} missing; `record --stale` makes those not left out here")
    for hit in beside:
        complain.print(to_terminal(f"✗ {hit}"), soft_wrap=True)
    return _RED if beside or any(one.wrong for one in found) else 0
