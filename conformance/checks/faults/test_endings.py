"""A script that ends in the middle of a stream ends quietly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import langchain_baseten
from conformance.checks.faults.wire_bytes import HEAD, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.checks.faults.sockets import Line, Serve

ENDINGS = {
    "return": "async for _ in model.astream('Hi'): return",
    "break": "async for _ in model.astream('Hi'): break",
    "exit": "async for _ in model.astream('Hi'): sys.exit(0)",
    "held": "global kept; kept = model.astream('Hi'); await anext(kept)",
    "held twice": (
        "global kept; kept = [model.astream('Hi') for _ in range(2)]\n"
        "    for chunks in kept: await anext(chunks)"
    ),
    "task": (
        "async def read():\n        async for _ in model.astream('Hi'): pass\n"
        "    global kept; kept = asyncio.ensure_future(read()); await asyncio.sleep(0.3)"
    ),
    "events": (
        "async for event in model.astream_events('Hi', version='v2'):\n"
        "        if event['event'] == 'on_chat_model_stream': return"
    ),
    "chain": "async for _ in (model | StrOutputParser()).astream('Hi'): return",
    "closed": "chunks = model.astream('Hi'); await anext(chunks); await chunks.aclose()",
}
RUNS = {
    "asyncio.run": "asyncio.run(main())",
    "a plain loop": (
        "loop = asyncio.new_event_loop()\ntry: loop.run_until_complete(main())\n"
        "finally:\n    loop.run_until_complete(loop.shutdown_asyncgens())\n    loop.close()"
    ),
}
IMPORTS = """
import asyncio, faulthandler, json, os, sys
from langchain_core.output_parsers import StrOutputParser
from langchain_baseten import ChatBaseten
"""
SCRIPT = """
faulthandler.dump_traceback_later(30, exit=True)
model = ChatBaseten(model="m", api_key="sk-quiet-0123456789", base_url="{url}")
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60
    {ending}
{run}
"""
# A fork of an interpreter that has imported everything goes on to the end of a script as its own;
# only what was imported is never collected.
STARTER = f"""{IMPORTS}
import gc; gc.freeze()
while order := sys.stdin.readline():
    script, said = json.loads(order)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
    os.dup2(1, 2)
    exec(script)
    break
"""


def talk_on(line: Line) -> None:
    line.answer(HEAD)
    while line.pause(0.02):
        line.send(say("word "))


def _command(script: str) -> list[str]:
    return [sys.executable, "-X", "dev", "-c", script]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(langchain_baseten.__file__).parents[1])}


@pytest.fixture(scope="module")
def end() -> Iterator[Callable[[str, Path], tuple[int, str]]]:
    """Runs a script in a process of its own; returns its exit code and what it said."""
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603  our own script
        _command(STARTER), stdin=pipe, stdout=pipe, text=True, env=_environment()
    ) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        orders, codes = starter.stdin, starter.stdout

        def run(script: str, said: Path) -> tuple[int, str]:
            orders.write(json.dumps([script, str(said)]) + "\n")
            orders.flush()
            return int(codes.readline()), said.read_text(encoding="utf-8")

        yield run
        orders.close()
        assert starter.wait(30) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_script_that_ends_inside_a_stream_says_nothing(
    end: Callable[[str, Path], tuple[int, str]],
    serve_script: Serve,
    tmp_path: Path,
    ending: str,
    run: str,
) -> None:
    if ending in (ENDINGS["task"], ENDINGS["events"]) and run != RUNS["asyncio.run"]:
        pytest.skip("a plain loop reports tasks that nobody cancelled, langchain-core's too")
    script = SCRIPT.format(ending=ending, run=run, url=serve_script(talk_on).url)
    assert end(script, tmp_path / "said") == (0, "")


def test_a_script_that_imports_by_itself_says_nothing_either(serve_script: Serve) -> None:
    runs = "\nfirst = kept\n".join(RUNS.values())  # one start for both, as both streams are held
    url = serve_script(talk_on).url
    done = subprocess.run(  # noqa: S603  our own script
        _command(IMPORTS + SCRIPT.format(ending=ENDINGS["held"], run=runs, url=url)),
        capture_output=True,
        text=True,
        timeout=60,
        env=_environment(),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
