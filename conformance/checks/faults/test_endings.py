"""A script that ends in the middle of a stream ends quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import langchain_baseten
from conformance.checks.faults.wire_bytes import HEAD, say

if TYPE_CHECKING:
    from conformance.checks.faults.sockets import Line, Serve

pytestmark = pytest.mark.untraced("its work is done by scripts that repeat what other tests do")

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
SCRIPT = """
import asyncio, faulthandler, sys
faulthandler.dump_traceback_later(30, exit=True)
from langchain_core.output_parsers import StrOutputParser
from langchain_baseten import ChatBaseten
model = ChatBaseten(model="m", api_key="sk-quiet-0123456789", base_url=sys.argv[1])
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60
    {ending}
{run}
"""


def talk_on(line: Line) -> None:
    line.answer(HEAD)
    while line.pause(0.02):
        line.send(say("word "))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_script_that_ends_inside_a_stream_says_nothing(
    serve_script: Serve, ending: str, run: str
) -> None:
    if ending in (ENDINGS["task"], ENDINGS["events"]) and run != RUNS["asyncio.run"]:
        pytest.skip("a plain loop reports tasks that nobody cancelled, langchain-core's too")
    script = SCRIPT.format(ending=ending, run=run)
    package = Path(langchain_baseten.__file__).parents[1]
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-X", "dev", "-c", script, serve_script(talk_on).url],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(package)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
