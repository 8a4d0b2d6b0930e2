"""A script that ends in the middle of a stream ends quietly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_baseten
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import HEAD, say

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
REPORTED = {("task", "a plain loop"), ("events", "a plain loop")}
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
# only what was imported is never collected. The last script is run without a fork.
STARTER = f"""{IMPORTS}
import gc; gc.freeze()
*scripts, last = json.load(sys.stdin)
for script, said in scripts:
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
    os.dup2(1, 2)
    last = script
    break
else:
    gc.unfreeze()
exec(last)
"""


def talk_on(line: Line) -> None:
    line.answer(HEAD)
    while line.pause(0.02):
        line.send(say("word "))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_script_that_ends_inside_a_stream_says_nothing(
    serve_script: Serve, tmp_path: Path
) -> None:
    url = serve_script(talk_on).url
    # A plain loop reports tasks that nobody cancelled, langchain-core's too.
    pairs = [(ending, run) for ending in ENDINGS for run in RUNS if (ending, run) not in REPORTED]
    scripts = [
        (SCRIPT.format(ending=ENDINGS[ending], run=RUNS[run], url=url), str(tmp_path / str(number)))
        for number, (ending, run) in enumerate(pairs)
    ]
    both = "\nfirst = kept\n".join(RUNS.values())
    last = SCRIPT.format(ending=ENDINGS["held"], run=both, url=url)
    done = subprocess.run(  # noqa: S603  our own scripts
        [sys.executable, "-X", "dev", "-c", STARTER],
        input=json.dumps([*scripts, last]),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(langchain_baseten.__file__).parents[1])},
        check=False,
    )
    codes = done.stdout.splitlines()
    texts = [Path(file).read_text("utf-8") for _, file in scripts]
    assert dict(zip(pairs, zip(codes, texts, strict=True), strict=True)) == dict.fromkeys(
        pairs, ("0", "")
    )
    assert (done.returncode, done.stderr) == (0, "")
