"""What is to be recorded: which cassettes, why, and about what it costs.

Knows what is requested and the cassettes as they are; must not know how anything is recorded.
Nothing is changed here, and nothing is sent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from conformance.media import to_terminal
from conformance.recording.cassettes import estimate, find_provenance
from conformance.targets import read_model_overrides
from conformance.verdicts.costs import Cost

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from rich.console import Console

__all__ = [
    "Plan",
    "RecordRequest",
    "Task",
    "estimate_cost",
    "make_plan",
    "name_age",
    "name_higher_evidence",
    "print_plan",
    "protect_evidence",
]

_RANKS = ("reference", "engine", "live")


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """What is to be recorded, and from whom.

    Attributes:
        target: `reference`, `engine` or `live`.
        lanes: These lanes only; none for both.
        claims: These claims only; none for all.
        models: Models to request instead of the lanes' own, `SLUG` or `LANE=SLUG`.
        url: Where the engine or the deployment answers.
        engine: Name and version of the engine.
        stale: Only what is older than so many days, or does not replay; None for everything.
        partial: Keep what was recorded by checks that passed although others failed.
        where: Who is asked, in words.
        lower_evidence: Replace recordings of higher evidence as well.
    """

    target: str = "reference"
    lanes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    url: str | None = None
    engine: str = ""
    stale: int | None = None
    partial: bool = False
    where: str = "the reference server"
    lower_evidence: bool = False

    @property
    def model_overrides(self) -> dict[str, dict[str, str]]:
        """The models by role that each lane requests instead of its own."""
        return read_model_overrides(self.models)


class Task(NamedTuple):
    """One cassette to record.

    Attributes:
        name: Its path below the cassettes' folder.
        check: Node id of the check that sends the requests.
        why: `new`, `asked for`, `changed`, or its age; empty if there is no reason.
        claims: What the check judges.
    """

    name: str
    check: str
    why: str = ""
    claims: tuple[str, ...] = ()

    @property
    def lane(self) -> str:
        """The lane that it is recorded in, or `client`."""
        return self.name.partition("/")[0]


Plan: TypeAlias = "tuple[Task, ...]"
"""Everything to record."""


def make_plan(
    collected: Iterable[Task],
    root: Path,
    request: RecordRequest,
    changed: Collection[Task] = (),
    today: date | None = None,
) -> Plan:
    """Return what to record of what the selected checks need.

    Args:
        collected: The cassettes of the selected checks.
        root: The cassettes as they are.
        request: What is requested.
        changed: Those that do not replay any more.
        today: The day that ages are counted to.
    """
    found = (
        task._replace(
            why="changed" if task in changed else _find_reason(root / task.name, request, today)
        )
        for task in collected
    )
    return tuple(task for task in found if task.why)


def estimate_cost(plan: Plan, root: Path) -> Cost:
    """Return what the old cassettes took; one that was never recorded takes at least a request."""
    old = [root / task.name for task in plan if (root / task.name).is_file()]
    cost = estimate(old)
    return Cost(cost.requests + len(plan) - len(old), cost.tokens)


def _find_reason(path: Path, request: RecordRequest, today: date | None) -> str:
    """Return why a cassette has to be recorded; empty if it need not be."""
    if not path.is_file():
        return "new"
    if request.stale is None:
        return "asked for"
    about = find_provenance(path)
    age = name_age(about.recorded, today) if about else None
    if about is None or age is None:
        return "of unknown age"
    if request.target == "live" != about.evidence:
        return f"not live but {about.evidence}"
    return f"{age} days old" if age > request.stale else ""


def protect_evidence(plan: Plan, root: Path, request: RecordRequest) -> tuple[Plan, dict[str, str]]:
    """Return the plan without what would lower evidence, and what that is, with the reason.

    Args:
        plan: The plan.
        root: The cassettes as they are.
        request: What is requested.
    """
    reasons = {
        task.name: name_higher_evidence(root / task.name, request.target, request) for task in plan
    }
    kept = tuple(task for task in plan if not reasons[task.name])
    return kept, {name: reason for name, reason in reasons.items() if reason}


def name_higher_evidence(path: Path, evidence: str, request: RecordRequest) -> str:
    """Return why a new recording may not replace a cassette; empty if it may.

    Args:
        path: The cassette; there need be none.
        evidence: Evidence of the new recording.
        request: What was requested.
    """
    about = None if request.lower_evidence else find_provenance(path)
    if about is None or about.evidence not in _RANKS[_RANKS.index(evidence) + 1 :]:
        return ""
    return (
        f"its evidence is {about.evidence} ({about.source}), the new one's would be {evidence}; "
        "--lower-evidence replaces it"
    )


def name_age(recorded: str, today: date | None = None) -> int | None:
    """Return how many days ago something was recorded; None if that is no date."""
    try:
        return ((today or datetime.now(UTC).date()) - date.fromisoformat(recorded)).days
    except ValueError:
        return None


def print_plan(plan: Plan, root: Path, where: str, console: Console) -> None:
    """Print how many cassettes a plan has, by lane and reason, and what asking costs.

    Args:
        plan: The plan.
        root: The cassettes as they are.
        where: Who will be asked.
        console: The terminal.
    """
    for (lane, why), count in sorted(Counter((task.lane, task.why) for task in plan).items()):
        console.print(to_terminal(f"{lane}: {count} {why}"), soft_wrap=True)
    new, cost = sum(task.why == "new" for task in plan), estimate_cost(plan, root)
    spent = f"~{cost.tokens} tokens" if new < len(plan) else "tokens unknown"
    never = f" ({new} never recorded)" if new else ""
    number = "1 cassette" if len(plan) == 1 else f"{len(plan)} cassettes"
    line = f"{number}, answered by {where}: ~{cost.requests} requests, {spent}{never}"
    console.print(to_terminal(line), soft_wrap=True)
