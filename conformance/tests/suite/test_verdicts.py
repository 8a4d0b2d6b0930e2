"""How results merge, what an expected failure may hide, when a run is green."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance.verdicts.expected_failures import ExpectedFailure
from conformance.verdicts.verdicts import (
    GREEN,
    Exit,
    Judgement,
    Outcome,
    Place,
    Result,
    Status,
    Verdict,
    judge,
    merge,
    weigh,
    worst,
    worst_result,
)

TODAY = date(2026, 11, 22)
HERE = Place("tools.invoke.call", "dedicated")
THERE = Place("tools.invoke.call", "model-apis")
GAP = ExpectedFailure(
    target="engine",
    claim=HERE.claim,
    lane="dedicated",
    reason="the engine has no tool parser",
    since=date(2026, 11, 1),
    expires=date(2026, 12, 1),
    link="https://issue.example/1",
)

PASSED, FAILED, BROKEN = Result.PASSED, Result.FAILED, Result.BROKEN
SKIPPED, INAPPLICABLE = Result.SKIPPED, Result.NOT_APPLICABLE


def found(*results: Result, place: Place = HERE) -> list[Outcome]:
    return [Outcome(place, f"check_{n}", result) for n, result in enumerate(results)]


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([], Status.UNTESTED),
        ([PASSED], Status.PASS),
        ([FAILED], Status.FAIL),
        ([PASSED, FAILED], Status.FAIL),
        ([BROKEN, FAILED], Status.FAIL),
        ([BROKEN], Status.BROKEN),
        ([SKIPPED, BROKEN], Status.BROKEN),
        ([SKIPPED], Status.UNTESTED),
        ([INAPPLICABLE, SKIPPED], Status.UNTESTED),
        ([INAPPLICABLE], Status.NOT_APPLICABLE),
        ([INAPPLICABLE, PASSED], Status.PASS),
        ([PASSED, INAPPLICABLE, SKIPPED, BROKEN, FAILED], Status.FAIL),
    ],
)
def test_the_worst_result_decides(results: list[Result], status: Status) -> None:
    assert merge(HERE, found(*results)).status is status


def test_no_check_at_all_is_untested_and_says_so() -> None:
    assert merge(HERE, []) == Verdict(
        HERE, Status.UNTESTED, reasons=("no check of this run names it",)
    )


def test_a_verdict_rests_on_the_outcomes_that_decided_it_alone() -> None:
    outcomes = [
        Outcome(HERE, "check_b", FAILED, "no call came", ("engine vLLM 0.32.0",)),
        Outcome(HERE, "check_a", FAILED, "", ("reference",)),
        Outcome(HERE, "check_c", PASSED, "", ("live 2026-11-20",)),
    ]
    assert merge(HERE, outcomes) == Verdict(
        HERE,
        Status.FAIL,
        reasons=("check_a: failed", "check_b: no call came"),
        evidence=("engine vLLM 0.32.0", "reference"),
        checks=3,
    )


def test_a_check_without_any_phase_is_broken() -> None:
    assert worst_result([]) is BROKEN


@pytest.mark.parametrize(
    ("better", "worse"),
    [(PASSED, INAPPLICABLE), (INAPPLICABLE, SKIPPED), (SKIPPED, BROKEN), (BROKEN, FAILED)],
)
def test_the_worse_phase_of_a_check_wins(better: Result, worse: Result) -> None:
    assert worst_result([worse, better]) is worse


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        ([], Status.UNTESTED),
        ([Status.PASS], Status.PASS),
        ([Status.PASS, Status.EXPECTED_FAILURE], Status.EXPECTED_FAILURE),
        ([Status.NOT_APPLICABLE], Status.NOT_APPLICABLE),
        ([Status.PASS, Status.NOT_APPLICABLE], Status.PASS),
        ([Status.NOT_APPLICABLE, Status.UNTESTED], Status.UNTESTED),
        ([Status.BROKEN, Status.UNTESTED], Status.BROKEN),
        ([Status.BROKEN, Status.FAIL, Status.PASS], Status.FAIL),
    ],
)
def test_a_group_shows_its_worst_status(statuses: list[Status], shown: Status) -> None:
    assert worst(statuses) is shown


# --- whole runs ---


def run(
    *outcomes: Outcome,
    places: Sequence[Place] = (HERE,),
    expected_failures: Sequence[ExpectedFailure] = (),
    target: str = "engine",
    today: date = TODAY,
) -> Judgement:
    return judge(places, outcomes, expected_failures, target=target, today=today)


def test_a_run_in_which_all_passed_is_green() -> None:
    judgement = run(*found(PASSED), *found(PASSED, place=THERE), places=[THERE, HERE])
    assert [verdict.place for verdict in judgement.verdicts] == [THERE, HERE]
    assert judgement.problems == ()
    assert judgement.exit is Exit.GREEN


def test_a_run_of_nothing_is_red_and_says_so() -> None:
    assert run(places=[]) == Judgement((), ("nothing ran: not one check spoke",))
    assert run(places=[]).exit is Exit.RED


def test_a_run_in_which_nothing_applied_is_red_and_says_so() -> None:
    judgement = run(*found(INAPPLICABLE))
    assert judgement.problems == ("nothing applied, so nothing was shown to hold",)
    assert judgement.exit is Exit.RED


def test_a_claim_that_tells_why_another_does_not_apply_has_to_be_judged_too() -> None:
    other = Place("structured.bind.schemas", "client")
    why = "the client takes no schema, as structured.bind.schemas says"
    referring = [replace(each, reason=why) for each in found(INAPPLICABLE)]
    beside = found(PASSED, place=THERE)
    (problem,) = run(*referring, *beside, places=[HERE, THERE]).problems
    assert problem.startswith("structured.bind.schemas, which tells why another claim does not")
    assert problem.endswith(": --claim structured.bind.schemas")
    reported = found(FAILED, place=other)
    assert run(*referring, *beside, *reported, places=[HERE, THERE, other]).problems == ()
    assert run(*referring, *found(PASSED), *beside, places=[HERE, THERE]).problems == ()


def test_an_outcome_nobody_asked_for_is_a_problem() -> None:
    judgement = run(*found(PASSED), *found(PASSED, place=THERE))
    assert judgement.problems == (
        "check_0 judged tools.invoke.call (model-apis), which is not asked for",
    )
    assert judgement.exit is Exit.RED


# --- expected failures ---


def test_a_known_gap_that_fails_is_green_and_gives_its_reason() -> None:
    judgement = run(*found(FAILED), expected_failures=[GAP])
    assert judgement.verdicts[0].status is Status.EXPECTED_FAILURE
    assert judgement.verdicts[0].reasons == (
        "the engine has no tool parser (until 2026-12-01, https://issue.example/1)",
    )
    assert judgement.verdicts[0].checks == 1
    assert judgement.exit is Exit.GREEN


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([PASSED], "pass"),
        ([SKIPPED], "untested"),
        ([BROKEN], "broken"),
        ([INAPPLICABLE], "not-applicable"),
        ([], "untested"),
    ],
)
def test_a_known_gap_that_does_not_fail_is_red(results: list[Result], status: str) -> None:
    verdict, complaints = weigh(merge(HERE, found(*results)), GAP, TODAY)
    assert verdict.status == status
    (complaint,) = complaints
    assert complaint.startswith(
        "expected failure tools.invoke.call (dedicated) on engine must fail, "
    )
    assert complaint.endswith(f"and is {status}: delete it from the list")
    assert run(*found(*results), expected_failures=[GAP]).exit is Exit.RED


def test_an_expired_gap_is_red_even_where_the_claim_passes() -> None:
    judgement = run(*found(PASSED), expected_failures=[GAP], today=GAP.expires)
    (problem,) = judgement.problems
    assert "tools.invoke.call (dedicated) on engine expired on 2026-12-01" in problem
    assert judgement.exit is Exit.RED


@pytest.mark.parametrize(
    "gap",
    [
        GAP.model_copy(update={"target": "live"}),
        GAP.model_copy(update={"lane": "model-apis"}),
        GAP.model_copy(update={"claim": "a.b"}),
    ],
)
def test_a_gap_of_another_target_or_place_hides_nothing(gap: ExpectedFailure) -> None:
    judgement = run(*found(FAILED), expected_failures=[gap])
    assert judgement.verdicts[0].status is Status.FAIL
    assert judgement.problems == ()


# --- properties ---

RESULTS = st.lists(st.sampled_from(Result), max_size=6)
# From green to red; among red statuses no order is promised, and none is needed.
GREENNESS = {status: status in GREEN for status in Status}


def test_a_gap_that_does_not_fail_hides_no_other_problem() -> None:
    outcomes = [*found(PASSED), *found(PASSED, place=THERE)]
    judgement = judge([HERE], outcomes, [GAP], target=GAP.target, today=TODAY)
    first, second = judgement.problems
    assert first == "check_0 judged tools.invoke.call (model-apis), which is not asked for"
    assert second.startswith("expected failure tools.invoke.call (dedicated) on engine must fail, ")


@given(RESULTS, st.sampled_from([FAILED, BROKEN, SKIPPED]))
def test_a_bad_outcome_never_turns_a_verdict_greener(results: list[Result], bad: Result) -> None:
    before = merge(HERE, found(*results)).status
    after = merge(HERE, found(*results, bad)).status
    assert not GREENNESS[after]
    assert list(Status).index(after) >= list(Status).index(before)


@given(RESULTS.flatmap(lambda results: st.tuples(st.just(results), st.permutations(results))))
def test_the_order_of_outcomes_does_not_matter(pair: tuple[list[Result], list[Result]]) -> None:
    one, other = pair
    outcomes = {result: f"check of {result}" for result in Result}
    judged = [
        merge(HERE, [Outcome(HERE, outcomes[result], result) for result in results])
        for results in (one, other)
    ]
    assert judged[0] == judged[1]


@given(st.lists(st.tuples(st.sampled_from([HERE, THERE]), st.sampled_from(Result)), max_size=6))
@example([(HERE, PASSED)])
@example([(HERE, PASSED), (THERE, FAILED)])
@example([(HERE, PASSED), (THERE, BROKEN)])
@example([(HERE, PASSED), (THERE, SKIPPED)])
@example([(HERE, PASSED), (THERE, INAPPLICABLE)])
def test_a_green_run_has_a_check_for_each_place_and_nothing_bad(
    drawn: list[tuple[Place, Result]],
) -> None:
    outcomes = [Outcome(place, f"check_{n}", result) for n, (place, result) in enumerate(drawn)]
    judgement = run(*outcomes, places=[HERE, THERE])
    good = {place for place, _result in drawn} == {HERE, THERE} and all(
        result in {PASSED, INAPPLICABLE} for _place, result in drawn
    )
    passed = PASSED in {result for _place, result in drawn}
    assert (judgement.exit is Exit.GREEN) == (good and passed)


@pytest.mark.parametrize(("result", "today"), list(product(Result, [TODAY, GAP.expires])))
def test_a_gap_turns_nothing_green_but_an_unexpired_failure(result: Result, today: date) -> None:
    without = run(*found(result), today=today).exit
    with_gap = run(*found(result), expected_failures=[GAP], today=today).exit
    accepted = result is FAILED and today < GAP.expires
    assert (with_gap is Exit.GREEN) == accepted
    assert without is (Exit.GREEN if result is PASSED else Exit.RED)
