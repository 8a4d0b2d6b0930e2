from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from conformance.maintenance.engines.__main__ import ENGINES, Parts
from conformance.maintenance.engines.serve import Command, EngineError, find_port, llama_server, run

# Serves its folder, after it started a child that would outlive it.
PARENT = """
import http.server, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("child").write_text(str(child.pid))
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def is_free(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Its parent is gone; until init has asked for its state it is a zombie.
    return "Z" not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8").split()[2]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Command, int]:
    monkeypatch.chdir(tmp_path)
    port = find_port()
    line = [sys.executable, "-c", PARENT, str(port)]
    return Command(line, f"http://127.0.0.1:{port}/child", patience=20), port


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_a_server_lives_as_long_as_its_block_with_all_that_it_started(
    served: tuple[Command, int], tmp_path: Path
) -> None:
    command, port = served
    with run(command, tmp_path / "log"):
        assert not is_free(port)
        child = int((tmp_path / "child").read_text(encoding="utf-8"))
        assert is_alive(child)
    assert is_free(port)
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)
    assert "GET /" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_server_ends_with_a_failing_block_too(
    served: tuple[Command, int], tmp_path: Path
) -> None:
    command, port = served
    with pytest.raises(KeyError), run(command, tmp_path / "log"):
        raise KeyError
    assert is_free(port)


@pytest.mark.parametrize(
    ("text", "patience", "why"),
    [
        ("import time; time.sleep(60)", 0.5, "never got ready"),
        ("import os; raise SystemExit(os.environ['ENGINE_SAYS'])", 30.0, "hi there"),
    ],
    ids=["in silence", "at once, with its last words"],
)
def test_a_server_that_never_gets_ready_is_ended(
    tmp_path: Path, text: str, patience: float, why: str
) -> None:
    line, reported = [sys.executable, "-c", text], {"ENGINE_SAYS": "hi there"}
    command = Command(line, f"http://127.0.0.1:{find_port()}/", reported, patience)
    with pytest.raises(EngineError, match=why), run(command, tmp_path / "log"):
        pytest.fail("it does not answer")


def test_engines_listen_on_loopback_alone_and_send_nothing_home(tmp_path: Path) -> None:
    vllm = ENGINES["vllm"](Parts(tmp_path, "python", ""), tmp_path, 8100)
    llama = llama_server("llama-server", tmp_path / "tiny.gguf", "omni", 8100)
    for command in (vllm, llama):
        options = " ".join(command.line)
        assert "--host 127.0.0.1" in options
        assert "--port 8100" in options
        assert command.ready == "http://127.0.0.1:8100/health"
    options = " ".join(vllm.line)
    assert "--served-model-name omni " in options
    assert f"--lora-modules tiny={tmp_path / 'adapter'} " in options
    assert vllm.environment["VLLM_NO_USAGE_STATS"] == vllm.environment["HF_HUB_OFFLINE"] == "1"
