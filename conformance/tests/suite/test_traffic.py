from __future__ import annotations

from typing import Any

import httpx
import pytest

from conformance.reference import make_request, respond
from conformance.subjects.traffic import LoggedReference, TrafficLog, is_usage_unrequested

ASKED = {"model": "moonshotai/Kimi-K2.6", "messages": [{"role": "user", "content": "Hello"}]}


def test_a_log_beside_a_client_notes_what_passes() -> None:
    traffic = TrafficLog()
    request = httpx.Request("POST", "https://x.example", json={"a": 1})
    traffic.note_request(request)
    traffic.note_response(httpx.Response(200, text="é", request=request))
    assert (traffic.sent, traffic.answers) == ([{"a": 1}], ["é"])


def test_a_deck_answers_as_the_responder_and_fills_the_tapes_that_run() -> None:
    reference, traffic = LoggedReference(), TrafficLog()
    request = make_request("https://inference.baseten.co/v1/chat/completions", ASKED)
    assert reference(request) == respond(request)
    reference.logs.append(traffic)
    plan = reference(request)
    assert traffic.sent == [ASKED]
    assert traffic.answers == [plan.body.decode()]


@pytest.mark.parametrize(
    ("body", "unrequested"),
    [
        ({}, False),
        ({"stream": False, "stream_options": None}, False),
        ({"stream": True}, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, True),
        ({"stream": True, "stream_options": {"include_usage": True}}, False),
    ],
)
def test_usage_is_requested_of_a_stream_by_its_option(
    body: dict[str, Any], *, unrequested: bool
) -> None:
    assert is_usage_unrequested(body) is unrequested
