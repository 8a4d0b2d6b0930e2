"""Real engines on loopback: their command lines, and a process that lives as long as a block.

Knows processes, ports and readiness. Must not know URLs of the lane, checks or what is asked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Command", "EngineError", "find_port", "llama_server", "run", "vllm_server"]

_POLL = 0.25  # seconds between two looks
_MERCY = 10.0  # seconds from SIGTERM to SIGKILL
_QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
_SMALL = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_HOST_IP": "127.0.0.1",
    "GLOO_SOCKET_IFNAME": "lo",
    "OMP_NUM_THREADS": "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}
_CONTEXT = "2048"  # tokens, the tiny model's


class EngineError(RuntimeError):
    """An engine cannot be served; the message says what to give, or holds the end of a log."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started, and how one sees that it serves.

    Attributes:
        line: The command line.
        ready: URL that answers 200 once it serves.
        environment: What is added to ours.
        patience: Seconds that the start may take.
    """

    line: Sequence[str]
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 30.0


def find_port() -> int:
    """Return a port of loopback that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def vllm_server(python: str, model: Path, names: tuple[str, str], port: int) -> Command:
    """Return the command of vLLM's server on the CPU.

    Args:
        python: Interpreter of the environment that holds vLLM.
        model: Folder of the model.
        names: Names that it is served under. vLLM answers under one name of its own; the second
            is an adapter's, one that changes nothing.
        port: Where it listens on loopback.
    """
    name, other = names
    options = [
        *("--model", str(model), "--served-model-name", name),
        *("--enable-lora", "--max-lora-rank", "8"),
        *("--lora-modules", f"{other}={model / 'adapter'}"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--max-model-len", _CONTEXT, "--max-num-seqs", "4", "--dtype", "float32"),
        *("--enforce-eager", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        *("--reasoning-parser", "qwen3", "--exclude-tools-when-tool-choice-none"),
        *("--enable-prompt-tokens-details", "--enable-prefix-caching"),
    ]
    return Command(
        line=[python, "-m", "vllm.entrypoints.openai.api_server", *options],
        ready=f"http://127.0.0.1:{port}/health",
        environment=_QUIET | _SMALL,
        patience=240.0,
    )


def llama_server(binary: str, weights: Path, name: str, port: int) -> Command:
    """Return the command of llama.cpp's server.

    Args:
        binary: Path of `llama-server`.
        weights: The model as GGUF.
        name: Name that it answers under.
        port: Where it listens on loopback.
    """
    options = [
        *("--model", str(weights), "--alias", name, "--host", "127.0.0.1", "--port", str(port)),
        # Two slots share the context; each needs the whole of the tiny model's.
        *("--ctx-size", "4096", "--parallel", "2", "--threads", "1"),
        *("--jinja", "--offline", "--no-webui", "--top-k", "1"),
    ]
    return Command(line=[binary, *options], ready=f"http://127.0.0.1:{port}/health")


@contextlib.contextmanager
def run(command: Command, log: Path) -> Iterator[None]:
    """Run a server for the length of a `with` block, and all that it started.

    Args:
        command: What to run.
        log: Gets what it prints.

    Raises:
        EngineError: It ended, or did not answer in time.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603  the maintainer's own engine
            command.line,
            env=os.environ | dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _await_ready(process, command, log)
            yield
        finally:
            _end(process)


def _await_ready(process: subprocess.Popen[bytes], command: Command, log: Path) -> None:
    deadline = time.monotonic() + command.patience
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(command.ready, timeout=5.0, trust_env=False).status_code == 200:
                return
        time.sleep(_POLL)
    reported = log.read_text(encoding="utf-8", errors="replace")[-1500:]
    ended = f"ended with {process.poll()}" if process.poll() is not None else "never got ready"
    raise EngineError(f"{command.line[0]} {ended} ({log}):\n{reported}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group: an engine's workers outlive it otherwise."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_MERCY)
