"""`docs/scale.md`: each example runs as a script of its own, and prints what the page shows.

Knows the page's sections and the requests that reach the server; must not know Ray or Dask.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest, respond
from conformance.reference.error_bodies import refuse_at_edge

PAGE = Path(__file__).parents[4] / "docs" / "scale.md"
KEY = "sk-scale-0123456789"
_RAYLET = re.compile(r"(?m)^.*\(raylet\).*\n")
"""Ray's own report of a worker that was killed, which the page leaves out."""
LATEST = 240.0
"""Seconds that a script may take on a busy machine: Ray needs half a minute to start."""


def _read_section(title: str, language: str) -> str:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(rf"(?ms)^```{language}\n(.*?)^```$", section))


class _Refusing:
    """Refuses a tenth of the prompts once with 429, and prompt 9 once with a long 503.

    Attributes:
        prompts: How often each prompt came.
        most: Maximum number of requests at the same time.
    """

    def __init__(self) -> None:
        self.prompts: Counter[str] = Counter()
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)  # long enough for those that are sent together to meet
        with self._lock:
            self._now -= 1
            return self._answer(request)

    def _answer(self, request: ReceivedRequest) -> AnswerPlan:
        prompt = request.json()["messages"][-1]["content"][:40]
        self.prompts[prompt] += 1
        if self.prompts[prompt] == 1 and prompt.endswith(": 9"):
            return _refuse(503, 120)
        if self.prompts[prompt] == 1 and prompt.endswith("5"):
            return _refuse(429, 1)
        return respond(request)


def _refuse(status: int, seconds: int) -> AnswerPlan:
    plan = refuse_at_edge(status, "busy")
    return replace(plan, headers=(*plan.headers, ("retry-after", str(seconds))))


def _run(title: str, folder: Path) -> tuple[str, _Refusing]:
    """Run a section's blocks as a script; return what it prints, and what was requested."""
    script, responder = folder / "example.py", _Refusing()
    script.write_text(_read_section(title, "python"), encoding="utf-8")
    with LoopbackServer(responder) as server:
        place = {"BASETEN_API_KEY": KEY, "BASETEN_BASE_URL": f"{server.url}/v1"}
        done = subprocess.run(  # noqa: S603  the page of this repository
            [sys.executable, str(script)],
            cwd=folder,
            env={**os.environ, **place},
            capture_output=True,
            text=True,
            timeout=LATEST,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    return _RAYLET.sub("", done.stdout), responder


@pytest.fixture(scope="module")
def ray_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, _Refusing, Path]:
    folder = tmp_path_factory.mktemp("ray")
    return *_run("Ray Data", folder), folder


def test_the_ray_example_prints_what_the_page_shows(
    ray_run: tuple[str, _Refusing, Path],
) -> None:
    assert ray_run[0] == _read_section("Ray Data", "text").replace("\n\n", "\n")


def test_ray_asks_again_only_for_what_was_refused_or_lost(
    ray_run: tuple[str, _Refusing, Path],
) -> None:
    prompts = ray_run[1].prompts
    often = {prompt: times for prompt, times in prompts.items() if times > 1}
    first = {prompt for prompt in often if int(prompt.rpartition(" ")[2]) < 100}

    assert len(prompts) == 300
    assert max(often.values()) <= 3
    # Of the first run: the 429s and the 503, and no row that is settled, as one that is too long.
    assert first == {f"Repeat after me: {n}" for n in (9, *range(5, 100, 10))}
    lost = {prompt for prompt in often.keys() - first if not prompt.endswith("5")}
    assert 20 <= len(lost) <= 64  # a batch of 32, less its 429s; the other actor's if it was shared


def test_two_actors_send_as_many_requests_together_as_the_page_says(
    ray_run: tuple[str, _Refusing, Path],
) -> None:
    # On a busy machine one actor may end before the other has begun.
    assert 8 <= ray_run[1].most <= 32


def test_the_key_is_in_nothing_that_is_written(ray_run: tuple[str, _Refusing, Path]) -> None:
    written = [path.read_bytes() for path in ray_run[2].rglob("*.parquet")]
    assert written
    assert not any(KEY.encode() in each for each in written)


def test_the_dask_example_prints_what_the_page_shows(tmp_path: Path) -> None:
    printed, responder = _run("Dask", tmp_path)

    assert printed == _read_section("Dask", "text")
    assert len(responder.prompts) == 100
    assert responder.most <= 32
