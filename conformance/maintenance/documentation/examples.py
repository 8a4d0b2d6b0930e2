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

from conformance.maintenance.documentation.blocks import read_blocks
from conformance.reference import AsyncResponderTransport, ResponderTransport
from langchain_baseten._http.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.maintenance.documentation.blocks import Block

__all__ = ["Outcome", "find_differences", "reference_service", "run_page", "write_outputs"]

_OPTIONAL = ("deepagents", "langchain", "langchain_openai", "langgraph")
"""Packages that an application installs beside this one. Blocks that import one which is not
installed are left out."""

_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one example.

    Attributes:
        code: The Python block.
        shown: The `text` block below it, with nothing between them, which shows what it prints.
        printed: What it printed; None if it was left out.
        missing: The package that is not installed, if it was left out.
    """

    code: Block
    shown: Block | None
    printed: str | None
    missing: str | None


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
    blocks, outcomes = read_blocks(text), []
    for code, below in zip(blocks, [*blocks[1:], None], strict=True):
        if code.language == "python":
            shows = below and below.language == "text" and not text[code.end : below.start].strip()
            missing = _find_missing(code.text)
            printed = None if missing else _run(code, name, namespace)
            outcomes.append(Outcome(code, below if shows else None, printed, missing))
    return outcomes


def _run(block: Block, name: str, namespace: dict[str, Any]) -> str:
    # Moved to its own line, so that a traceback points into the page.
    code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, namespace)  # noqa: S102  running the page is the check
    return output.getvalue().strip()


def _find_missing(source: str) -> str | None:
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    imported = {name.partition(".")[0] for name in names}
    missing = (name for name in _OPTIONAL if name in imported)
    return next((name for name in missing if importlib.util.find_spec(name) is None), None)


def find_differences(outcomes: list[Outcome]) -> list[str]:
    """Return a sentence for each example whose shown output is not what it printed.

    Ids that differ in each run are not compared.
    """
    return [f"line {o.code.line}: {why}" for o in outcomes if (why := _differs(o))]


def _differs(outcome: Outcome) -> str | None:
    if outcome.printed is None:
        return None
    shown = outcome.shown.text.strip() if outcome.shown else ""
    if _ID.sub("ID", shown) == _ID.sub("ID", outcome.printed):
        return None
    return f"printed {outcome.printed!r}, and the page shows {shown!r}"


def write_outputs(page: str, outcomes: list[Outcome]) -> str:
    """Return the page with the output of each example below it; what agrees stays as it is."""
    for outcome in reversed(outcomes):
        if not _differs(outcome):
            continue
        code, shown = outcome.code, outcome.shown
        below = f"\n\n```text\n{outcome.printed}\n```" if outcome.printed else ""
        page = page[: code.end] + below + page[(shown or code).end :]
    return page
