"""Batches: many prompts side by side, as many as allowed, each with its own answer or error."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx2
import pytest

from conformance.checks.features.questions import GREETING
from conformance.checks.features.responders import mount, note_bodies
from conformance.libraries import Request
from conformance.reference import AnswerPlan, AsyncResponderTransport, ReceivedRequest, respond
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import catch, expect_status
from conformance.verdicts.evidence import Evidence

_PATIENCE = 10.0
_MOMENT = 0.005
_PROMPTS = [f"Repeat after me: {number}" for number in range(12)]


def _read_prompt(request: ReceivedRequest) -> str:
    return str(request.json()["messages"][-1]["content"])


def _refuse_seven(request: ReceivedRequest) -> AnswerPlan:
    refused = _read_prompt(request).endswith(" 7")
    return plan_json(400, {"error": "Not seven."}) if refused else respond(request)


@pytest.mark.claim("async.many.at-once")
async def test_the_error_of_a_failed_prompt_stands_in_its_place(
    lane: str, evidence: Evidence
) -> None:
    model = mount(lane, evidence, _refuse_seven)
    batches = [
        model.batch(_PROMPTS, return_exceptions=True),
        await model.abatch(_PROMPTS, return_exceptions=True),
    ]
    for answers in batches:
        assert len(answers) == len(_PROMPTS)
        failed = answers.pop(7)
        assert isinstance(failed, catch("invalid-request"))
        expect_status(failed, 400)
        assert [each.text for each in answers] == [str(n) for n in range(12) if n != 7]
    with pytest.raises(catch("invalid-request")):
        model.batch(_PROMPTS)


@pytest.mark.claim("parameters.given.sent")
async def test_options_of_a_batch_reach_each_of_its_requests(lane: str, evidence: Evidence) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    model.batch(_PROMPTS[:2], stop=["END"])
    await model.abatch(_PROMPTS[:2], stop=["END"])
    assert [body.get("stop") for body in sent] == [["END"]] * 4


@pytest.mark.claim("async.many.at-once")
def test_an_answer_of_a_batch_is_yielded_before_a_later_one(lane: str, evidence: Evidence) -> None:
    yielded = threading.Event()

    def answer(request: ReceivedRequest) -> AnswerPlan:
        if _read_prompt(request).endswith(" 0"):
            assert yielded.wait(_PATIENCE)
        return respond(request)

    answers = mount(lane, evidence, answer).batch_as_completed(_PROMPTS[:2])
    at, first = next(answers)
    yielded.set()
    assert (at, first.text) == (1, "1")
    assert [(at, each.text) for at, each in answers] == [(0, "0")]


class _Crowd(AsyncResponderTransport):
    """Notes how many requests wait at the same time, and may let the first one wait for others."""

    def __init__(self) -> None:
        super().__init__()
        self.present = 0
        self.most = 0
        self.first_may_go = asyncio.Event()
        self.first_may_go.set()

    async def handle_async_request(self, request: Request) -> Any:
        self.present += 1
        self.most = max(self.most, self.present)
        await request.aread()
        if b" 0" in request.content:
            await self.first_may_go.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        self.present -= 1
        return await super().handle_async_request(request)


def _mount_crowd(lane: str, evidence: Evidence) -> tuple[Any, _Crowd]:
    crowd = _Crowd()
    client = httpx2.AsyncClient(transport=crowd)
    return mount(lane, evidence, http_async_client=client), crowd


@pytest.mark.claim("async.many.at-once")
@pytest.mark.own_client_only("the requests of one event loop are counted inside the process")
async def test_an_awaited_answer_of_a_batch_is_yielded_before_a_later_one(
    lane: str, evidence: Evidence
) -> None:
    model, crowd = _mount_crowd(lane, evidence)
    crowd.first_may_go.clear()
    order = []
    async with asyncio.timeout(_PATIENCE):
        async for at, _answer in model.abatch_as_completed(_PROMPTS[:2]):
            order.append(at)
            crowd.first_may_go.set()
    assert order == [1, 0]


@pytest.mark.claim("async.many.at-once")
@pytest.mark.own_client_only("the requests of one event loop are counted inside the process")
async def test_an_awaited_batch_sends_as_many_at_once_as_it_may(
    lane: str, evidence: Evidence
) -> None:
    model, crowd = _mount_crowd(lane, evidence)
    assert len(await model.abatch(_PROMPTS, {"max_concurrency": 3})) == len(_PROMPTS)
    assert crowd.most == 3


@pytest.mark.claim("async.many.at-once")
def test_a_batch_sends_as_many_at_once_as_it_may(lane: str, evidence: Evidence) -> None:
    present: list[int] = []
    most: list[int] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        present.append(1)
        most.append(len(present))
        threading.Event().wait(_MOMENT)  # the others begin meanwhile, if they may
        present.pop()
        return respond(request)

    answers = mount(lane, evidence, answer).batch([GREETING] * 6, {"max_concurrency": 2})
    assert len(answers) == 6
    assert max(most) <= 2, f"max_concurrency=2 was given, {max(most)} requests came at once"
