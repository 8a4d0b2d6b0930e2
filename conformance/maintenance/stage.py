"""`python stage.py ROOT TARGET`: copies the suite without the package.

From there only an installed `langchain_baseten` can be imported, so the wheel is what is tested.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_FOLDERS = (".github", "conformance", "cassettes", "docs")
FILES = (
    ".ci/run",
    "pyproject.toml",
    "tox.ini",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
)


def stage(root: Path, target: Path) -> None:
    """Copy everything that checks read, and nothing of the package.

    Args:
        root: The repository.
        target: The folder to fill; what was there is removed.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in _FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(root / name, target / name, ignore=ignored)
    for name in FILES:
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copy2(root / name, target / name)


if __name__ == "__main__":
    stage(Path(sys.argv[1]), Path(sys.argv[2]))
