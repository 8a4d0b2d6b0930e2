"""The command line of the engine target, and what is written down of runs that nobody records."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any, cast

from conformance.cli.verify import aim_at_engine
from conformance.verdicts.bound_items import (
    note_accused,
    note_cassette_use,
    note_cost,
    note_problem,
    note_refusal,
)
from conformance.verdicts.costs import Cost

URL = "http://127.0.0.1:8100"


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
    note_problem(config, "it failed")
    note_refusal(config, "nothing can run")
    note_accused(cast("Any", SimpleNamespace(config=config)), {"calls.made": "seen"})
    assert asked == ["conformance-recorder"] * 5
