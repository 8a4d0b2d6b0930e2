"""`python wheel.py DIST`: installs the one wheel of a folder alone, and looks at what came with it.

Fails if the suite is inside, if the types, the licence or a file of the sdist is missing, if
anything is installed beyond what langchain-core brings, or if the import is not whole.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

_IMPORT = "import langchain_baseten as b; assert all(hasattr(b, n) for n in b.__all__)"

_IN_WHEEL = ("langchain_baseten/py.typed", "licenses/LICENSE")
_IN_SDIST = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml", "tox.ini"),
    *(".ci/run", ".github/ISSUE_TEMPLATE/bug.yml", "conformance/claims.toml", "docs/chat.md"),
)


def list_strangers(wheel: Path) -> list[str]:
    """Return the files of a wheel that are neither the package's nor its metadata."""
    names = zipfile.ZipFile(wheel).namelist()
    return [name for name in names if not name.startswith("langchain_baseten")]


def list_missing(wheel: Path, sdist: Path) -> list[str]:
    """Return the files that the two archives of a release must hold and do not.

    Args:
        wheel: The wheel.
        sdist: The source archive, from which the suite can be run as well.
    """
    inside = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as archive:
        sources = [name.partition("/")[2] for name in archive.getnames()]
    missing = [name for name in _IN_WHEEL if not any(found.endswith(name) for found in inside)]
    return missing + [name for name in _IN_SDIST if name not in sources]


_LIST = """
from importlib.metadata import distributions
print(*(one.metadata["Name"] for one in distributions()))
"""


def list_installed(python: Path) -> set[str]:
    """Return the names of the distributions that an interpreter sees."""
    names = _run(python, "-c", _LIST).split()
    return {name.lower().replace("_", "-") for name in names}


def _run_uv(*arguments: str) -> None:
    _run(Path(sys.executable), "-m", "uv", "--quiet", *arguments)


def _run(python: Path, *arguments: str) -> str:
    command = [str(python), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  our own interpreter


def main(argv: list[str]) -> int:
    """Check the wheel of a folder; return the exit code."""
    (wheel,) = Path(argv[0]).glob("*.whl")
    if strangers := list_strangers(wheel):
        print(f"{wheel.name} holds what is not the package: {strangers}")
        return 1
    (sdist,) = Path(argv[0]).glob("*.tar.gz")
    if missing := list_missing(wheel, sdist):
        print(f"{wheel.name} and {sdist.name} lack {missing}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        _run_uv("venv", "--python", sys.executable, folder)
        python = next(Path(folder).glob("*/python"), Path(folder) / "Scripts" / "python.exe")
        _run_uv("pip", "install", "--python", str(python), "langchain-core<2")
        before = list_installed(python)
        _run_uv("pip", "install", "--python", str(python), str(wheel))
        extra = list_installed(python) - before - {"langchain-baseten"}
        _run(python, "-c", _IMPORT)
    print(f"{wheel.name}: imports; installed beyond langchain-core: {sorted(extra) or 'nothing'}")
    return 1 if extra else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
