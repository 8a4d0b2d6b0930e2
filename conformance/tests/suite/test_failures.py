"""What a service fails at by chance: what runs again, what ends a run, what is reported."""

from __future__ import annotations

import json

import pytest

from conformance.services.failures import CLOSED, Failures
from conformance.services.observed import Observed

PLAIN, TOOLED = (f'{{"messages": [], "tools": {tools}}}' for tools in ("[]", "[{}]"))
ANSWERED = ["an answer"]
IN_IT, ENDLESS = "an error in an answer: It crashed.", "an answer without its end"
CRASHED = "HTTP 500: It crashed."
SENTENCE = json.dumps({"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]})
BEGUN = 'data: {"choices": [{"delta": {"content": "Yes"}}]}\n\n'


def fail(
    status: int = 500, requested: str = PLAIN, text: str = '{"error": "It crashed."}'
) -> Observed:
    return Observed(status, requested, text)


@pytest.mark.parametrize(
    ("observed", "accepted", "passed", "kinds", "untested"),
    [
        (fail(), ANSWERED, True, {CRASHED: 1}, ""),
        (fail(), ANSWERED, False, {CRASHED: 1}, CRASHED),
        (fail(502, text=""), ANSWERED, True, {"HTTP 502": 1}, ""),
        (fail(requested=TOOLED), ANSWERED, True, {CRASHED: 1}, ""),
        (fail(requested=TOOLED), ANSWERED, False, {}, ""),  # It may be that it takes no tools.
        (fail(404), ANSWERED, True, {"HTTP 404: It crashed.": 1}, ""),
        (fail(404), ANSWERED, False, {}, ""),
        (fail(404, TOOLED), ANSWERED, True, {}, ""),
        (fail(200), ANSWERED, False, {IN_IT: 1}, IN_IT),
        (fail(200, text=BEGUN), ANSWERED, True, {ENDLESS: 1}, ""),
        (Observed(200, PLAIN, "{", lost=True), ANSWERED, True, {ENDLESS: 1}, ""),
        (Observed(200, PLAIN, BEGUN, left=True), ANSWERED, True, {}, ""),
        (fail(200, text=SENTENCE), ANSWERED, False, {}, ""),
        (fail(), [], False, {}, ""),
    ],
)
def test_what_is_answered_at_other_times_fails_by_chance(
    observed: Observed, accepted: list[str], passed: bool, kinds: dict[str, int], untested: str
) -> None:
    failures = Failures()
    assert failures.settle([[observed]], accepted, passed=passed) == untested
    assert failures.kinds == kinds
    again = bool(observed.failure) or (observed.status == 404 and observed.request == PLAIN)
    assert failures.may_pass([[observed]], accepted) == again


def test_what_fails_by_itself_at_last_is_not_excused_by_the_run_before() -> None:
    failures = Failures()
    answered = Observed(200, PLAIN, SENTENCE)
    assert failures.settle([[fail()], [answered]], ANSWERED, passed=False) == ""
    reported = f"the service failed 1 of 9 requests, which were sent again: {CRASHED} (1)"
    assert failures.tell(9) == reported


def test_a_check_runs_three_times_at_most_and_what_was_never_answered_twice_in_all() -> None:
    failures, known, unknown = Failures(), [fail()], [fail(requested=TOOLED)]
    assert [failures.may_pass([known] * n, ANSWERED) for n in (1, 2, 3)] == [True, True, False]
    assert [failures.may_pass([unknown], ANSWERED) for _ in range(3)] == [True, True, False]


def test_a_service_that_fails_nine_times_in_a_row_is_dead_unless_it_is_asked_for_more() -> None:
    failures = Failures()
    ends = [failures.note(fail(), ANSWERED) for _ in range(9)]
    assert [*filter(None, ends)] == [f"the service fails: {CRASHED} (9 times in a row)"]
    assert not failures.note(Observed(200, PLAIN, SENTENCE), ANSWERED)
    assert not any(failures.note(fail(requested=TOOLED), ANSWERED) for _ in range(12))


def test_few_closed_connections_are_chance() -> None:
    failures = Failures()
    failures.kinds[CLOSED] = 2
    assert failures.tell(9) == ""
    failures.kinds[CLOSED] += 1
    assert failures.tell(9).endswith(f"{CLOSED} (3)")
