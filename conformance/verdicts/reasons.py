"""Why a check failed, in words: what it expected, as it is written there, and what it received.

Knows Python's tracebacks and sources; must not know claims or who was judged.
"""

from __future__ import annotations

import ast
import linecache
from typing import TYPE_CHECKING

from conformance import FOLDER

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["describe_failure"]

_CHECKS = str(FOLDER / "checks")
_BARE = (LookupError, ValueError, TypeError, AttributeError)
"""What a check's own statement raises if a response is not shaped as the check reads it."""


def describe_failure(error: BaseException, text: str, folder: str = _CHECKS) -> str:
    """Return why a check failed.

    Args:
        error: What ended the check.
        text: What pytest says about it, with the values that it found.
        folder: Where the files of checks are.

    Returns:
        The text, behind what the check expected if the text alone does not say so.
    """
    found = _find_statement(error.__traceback__, folder)
    if found is None:
        return text
    statement, last = found
    if isinstance(statement, ast.Assert) and isinstance(error, AssertionError):
        said = statement.msg is not None
        return text if said else f"expected `{_write(statement.test)}`; received: {text}"
    if isinstance(statement, ast.With) and "DID NOT RAISE" in text:
        return f"expected an error from `{_write(statement.body[0])}`; received: {text}"
    if last and isinstance(error, _BARE) and not isinstance(statement, ast.Raise):
        return f"expected to read `{_write(statement)}`; received: {text}"
    return text


def _find_statement(trace: TracebackType | None, folder: str) -> tuple[ast.stmt, bool] | None:
    """Return the last statement of a check's file that ran, and whether it raised by itself."""
    found = None
    while trace:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(folder):
            found = code.co_filename, trace.tb_lineno, trace.tb_next is None
        trace = trace.tb_next
    if found is None:
        return None
    path, line, last = found
    tree = ast.parse("".join(linecache.getlines(path)))
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
    ]
    return (max(around, key=lambda node: node.lineno), last) if around else None


def _write(node: ast.AST) -> str:
    """Return the source of a node on one line; of a statement with a body, its head."""
    return ast.unparse(node).split("\n")[0]
