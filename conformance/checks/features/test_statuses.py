"""Responses at the edge of what is one: statuses, marks, empty bodies, sizes, compression."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, cast

import pytest
from langchain_core import exceptions as core

from conformance.checks.features.call_modes import every_way, streamed
from conformance.checks.features.questions import GREETING, TALE
from conformance.checks.features.responders import change_plans, mount, name_requests, note_requests
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import BodyChunk, plan_bytes
from conformance.subjects.expected_errors import expect
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
        first, *rest = (chunk.data for chunk in plan.chunks)
        return plan.with_body(_MARK + first, *rest)

    assert ask(mount(lane, evidence, change_plans(mark)), "Repeat after me: one").text == "one"


_PAGE = "<html><title>Log in</title></html>"
_MESSAGE = '{"choices": [{"message": {"role": "assistant", "content": "one"}}]}'
_NO_ANSWERS = {
    "empty": ((200, "application/json", b""), "an empty body"),
    "no content": ((204, "application/json", b""), "HTTP 204"),
    "a page": ((200, "text/html", _PAGE.encode()), "Log in"),
    "a page in UTF-16": ((200, "text/html", _PAGE.encode("utf-16")), "UTF-16"),
    "a message in UTF-16": ((200, "application/json", _MESSAGE.encode("utf-16")), "UTF-16"),
    "a number": ((200, "application/json", b"7"), "7"),
    "no choices": ((200, "application/json", b'{"choices": []}'), "choices"),
    "moved": ((304, "application/json", b""), "HTTP 304"),
}
"""A response, and what is reported of it."""


@pytest.mark.claim("retries.policy.final")
@every_way
@pytest.mark.parametrize(("answer", "text"), _NO_ANSWERS.values(), ids=_NO_ANSWERS)
def test_a_response_without_a_message_is_an_error_and_not_asked_for_again(
    lane: str, evidence: Evidence, ask: Ask, answer: tuple[int, str, bytes], text: str
) -> None:
    seen: list[ReceivedRequest] = []
    responder = name_requests("req-9", lambda _: plan_bytes(*answer))
    model = mount(lane, evidence, note_requests(seen, responder), max_retries=1)
    with expect("any") as caught:
        ask(model, GREETING)
    assert type(caught.value).__name__ == "BasetenInvalidResponseError"
    assert len(seen) == 1
    lost = [words for words in (text, "base_url=") if words not in str(caught.value)]
    assert not lost, f"what came and what to check is not said, {lost}: {caught.value}"
    status, _, body = answer
    received = body.decode("utf-16" if body.startswith(codecs.BOM_UTF16) else "utf-8")
    held = caught.value.response
    assert (held.status_code, held.text, caught.value.request_id) == (status, received, "req-9")


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_no_compression_is_asked_for(lane: str, evidence: Evidence, ask: Ask) -> None:
    seen: list[ReceivedRequest] = []
    ask(mount(lane, evidence, note_requests(seen)), GREETING)
    assert seen[0].header("accept-encoding") in (None, "identity")


_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.mark.claim("messages.invoke.string")
@every_way
@pytest.mark.parametrize("coding", _CODINGS)
def test_a_compression_that_nobody_asked_for_is_read_and_one_that_was_cut_is_an_error(
    lane: str, evidence: Evidence, ask: Ask, coding: str
) -> None:
    def compress(plan: AnswerPlan, part: int = 1) -> AnswerPlan:
        # A chunk that holds much, and chunks that end anywhere. Blank lines say nothing.
        body = _CODINGS[coding](b"\n" * 200_000 + plan.body)
        body = body[: len(body) // part]
        chunks = (body[:150], *(body[at : at + 40] for at in range(150, len(body), 40)))
        named = (*plan.headers, ("content-encoding", coding))
        return replace(plan, headers=named).with_body(*chunks)

    assert (
        ask(mount(lane, evidence, change_plans(compress)), f"Repeat after me: {TALE}").text == TALE
    )
    with expect("any") as caught:
        ask(mount(lane, evidence, change_plans(partial(compress, part=2))), GREETING)
    assert isinstance(caught.value, core.ModelAPIError)


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_a_response_beyond_its_limit_is_an_error(lane: str, evidence: Evidence, ask: Ask) -> None:
    def grow(plan: AnswerPlan) -> AnswerPlan:
        space = b" " * 3_000
        begin = b"data: " + space if plan.is_stream else space
        return plan.with_body(begin, *(chunk.data for chunk in plan.chunks))

    limits = {"max_response_bytes": 2_000, "max_event_bytes": 2_000}
    with expect("any", match="2,000 bytes") as caught:
        ask(mount(lane, evidence, change_plans(grow), **limits), GREETING)
    assert type(caught.value).__name__ == "BasetenInvalidResponseError"


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
@pytest.mark.parametrize("done", [b"data: [DONE]", b"data:[DONE]", b"data:  [DONE] "])
@pytest.mark.parametrize("at_once", [False, True], ids=["apart", "at once"])
def test_what_follows_done_is_not_read(
    lane: str, evidence: Evidence, ask: Ask, done: bytes, at_once: bool
) -> None:
    waited: list[str] = []

    def go_on(plan: AnswerPlan) -> AnswerPlan:
        chunks = [chunk.data for chunk in plan.chunks if b"[DONE]" not in chunk.data]
        chunks = [*chunks, done + b"\n\n", *chunks]
        sent = [*map(BodyChunk, [b"".join(chunks)] if at_once else chunks)]
        return replace(plan, chunks=cast("Any", chain(sent, keep_open())))

    def keep_open() -> Iterator[BodyChunk]:
        yield BodyChunk(b"\n", delay=0.4)
        waited.append("the client waited for the end of the body behind [DONE]")

    assert ask(mount(lane, evidence, change_plans(go_on)), "Repeat after me: one").text == "one"
    assert not waited


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
