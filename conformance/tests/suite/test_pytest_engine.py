from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.checks.standard.test_integration import TestDedicated as Dedicated
from conformance.claims.rows import TableError
from conformance.maintenance.engines import pytest_engine as aim
from conformance.reference import AnswerPlan, LoopbackServer
from conformance.reference.exchange import plan_json
from conformance.tests.suite.plugin_runner import CALLS, Bench
from conformance.verdicts.verdicts import Place, Result

pytest_plugins = ["pytester"]

CHECKS = f"""
@pytest.fixture
def model(): return 1

@pytest.mark.claim("{CALLS}", lane="dedicated")
def test_asks(model): pass

@pytest.mark.claim("{CALLS}", lane="dedicated")
def test_asks_nobody(): pass

@pytest.mark.claim("{CALLS}", lane="dedicated")
def test_asks_another(evidence): evidence.came_from("reference")

@pytest.mark.claim("{CALLS}", lane="dedicated")
def test_beyond(model): raise AssertionError("it must not run")
"""


@pytest.fixture
def bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Bench:
    listed = (
        aim.NotApplicable(
            checks=("features/test_checks.py::test_beyond",), reason="too much", engine="vllm"
        ),
    )
    monkeypatch.setattr(aim, "load_not_applicable", lambda: listed)
    return Bench(pytester, monkeypatch)


@contextmanager
def front(plan: AnswerPlan) -> Iterator[tuple[str, ...]]:
    """Serve what is in front of an engine, and yield the options that aim there."""
    with LoopbackServer(
        lambda request: plan if request.path == "/conformance/model" else plan_json(404, {})
    ) as server:
        yield (*AIM, f"--engine-url={server.url}")


PLUGIN = "conformance.maintenance.engines.pytest_engine"
AIM = ("-p", PLUGIN, "--target=engine", "--lane=dedicated")
TINY = plan_json(200, "tiny")


def test_each_check_states_whom_it_asked(bench: Bench) -> None:
    with front(TINY) as options:
        record = bench.record(CHECKS, *options, "--engine-name=vllm 1.2.3")
    found = {o.check.rpartition("::")[2]: (o.result, o.evidence) for o in record.outcomes}
    assert found == {
        "test_asks": (Result.PASSED, ("engine vllm 1.2.3",)),
        "test_asks_nobody": (Result.PASSED, ("client",)),
        "test_asks_another": (Result.PASSED, ("reference",)),
        "test_beyond": (Result.NOT_APPLICABLE, ("engine vllm 1.2.3",)),
    }
    [reason] = [o.reason for o in record.outcomes if o.result is Result.NOT_APPLICABLE]
    assert "too much" in reason
    assert {o.place for o in record.outcomes} == {Place(CALLS, "dedicated")}


@pytest.mark.parametrize(
    ("plan", "engine"),
    [
        (TINY, "llama.cpp b1"),
        (plan_json(404, "tiny"), "vllm 1.2.3"),
        (plan_json(401, {}), "vllm 1.2.3"),
        (plan_json(200, "large"), "vllm 1.2.3"),
    ],
)
def test_what_is_beyond_one_engine_with_the_suites_own_model_is_put_to_any_other(
    bench: Bench, plan: AnswerPlan, engine: str
) -> None:
    with front(plan) as options:
        outcomes = bench.record(CHECKS, *options, f"--engine-name={engine}").outcomes
    assert [outcome.result for outcome in outcomes].count(Result.FAILED) == 1


def test_an_engine_without_an_address_or_not_there_is_refused(bench: Bench) -> None:
    assert "needs --engine-url" in bench.refusal(CHECKS, *AIM)
    refusal = bench.refusal(CHECKS, *AIM, "--engine-url=http://127.0.0.1:9")
    assert "cannot be reached: ConnectError" in refusal


def test_collecting_asks_nobody(bench: Bench) -> None:
    assert len(bench.record(CHECKS, *AIM, "--collect-only").bindings) == 4


# --- the list -------------------------------------------------------------------------------------

SUITE = aim.NOT_APPLICABLE_FILE.parents[2] / "checks"
LIST = (
    aim.NotApplicable(checks=("features/test_a.py::test_x",), reason="all of x"),
    aim.NotApplicable(
        checks=("features/test_a.py::test_y[two]",), reason="one of y", engine="vllm"
    ),
)


@pytest.mark.parametrize(
    ("check", "engine", "reason"),
    [
        ("conformance/checks/features/test_a.py::test_x[one]", "vllm 1", "all of x"),
        ("features/test_a.py::test_x", "llama.cpp b1", "all of x"),
        ("/home/conformance/checks/features/test_a.py::test_x", "vllm 1", "all of x"),
        ("conformance/checks/features/test_a.py::test_y[two]", "vllm 1", "one of y"),
        ("conformance/checks/features/test_a.py::test_y[two]", "llama.cpp b1", ""),
        ("conformance/checks/features/test_a.py::test_y[one]", "vllm 1", ""),
        ("conformance/checks/features/test_a.py::test_xx", "vllm 1", ""),
    ],
)
def test_a_check_is_found_with_or_without_its_parameters(
    check: str, engine: str, reason: str
) -> None:
    assert aim.find_reason(check, engine, LIST) == reason


ROW = '[[not_applicable]]\nchecks = ["a"]\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "missing key"),
        (ROW.replace("reason", "because"), "unknown key"),
        (ROW.replace('"r"', '" "'), "not blank"),
    ],
)
def test_a_list_that_breaks_its_rules_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "not_applicable.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=complaint):
        aim.load_not_applicable(path)


def is_there(check: str) -> bool:
    file, *names = check.partition("[")[0].split("::")
    if file.startswith("standard/"):
        return names[0] == "TestDedicated" and hasattr(Dedicated, names[-1])
    tree = ast.parse((SUITE / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return names[0] in {node.name for node in tree.body if isinstance(node, functions)}


def test_every_listed_check_exists() -> None:
    listed = [check for one in aim.load_not_applicable() for check in one.checks]
    assert listed
    assert [check for check in listed if not is_there(check)] == []
