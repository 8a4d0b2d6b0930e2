"""Run the Python blocks of a page against the reference server, and compare what they print.

Knows how a page is run; must not know which pages there are.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx2

from conformance.maintenance.documentation.blocks import Example, read_examples
from conformance.reference import AsyncResponderTransport, ResponderTransport
from langchain_baseten._http.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Outcome", "find_differences", "reference_service", "run_page", "write_outputs"]

_OPTIONAL = ("deepagents", "langchain", "langchain_openai", "langgraph")
"""Packages that an application installs beside this one. Blocks that import one which is not
installed are left out."""

_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one example.

    Attributes:
        example: The example.
        printed: What it printed; None if it was left out.
        missing: The package that is not installed, if it was left out.
    """

    example: Example
    printed: str | None
    missing: str | None = None


@contextlib.contextmanager
def reference_service() -> Iterator[None]:
    """Let the reference server answer every request of the package, whatever its host."""
    client = httpx2.Client(transport=ResponderTransport())
    aclient = httpx2.AsyncClient(transport=AsyncResponderTransport())

    async def async_client(_self: Connections, _server: str) -> httpx2.AsyncClient:
        return aclient

    with (
        mock.patch.object(Connections, "sync_client", return_value=client),
        mock.patch.object(Connections, "async_client", async_client),
        mock.patch.dict(os.environ, {"BASETEN_API_KEY": "documentation-key"}),
    ):
        yield


def run_page(text: str, name: str) -> list[Outcome]:
    """Run the Python blocks of a page from top to bottom, in one namespace.

    Args:
        text: The page in Markdown.
        name: What tracebacks call it.
    """
    namespace: dict[str, Any] = {"__name__": name}
    return [_run(example, name, namespace) for example in read_examples(text)]


def _run(example: Example, name: str, namespace: dict[str, Any]) -> Outcome:
    block = example.code
    if missing := _find_missing(block.text):
        return Outcome(example, None, missing)
    # Moved to its own line, so that a traceback points into the page.
    code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, namespace)  # noqa: S102  running the page is the check
    return Outcome(example, output.getvalue().strip())


def _find_missing(source: str) -> str | None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    missing = (name for name in _OPTIONAL if name in imported)
    return next((name for name in missing if importlib.util.find_spec(name) is None), None)


def find_differences(outcomes: list[Outcome]) -> list[str]:
    """Return a sentence for each example whose shown output is not what it printed.

    Ids that differ in each run are not compared.
    """
    return [f"line {o.example.code.line}: {why}" for o in outcomes if (why := _differs(o))]


def _differs(outcome: Outcome) -> str | None:
    if outcome.printed is None:
        return None
    shown = outcome.example.shown.text.strip() if outcome.example.shown else ""
    if _ID.sub("ID", shown) == _ID.sub("ID", outcome.printed):
        return None
    return f"printed {outcome.printed!r}, and the page shows {shown!r}"


def write_outputs(page: str, outcomes: list[Outcome]) -> str:
    """Return the page with the output of each example below it; what agrees stays as it is."""
    for outcome in reversed(outcomes):
        if not _differs(outcome):
            continue
        code, shown = outcome.example.code, outcome.example.shown
        below = f"\n\n```text\n{outcome.printed}\n```" if outcome.printed else ""
        page = page[: code.end] + below + page[(shown or code).end :]
    return page
