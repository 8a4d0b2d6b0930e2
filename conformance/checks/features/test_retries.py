"""Retries: what may pass by itself is asked for again, after the wait named; nothing else is."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import cycle
from typing import Any

import anyio
import httpx2
import pytest
from langchain_core import exceptions as core

from conformance.checks.features.call_modes import TAKES, every_way
from conformance.checks.features.other_makers import leave_unknown
from conformance.checks.features.questions import GREETING, TALE
from conformance.checks.features.responders import change_answers, mount, note_requests
from conformance.reference import AnswerPlan, ReceivedRequest, Responder, respond
from conformance.reference.exchange import encode_event, plan_bytes, plan_json
from conformance.reference.listener import SERVING
from conformance.subjects.expected_errors import (
    catching,
    expect,
    expect_class,
    expect_status,
    tolerate,
)
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

_AGAIN = (408, 409, 429, 500, 501, 502, 503, 504, 520, 529, 599)
_OWN = (408, 409, 500, 501, 520, 529, 599)
_NEVER = (400, 401, 402, 403, 404, 405, 406, 410, 413, 415, 418, 422, 425, 451)
_LONGEST = 60.0
_BACK_OFF = (0.5, 1, 2, 4, 8, 8, 8, 8)
_LOST: dict[str, type[Exception]] = {
    "ConnectError": core.ModelConnectionError,
    "ReadError": core.ModelConnectionError,
    "WriteError": core.ModelConnectionError,
    "RemoteProtocolError": core.ModelConnectionError,
    "ConnectTimeout": core.ModelTimeoutError,
    "ReadTimeout": core.ModelTimeoutError,
    "WriteTimeout": core.ModelTimeoutError,
    "PoolTimeout": core.ModelTimeoutError,
}
_LOGGED = {
    "503": "HTTP 503",
    "ReadTimeout": "BasetenTimeoutError",
    "ConnectError": "BasetenConnectionError",
}


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited for; nobody really waits."""
    noted: list[float] = []
    asking, sleep = threading.get_ident(), time.sleep

    def note(seconds: float) -> None:
        name = threading.current_thread().name
        # Others may wait in any thread of theirs; beside ours the server's alone is at work.
        of_client = name.startswith("asyncio_") if chosen().ours else name != SERVING
        if threading.get_ident() != asking and not of_client:
            sleep(seconds)  # what else runs in this process has waits of its own
        elif seconds:
            noted.append(seconds)

    async def note_on_loop(seconds: float, *_: Any) -> None:
        note(seconds)

    def stand_still(seconds: float) -> None:
        if chosen().ours:  # Of others `async.loop.never-blocked` tells.
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
        note(seconds)

    monkeypatch.setattr(time, "sleep", stand_still)
    monkeypatch.setattr(asyncio, "sleep", note_on_loop)
    monkeypatch.setattr(anyio, "sleep", note_on_loop)
    return noted


_NOT_NOW = {"error": "Not now."}


def _refuse_first(
    status: int, seen: list[ReceivedRequest], headers: Any = None, body: Any = _NOT_NOW
) -> Responder:
    """Refuse one request, then answer."""

    def answer(request: ReceivedRequest) -> AnswerPlan:
        again = bool(seen)
        seen.append(request)
        return respond(request) if again else plan_json(status, body, headers)

    return answer


@contextmanager
def _retried(evidence: Evidence, seen: list[ReceivedRequest]) -> Iterator[None]:
    """End the check if another maker's client does not retry, as `retries.policy.*` judges.

    Args:
        evidence: Where the check says that it does not apply.
        seen: The requests that came.
    """
    try:
        yield
    finally:
        if not chosen().ours and len(seen) == 1:
            evidence.not_applicable("the client does not retry, as retries.policy.transient says")


def _judge_own_waits(seen: list[ReceivedRequest], waits: list[float], tries: int) -> None:
    """Demand a wait before each request that was sent again.

    Args:
        seen: The requests that came; how many may, `retries.policy.transient` judges.
        waits: Seconds that the client waited for; none is 0.
        tries: Tries that were allowed after the first.
    """
    assert seen, "nothing was sent"
    again = len(seen) - 1
    # Others may try a second time at once, as urllib3 does: most errors have passed by then.
    owed = again if chosen().ours else again - 1
    assert len(waits) >= owed, f"{again} requests were sent again, after {len(waits)} waits"
    if chosen().ours:  # How their own waits grow is for others to say.
        assert len(waits) == again == tries, f"of {tries} tries more there were {again}, {waits}"
        assert waits[0] < waits[2]


@pytest.mark.claim("retries.policy.transient")
@every_way
@pytest.mark.parametrize("status", _AGAIN)
def test_what_may_pass_is_tried_again(
    lane: str, evidence: Evidence, ask: Callable[..., Any], status: int
) -> None:
    if status in _OWN and not chosen().ours:
        evidence.not_applicable(f"whether HTTP {status} may pass is for each maker to say")
    seen: list[ReceivedRequest] = []
    headers = {"default_headers": {"x-team": "harbour"}} if chosen().ours else {}
    model = mount(lane, evidence, _refuse_first(status, seen), max_retries=1, **headers)
    assert ask(model, GREETING).text
    assert len(seen) == 2
    assert seen[0].body == seen[1].body
    if chosen().ours:  # Others may count their tries in a header.
        assert seen[0].headers == seen[1].headers


@pytest.mark.claim("retries.policy.transient")
@every_way
def test_it_is_tried_so_many_times_and_not_more(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    # None at all comes last: a model that knows no such argument may try again of its own accord.
    counts: list[tuple[dict[str, Any], int]] = [({"max_retries": n}, n + 1) for n in (4, 12, 0)]
    if chosen().ours:  # How often others try again unasked is for them to say.
        counts.append(({"max_retries": None}, 3))
    for given, tries in counts:
        seen: list[ReceivedRequest] = []
        responder = note_requests(seen, lambda request: plan_json(503, {"error": "Not now."}))
        with expect("any"):
            ask(mount(lane, evidence, responder, **given), GREETING)
        assert len(seen) == tries, f"{given} was given, and {len(seen)} requests came"


def _judge_once(seen: list[ReceivedRequest], what: str) -> None:
    assert seen, "nothing was sent"
    assert len(seen) == 1, f"{what} was asked again: {len(seen)} requests came"


@pytest.mark.claim("retries.policy.final")
@every_way
@pytest.mark.parametrize("status", _NEVER)
def test_what_will_not_pass_is_not_tried_again(
    lane: str, evidence: Evidence, ask: Callable[..., Any], status: int
) -> None:
    seen: list[ReceivedRequest] = []
    with catching() as errors:
        # Those who may not be told how often have a number of their own, or try once.
        tries = leave_unknown(lane, {"max_retries": 3})
        ask(mount(lane, evidence, _refuse_first(status, seen), **tries), GREETING)
    _judge_once(seen, f"HTTP {status}")
    assert errors, f"HTTP {status} came, and no error was raised"
    expect_status(errors[0], status)


def _say(plan: AnswerPlan, _request: ReceivedRequest) -> AnswerPlan:
    return plan


@pytest.mark.claim("retries.policy.final")
@every_way
def test_an_answer_that_cannot_be_read_is_not_paid_for_twice(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    event = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    begun = plan_bytes(200, "text/event-stream", encode_event(event))
    for nonsense in (plan_json(200, {"hello": "world"}), begun)[: 2 if chosen().ours else 1]:
        seen: list[ReceivedRequest] = []
        responder = note_requests(seen, partial(_say, nonsense))
        # What others make of it is for them to say.
        with expect("any") if chosen().ours else tolerate():
            tries = leave_unknown(lane, {"max_retries": 3})
            ask(mount(lane, evidence, responder, **tries), GREETING)
        _judge_once(seen, "the same")


@pytest.mark.claim("retries.after.honoured")
@every_way
def test_the_wait_is_the_one_that_the_server_named(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float]
) -> None:
    named = [(7, 429), (60, 429), (9, 503), (11, 500)]
    if not chosen().ours:  # How long they wait at most, and after which statuses, is theirs to say.
        named = [(7, 429), (9, 503)]
    for requested, status in named:
        seen: list[ReceivedRequest] = []
        responder = _refuse_first(status, seen, {"retry-after": str(requested)})
        with _retried(evidence, seen):
            assert ask(mount(lane, evidence, responder, max_retries=1), GREETING).text
    seconds = [requested for requested, _ in named]
    assert [int(wait) for wait in waits] == seconds, (
        f"the server named waits of {seconds} seconds; the client waited for {waits}"
    )


@pytest.mark.claim("retries.after.honoured")
@pytest.mark.own_client_only("neither is the standard's, and others may not know them")
@every_way
def test_a_wait_may_be_named_in_milliseconds_or_in_parts_of_a_second(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float]
) -> None:
    for named in ({"retry-after-ms": "7500", "retry-after": "20"}, {"retry-after": "7.5"}):
        responder = _refuse_first(429, [], named)
        assert ask(mount(lane, evidence, responder, max_retries=1), GREETING).text
    assert [7.5 <= wait <= 8.5 for wait in waits] == [True, True]


@pytest.mark.claim("retries.policy.transient")
@pytest.mark.own_client_only("the connection is lost inside this process", applies=False)
@every_way
@pytest.mark.parametrize(("kind", "meaning"), _LOST.items(), ids=_LOST)
def test_a_request_that_found_nobody_is_tried_again_and_its_error_has_a_type(
    lane: str, evidence: Evidence, ask: Callable[..., Any], kind: str, meaning: type[Exception]
) -> None:
    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        if len(seen) != 2:
            raise getattr(httpx2, kind)("lost")
        return respond(request)

    assert ask(mount(lane, evidence, answer, max_retries=1), GREETING).text
    assert len(seen) == 2
    with expect_class(meaning, 0):
        ask(mount(lane, evidence, answer, max_retries=0), GREETING)


def _report(_payload: Any) -> Any:
    return {"error": {"code": 503, "message": "Not now."}}


_ENDED_EARLY: dict[str, Callable[..., AnswerPlan]] = {
    "reset": lambda plan: replace(plan, chunks=(), ending="reset"),
    "reported": lambda plan: plan.map_json(_report).map_events(_report),
}


@pytest.mark.claim("retries.policy.transient")
@pytest.mark.own_client_only("the connection is lost inside this process", applies=False)
@every_way
@pytest.mark.parametrize("lost", _ENDED_EARLY.values(), ids=_ENDED_EARLY)
def test_a_response_that_was_lost_before_its_first_word_is_asked_for_again(
    lane: str, evidence: Evidence, ask: Callable[..., Any], lost: Callable[..., AnswerPlan]
) -> None:
    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        plan = respond(request)
        return plan if len(seen) > 1 else lost(plan)

    assert ask(mount(lane, evidence, answer, max_retries=1), GREETING).text
    assert len(seen) == 2


@pytest.mark.claim("retries.after.honoured")
@every_way
def test_a_wait_may_be_named_as_a_date(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float]
) -> None:
    now = datetime.now(UTC)
    dates = (format_datetime(each, usegmt=True) for each in (now, now + timedelta(seconds=30)))
    dated = dict(zip(("date", "retry-after"), dates, strict=True))
    # A clock that is an hour slow is that of both; how others read one is theirs to say.
    slow = (format_datetime(now + timedelta(seconds=each), usegmt=True) for each in (-3600, -3570))
    skewed = [dict(zip(("date", "retry-after"), slow, strict=True))] if chosen().ours else []
    for headers in (dated, {"retry-after": dated["retry-after"]}, *skewed):
        seen: list[ReceivedRequest] = []
        model = mount(lane, evidence, _refuse_first(429, seen, headers), max_retries=1)
        with _retried(evidence, seen):
            assert ask(model, GREETING).text
        wait = waits.pop() if waits else 0
        if wait < _LONGEST / 3 and not chosen().ours:
            evidence.not_applicable("others may know a wait in seconds alone")
        assert 20 < wait < 40, (
            f"the server named a date 30 seconds ahead; the client waited for {wait:.0f} seconds"
        )


@pytest.mark.claim("retries.after.honoured")
@every_way
@pytest.mark.parametrize(
    "requested", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"], ids=["zero", "the past"]
)
def test_a_server_that_names_no_wait_is_not_asked_again_at_once(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float], requested: str
) -> None:
    seen: list[ReceivedRequest] = []
    responder = note_requests(
        seen, lambda _: plan_json(429, {"error": "No."}, {"retry-after": requested})
    )
    with _retried(evidence, seen), expect("any"):
        ask(mount(lane, evidence, responder, max_retries=3), GREETING)
    if not chosen().ours and not any(waits):
        evidence.not_applicable("others may wait exactly as long as the server named: not at all")
    _judge_own_waits(seen, waits, 3)


@pytest.mark.claim("retries.after.honoured")
@pytest.mark.own_client_only("others may wait exactly as long as the server named", applies=False)
@every_way
@pytest.mark.parametrize("named", [{"retry-after": "7"}, {}], ids=["named", "not named"])
def test_callers_who_were_refused_together_do_not_return_together(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float], named: Any
) -> None:
    refuses = cycle((True, False))

    def answer(request: ReceivedRequest) -> AnswerPlan:
        if not next(refuses):
            return respond(request)
        return plan_json(429, {"error": "Not now."}, named)

    model = mount(lane, evidence, answer, max_retries=1)
    for _ in range(30):
        assert ask(model, GREETING).text
    assert len(waits) == 30
    assert min(waits) >= (7 if named else 0.5)
    # They spread over ten tenths of a second, or over five: one run in ten million has more in one.
    assert max(Counter(int(wait * 10) for wait in waits).values()) <= (15 if named else 20)


@pytest.mark.claim("retries.after.honoured")
@pytest.mark.own_client_only("others may wait as long as the server named", applies=False)
@every_way
def test_a_wait_of_more_than_a_minute_is_raised_at_once(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float]
) -> None:
    responder = _refuse_first(429, [], {"retry-after": "3600"})
    bodies = ({"error": "No.", "retry_after": 3600}, {"error": {"retry_after": 3600}})
    for named in (responder, *(_refuse_first(429, [], body=body) for body in bodies)):
        with expect("any") as caught:
            ask(mount(lane, evidence, named, max_retries=1), GREETING)
        expect_status(caught.value, 429)
        assert caught.value.retry_after == 3600
    assert waits == []


@pytest.mark.claim("retries.after.honoured")
@every_way
def test_unless_the_server_names_one_the_wait_is_short_and_grows(
    lane: str, evidence: Evidence, ask: Callable[..., Any], waits: list[float]
) -> None:
    seen: list[ReceivedRequest] = []
    responder = note_requests(seen, lambda request: plan_json(503, {"error": "Not now."}))
    with _retried(evidence, seen), expect("any"):
        ask(mount(lane, evidence, responder, max_retries=8), GREETING)
    _judge_own_waits(seen, waits, 8)
    if chosen().ours:  # How their own waits grow, and how far, is for others to say.
        assert max(waits) <= _LONGEST, f"more than a minute was waited for: {waits}"
        shares = [wait - base for wait, base in zip(waits, _BACK_OFF, strict=True)]
        assert 0 <= min(shares) <= max(shares) <= 1, f"beyond {_BACK_OFF} were waited {shares}"


@pytest.mark.claim("retries.policy.transient")
@pytest.mark.own_client_only("others may log under other names", applies=False)
@every_way
@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("failure", _LOGGED)
def test_each_retry_is_logged(
    lane: str,
    evidence: Evidence,
    ask: Callable[..., Any],
    failure: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: ReceivedRequest) -> AnswerPlan:
        if failure in _LOST:
            raise getattr(httpx2, failure)("lost")
        return plan_json(503, {"error": "Not now."})

    caplog.set_level(logging.INFO, logger="langchain_baseten")
    with expect("any"):
        ask(mount(lane, evidence, fail, max_retries=2), GREETING)
    reported = [each.getMessage() for each in caplog.records if each.name == "langchain_baseten"]
    assert [_LOGGED[failure] in each for each in reported] == [True, True]


@pytest.mark.claim("retries.stream.handed-out")
@pytest.mark.parametrize("take", TAKES)
def test_nothing_is_tried_again_once_a_word_was_handed_out(
    lane: str, evidence: Evidence, take: Callable[..., None]
) -> None:
    seen: list[ReceivedRequest] = []
    words: list[str] = []

    def fail(event: Any) -> Any:
        words.append("said")
        return {"error": {"code": 503, "message": "Not now."}} if len(words) > 5 else event

    tries = leave_unknown(lane, {"max_retries": 3})
    model = mount(lane, evidence, note_requests(seen, change_answers(fail)), **tries)
    observed: list[Any] = []
    # Whether others raise what is sent inside a stream is `streaming.end.error-inside`.
    with expect("any") if chosen().ours else tolerate():
        take(model, TALE, observed)
    text = "".join(chunk.text for chunk in observed)
    if not text and not chosen().ours:
        evidence.not_applicable("no word was handed out before the error, as others may wait")
    assert text
    sentence = f"the answer had begun, and was asked for again: {len(seen)} requests came"
    assert len(seen) == 1, sentence
