"""`python -m conformance.maintenance.engines`: judge the dedicated lane on real engines here.

Knows the order: lessons, model (trained once, then kept), engine, front, judgement. Everything
listens on loopback and ends with the run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.child_environment import child_environment
from conformance.maintenance.engines.proxy import find_nginx, front_server
from conformance.maintenance.engines.serve import (
    Command,
    EngineError,
    find_port,
    llama_server,
    run,
    vllm_server,
)
from conformance.maintenance.engines.training_data import gather_lessons, write_lessons
from conformance.runner import HERE
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_FOLDER = Path(__file__).parent
_TRAINER, _EXPORTER = "train_model.py", "export_gguf.py"
"""Run by the engine's interpreter, not by ours: it has what they import."""
_NAMES = LANES["dedicated"].model, LANES["dedicated"].reasoning_model
_CANNOT = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """What is found on this machine.

    Attributes:
        cache: Keeps what is trained and fetched, and the logs.
        python: Interpreter that has vLLM, torch and transformers.
        llama: Path of `llama-server`; empty if there is none.
    """

    cache: Path
    python: str
    llama: str


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the engines that are found, or serve one; return the exit code.

    Args:
        argv: The arguments after the program's name. What stands behind `--` goes to `verify`.

    Returns:
        0 if every engine was judged green, 1 if one was not, 2 if something is missing.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = _build_parser().parse_args(arguments[:cut])
    try:
        parts = find_parts(options.cache.absolute())
        model = prepare_model(parts)
        names = options.engine or [name for name in ENGINES if name == "vllm" or parts.llama]
        return max(_use(name, parts, model, options, arguments[cut + 1 :]) for name in names)
    except EngineError as error:
        print(f"cannot begin: {error}", file=sys.stderr)
        return _CANNOT


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.maintenance.engines",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one")
    parser.add_argument("--cache", type=Path, default=HERE.root / ".engines", help="kept there")
    parser.add_argument("--serve", action="store_true", help="serve until interrupted, no judging")
    return parser


def find_parts(cache: Path) -> Parts:
    """Return what the environment names, or what is found beside this interpreter.

    Args:
        cache: Created if it is missing.

    Raises:
        EngineError: No interpreter has vLLM.
    """
    cache.mkdir(parents=True, exist_ok=True)
    python = os.environ.get("CONFORMANCE_VLLM_PYTHON", sys.executable)
    requested = [python, "-c", "import importlib.util as u; exit(u.find_spec('vllm') is None)"]
    if subprocess.run(requested, check=False, capture_output=True).returncode:  # noqa: S603  the maintainer's own interpreter
        raise EngineError(
            f"{python} has no vLLM: run `tox -e engine`, or name an interpreter that has it in "
            "CONFORMANCE_VLLM_PYTHON"
        )
    llama = os.environ.get("CONFORMANCE_LLAMA_SERVER") or shutil.which("llama-server") or ""
    return Parts(cache, python, llama)


def find_truss(python: str) -> Path:
    """Return the folder of the package `truss`; only its templates are read.

    Raises:
        EngineError: It is not there.
    """
    named = os.environ.get("CONFORMANCE_TRUSS")
    near = Path(python).absolute().parent.parent.glob("lib/python3*/site-packages/truss")
    found = Path(named) if named else next(near, None)
    if found is None or not found.is_dir():
        raise EngineError(
            "no package truss: `pip install --no-deps truss`, or name its folder in "
            "CONFORMANCE_TRUSS"
        )
    return found


def prepare_model(parts: Parts) -> Path:
    """Return the folder of a model that knows today's lessons, trained now if it must be.

    Raises:
        EngineError: It did not learn them.
    """
    lessons = parts.cache / "lessons.json"
    write_lessons(gather_lessons(), lessons)
    made_of = (lessons, _FOLDER / _TRAINER, _FOLDER / "chat.jinja")
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in made_of)).hexdigest()
    model = parts.cache / f"tiny-{digest[:12]}"
    if not model.exists():
        aside = parts.cache / "training"
        shutil.rmtree(aside, ignore_errors=True)
        print(f"training {model.name}: some minutes", flush=True)
        _call(parts.python, _FOLDER / _TRAINER, lessons, aside)
        aside.rename(model)
    return model


def _call(python: str, script: Path, *paths: Path) -> None:
    done = subprocess.run([python, script, *paths], check=False)  # noqa: S603  our own script
    if done.returncode:
        raise EngineError(f"{script.name} failed (exit code {done.returncode}); see above")


def _start_vllm(parts: Parts, model: Path, port: int) -> Command:
    return vllm_server(parts.python, model, _NAMES, port)


def _start_llama(parts: Parts, model: Path, port: int) -> Command:
    if not parts.llama:
        raise EngineError("no llama-server: put it on PATH, or name it in CONFORMANCE_LLAMA_SERVER")
    weights = model.with_suffix(".gguf")
    if not weights.exists():
        _call(parts.python, _FOLDER / _EXPORTER, model, weights)
    return llama_server(parts.llama, weights, _NAMES[0], port)


ENGINES: Mapping[str, Callable[[Parts, Path, int], Command]] = {
    "vllm": _start_vllm,
    "llama.cpp": _start_llama,
}


@contextlib.contextmanager
def serve(name: str, parts: Parts, model: Path) -> Iterator[str]:
    """Serve a model by an engine behind the front, and give the front's root URL.

    Args:
        name: One of `ENGINES`.
        parts: What is found here.
        model: Folder of the model.

    Raises:
        EngineError: A part is missing, or one of the two did not start.
    """
    engine, port = find_port(), find_port()
    folder = parts.cache / f"front-{name}"
    folder.mkdir(exist_ok=True)
    nginx, truss = find_nginx(parts.cache / "nginx"), find_truss(parts.python)
    front = front_server(nginx, truss, folder, engine, port)
    command = ENGINES[name](parts, model, engine)
    with run(command, folder / "engine.log"), run(front, folder / "front.log"):
        yield f"http://127.0.0.1:{port}"


def _use(
    name: str, parts: Parts, model: Path, options: argparse.Namespace, more: Sequence[str]
) -> int:
    print(f"starting {name}", flush=True)
    with serve(name, parts, model) as url:
        if options.serve:
            print(f"{name} answers at {url}; interrupt to end it", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
            return 0
        line = [sys.executable, "-m", "conformance", "verify", "--target=engine"]
        line += [f"--engine-url={url}", *more]
        done = subprocess.run(line, check=False, env=child_environment("engine"))  # noqa: S603  our own command
        print(f"{name}: exit code {done.returncode}", flush=True)
        return done.returncode


if __name__ == "__main__":
    # A stop from outside ends the engines too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
