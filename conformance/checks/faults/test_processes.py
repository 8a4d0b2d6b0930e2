"""Forked children and other processes: connections stay at home, the key comes from there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

from conformance.checks.faults.call_modes import Aim
from conformance.checks.faults.conftest import KEY
from conformance.checks.faults.sockets import Serve
from conformance.checks.faults.wire_bytes import serve

_CHILD = """
import pickle, sys
model = pickle.load(sys.stdin.buffer)
print(model.invoke("Hi").content, model.model_name)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(serve)
    model = aim(server.url)
    model.invoke("Hi")
    child = os.fork()
    if child == 0:
        # Nothing of the parent's suite may run in here, whatever happens.
        try:
            answered = model.invoke("Hi").content == "Hello"
            model.close()
            os._exit(0 if answered else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert server.connections == 2
    assert model.invoke("Hi").content == "Hello"
    assert server.connections == 2


def test_a_pickle_in_another_process_takes_the_key_of_its_environment(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(serve)
    model = aim(server.url)
    model.invoke("Hi")
    pickled = pickle.dumps(model)
    assert KEY.encode() not in pickled
    child = subprocess.run(  # noqa: S603  this interpreter, and a text of our own
        [sys.executable, "-W", "error::ResourceWarning", "-c", _CHILD],
        input=pickled,
        capture_output=True,
        check=False,
        timeout=30,
        env={
            **os.environ,
            "BASETEN_API_KEY": "sk-of-the-child-42",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert child.stdout.split() == [b"Hello", b"m"], child.stderr.decode()
    assert child.stderr.count(b"pickled with another API key") == 1
    assert b"Traceback" not in child.stderr
    assert b"authorization: bearer sk-of-the-child-42" in server.requests[-1].lower()
