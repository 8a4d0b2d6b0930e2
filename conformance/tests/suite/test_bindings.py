"""What a check is bound to, and the error of a check whose binding is wrong."""

from __future__ import annotations

import pytest

from conformance.tests.suite.plugin_runner import CALLS, KEYS, Bench, key_check, mark
from conformance.tests.suite.sample_suite import PASSING
from conformance.verdicts.verdicts import Outcome, Place, Result

pytest_plugins = ["pytester"]

IN_CLASS = f"""
class TestIt:
    lane = "dedicated"
    @pytest.mark.claim("{CALLS}")
    def test_it(self): pass
"""


# --- binding ---


def test_each_check_speaks_once_for_each_of_its_places(bench: Bench) -> None:
    record = bench.record(PASSING)
    where = "features/test_checks.py::"
    assert record.complete
    assert record.outcomes == [
        Outcome(
            Place(CALLS, "model-apis"),
            f"{where}test_a_tool_is_called[model-apis]",
            Result.PASSED,
            evidence=("unstated",),
        ),
        Outcome(
            Place(CALLS, "dedicated"),
            f"{where}test_a_tool_is_called[dedicated]",
            Result.PASSED,
            evidence=("unstated",),
        ),
        Outcome(KEYS, f"{where}test_the_key_is_read", Result.PASSED, evidence=("client",)),
        Outcome(
            Place("logprobs.dedicated.absent", "dedicated"),
            f"{where}test_no_logprobs",
            Result.PASSED,
            evidence=("engine vLLM 0.32.0",),
        ),
    ]
    assert [place for _check, place in record.bindings] == [o.place for o in record.outcomes]


LANES = [
    (mark(f'"{CALLS}", lane="dedicated"'), ["dedicated"]),
    (mark(f'"{CALLS}", lane=("dedicated", "model-apis")'), ["dedicated", "model-apis"]),
    (mark(f'"{CALLS}", lane="dedicated"', parameters="lane"), ["dedicated"]),
    (
        '@pytest.mark.parametrize("x, lane", [(1, "dedicated")])\n'
        + mark(f'"{CALLS}"', parameters="x, lane"),
        ["dedicated"],
    ),
    (
        '@pytest.mark.parametrize(("x", "lane"), [(1, "dedicated")])\n'
        + mark(f'"{CALLS}"', parameters="x, lane"),
        ["dedicated"],
    ),
    (
        '@pytest.mark.parametrize(argnames="lane", argvalues=["dedicated"])\n'
        + mark(f'"{CALLS}"', parameters="lane"),
        ["dedicated"],
    ),
    (IN_CLASS, ["dedicated"]),
    (
        "@pytest.fixture\ndef model(lane): return lane\n"
        + mark(f'"{CALLS}"', 'assert model == "model-apis"', "model"),
        ["model-apis", "dedicated"],
    ),
]


def test_a_lane_comes_from_marker_parameter_or_class(bench: Bench) -> None:
    found = bench.outcomes_of_each(checks for checks, _ in LANES)
    for outcomes, (checks, lanes) in zip(found, LANES, strict=True):
        # pytest runs all checks of a lane before those of the next.
        assert sorted(o.place.lane for o in outcomes) == sorted(lanes), checks
        assert {o.place.claim for o in outcomes} == {CALLS}


def test_a_claim_is_bound_only_in_the_lanes_where_it_is_judged(bench: Bench) -> None:
    checks = mark(f'"{CALLS}", "logprobs.dedicated.absent"', parameters="lane")
    assert [outcome.place for outcome in bench.outcomes(checks)] == [
        Place(CALLS, "model-apis"),
        Place(CALLS, "dedicated"),
        Place("logprobs.dedicated.absent", "dedicated"),
    ]


def test_a_claim_marked_twice_is_judged_once(bench: Bench) -> None:
    twice = f'@pytest.mark.claim("{KEYS.claim}")\n' + key_check("pass")
    assert [outcome.place for outcome in bench.outcomes(twice)] == [KEYS]


WRONG = [
    (mark('"calls.invoke.twice"'), "unknown claim 'calls.invoke.twice'"),
    (mark('"badges.count.downloads"'), "badges.count.downloads is excluded"),
    (mark(""), "the marker `claim` names no claim"),
    (mark(f'"{CALLS}", lanes="dedicated"'), "takes ids and lane=, not ['lanes']"),
    (mark(f'"{CALLS}", lane="moon"'), "'moon' is none of model-apis, dedicated, client"),
    (mark(f'"{CALLS}", lane="client"'), f"{CALLS} is not judged in the lane client"),
    (mark(f'"{CALLS}"'), f"{CALLS} is judged in model-apis, dedicated: ask for the fixture"),
    (
        '@pytest.mark.parametrize("lane", ["client"])\n' + mark(f'"{CALLS}"', parameters="lane"),
        "none of its claims is judged in the lane client",
    ),
    ("def test_it(): pass", "::test_it: judges no claim"),
    ("def test_it(lane): pass", "asks for a lane, but no claim says which"),
    (mark('"calls.invoke.twice"', parameters="lane"), "unknown claim 'calls.invoke.twice'"),
]


def test_a_check_that_says_wrongly_what_it_judges_stops_the_run(bench: Bench) -> None:
    first, *more = (checks for checks, _ in WRONG)
    output = bench.refusal(first, more=more).splitlines()
    for number, (_, message) in enumerate(WRONG):
        assert any(f"test_checks{number or ''}.py::" in line and message in line for line in output)


def test_outside_features_a_test_needs_no_claim(bench: Bench) -> None:
    record = bench.record("def test_it(): pass", folder="unit")
    assert record.complete
    assert record.bindings == []


# --- the standard suite ---

STANDARD = """
class TestDedicated:
    lane = "dedicated"
    @pytest.mark.parametrize("n", [1, 2])
    def test_tool_calling(self, n): pass
    def test_conversation(self): pass

class TestClient:
    lane = "client"
    def test_tool_calling(self): pass
"""


def test_standard_tests_are_bound_by_name_in_the_lane_of_their_class(bench: Bench) -> None:
    record = bench.record(STANDARD, folder="standard")
    where = "standard/test_checks.py::TestDedicated::test_tool_calling"
    assert record.bindings == [(f"{where}[{n}]", Place(CALLS, "dedicated")) for n in (1, 2)]
    assert record.complete


@pytest.mark.parametrize(
    "checks", ["class TestIt:\n    def test_it(self): pass", "def test_it(): pass"]
)
def test_a_standard_class_without_a_lane_stops_the_run(bench: Bench, checks: str) -> None:
    assert "its class needs an attribute `lane`" in bench.refusal(checks, folder="standard")
