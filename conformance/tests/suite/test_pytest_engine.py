from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.maintenance.engines import pytest_engine as aim
from conformance.reference import LoopbackServer
from conformance.reference.exchange import plan_json
from conformance.tests.suite.plugin_runner import CALLS, Bench
from conformance.verdicts.verdicts import Place, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.reference import AnswerPlan, ReceivedRequest

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


def front(request: ReceivedRequest) -> AnswerPlan:
    return plan_json(200, "tiny") if request.path == "/conformance/model" else plan_json(404, {})


@pytest.fixture
def url() -> Iterator[str]:
    with LoopbackServer(front) as server:
        yield server.url


def aim_at(*options: str) -> tuple[str, ...]:
    return (
        "-p",
        "conformance.maintenance.engines.pytest_engine",
        "--target=engine",
        "--lane=dedicated",
        *options,
    )


def test_each_check_states_whom_it_asked(bench: Bench, url: str) -> None:
    options = aim_at(f"--engine-url={url}", "--engine-name=vllm 1.2.3")
    record = bench.record(CHECKS, *options)
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


def test_what_is_beyond_one_engine_is_put_to_another(bench: Bench, url: str) -> None:
    options = aim_at(f"--engine-url={url}", "--engine-name=llama.cpp b1")
    results = [outcome.result for outcome in bench.record(CHECKS, *options).outcomes]
    assert results.count(Result.FAILED) == 1


@pytest.mark.parametrize(
    "said", [plan_json(404, "tiny"), plan_json(401, {}), plan_json(200, "large")]
)
def test_what_is_beyond_the_suites_own_model_is_put_to_any_other(
    bench: Bench, said: AnswerPlan
) -> None:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        return said if request.path == "/conformance/model" else plan_json(404, {})

    with LoopbackServer(answer) as server:
        options = aim_at(f"--engine-url={server.url}", "--engine-name=vllm 1.2.3")
        results = [outcome.result for outcome in bench.record(CHECKS, *options).outcomes]
    assert results.count(Result.FAILED) == 1


def test_an_engine_without_an_address_is_refused(bench: Bench) -> None:
    assert "needs --engine-url" in bench.refusal(CHECKS, *aim_at())


def test_an_engine_that_is_not_there_is_refused(bench: Bench) -> None:
    refusal = bench.refusal(CHECKS, *aim_at("--engine-url=http://127.0.0.1:9"))
    assert "cannot be reached: ConnectError" in refusal


def test_collecting_asks_nobody(bench: Bench) -> None:
    record = bench.record(CHECKS, *aim_at("--collect-only"))
    assert len(record.bindings) == 4
