"""What pytest keeps until the end of a run is not walked again with each collection of garbage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.child_environment import child_environment, list_plugins

_ONE = """
import builtins, gc, weakref, pytest

class Cycle:
    def __init__(self):
        self.own = self

@pytest.fixture
def made():
    return Cycle()

def test_of_one():
    builtins.kept = [0]

def test_of_one_more(made):
    assert is_walked(builtins.kept)
    builtins.gone = weakref.ref(made)

def is_walked(value):
    return any(each is value for each in gc.get_objects())
"""
_OTHER = """
import builtins, gc

def test_what_stays_is_walked_no_more():
    assert not any(each is builtins.kept for each in gc.get_objects())

def test_what_a_fixture_gave_is_collected():
    gc.collect()
    assert builtins.gone() is None
"""


@pytest.mark.usefixtures("forked")
def test_what_stays_is_set_aside_at_the_end_of_each_file(tmp_path: Path) -> None:
    for name, text in {"one": _ONE, "other": _OTHER}.items():
        (tmp_path / f"test_{name}.py").write_text(text, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "conformance.pytest_plugin"),
        *("-p", "conformance.conftest", "-p", "no:cacheprovider", *list_plugins(()), "."),
    ]
    with subprocess.Popen(  # noqa: S603  our own tests
        command, cwd=tmp_path, env=child_environment(), stdout=subprocess.PIPE, text=True
    ) as run:
        output = run.stdout.read() if run.stdout else ""
    assert "4 passed" in output
