"""What the owner of a deployment is told: whole commands against services with one defect each."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from conformance.cli.main import main
from conformance.runner import HERE
from conformance.tests.suite.defective_services import MODEL, serve

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("forked")
traced = pytest.mark.traced("a deployment is met by the process that runs the checks")

FILES = {"image": "images"}
NOT_APPLICABLE = "not-applicable"
URL = "/environments/production/predict"
PLAIN, REASONING, STREAMED, STOP = (
    "messages.invoke.string",
    "reasoning.answer.kept",
    "streaming.sync.adds-up",
    "parameters.stop.ends",
)
CALLS, SCHEMA, FINISH, TURNS = (
    "tools.invoke.call",
    "structured.method.json-schema",
    "metadata.finish.reason",
    "messages.invoke.objects",
)


MERGING, FORCED, COUNTED = (
    "tools.stream.merge-by-index",
    "tools.choice.forced",
    "usage.invoke.once",
)


class Told(NamedTuple):
    """What a run said: exit code, status of each claim, reasons, requests, problems beside them."""

    code: int
    statuses: dict[str, str]
    reasons: str
    asked: list[dict[str, Any]]
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
        asked = [each.json() for each in server.requests if each.body]
    found = json.loads(report.read_text(encoding="utf-8"))
    lines = found["lines"]
    reasons = "\n".join(reason for line in lines for reason in line["reasons"])
    return Told(
        code, {line["claim"]: line["status"] for line in lines}, reasons, asked, found["problems"]
    )


@traced
def test_a_text_model_that_samples_is_green_with_what_it_cannot_do_in_words(tmp_path: Path) -> None:
    told = judge(tmp_path, "samples", REASONING, STREAMED, STOP, path="/v1")
    assert told.statuses == {REASONING: "not-applicable", STREAMED: "pass", STOP: "pass"}
    assert told.reasons.endswith(": the model answers without reasoning")
    assert told.code == 0
    assert {body["model"] for body in told.asked} == {MODEL}


def test_a_service_that_streams_in_one_event_fails_at_streaming_alone(tmp_path: Path) -> None:
    once, merged = "streaming.end.once", "tools.stream.merge-by-index"
    told = judge(tmp_path, "streams in one event", STREAMED, once, merged)
    inapplicable = dict.fromkeys((once, merged), "not-applicable")
    assert told.statuses == {STREAMED: "fail", **inapplicable}
    assert "the service streams an answer in 2 chunks, not token by token" in told.reasons


def test_a_service_that_does_not_stream_fails_at_streaming_alone(tmp_path: Path) -> None:
    typed = "streaming.events.typed"
    told = judge(tmp_path, "answers streams with one body", PLAIN, STREAMED, STOP, typed)
    assert told.statuses == {PLAIN: "pass", STREAMED: "fail", STOP: "pass", typed: NOT_APPLICABLE}
    assert "a streamed request is answered with JSON and no events" in told.reasons


def test_a_service_whose_streams_break_off_fails_at_streaming_alone(tmp_path: Path) -> None:
    typed = "streaming.events.typed"
    told = judge(tmp_path, "breaks streams off", STREAMED, STOP, typed)
    assert told.statuses == {STREAMED: "fail", STOP: "pass", typed: NOT_APPLICABLE}
    assert "every streamed answer breaks off, as streaming.sync.adds-up says" in told.reasons


def test_a_service_that_counts_no_sum_lacks_nothing(tmp_path: Path) -> None:
    claims = ("structured.raw.kept", "streaming.events.typed", "usage.invoke.once")
    told = judge(tmp_path, "counts no sum", *claims)
    assert (told.statuses, told.code) == (dict.fromkeys(claims, "pass"), 0)


def test_a_service_without_log_probabilities_does_not_pass_for_one_that_has_them(
    tmp_path: Path,
) -> None:
    kept = "logprobs.dedicated.kept"
    told = judge(tmp_path, "gives no log probabilities", PLAIN, kept)
    assert told.statuses == {PLAIN: "pass", kept: NOT_APPLICABLE}
    assert "the service gives no log probabilities" in told.reasons


def test_an_engine_without_tools_is_told_so_in_its_own_words(tmp_path: Path) -> None:
    call, none = "tools.invoke.call", "tools.choice.none"
    told = judge(tmp_path, "calls no tools", PLAIN, STREAMED, call, none)
    inapplicable = dict.fromkeys((call, none), NOT_APPLICABLE)
    assert told.statuses == {PLAIN: "pass", STREAMED: "pass", **inapplicable}
    assert "refuses every request with tools: HTTP 400: Start me with a parser" in told.reasons
    assert told.code == 0


@pytest.mark.parametrize(
    ("service", "fails", "others"),
    [
        ("ignores tools", CALLS, "the model calls no tool, as tools.invoke.call says"),
        ("ignores schemas", SCHEMA, ""),
        ("ends at sixteen tokens", FINISH, "the service ends answers at a limit of its own, as"),
        (
            "breaks arguments",
            CALLS,
            "the service calls what is no tool, or with no JSON that it takes",
        ),
        ("thinks in its text", REASONING, "the model thinks in its text, as reasoning.answer.kept"),
        ("cuts calls in streams", MERGING, "streams calls in pieces that are no call together"),
        ("takes no choice of a tool", FORCED, ""),
        (
            "swaps counts",
            COUNTED,
            "the service counts other tokens than those of question and answer",
        ),
        ("says nothing", PLAIN, "the service ends answers without a text, as messages.invoke"),
        pytest.param("loses the last piece", STREAMED, "streamed, it says", marks=traced),
        ("repeats each piece", STREAMED, "the service does not stream as it answers, as streaming"),
        ("reads the last message alone", TURNS, "no tokens are counted of the system message"),
    ],
)
def test_a_defect_of_a_service_fails_one_claim(
    tmp_path: Path, service: str, fails: str, others: str
) -> None:
    both = ("structured.stream.grows", "structured.method.function-calling", "usage.cache.read")
    judged = (PLAIN, STREAMED, CALLS, SCHEMA, FINISH, REASONING, TURNS, MERGING, FORCED, COUNTED)
    told = judge(tmp_path, service, *judged, *both)
    assert [claim for claim, status in told.statuses.items() if status == "fail"] == [fails]
    assert others in told.reasons


def test_a_model_with_words_of_its_own_is_not_accused(tmp_path: Path) -> None:
    both = ("tools.invoke.parallel", "structured.method.json-schema")
    told = judge(tmp_path, "names places otherwise", PLAIN, CALLS, MERGING, *both, FORCED)
    assert set(told.statuses.values()) <= {"pass", NOT_APPLICABLE}
    assert told.statuses[CALLS] == told.statuses[both[1]] == NOT_APPLICABLE
    assert "the model names a place in words of its own" in told.reasons
    assert told.code == 0


@traced
def test_failures_that_come_and_go_are_told_once_and_accuse_no_claim(tmp_path: Path) -> None:
    spelt, judged = "endpoint.normalise.model-url", (PLAIN, STREAMED, CALLS, FINISH)
    told = judge(tmp_path, "fails at times", *judged, spelt, path="/v1")
    assert told.statuses == {**dict.fromkeys(judged, "pass"), spelt: NOT_APPLICABLE}
    assert told.code == 1
    [problem] = told.problems
    assert problem.startswith("the service failed ")
    assert "requests, which were sent again: " in problem
    assert "HTTP 500: A worker crashed. (" in problem
    assert "an answer without its end" in problem


@traced
def test_a_service_that_died_is_left_alone_and_what_is_left_is_untested(tmp_path: Path) -> None:
    told = judge(tmp_path, "dies", PLAIN, STREAMED, CALLS, FINISH)
    assert {*told.statuses.values()} == {"pass", "untested"}
    assert "the service fails: HTTP 500: The engine is dead. (9 times in a row)" in told.reasons
    assert len(told.asked) == 21


def test_what_refuses_a_plain_question_is_asked_no_other(tmp_path: Path) -> None:
    told = judge(tmp_path, "refuses everything", PLAIN, STREAMED, STOP)
    assert told.statuses == {PLAIN: "fail", STREAMED: "untested", STOP: "untested"}
    assert "the service refuses a plain question: HTTP 400: The licence is over." in told.reasons
    assert (told.code, len(told.asked)) == (1, 1)


def test_a_text_engine_is_not_accused_of_taking_no_images(tmp_path: Path) -> None:
    data, spelt = "image.dedicated.data", "endpoint.normalise.model-url"
    pairs = "messages.invoke.tuples"
    told = judge(tmp_path, "reads text alone", data, spelt, pairs, path="/v1")
    assert told.statuses == {data: "not-applicable", spelt: "not-applicable", pairs: "pass"}
    assert "the model takes no images: HTTP 400: This is not supported." in told.reasons
    assert "only URLs of Baseten's deployments have several spellings" in told.reasons
    assert told.code == 0


def test_a_deployment_answers_at_every_spelling_of_its_url(tmp_path: Path) -> None:
    path = "/environments/production/sync/v1/chat/completions/"
    told = judge(tmp_path, "honest", "endpoint.normalise.model-url", path=path)
    assert (told.code, told.reasons) == (0, "")


@traced
def test_where_no_model_is_listed_a_rejected_guess_of_its_name_accuses_nobody(
    tmp_path: Path,
) -> None:
    told = judge(tmp_path, "lists nothing now", PLAIN)
    assert told.statuses == {PLAIN: "untested"}
    assert "/v1/models responds HTTP 503: The list is being made.; there is no" in told.reasons
    assert "a name derived from the URL, is rejected: HTTP 404: The model" in told.reasons
    assert told.reasons.endswith("; name the model with --model")
    assert len(told.asked) == 1


@traced
def test_a_model_that_is_named_needs_no_list(tmp_path: Path) -> None:
    told = judge(tmp_path, "lists nothing now", PLAIN, options=f"--model={MODEL}")
    assert (told.code, told.statuses, told.reasons) == (0, {PLAIN: "pass"}, "")


def test_what_never_answers_is_untested_after_one_request(tmp_path: Path) -> None:
    options = f"--max-silence=0.2 --model={MODEL}"
    told = judge(tmp_path, "never answers", REASONING, options=options)
    assert told.statuses == {REASONING: "untested"}
    assert "takes requests and does not answer: ReadTimeout after 0.2 s" in told.reasons
    assert len(told.asked) == 1


def test_a_limit_is_spent_on_a_plain_question_first_and_then_as_the_page_promises(
    tmp_path: Path,
) -> None:
    called = "tools.choice.none"
    told = judge(tmp_path, "honest", REASONING, called, PLAIN, options="--max-requests=6")
    assert told.statuses == {REASONING: "untested", called: "pass", PLAIN: "pass"}
    assert "the limit of 6 requests is spent" in told.reasons
    assert [bool(body.get("tools")) for body in told.asked] == [False] * 4 + [True] * 2
