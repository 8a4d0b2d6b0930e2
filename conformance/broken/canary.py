"""Signs of life: that replay lets nothing out, that cassettes are played, that checks assert.

Knows what a suite that has stopped judging looks like; must not know what it judges.
"""

from __future__ import annotations

import ast
import asyncio
import select
import socket
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import vcr
from vcr.errors import CannotOverwriteExistingCassetteException

from conformance.libraries import LIBRARIES, errors
from conformance.recording.vcr_hooks import match_json_body, vcr_settings
from conformance.verdicts.verdicts import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conformance.verdicts.run_record import Record

__all__ = ["CANARY", "find_green", "find_silent", "probe_replay"]

CANARY = "replay:alters-every-body"
"""The target on which every recorded check must turn red."""

_RED = {Result.FAILED, Result.BROKEN}
_SPEAKERS = {"raises", "warns", "fail", "expect", "expect_class", "expect_status", "judge_taking"}
_PATIENCE = 2.0


def find_green(honest: Record, altered: Record) -> list[str]:
    """Return the recorded checks that do not notice when every body they send is altered.

    Args:
        honest: The record of a replay.
        altered: The record of a replay on the canary.
    """
    recorded = dict.fromkeys(check for _, check in honest.cassette_uses)
    if not recorded:
        return ["no check played a cassette"]
    red = {outcome.check for outcome in altered.outcomes if outcome.result in _RED}
    red |= {where for where, _ in altered.unbound_failures}
    return [f"{check} did not notice" for check in recorded if check not in red]


def find_silent(path: Path) -> list[str]:
    """Return the checks of a file that assert nothing, not even through the file's own functions.

    Args:
        path: A file of checks.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {f.name: f for f in ast.walk(tree) if isinstance(f, _FUNCTIONS)}
    speaking = {name for name, function in functions.items() if _asserts(function)}
    speaking |= {name for name, function in functions.items() if _calls(function) & speaking}
    return [n for n in functions if n.startswith("test_") and n not in speaking]


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _asserts(function: ast.AST) -> bool:
    return any(isinstance(n, ast.Assert) for n in ast.walk(function)) or bool(
        _calls(function) & _SPEAKERS
    )


def _calls(function: ast.AST) -> set[str]:
    called = (n.func for n in ast.walk(function) if isinstance(n, ast.Call))
    return {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in called}


def probe_replay() -> Iterator[str]:
    """Ask for what no cassette holds, once on each transport, and yield what is wrong with that.

    VCR patches the transports of each library by itself, and a release of it may not know one.

    A request must be refused before a socket is opened: a listener on loopback sees none. It looks
    twice, since another process may happen on the listener's port.
    """
    for name, ask in _PROBES.items():
        if _is_let_out(ask) and _is_let_out(ask):
            yield f"replay is not alive: no cassette refused an unknown {name} request"


def _is_let_out(ask: Callable[[str], None]) -> bool:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1/chat/completions"
        recorder = vcr.VCR()
        recorder.register_matcher("json_body", match_json_body)
        with recorder.use_cassette(f"{folder}/none.yaml", **vcr_settings(record=False)):
            refused = _is_refused(ask, url)
        return not refused or bool(select.select([server], [], [], 0)[0])


def _is_refused(ask: Callable[[str], None], url: str) -> bool:
    try:
        ask(url)
    except CannotOverwriteExistingCassetteException:
        return True
    except _FAILURES:
        return False
    return False


def _ask(library: Any, url: str) -> None:
    with library.Client(verify=False, timeout=_PATIENCE) as client:
        client.post(url, json={})


def _ask_on_loop(library: Any, url: str) -> None:
    async def ask() -> None:
        async with library.AsyncClient(verify=False, timeout=_PATIENCE) as client:
            await client.post(url, json={})

    asyncio.run(ask())


_FAILURES = errors("HTTPError")
_PROBES: dict[str, Callable[[str], None]] = {
    f"{mode} {name}": partial(ask, library)
    for name, library in LIBRARIES.items()
    for mode, ask in (("sync", _ask), ("async", _ask_on_loop))
}
