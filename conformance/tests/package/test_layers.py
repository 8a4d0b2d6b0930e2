"""The package's layers: what a folder may import, read from the source.

Imports for type checkers alone do not count, but no module may name another client.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import langchain_baseten
from conformance.tests.package.in_each import in_each

pytestmark = pytest.mark.once("reads the sources, which are the same for every interpreter")

PACKAGE = Path(langchain_baseten.__file__).parent

# room -> rooms that it may import from; the public files stand above them all
ROOMS: dict[str, set[str]] = {
    "_plain_text": set(),
    "_version": set(),
    "data": set(),
    "exceptions": {"_plain_text"},
    "_protocol": {"_plain_text", "_protocol", "exceptions"},
    "_http": {"_http", "_plain_text", "_protocol", "exceptions"},
    "_config": {"_config", "_http", "_plain_text", "_protocol", "data", "exceptions", "_version"},
    "_structured_output": {"_plain_text", "_protocol", "exceptions"},
    "_streaming": {"_config", "_protocol", "exceptions"},
    "embeddings": {"_config", "_http", "_protocol", "exceptions"},
    "chat_models": {
        *("_config", "_http", "_protocol", "_streaming", "_structured_output"),
        *("_version", "data", "exceptions"),
    },
    "__init__": {"_config", "_protocol", "_version", "chat_models", "embeddings", "exceptions"},
}

PURE = ("_plain_text", "_protocol", "exceptions", "_structured_output", "data", "_version")
"""No clock, no chance, no environment, no socket, no log, no loop: what they need is passed in."""

IMPURE = {
    *("asyncio", "concurrent", "datetime", "logging", "os", "pathlib", "random", "secrets"),
    *("select", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time"),
    *("urllib", "uuid", "warnings", "httpx", "httpx2", "tenacity"),
}

# what is installed with langchain-core, and nothing else
INSTALLED = {"httpx2", "langchain_core", "pydantic", "pydantic_core", "tenacity"}
INSTALLED |= {"typing_extensions"}
INSTALLED |= {"orjson"}  # by langsmith; where it is missing, Python's own parser is used

MODULES = sorted(str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob("*.py"))
PURE_MODULES = [module for module in MODULES if module.partition("/")[0] in PURE]

LONGEST = {"chat_models": 760, "data/_profiles": 10_000}
"""Lines: the page that users read, and generated data."""


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the import statements that run; a type checker's do not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from statements(other)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        else:
            yield from statements(child)


def names_in(found: Iterator[ast.stmt] | list[ast.stmt]) -> set[str]:
    named: set[str] = set()
    for statement in found:
        if isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, "relative imports hide where a module stands"
            named.add(statement.module or "")
        elif isinstance(statement, ast.Import):
            named |= {alias.name for alias in statement.names}
    return named


@cache
def parse(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))


def imports_of(module: str) -> set[str]:
    return names_in(statements(parse(module)))


def rooms_of(module: str) -> set[str]:
    own = (n.split(".") for n in imports_of(module) if n.startswith("langchain_baseten."))
    return {parts[1] for parts in own}


def test_every_module_stands_in_a_room() -> None:
    assert {module.partition("/")[0] for module in MODULES} == ROOMS.keys()


@in_each("module", MODULES)
def test_a_module_imports_from_the_rooms_below_it(module: str) -> None:
    assert rooms_of(module) <= ROOMS[module.partition("/")[0]]


def test_rooms_import_in_one_direction() -> None:
    above = {room: allowed - {room} for room, allowed in ROOMS.items()}

    TopologicalSorter(above).prepare()  # raises on a cycle


def test_modules_import_in_one_direction() -> None:
    graph = {
        module.replace("/", "."): {
            name.removeprefix("langchain_baseten.")
            for name in imports_of(module)
            if name.startswith("langchain_baseten.")
        }
        for module in MODULES
    }

    TopologicalSorter(graph).prepare()  # raises on a cycle


@in_each("module", PURE_MODULES)
def test_a_pure_module_reaches_for_nothing_outside(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module)}

    assert tops & IMPURE == set()
    calls = {ast.unparse(n.func) for n in ast.walk(parse(module)) if isinstance(n, ast.Call)}
    assert calls & {"open", "print", "input", "datetime.now", "eval", "exec"} == set()


@in_each("module", MODULES)
def test_the_http_library_has_one_importer(module: str) -> None:
    every = names_in([n for n in ast.walk(parse(module)) if isinstance(n, ast.stmt)])

    assert {name.partition(".")[0] for name in every} & {"openai", "langchain_openai"} == set()
    assert ("httpx2" in every) is (module == "_http/clients")
    assert "httpx" not in every


@in_each("module", MODULES)
def test_nothing_is_imported_that_is_not_installed_with_the_package(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module)}

    assert tops - sys.stdlib_module_names - {"langchain_baseten"} <= INSTALLED


@in_each("module", MODULES)
def test_a_module_states_in_few_lines_what_it_is_for(module: str) -> None:
    text = ast.get_docstring(parse(module)) or ""

    assert text
    assert module == "exceptions" or len(text.splitlines()) <= 6
    lines = (PACKAGE / f"{module}.py").read_text("utf-8").splitlines()
    assert len(lines) <= LONGEST.get(module, 400)
