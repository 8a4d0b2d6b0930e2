"""The command line of the engine target, and what is written down of runs that nobody records."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from conformance.cli import main as program
from conformance.cli.verify import aim_at_engine
from conformance.tests.suite.sample_suite import write_suite
from conformance.verdicts.bound_items import note_cassette_use, note_cost, note_refusal
from conformance.verdicts.costs import Cost

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

URL = "http://127.0.0.1:8100"


def test_an_engine_needs_its_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["verify", "--target", "engine"], write_suite(tmp_path)) == 2
    assert "the target engine needs --engine-url" in capsys.readouterr().err


def test_an_engine_is_aimed_at_by_its_address_and_called_by_its_name() -> None:
    given = argparse.Namespace(engine_url=URL, engine_name="vllm 0.32.0")
    assert aim_at_engine(given) == (
        *("-p", "conformance.maintenance.engines.pytest_engine"),
        f"--engine-url={URL}",
        "--engine-name=vllm 0.32.0",
    )
    given.engine_name = ""
    assert aim_at_engine(given)[2:] == (f"--engine-url={URL}",)


def test_without_a_record_nothing_is_noted() -> None:
    asked: list[str] = []
    manager = SimpleNamespace(get_plugin=asked.append)
    config = cast("Any", SimpleNamespace(pluginmanager=manager))
    note_cassette_use(config, "a.yaml", "test_a")
    note_cost(config, Cost(1, 2))
    note_refusal(config, "nothing can run")
    assert asked == ["conformance-recorder"] * 3
