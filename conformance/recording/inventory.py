"""`python -m conformance cassettes`: which cassettes there are, how old they are, what is wrong.

Knows how cassettes are listed. Age and evidence are information here: the release gate judges them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Column
from rich.table import Table as Grid

from conformance.media import open_console, to_terminal
from conformance.recording.cassettes import (
    ROOT,
    find_flaws,
    find_provenance,
    find_unplayed,
    list_cassettes,
)
from conformance.recording.rerecord import RecordingError, collect_names
from conformance.recording.scanner import scan_folder, withhold
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

__all__ = ["main", "print_inventory"]

_RED, _USAGE = 1, 2
_DESCRIPTION = """Lists the cassettes: day, evidence, model, size; and what is wrong: altered or
unplayed ones, secrets, and files that are no cassettes. Age and evidence are information here:
`release` judges them."""


def print_inventory(root: Path, keys: Collection[str], console: Console) -> None:
    """Print a row for each cassette, and the sums.

    Args:
        root: Folder of the cassettes.
        keys: Keys in use, which are not shown.
        console: The terminal.
    """
    grid = Grid(Column("cassette", overflow="fold"), "recorded", "evidence", "model", "requests")
    grid.add_column("size")
    paths = list_cassettes(root)
    found = [find_provenance(path) for path in paths]
    for path, about in zip(paths, found, strict=True):
        facts = ["?", "none", "", "0"]
        if about:
            label = f"{about.evidence}: {about.source}"
            facts = [about.recorded, label, about.model, str(len(about.requests))]
        row = (path.relative_to(root).as_posix(), *facts, f"{path.stat().st_size / 1000:.1f} kB")
        grid.add_row(*(to_terminal(withhold(cell, keys)) for cell in row))
    console.print(grid)
    labels = Counter(about.evidence if about else "unlabelled" for about in found)
    counted = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    requests = sum(len(about.requests) for about in found if about)
    oldest = min((about.recorded for about in found if about), default="never")
    line = f"{len(found)} cassettes ({counted}), {requests} requests, the oldest of {oldest}"
    console.print(to_terminal(withhold(line, keys)))


def main(argv: Sequence[str]) -> int:
    """Run `cassettes`; return 0 if all is well, 1 if something is wrong, 2 if nothing is listed."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance cassettes", description=_DESCRIPTION
    )
    parser.add_argument("--cassettes", type=Path, default=ROOT, help="folder of the cassettes")
    root = parser.parse_args(argv).cassettes
    console, complain = open_console(160), open_console(stderr=True)
    if not root.is_dir():
        complain.print(to_terminal(f"{root} is no folder of cassettes"), soft_wrap=True)
        return _USAGE
    try:
        known = collect_names()
    except RecordingError as error:
        complain.print(to_terminal(error), soft_wrap=True)
        return _USAGE
    keys = find_keys()
    print_inventory(root, keys, console)
    missing = sorted(name for name in known if not (root / name).is_file())
    for name in missing:
        console.print(to_terminal(f"· never recorded: {name}"), soft_wrap=True)
    if missing:
        console.print(f"{len(missing)} missing; `record --stale` makes them")
    # What lies beside the cassettes is published with them, and scanned as well.
    wrong = [*find_flaws(root), *find_unplayed(root, known), *scan_folder(root, keys)]
    for flaw in wrong:
        complain.print(to_terminal(f"✗ {withhold(flaw, keys)}"), soft_wrap=True)
    return _RED if wrong else 0
