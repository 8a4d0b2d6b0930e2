"""The diagram of docs/architecture.md shows the imports of the package, and its files exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import langchain_baseten
from conformance.maintenance.documentation.blocks import read_blocks

PACKAGE = Path(langchain_baseten.__file__).parent
PAGE = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text("utf-8")


def read_imports(path: Path) -> set[str]:
    """Return the rooms of the package that a module imports when it runs."""
    tree = ast.parse(path.read_text("utf-8"))
    checked = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for statement in branch.body
        for node in ast.walk(statement)
    }
    found = [node for node in ast.walk(tree) if node not in checked]
    names = [node.module or "" for node in found if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in found if isinstance(node, ast.Import) for alias in node.names]
    names += [
        f"langchain_baseten.{alias.name}"
        for node in found
        if isinstance(node, ast.ImportFrom) and node.module == "langchain_baseten"
        for alias in node.names
    ]
    return {name.split(".")[1] for name in names if name.startswith("langchain_baseten.")}


def name_room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_diagram_shows_the_imports_of_the_package() -> None:
    [diagram] = [block for block in read_blocks(PAGE) if block.language == "mermaid"]
    drawn = re.findall(r"(\w+) --> (\w+)", diagram.text)
    real = {
        (name_room(path), room) for path in PACKAGE.rglob("*.py") for room in read_imports(path)
    }
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(room, other) for room, other in real if room != other}


def test_the_page_names_files_that_exist() -> None:
    named = re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", PAGE)
    outside = {"langchain_baseten/", "conformance/", "cassettes/"}
    assert len(named) > 15
    assert [name for name in named if name not in outside and not (PACKAGE / name).exists()] == []
