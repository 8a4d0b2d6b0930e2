"""From the results of single checks to one verdict per claim and lane, and to the exit code.

Pure: knows statuses, how they merge, expected failures; must not know pytest, files, clocks or
printing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date

    from conformance.verdicts.expected_failures import ExpectedFailure

__all__ = [
    "GREEN",
    "Exit",
    "Judgement",
    "Outcome",
    "Place",
    "Result",
    "ShownExchange",
    "Status",
    "Verdict",
    "count",
    "judge",
    "merge",
    "weigh",
    "worst",
    "worst_result",
]


class Result(StrEnum):
    """What became of one check."""

    PASSED = "passed"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    BROKEN = "broken"
    FAILED = "failed"


class Status(StrEnum):
    """What is known about one claim in one lane."""

    PASS = "pass"
    EXPECTED_FAILURE = "expected-failure"
    NOT_APPLICABLE = "not-applicable"
    UNTESTED = "untested"
    BROKEN = "broken"
    FAIL = "fail"


GREEN = frozenset({Status.PASS, Status.EXPECTED_FAILURE, Status.NOT_APPLICABLE})

# The worst result decides. A check that was skipped leaves a part of its claim unjudged, so it
# outweighs a pass; a broken check says nothing about the client, so a failure outweighs it.
_WORST_FIRST: tuple[tuple[Result, Status], ...] = (
    (Result.FAILED, Status.FAIL),
    (Result.BROKEN, Status.BROKEN),
    (Result.SKIPPED, Status.UNTESTED),
    (Result.PASSED, Status.PASS),
    (Result.NOT_APPLICABLE, Status.NOT_APPLICABLE),
)


_REFERRED = re.compile(r"\bas ([a-z]+(?:\.[a-z-]+)+) says")
"""How a reason names the claim that tells of a fault."""


class Exit(IntEnum):
    """The exit codes of a judgement; 2 belongs to the command line's own errors."""

    GREEN = 0
    RED = 1
    NO_REPORT = 3


class Place(NamedTuple):
    """Where a verdict is spoken: one claim in one lane."""

    claim: str
    lane: str

    def __str__(self) -> str:
        return f"{self.claim} ({self.lane})"


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """A request of a check and its response, as text without secrets.

    Attributes:
        request: Method, URL, headers, body.
        response: Status, headers, body, or what came instead.
        number: Which of the check's requests it is, from 1.
        total: How many requests the check sent.
    """

    request: str
    response: str
    number: int
    total: int

    @property
    def name(self) -> str:
        """Which request it is, where there are several."""
        return f"request {self.number} of {self.total}" if self.total > 1 else "request"

    @property
    def text(self) -> str:
        """Both of them, each with a heading."""
        return f"--- {self.name}\n{self.request}\n--- response\n{self.response}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found about one claim in one lane.

    Attributes:
        check: Node id of the check.
        reason: One line: why it failed, broke, was skipped or does not apply.
        evidence: What it was judged on, such as "reference" or "engine vLLM 0.32.0".
        text: All that pytest says of a failure; empty for anything else.
        exchanges: What a check that failed or broke sent and received first and last, if anything.
    """

    place: Place
    check: str
    result: Result
    reason: str = ""
    evidence: tuple[str, ...] = ()
    text: str = ""
    exchanges: tuple[ShownExchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The merged outcomes of one place.

    Attributes:
        status: The verdict.
        reasons: One line for each outcome that decided it, or the reason of an expected failure.
        evidence: What the deciding outcomes were judged on, sorted.
        checks: How many checks spoke.
    """

    place: Place
    status: Status
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    checks: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts of a completed run, and what is wrong beyond them."""

    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...] = ()

    @property
    def exit(self) -> Exit:
        """GREEN only if every verdict is, nothing else is wrong, and something was judged."""
        statuses = {verdict.status for verdict in self.verdicts}
        judged = statuses & {Status.PASS, Status.EXPECTED_FAILURE}
        return Exit.GREEN if judged and statuses <= GREEN and not self.problems else Exit.RED


def judge(
    places: Iterable[Place],
    outcomes: Sequence[Outcome],
    expected_failures: Iterable[ExpectedFailure] = (),
    *,
    target: str,
    today: date,
) -> Judgement:
    """Merge the outcomes of a completed run into one verdict for each place asked for.

    Args:
        places: Every claim and lane that has to be judged; the order of the verdicts.
        outcomes: What the checks found, in any order.
        expected_failures: Of any target; those of other targets and places are left alone.
        target: Where the checks sent their requests.
        today: The day on which expected failures are weighed.

    Returns:
        The verdicts, and a problem for each expected failure that expired or did not fail, for each
        outcome about a place nobody asked for, for each claim that others refer to and nobody asked
        for, and for a run in which nothing ran or nothing applied.
    """
    found: dict[Place, list[Outcome]] = {place: [] for place in places}
    problems = []
    for outcome in outcomes:
        if outcome.place in found:
            found[outcome.place].append(outcome)
        else:
            problems.append(f"{outcome.check} judged {outcome.place}, which is not asked for")
    if not outcomes:
        problems.append("nothing ran: not one check spoke")
    verdicts = {place: merge(place, group) for place, group in found.items()}
    problems += _list_unjudged(verdicts.values())
    if {verdict.status for verdict in verdicts.values()} == {Status.NOT_APPLICABLE}:
        problems.append("nothing applied, so nothing was shown to hold")
    for expected in expected_failures:
        place = Place(expected.claim, expected.lane)
        if expected.target == target and place in verdicts:
            verdicts[place], complaints = weigh(verdicts[place], expected, today)
            problems += complaints
    return Judgement(tuple(verdicts.values()), tuple(sorted(problems)))


def _list_unjudged(verdicts: Collection[Verdict]) -> list[str]:
    """Return a problem for each claim that tells why another does not apply, and is not judged."""
    reported = {
        claim
        for verdict in verdicts
        if verdict.status is Status.NOT_APPLICABLE
        for claim in _REFERRED.findall(" ".join(verdict.reasons))
    }
    judged = {verdict.place.claim for verdict in verdicts}
    where = "which tells why another claim does not apply, was not asked for"
    return [f"{claim}, {where}: --claim {claim}" for claim in reported - judged]


def merge(place: Place, outcomes: Sequence[Outcome]) -> Verdict:
    """Merge the outcomes of one place: the worst decides, and none at all is `untested`."""
    for result, status in _WORST_FIRST:
        if deciding := [outcome for outcome in outcomes if outcome.result is result]:
            return Verdict(
                place,
                status,
                reasons=tuple(
                    sorted(_explain(o) for o in deciding if o.result is not Result.PASSED)
                ),
                evidence=tuple(sorted({source for o in deciding for source in o.evidence})),
                checks=len(outcomes),
            )
    return Verdict(place, Status.UNTESTED, reasons=("no check of this run names it",))


def weigh(verdict: Verdict, expected: ExpectedFailure, today: date) -> tuple[Verdict, list[str]]:
    """Weigh a verdict against the failure that is expected of its place.

    Returns:
        The verdict, now an expected failure if it failed and that is still accepted, and
        complaints about the expectation itself.
    """
    name = f"expected failure {verdict.place} on {expected.target}"
    if today >= expected.expires:
        return verdict, [f"{name} expired on {expected.expires}: close it or decide again"]
    if verdict.status is not Status.FAIL:
        return verdict, [f"{name} must fail, and is {verdict.status}: delete it from the list"]
    reason = f"{expected.reason} (until {expected.expires}, {expected.link})"
    return replace(verdict, status=Status.EXPECTED_FAILURE, reasons=(reason,)), []


def worst(statuses: Iterable[Status]) -> Status:
    """Return the status that a group of verdicts shows as one; an empty group is `untested`.

    What does not apply says nothing about the group's other verdicts, and hides none of them.
    """
    order = [Status.NOT_APPLICABLE, *(s for s in Status if s is not Status.NOT_APPLICABLE)]
    return max(statuses, key=order.index, default=Status.UNTESTED)


def worst_result(results: Iterable[Result]) -> Result:
    """Return what became of a check whose phases ended as given; no phase at all is broken."""
    order = list(Result)
    return max(results, key=order.index, default=Result.BROKEN)


def count(verdicts: Iterable[Verdict]) -> dict[Status, int]:
    """Count the verdicts of each status, every status named."""
    counts = dict.fromkeys(Status, 0)
    for verdict in verdicts:
        counts[verdict.status] += 1
    return counts


def _explain(outcome: Outcome) -> str:
    return f"{outcome.check}: {outcome.reason or outcome.result}"
