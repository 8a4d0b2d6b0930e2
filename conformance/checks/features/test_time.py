"""Time limits: each form of them reaches the request, that of a call before that of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, cast

import httpx
import httpx2
import pytest

from conformance.checks.features.call_modes import TAKES, ask_ainvoke, ask_invoke, every_way
from conformance.checks.features.questions import GREETING, TALE
from conformance.checks.features.responders import change_plans, make_clients, mount
from conformance.libraries import Request
from conformance.reference import AnswerPlan, BodyChunk, ReceivedRequest
from conformance.reference.exchange import plan_bytes
from conformance.subjects.expected_errors import expect
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only("time limits are watched from inside the process")

_LONG = 3.0


def _mount_timed(
    lane: str, evidence: Evidence, of_client: Any = 5, **settings: Any
) -> tuple[Any, list[Any]]:
    """Return a model, and the list that gets the time limits of each of its requests.

    Unless its maker sets another, the limit of a client is 5 seconds.
    """
    seen: list[Any] = []

    def note(request: Request) -> None:
        limits = request.extensions["timeout"]
        seen.append(tuple(limits[name] for name in ("connect", "read", "write", "pool")))

    return mount(lane, evidence, **make_clients(note, timeout=of_client), **settings), seen


_FORMS: dict[str, tuple[Any, tuple[float | None, ...]]] = {
    "seconds": (30, (30, 30, 30, 30)),
    "pair": ((5, 40), (5, 40, 1200, 1200)),
    "no limit": ((5, None), (5, None, 1200, 1200)),
    "httpx2": (httpx2.Timeout(30, connect=5), (5, 30, 30, 30)),
    "httpx": (httpx.Timeout(30, connect=5), (5, 30, 30, 30)),
    "none": (None, (10, 1200, 1200, 1200)),
}


@pytest.mark.claim("parameters.given.sent")
@every_way
@pytest.mark.parametrize(("given", "wanted"), _FORMS.values(), ids=_FORMS)
def test_each_form_of_a_time_limit_reaches_the_request(
    lane: str, evidence: Evidence, ask: Ask, given: Any, wanted: tuple[float | None, ...]
) -> None:
    model, seen = _mount_timed(lane, evidence, timeout=given)
    ask(model, GREETING)
    assert seen == [wanted]


@pytest.mark.claim("connections.clients.own")
@every_way
def test_the_time_limit_of_a_client_holds_where_the_model_has_none(
    evidence: Evidence, ask: Ask
) -> None:
    for given in ({}, {"timeout": 30}):
        model, seen = _mount_timed("dedicated", evidence, of_client=7, **given)
        ask(model, GREETING)
        assert seen == [(given.get("timeout", 7),) * 4]


@pytest.mark.claim("models.list.rows")
async def test_a_time_limit_reaches_the_request_for_a_list(evidence: Evidence) -> None:
    model, seen = _mount_timed("model-apis", evidence, timeout=(5, 40))
    assert model.list_models()
    assert await model.alist_models()
    assert seen == [(5, 40, 1200, 1200)] * 2


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_the_time_limit_of_a_call_wins(lane: str, evidence: Evidence, ask: Ask) -> None:
    model, seen = _mount_timed(lane, evidence, timeout=30)
    ask(model, GREETING, timeout=(5, 40))
    ask(model.bind(timeout=20), GREETING)
    ask(model.bind(timeout=20), GREETING, timeout=10)
    model.timeout = 15
    ask(model, GREETING)
    assert [limits[:2] for limits in seen] == [(5, 40), (20, 20), (10, 10), (15, 15)]


def _hold_back(plan: AnswerPlan, seconds: float = _LONG) -> AnswerPlan:
    *begun, late = plan.chunks[:5]
    return replace(plan, chunks=(*begun, replace(late, delay=seconds), *plan.chunks[5:]))


@pytest.mark.claim("connections.stream.silence")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("place", ["model", "bind"])
def test_each_way_to_limit_silence_inside_a_stream_has_an_effect(
    evidence: Evidence, take: Callable[..., None], place: str
) -> None:
    limit = {"stream_chunk_timeout": 0.02}
    responder = change_plans(partial(_hold_back, seconds=0.1))
    model = mount("dedicated", evidence, responder, **(limit if place == "model" else {}))
    bound = model.bind(**limit) if place != "model" else model
    chunks: list[Any] = []
    with expect("timeout") as caught:
        take(bound, TALE, chunks)
    text = "".join(chunk.text for chunk in chunks)
    assert text
    assert caught.value.partial.text == text
    if place == "bind":
        take(model, TALE, chunks)
        assert chunks[-1].chunk_position == "last", "the limit of a call holds for the next one"


@pytest.mark.claim("connections.stream.silence")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("limit", [None, 0])
def test_a_call_may_have_no_limit_of_silence(
    evidence: Evidence, take: Callable[..., None], limit: float | None
) -> None:
    responder = change_plans(partial(_hold_back, seconds=0.1))
    model = mount("dedicated", evidence, responder, stream_chunk_timeout=0.02)
    chunks: list[Any] = []
    take(model.bind(stream_chunk_timeout=limit), TALE, chunks)
    assert chunks[-1].chunk_position == "last"


class _Clock:
    """A clock that goes on by as much as a test says, whenever a chunk of a body is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        for module in ("timeouts", "deadlines", "receipts"):
            monkeypatch.setattr(f"langchain_baseten._http.{module}.time", self)

    def monotonic(self) -> float:
        return self.now

    def send(self, chunks: Iterable[BodyChunk], seconds: float) -> Iterator[BodyChunk]:
        for chunk in chunks:
            self.now += seconds
            yield chunk


@pytest.mark.claim("connections.stream.silence")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize(("timeout", "is_answered"), [(1_200, True), (150, False)])
def test_before_the_first_event_comments_are_waited_for_as_long_as_an_answer(
    evidence: Evidence,
    take: Callable[..., None],
    timeout: float,
    is_answered: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock(monkeypatch)
    chunks: list[Any] = []

    def think(plan: AnswerPlan) -> AnswerPlan:
        comments = clock.send([BodyChunk(b": thinking\n\n")] * 10, 100)
        return replace(plan, chunks=cast("Any", chain(comments, plan.chunks)))

    model = mount("dedicated", evidence, change_plans(think), timeout=timeout, max_retries=0)
    with nullcontext() if is_answered else expect("timeout"):
        take(model, TALE, chunks)
    assert bool(chunks) is is_answered


@pytest.mark.claim("connections.stream.silence")
@pytest.mark.parametrize("take", TAKES)
def test_a_stream_that_goes_on_talking_may_take_longer_than_an_answer(
    evidence: Evidence, take: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock(monkeypatch)

    def exchange(plan: AnswerPlan) -> AnswerPlan:
        return replace(plan, chunks=cast("Any", clock.send(plan.chunks, 50)))

    chunks: list[Any] = []
    take(
        mount("dedicated", evidence, change_plans(exchange), timeout=120, max_retries=0),
        TALE,
        chunks,
    )
    assert clock.now > 500
    assert chunks[-1].chunk_position == "last"


_SILENT = {
    "comment": b": ping\n\n",
    "no JSON": b"data: ping\n\n",
    "no choice": b'data: {"choices": []}\n\n',
    "empty delta": b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n',
}


@pytest.mark.claim("connections.stream.silence")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize(
    "pause",
    [({}, 2, False), ({}, 3, True), ({"stream_chunk_timeout": None}, 5, False)],
    ids=["100 s", "150 s", "no limit"],
)
@pytest.mark.parametrize("text", _SILENT)
def test_what_says_nothing_is_silence_of_which_two_minutes_are_too_much(
    evidence: Evidence,
    take: Callable[..., None],
    text: str,
    pause: tuple[dict[str, Any], int, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock(monkeypatch)
    limits, times, is_silence = pause

    def fall_silent(plan: AnswerPlan) -> AnswerPlan:
        silent = clock.send([BodyChunk(_SILENT[text])] * times, 50)
        parts = chain(plan.chunks[:5], silent, plan.chunks[5:])
        return replace(plan, chunks=cast("Any", parts))

    settings = {**limits, "timeout": 1_200, "max_retries": 0}
    model = mount("dedicated", evidence, change_plans(fall_silent), **settings)
    chunks: list[Any] = []
    with expect("timeout") if is_silence else nullcontext():
        take(model, TALE, chunks)
    assert chunks
    assert (chunks[-1].chunk_position == "last") is not is_silence


@pytest.mark.claim("errors.sentence.kept")
@every_way
def test_the_body_of_an_error_that_drips_is_not_waited_for(
    lane: str, evidence: Evidence, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock(monkeypatch)

    def drip(_request: ReceivedRequest) -> AnswerPlan:
        plan = plan_bytes(400, "text/plain", b"Not now. " * 20)
        letters = [BodyChunk(bytes([letter])) for letter in plan.body]
        return replace(plan, chunks=cast("Any", clock.send(letters, 1)))

    with expect("invalid-request", match="Not now"):
        ask(mount(lane, evidence, drip, max_retries=0), GREETING)
    assert clock.now <= 15, f"the body of an error was waited for {clock.now:.0f} s"


@pytest.mark.claim("parameters.given.sent")
@pytest.mark.parametrize("ask", [ask_invoke, ask_ainvoke])
def test_a_response_that_drips_has_its_time_limit_in_all(
    lane: str, evidence: Evidence, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock(monkeypatch)
    tries: list[AnswerPlan] = []

    def drip(plan: AnswerPlan) -> AnswerPlan:
        tries.append(plan)
        letters = [BodyChunk(bytes([letter])) for letter in plan.body]
        return replace(plan, chunks=cast("Any", clock.send(letters, 1)))

    with expect("timeout"):
        ask(mount(lane, evidence, change_plans(drip), timeout=30, max_retries=0), GREETING)
    assert clock.now < 40 * len(tries)
