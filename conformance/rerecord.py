"""`python -m conformance record`: new cassettes, proved before they replace the old ones.

Knows the order of safety: record aside, scan, replay with sockets blocked, then swap. Whatever
fails on the way leaves the old cassettes as they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from conformance.cassettes import ROOT, find_flaws, list_cassettes
from conformance.recording import find_secrets

_CHECKS = ("features", "standard/test_integration.py")


class RecordingError(Exception):
    """A new set of cassettes is not fit to replace the old one; the message says why."""


def record(target: str, root: Path = ROOT) -> int:
    """Record all cassettes anew and put them in the place of the old ones.

    Args:
        target: `peer` or `live`.
        root: The cassettes to replace.

    Returns:
        How many cassettes there are now.

    Raises:
        RecordingError: If a check failed, or a cassette is flawed; nothing was replaced.
    """
    aside = Path(mkdtemp(prefix=".recording-", dir=root.parent))
    try:
        _run("recording", f"--target={target}", "--record", f"--cassettes={aside}")
        _scan(aside)
        _run("replaying", "--target=replay", f"--cassettes={aside}")
        _swap(aside, root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return len(list_cassettes(root))


def _run(step: str, *options: str) -> None:
    folder = Path(__file__).parent
    checks = [str(folder / name) for name in _CHECKS]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-rfE", *options, *checks]
    print(f"{step}: {' '.join(options)}", flush=True)
    done = subprocess.run(command, check=False, cwd=folder.parent)  # noqa: S603  our own interpreter
    if done.returncode:
        raise RecordingError(f"{step} failed (exit code {done.returncode}); nothing was replaced")


def _scan(folder: Path) -> None:
    keys = (os.environ.get("BASETEN_API_KEY", ""),)
    paths = list_cassettes(folder)
    for path in [*paths, folder / "provenance.json"]:
        for secret in find_secrets(path.read_text(encoding="utf-8"), keys):
            raise RecordingError(f"{path.relative_to(folder)} holds {secret}; nothing was replaced")
    if flaws := find_flaws(folder):
        raise RecordingError(f"{flaws[0]}; nothing was replaced")
    if not paths:
        raise RecordingError("nothing was recorded, so nothing was replaced")


def _swap(new: Path, old: Path) -> None:
    retired = new.with_name(f"{new.name}-old")
    if old.exists():
        old.rename(retired)
    try:
        new.rename(old)
    except OSError:
        retired.rename(old)
        raise
    shutil.rmtree(retired, ignore_errors=True)


def main(argv: list[str]) -> int:
    """Run `record`; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m conformance record", description=__doc__)
    parser.add_argument("--target", choices=("peer", "live"), default="peer")
    parser.add_argument("--cassettes", type=Path, default=ROOT, help="folder to replace")
    chosen = parser.parse_args(argv)
    try:
        count = record(chosen.target, chosen.cassettes)
    except RecordingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} cassettes in {chosen.cassettes.name}/")
    return 0
