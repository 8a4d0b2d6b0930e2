"""`python -m conformance serve`: start the reference server, to try things without a key.

Knows the command line and prints; must not know what the server answers.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

from conformance.reference.catalogue import HOSTED, find_served
from conformance.reference.reference import respond
from conformance.reference.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_USAGE = 2
_KEY = "reference-key"
_PORT = 8765
_MODELS = {"model-apis": "zai-org/GLM-5.2", "dedicated": "omni"}
_LINES = {
    "model-apis": """
    export BASETEN_API_KEY={key}
    export BASETEN_BASE_URL={url}/v1
    python -c 'from langchain_baseten import ChatBaseten; \
print(ChatBaseten(model="{model}").invoke("Hello").text)'
""",
    "dedicated": """
    export BASETEN_API_KEY={key}
    export MODEL_URL={url}{deployment}
    python -c 'import os; from langchain_baseten import ChatBaseten; \
print(ChatBaseten(model_url=os.environ["MODEL_URL"], model="{model}").invoke("Hello").text)'
""",
}
_DEPLOYMENT = "/environments/production/sync/v1"
_NOTICE = """\
Serving at {url} until Ctrl-C. To use it, paste into another terminal:
{lines}
A dedicated deployment is at {url}{deployment}: pass it as `model_url`.

This is a reference server and not Baseten: it follows Baseten's documented API and repeats what it
is asked, but runs no model. It accepts every key that does not begin with `bad`."""


def main(argv: Sequence[str]) -> int:
    """Run `serve` until Ctrl-C or SIGTERM.

    Args:
        argv: The arguments after the command's name.

    Returns:
        0; 1 if the server failed to answer a request; 2 if it cannot begin.
    """
    options = _build_parser().parse_args(argv)
    model = options.model or _MODELS[options.lane]
    known = model in HOSTED if options.lane == "model-apis" else find_served(model) is not None
    if not known:
        print(f"cannot begin: the reference server has no model {model!r:.80}", file=sys.stderr)
        return _USAGE
    try:
        server = LoopbackServer(respond, port=options.port, keep=False)
    except OSError as error:
        reported = f"cannot begin: port {options.port}: {error}; choose another with --port"
        print(reported, file=sys.stderr)
        return _USAGE
    # Shells start what is in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with server:
            lines = _write_lines(options.lane, server.url, model)
            notice = _NOTICE.format(url=server.url, lines=lines, deployment=_DEPLOYMENT)
            print(notice, flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("\nThe reference server has stopped.")
    if server.failures:
        print(f"failed to answer: {server.failures[0]!r}", file=sys.stderr)
    return int(bool(server.failures))


def _write_lines(lane: str, url: str, model: str) -> str:
    return _LINES[lane].format(key=_KEY, url=url, model=model, deployment=_DEPLOYMENT)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conformance serve", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--port", type=_read_port, default=_PORT, help=f"default {_PORT}; 0: any")
    parser.add_argument("--lane", choices=tuple(_LINES), default="model-apis")
    parser.add_argument(
        "--model", default="", metavar="NAME", help="the model of the lines to paste"
    )
    return parser


def _read_port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not a port")
    return port
