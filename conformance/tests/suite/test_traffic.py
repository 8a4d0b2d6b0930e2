from __future__ import annotations

import httpx

from conformance.reference import make_request, respond
from conformance.subjects.traffic import Deck, Tape

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
