"""The suite's folders import in one direction, and nothing but a test imports a test."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter

from conformance import FOLDER

_ENTRIES = {"__main__", "conftest"}
"""Pytest's and Python's ways in: they may import everything, and only tests import them."""


@cache
def read_imports() -> frozenset[tuple[str, str]]:
    """Return what imports inside the suite, a folder or a module, with each that it imports."""
    return frozenset(_read_imports())


def _read_imports() -> Iterator[tuple[str, str]]:
    for path in FOLDER.rglob("*.py"):
        importer = path.relative_to(FOLDER).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                top, _, rest = name.partition(".")
                room = rest.partition(".")[0]
                if top == "conformance" and room not in {importer, ""}:
                    yield importer, room


def test_folders_import_in_one_direction() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for importer, imported in read_imports():
        graph[importer].add(imported)
    assert len(graph) > 10
    TopologicalSorter(graph).prepare()  # raises on a cycle


def test_only_tests_import_tests_and_entries() -> None:
    imported = {(a, b) for a, b in read_imports() if b in {"tests", *_ENTRIES}}
    assert {importer for importer, _ in imported} <= {"tests"}
