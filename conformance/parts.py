"""Which tests every interpreter runs, and which are run once.

What can differ between interpreters and dependencies is the package: its checks, and the unit tests
that import it, at once or through a module of theirs. The rest is about the suite's own machinery.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from conformance import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_about_the_package"]

_PACKAGE = "langchain_baseten"
_HANDS = "conformance.unit"
_MACHINERY = ("rehearsals", "unit")
# They import the package as well, but to put it to the suite: what they judge is the suite.
_OF_THE_SUITE = frozenset(
    {
        "test_documentation.py",
        "test_gallery.py",
        "test_meter.py",
        "test_mutants.py",
        "test_parts.py",
        "test_peer_quirks.py",
        "test_refused.py",
        "test_subject.py",
    }
)


def is_about_the_package(path: Path) -> bool:
    """Tell whether every interpreter runs the tests of a file.

    Args:
        path: A file of tests of this suite.
    """
    if path.relative_to(FOLDER).parts[0] not in _MACHINERY:
        return True
    return path.name not in _OF_THE_SUITE and _leads_to_the_package(path)


@cache
def _leads_to_the_package(path: Path) -> bool:
    imported = set(_read_imports(path))
    if any(name.split(".")[0] == _PACKAGE for name in imported):
        return True
    hands = (path.parent / f"{name.rpartition('.')[2]}.py" for name in imported if _is_hand(name))
    return any(_leads_to_the_package(hand) for hand in hands)


def _is_hand(name: str) -> bool:
    """Tell whether a module lies beside the unit tests and is none of them."""
    return name.rpartition(".")[0] == _HANDS


def _read_imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names
