"""Why a check failed, in words: what it expected, as it is written there, and what it received.

Knows Python's tracebacks and sources; must not know claims or who was judged.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
from importlib.util import find_spec
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from conformance import FOLDER

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["describe_failure"]

_STANDARD = find_spec("langchain_tests")
_CHECKS = (
    f"{FOLDER / 'checks'}{os.sep}",
    *(f"{folder}{os.sep}" for folder in (_STANDARD and _STANDARD.submodule_search_locations) or ()),
)
_TEST = "test_"
_EXPLAINING = re.compile(r"\s*\+\s+(where|and) ")
"""How pytest begins a line that says where a value of the expression came from."""
_FULL = re.compile(r"\n\s*\n\s*Full diff:")
_INPUT = re.compile(
    r"\[type=(\w+), input_value=.*?, input_type=(\w+)\](\s*For further information visit \S+)?",
    re.DOTALL,
)
"""What pydantic says of a value: its kind is enough, the value is cut to nothing."""
_UNPACKED = re.compile(r"values to unpack \(expected (\d+)(?:, got (\d+))?\)")
_DATA = re.compile(r"[A-Za-z0-9+/=]{120,}")
_SHOWN = 24
"""Characters shown of base64 data."""
_BARE = (LookupError, ValueError, TypeError, AttributeError)
"""What a check's own statement raises if a response is not shaped as the check reads it."""


def describe_failure(error: BaseException, text: str, folders: tuple[str, ...] = _CHECKS) -> str:
    """Return why a check failed.

    Args:
        error: What ended the check.
        text: What pytest says about it, with the values that it found.
        folders: Where the files of checks are, ours and LangChain's.

    Returns:
        What the check says itself; else the behaviour that its name states, what it expected, and
        the text. An error that comes from elsewhere is its own reason.
    """
    behaviour, found = _find_statement(error.__traceback__, folders)
    text, opening = _tidy(text), behaviour and f"{behaviour}: "
    if found is None:
        return f"{opening}{text}" if isinstance(error, AssertionError) else text
    statement, last = found
    if isinstance(statement, ast.Assert) and isinstance(error, AssertionError):
        if statement.msg is not None:
            return text.split("\nassert ", 1)[0]
        received = _read_values(statement.test, text)
        return f"{opening}expected `{_write(statement.test)}`; received: {received}"
    if isinstance(statement, ast.With) and "DID NOT RAISE" in text:
        return f"{opening}expected an error from `{_write(statement.body[0])}`; received: {text}"
    if last and isinstance(error, _BARE) and not isinstance(statement, ast.Raise):
        return f"{opening}{_describe_reading(statement, error, text)}"
    reported = not isinstance(error, _BARE) and str(error)
    crash = not reported and type(error).__module__ == "builtins" and not last
    return f"{text}{_place(error)}" if crash else text


def _describe_reading(statement: ast.stmt, error: BaseException, text: str) -> str:
    """Return what a statement of a check could not read of a response."""
    if isinstance(statement, ast.Assign) and (counts := _UNPACKED.search(text)):
        wanted, found = counts[1], counts[2] or f"more than {counts[1]}"
        return f"expected `{_write(statement.value)}` to hold {wanted}; received: {found}"
    missing = f"no {error.args[0]!r}" if isinstance(error, KeyError) else text
    return f"expected to read `{_write(statement)}`; received: {missing}"


def _read_values(test: ast.expr, text: str) -> str:
    """Return what pytest says of a condition without its word `assert`, and of `==` the values.

    Args:
        test: The condition, as it is written.
        text: What pytest says: the condition with the values in it, and then how they differ.
    """
    line, _, rest = text.partition("\n")
    shown = line.removeprefix("assert ")
    try:
        compared = _parse(shown, "eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        compared = None  # a value that Python does not write as it reads it
    if not isinstance(compared, ast.Compare) or not isinstance(compared.ops[0], ast.Eq):
        return f"{shown}\n{rest}".strip()
    values = compared.left, *compared.comparators
    received, *wanted = (ast.get_source_segment(shown, value) or "" for value in values)
    written = [ast.unparse(each) for each in getattr(test, "comparators", ())]
    known = written == [ast.unparse(each) for each in compared.comparators]
    return received if known else f"{received}, not {' == '.join(wanted)}"


def _place(error: BaseException) -> str:
    """Return in which module an error was raised that says nothing about it, beside pydantic's."""
    steps = [
        (str(frame.f_globals.get("__name__")), frame.f_code.co_name, line)
        for frame, line in walk_tb(error.__traceback__)
    ]
    module, name, line = [step for step in steps if step[0].partition(".")[0] != "pydantic"][-1]
    return f" (raised by {name} in {module}, line {line})"


def _tidy(text: str) -> str:
    """Return what pytest says without what explains Python only, and with long data cut."""
    lines = _FULL.split(text, maxsplit=1)[0].split("\n")
    kept = "\n".join(line for line in lines if not _EXPLAINING.match(line))
    kept = _INPUT.sub(r"[\1, not \2]", kept.removeprefix("AssertionError: "))
    return _DATA.sub(lambda run: f"{run[0][:_SHOWN]}… ({len(run[0])} characters)", kept)


def _find_statement(
    trace: TracebackType | None, folders: tuple[str, ...]
) -> tuple[str, tuple[ast.stmt, bool] | None]:
    """Return what the test's name states, and the last statement of a check's file that ran.

    With the statement comes whether it raised by itself.
    """
    behaviour, found = "", None
    while trace:
        code = trace.tb_frame.f_code
        if code.co_name.startswith(_TEST):
            behaviour = code.co_name.removeprefix(_TEST).replace("_", " ")
        if code.co_filename.startswith(folders):
            found = code.co_filename, trace.tb_lineno, trace.tb_next is None
        trace = trace.tb_next
    return behaviour, _read_statement(*found) if found else None


def _read_statement(path: str, line: int, last: bool) -> tuple[ast.stmt, bool] | None:
    tree = _parse("".join(linecache.getlines(path)), "exec")
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
    ]
    return (max(around, key=lambda node: node.lineno), last) if around else None


def _parse(source: str, mode: str) -> Any:
    try:
        return ast.parse(source, mode=mode)
    except SystemError:
        # Python 3.11 loses count of its depth if garbage is collected meanwhile, such as tasks that
        # a client left behind (github.com/python/cpython/issues/106905): it would end the run.
        return ast.parse(source, mode=mode)


def _write(node: ast.AST) -> str:
    """Return the source of a node on one line; of a statement with a body, its head."""
    return ast.unparse(node).split("\n")[0]
