"""Responses at the edge of what is one: statuses, marks, empty bodies, sizes, compression."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.checks.features.questions import (
    GREETING,
    TALE,
    ask_astream,
    ask_stream,
    change_plans,
    every_way,
    mount,
    note_requests,
)
from conformance.reference import respond
from conformance.reference.exchange import plan_bytes
from conformance.subjects.expected_errors import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.reference import AnswerPlan, ReceivedRequest
    from conformance.verdicts.evidence import Evidence

    Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only("what else counts as a response is for each maker to say")

_MARK = b"\xef\xbb\xbf"


@pytest.mark.claim("messages.invoke.string")
@every_way
@pytest.mark.parametrize("status", [201, 202, 203, 299])
def test_any_success_with_a_message_is_a_response(
    lane: str, evidence: Evidence, ask: Ask, status: int
) -> None:
    model = mount(lane, evidence, change_plans(lambda plan: replace(plan, status=status)))
    assert ask(model, "Repeat after me: one").text == "one"


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_a_byte_order_mark_before_a_response_is_skipped(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def mark(plan: AnswerPlan) -> AnswerPlan:
        first, *rest = (piece.data for piece in plan.pieces)
        return plan.with_body(_MARK + first, *rest)

    assert ask(mount(lane, evidence, change_plans(mark)), "Repeat after me: one").text == "one"


_PAGE = "<html><title>Log in</title></html>"
_NO_ANSWERS = {
    "empty": (200, "application/json", b""),
    "no content": (204, "application/json", b""),
    "a page": (200, "text/html", _PAGE.encode()),
    "a page in UTF-16": (200, "text/html", _PAGE.encode("utf-16")),
    "a number": (200, "application/json", b"7"),
    "no choices": (200, "application/json", b'{"choices": []}'),
    "moved": (304, "application/json", b""),
}


@pytest.mark.claim("retries.policy.final")
@every_way
@pytest.mark.parametrize("answer", _NO_ANSWERS.values(), ids=_NO_ANSWERS)
def test_a_response_without_a_message_is_an_error_and_not_asked_for_again(
    lane: str, evidence: Evidence, ask: Ask, answer: tuple[int, str, bytes]
) -> None:
    seen: list[ReceivedRequest] = []
    model = mount(lane, evidence, note_requests(seen, lambda _: plan_bytes(*answer)), max_retries=1)
    with expect("any") as caught:
        ask(model, GREETING)
    assert type(caught.value).__name__ == "BasetenInvalidResponseError"
    assert len(seen) == 1


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_no_compression_is_asked_for(lane: str, evidence: Evidence, ask: Ask) -> None:
    seen: list[ReceivedRequest] = []
    ask(mount(lane, evidence, note_requests(seen)), GREETING)
    assert seen[0].header("accept-encoding") in (None, "identity")


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_a_response_beyond_its_limit_is_an_error(lane: str, evidence: Evidence, ask: Ask) -> None:
    def grow(plan: AnswerPlan) -> AnswerPlan:
        space = b" " * 3_000
        begin = b"data: " + space if plan.is_stream else space
        return plan.with_body(begin, *(piece.data for piece in plan.pieces))

    limits = {"max_response_bytes": 2_000, "max_event_bytes": 2_000}
    with expect("any", match="2,000 bytes") as caught:
        ask(mount(lane, evidence, change_plans(grow), **limits), GREETING)
    assert type(caught.value).__name__ == "BasetenInvalidResponseError"


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.parametrize("ask", [ask_stream, ask_astream])
def test_what_follows_done_is_not_read(lane: str, evidence: Evidence, ask: Ask) -> None:
    def go_on(plan: AnswerPlan) -> AnswerPlan:
        pieces = [piece.data for piece in plan.pieces]
        done = b"" if plan.says_done else b"data: [DONE]\n\n"
        return plan.with_body(*pieces, done, *pieces)

    assert ask(mount(lane, evidence, change_plans(go_on)), "Repeat after me: one").text == "one"


@pytest.mark.claim("retries.policy.transient")
@every_way
def test_a_status_beyond_599_is_one_of_the_server(
    lane: str, evidence: Evidence, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_baseten._http.retries.choose_wait", lambda _: 0)
    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        return plan if len(seen) > 1 else replace(plan, status=600)

    assert ask(mount(lane, evidence, note_requests(seen, answer), max_retries=1), TALE).text
    assert len(seen) == 2
