"""`python wheel.py DIST`: installs the one wheel of a folder alone, and looks at what came with it.

Fails if the suite is inside, if anything is installed beyond what langchain-core brings, or if the
import is not whole.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

_IMPORT = "import langchain_baseten as b; assert all(hasattr(b, n) for n in b.__all__)"


def list_strangers(wheel: Path) -> list[str]:
    """Return the files of a wheel that are neither the package's nor its metadata."""
    names = zipfile.ZipFile(wheel).namelist()
    return [name for name in names if not name.startswith("langchain_baseten")]


def list_installed(python: Path) -> set[str]:
    """Return the names of the distributions that an interpreter sees."""
    listing = _run(python, "-m", "pip", "list", "--format=freeze")
    return {line.partition("==")[0].lower().replace("_", "-") for line in listing.split()}


def _run(python: Path, *arguments: str) -> str:
    command = [str(python), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  our own interpreter


def main(argv: list[str]) -> int:
    """Check the wheel of a folder; return the exit code."""
    (wheel,) = Path(argv[0]).glob("*.whl")
    if strangers := list_strangers(wheel):
        print(f"{wheel.name} holds what is not the package: {strangers}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = next(Path(folder).glob("*/python"), Path(folder) / "Scripts" / "python.exe")
        _run(python, "-m", "pip", "install", "--quiet", "langchain-core<2")
        before = list_installed(python)
        _run(python, "-m", "pip", "install", "--quiet", str(wheel))
        extra = list_installed(python) - before - {"langchain-baseten"}
        _run(python, "-c", _IMPORT)
    print(f"{wheel.name}: imports; installed beyond langchain-core: {sorted(extra) or 'nothing'}")
    return 1 if extra else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
