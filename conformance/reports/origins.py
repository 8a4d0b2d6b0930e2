"""Where the source of a check stands, from its node id.

Knows pytest's node ids and Python's syntax; must not import or run any check.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["find_origin"]


def find_origin(root: Path, check: str) -> tuple[str, int]:
    """Find the file of a check and the line on which it is defined.

    Args:
        root: The folder that node ids are relative to.
        check: Node id of the check.

    Returns:
        The file as the node id names it and the line, from 1. A check that its class inherits from
        another package has the line of the class. The line is 0 where nothing is found.
    """
    file, *names = check.partition("[")[0].split("::")
    lines = _read_lines(root / file)
    while names and tuple(names) not in lines:
        names.pop()
    return file, lines.get(tuple(names), 0)


@cache
def _read_lines(path: Path) -> dict[tuple[str, ...], int]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError):
        return {}
    return dict(_walk(tree.body, ()))


def _walk(body: list[ast.stmt], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield (*above, node.name), node.lineno
            yield from _walk(node.body, (*above, node.name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (*above, node.name), node.lineno
