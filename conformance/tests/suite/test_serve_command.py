"""`python -m conformance serve`: what it prints works when pasted, and Ctrl-C ends it quietly."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from conformance.cli.main import main

PROMPT = [{"role": "user", "content": "Hello"}]
HERE = "127.0.0.1"


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "conformance", "serve", "--port", "0", *request.param]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:  # noqa: S603  our own command
        yield process
        process.kill()


def read_notice(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    while not (lines and lines[-1].startswith("is asked, but runs no model")):
        lines.append(process.stdout.readline())
        assert lines[-1] or len(lines) < 2, process.communicate()
    return "".join(lines)


@pytest.mark.parametrize(
    ("served", "path"),
    [([], "/v1"), (["--lane", "dedicated", "--model", "tiny"], "/environments/production/sync/v1")],
    indirect=["served"],
)
def test_the_server_answers_until_it_is_interrupted(
    served: subprocess.Popen[str], path: str
) -> None:
    notice = read_notice(served)
    key, base, program = re.findall(r"(?m)^ {4}(.*)$", notice)
    url = base.partition("=")[2]
    model = re.findall(r'model="(.*?)"', program)[0]
    assert url.endswith(path)
    response = httpx.post(
        f"{url}/chat/completions",
        json={"model": model, "messages": PROMPT},
        headers={"authorization": f"Bearer {key.partition('=')[2]}"},
    )
    assert 'You said "Hello".' in response.json()["choices"][0]["message"]["content"]
    assert "reference server and not Baseten" in notice
    assert "/environments/production/sync/v1: pass it as `model_url`" in notice
    served.send_signal(signal.SIGINT)
    rest, errors = served.communicate(timeout=30)
    assert (served.returncode, errors) == (0, "")
    assert "has stopped" in rest


def test_a_model_that_is_not_served_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--model", "no/such"]) == 2
    assert "no model 'no/such'" in capsys.readouterr().err


def test_a_port_that_is_taken_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((HERE, 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"port {port}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["serve", "--port", "70000"])
