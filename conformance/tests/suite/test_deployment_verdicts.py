"""Reports for the owner of a deployment: whole commands against services with one defect each."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conformance.cli.main import main
from conformance.runner import HERE
from conformance.tests.suite.defective_services import serve

pytestmark = pytest.mark.usefixtures("forked")
traced = pytest.mark.traced("a deployment is met by the process that runs the checks")

FILES = {"image": "images"}
NOT_APPLICABLE = "not-applicable"
STATUSES = ("pass", "fail", NOT_APPLICABLE, "untested")
RUNS = tomllib.loads(Path(__file__).with_name("told_services.toml").read_text("utf-8"))["run"]
URL = "/environments/production/predict"
PLAIN, STREAMED = "messages.invoke.string", "streaming.sync.adds-up"
REASONING, TURNS = "reasoning.answer.kept", "messages.invoke.objects"
CALLS, SCHEMA = "tools.invoke.call", "structured.method.json-schema"
MERGING, FORCED = "tools.stream.merge-by-index", "tools.choice.forced"
FINISH, COUNTED = "metadata.finish.reason", "usage.invoke.once"


class Told(NamedTuple):
    """A run: exit code, status of each claim, reasons, requests, problems beside them."""

    code: int
    statuses: dict[str, str]
    reasons: str
    requested: list[dict[str, Any]]
    problems: list[str]


def judge(folder: Path, service: str, *claims: str, path: str = URL, options: str = "") -> Told:
    files = {FILES.get(name, name) for name in (claim.partition(".")[0] for claim in claims)}
    files |= {"texts"} if STREAMED in claims else set()
    checks = tuple(f"conformance/checks/features/test_{name}.py" for name in sorted(files))
    report = folder / "report.json"
    chosen = [f"--claim={claim}" for claim in claims]
    with serve(service) as server:
        line = ["deployment", f"{server.url}{path}", *chosen, f"--json={report}", *options.split()]
        code = main(line, replace(HERE, checks=checks))
        requested = [each.json() for each in server.requests if each.body]
    found = json.loads(report.read_text(encoding="utf-8"))
    lines = found["lines"]
    reasons = "\n".join(reason for line in lines for reason in line["reasons"])
    return Told(
        code,
        {line["claim"]: line["status"] for line in lines},
        reasons,
        requested,
        found["problems"],
    )


@pytest.mark.parametrize(
    "run",
    [pytest.param(run, marks=[traced] * run.get("traced", False)) for run in RUNS],
    ids=lambda run: run["service"],
)
def test_an_owner_is_told_what_a_service_lacks(tmp_path: Path, run: dict[str, Any]) -> None:
    statuses = {claim: status for status in STATUSES for claim in run.get(status, ())}
    where = {"path": run.get("path", URL), "options": run.get("options", "")}
    reported = judge(tmp_path, run["service"], *statuses, **where)
    assert (reported.statuses, reported.code) == (statuses, run.get("code", 0))
    reasons = [*run.get("reasons", ()), run.get("last", "")]
    assert [reason for reason in reasons if reason not in reported.reasons] == []
    assert bool(reported.reasons) == any(reasons)
    assert reported.reasons.endswith(reasons[-1])
    assert len(reported.requested) == run.get("asked", len(reported.requested))
    models = {body["model"] for body in reported.requested}
    assert models == set(run.get("models", models))


@pytest.mark.parametrize(
    ("service", "fails", "others"),
    [
        ("ignores tools", CALLS, "the model calls no tool, as tools.invoke.call says"),
        ("ignores schemas", SCHEMA, ""),
        ("ends at sixteen tokens", FINISH, "the service ends answers at a limit of its own, as"),
        (
            "breaks arguments",
            CALLS,
            "calls what is no tool, or twice alike, or not with what the tool takes",
        ),
        ("thinks in its text", REASONING, "the model thinks in its text, as reasoning.answer.kept"),
        ("cuts calls in streams", MERGING, "streams calls in pieces that are no call together"),
        ("takes no choice of a tool", FORCED, ""),
        ("swaps counts", COUNTED, "counts other tokens than those of question and answer"),
        ("says nothing", PLAIN, "the service ends answers without a text, as messages.invoke"),
        pytest.param("loses the last piece", STREAMED, "streamed, it says", marks=traced),
        ("ignores limits", FINISH, "'length'; it reports 'stop' after "),
        ("escapes its text", SCHEMA, "]: the service escapes its text\n"),
        ("repeats each piece", STREAMED, "the service does not stream as it answers, as streaming"),
        ("reads the last message alone", TURNS, "no tokens are counted of the system message"),
    ],
)
def test_a_defect_of_a_service_fails_one_claim(
    tmp_path: Path, service: str, fails: str, others: str
) -> None:
    both = ("structured.stream.grows", "structured.method.function-calling", "usage.cache.read")
    judged = (PLAIN, STREAMED, CALLS, SCHEMA, FINISH, REASONING, TURNS, MERGING, FORCED, COUNTED)
    reported = judge(tmp_path, service, *judged, *both)
    assert [claim for claim, status in reported.statuses.items() if status == "fail"] == [fails]
    assert others in reported.reasons


def test_a_model_with_words_of_its_own_is_not_accused(tmp_path: Path) -> None:
    both = ("tools.invoke.parallel", "structured.method.json-schema")
    reported = judge(tmp_path, "names places otherwise", PLAIN, CALLS, MERGING, *both, FORCED)
    assert set(reported.statuses.values()) <= {"pass", NOT_APPLICABLE}
    assert reported.statuses[CALLS] == reported.statuses[both[1]] == NOT_APPLICABLE
    assert "the model names a place in words of its own" in reported.reasons
    assert reported.code == 0


@traced
def test_failures_that_come_and_go_are_told_once_and_accuse_no_claim(tmp_path: Path) -> None:
    spelt, judged = "endpoint.normalise.model-url", (PLAIN, STREAMED, CALLS, FINISH)
    reported = judge(tmp_path, "fails at times", *judged, spelt, path="/v1")
    assert reported.statuses == {**dict.fromkeys(judged, "pass"), spelt: NOT_APPLICABLE}
    assert reported.code == 1
    [problem] = reported.problems
    assert problem.startswith("the service failed ")
    assert "requests, which were sent again: " in problem
    assert "HTTP 500: A worker crashed. (" in problem
    assert "an answer without its end" in problem


def test_a_limit_is_spent_on_a_plain_question_first_and_then_as_the_page_promises(
    tmp_path: Path,
) -> None:
    called = "tools.choice.none"
    reported = judge(tmp_path, "honest", REASONING, called, PLAIN, options="--max-requests=6")
    assert reported.statuses == {REASONING: "untested", called: "pass", PLAIN: "pass"}
    assert "the limit of 6 requests is spent" in reported.reasons
    assert [bool(body.get("tools")) for body in reported.requested] == [False] * 4 + [True] * 2
