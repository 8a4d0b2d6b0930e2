from __future__ import annotations

from typing import Any

import httpx
import pytest

from conformance.reference import make_request, respond
from conformance.subjects.traffic import Deck, Tape, is_usage_unrequested

ASKED = {"model": "moonshotai/Kimi-K2.6", "messages": [{"role": "user", "content": "Hello"}]}


def test_a_tape_beside_a_client_notes_what_passes() -> None:
    tape = Tape()
    request = httpx.Request("POST", "https://x.example", json={"a": 1})
    tape.note_request(request)
    tape.note_response(httpx.Response(200, text="é", request=request))
    assert (tape.sent, tape.answers) == ([{"a": 1}], ["é"])


def test_a_deck_answers_as_the_responder_and_fills_the_tapes_that_run() -> None:
    deck, tape = Deck(), Tape()
    request = make_request("https://inference.baseten.co/v1/chat/completions", ASKED)
    assert deck(request) == respond(request)
    deck.tapes.append(tape)
    plan = deck(request)
    assert tape.sent == [ASKED]
    assert tape.answers == [plan.body.decode()]


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
