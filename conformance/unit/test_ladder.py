"""The package is a ladder: what each module may import, read from its source.

Imports for type checkers alone do not count as rungs, but no module may name another client.
"""

from __future__ import annotations

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import langchain_baseten

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(langchain_baseten.__file__).parent

# module -> modules of the package that it imports, all of them further up in this table
LADDER: dict[str, set[str]] = {
    "_version": set(),
    "_url": set(),
    "_sse": set(),
    "_tool_calls": set(),
    "_arguments": set(),
    "_profiles": set(),
    "_secrets": set(),
    "_http": set(),
    "_errors": set(),
    "_endpoint": {"_url"},
    "_retry": {"_errors"},
    "_diagnosis": {"_errors"},
    "_binding": {"_diagnosis", "_errors"},
    "_faults": {"_diagnosis", "_errors"},
    "_content": {"_diagnosis", "_errors"},
    "_reply": {"_diagnosis", "_errors", "_tool_calls"},
    "_blocks": {"_reply"},
    "_stream": {"_diagnosis", "_errors", "_reply", "_sse", "_tool_calls"},
    "_request": {"_content", "_diagnosis", "_errors", "_reply"},
    "_settings": {"_arguments", "_endpoint", "_secrets"},
    "_call": {"_diagnosis", "_errors", "_faults", "_http", "_retry"},
    "_connected": {"_http", "_settings"},
    "_wire": {"_call"},
    "_plan": {"_binding", "_call", "_errors", "_request", "_secrets", "_version"},
    "chat_models": {
        "_binding",
        "_blocks",
        "_connected",
        "_errors",
        "_plan",
        "_profiles",
        "_reply",
        "_secrets",
        "_settings",
        "_stream",
        "_version",
        "_wire",
    },
    "embeddings": {
        "_call",
        "_diagnosis",
        "_endpoint",
        "_http",
        "_reply",
        "_request",
        "_secrets",
        "_version",
        "_wire",
    },
    "__init__": {"_errors", "_version", "chat_models", "embeddings"},
}

PURE = (
    "_arguments",
    "_binding",
    "_blocks",
    "_content",
    "_diagnosis",
    "_endpoint",
    "_errors",
    "_faults",
    "_profiles",
    "_reply",
    "_request",
    "_sse",
    "_stream",
    "_tool_calls",
    "_url",
    "_version",
)
"""No clock, no chance, no environment, no socket, no log, no loop: what they need is passed in."""

IMPURE = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "warnings",
}

# what the wheel brings along by itself, and nothing else
OUTSIDE = {"httpx", "langchain_core", "pydantic", "tenacity"}


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Gives the import statements that run; a type checker's do not."""
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


def parse(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))


def imports_of(module: str) -> set[str]:
    return names_in(statements(parse(module)))


def test_the_table_names_every_module() -> None:
    assert {path.stem for path in PACKAGE.rglob("*.py")} == LADDER.keys()
    assert set(PURE) <= LADDER.keys()


@pytest.mark.parametrize("module", LADDER)
def test_a_module_imports_what_its_rung_allows(module: str) -> None:
    own = {name for name in imports_of(module) if name.startswith("langchain_baseten")}

    assert own == {f"langchain_baseten.{name}" for name in LADDER[module]}


def test_everything_flows_one_way() -> None:
    rungs = list(LADDER)

    TopologicalSorter(LADDER).prepare()  # raises on a cycle
    assert [m for m in rungs for n in LADDER[m] if rungs.index(n) >= rungs.index(m)] == []


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_reaches_for_nothing_outside(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module)}

    assert tops & IMPURE == set()
    calls = {ast.unparse(n.func) for n in ast.walk(parse(module)) if isinstance(n, ast.Call)}
    assert calls & {"open", "print", "input", "datetime.now", "eval", "exec"} == set()


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_stands_on_pure_modules_only(module: str) -> None:
    assert LADDER[module] <= set(PURE)


@pytest.mark.parametrize("module", LADDER)
def test_the_http_library_has_one_importer(module: str) -> None:
    every = names_in([n for n in ast.walk(parse(module)) if isinstance(n, ast.stmt)])

    assert {name.partition(".")[0] for name in every} & {"openai", "langchain_openai"} == set()
    assert ("httpx" in every) is (module == "_http")


@pytest.mark.parametrize("module", LADDER)
def test_nothing_is_imported_that_is_not_installed_with_the_package(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module)}

    assert tops - sys.stdlib_module_names - {"langchain_baseten"} <= OUTSIDE


@pytest.mark.parametrize("module", LADDER)
def test_a_module_says_in_few_lines_what_it_knows(module: str) -> None:
    said = ast.get_docstring(parse(module)) or ""

    assert said
    assert module == "_errors" or len(said.splitlines()) <= 6
    assert len((PACKAGE / f"{module}.py").read_text("utf-8").splitlines()) <= 320
