"""The soak's server: each conduct is what its row says, byte by byte."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import h11
import pytest

from conformance.maintenance.soak.conducts import CONDUCTS, ENDLESS, STRANGER, Due, play
from conformance.maintenance.soak.wire import (
    Asked,
    End,
    answer_text,
    answer_vector,
    read_request,
    write_pieces,
    write_prompt,
)
from conformance.tests.package.in_each import in_each

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.maintenance.soak.wire import Step

NONCE, OTHER, KEY = "0123456789abcdef", "fedcba9876543210", "sk-soak-0123456789"
LIGHT = [name for name, conduct in CONDUCTS.items() if not conduct.heavy]
SERVED = [name for name, conduct in CONDUCTS.items() if conduct.due is Due.ANSWER]
FORMS = ("body", "stream", "vectors")


def ask(conduct: str, form: str, tries: int = 0) -> Asked:
    streamed, vectors = form == "stream", form == "vectors"
    return Asked(conduct, (NONCE,), streamed, vectors, KEY, tries=tries)


def written(steps: Iterable[Step]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


def read(data: bytes) -> tuple[int, bytes, bytes]:
    """Return status and body of the first final response, and what comes after it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    status, body = 0, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif event is h11.NEED_DATA:
            raise h11.RemoteProtocolError("incomplete")
    return status, body, connection.trailing_data[0]


@pytest.mark.parametrize("name", SERVED)
def test_what_owes_an_answer_gives_the_whole_one_at_last(name: str) -> None:
    for form in FORMS:
        asked = ask(name, form, tries=1 if "once" in name else 0)
        status, body, _ = read(written(play(asked)))
        assert status == 200
        assert body.replace(b": ping\n\n", b"") == b"".join(write_pieces(asked))


@pytest.mark.parametrize("name", [name for name in LIGHT if CONDUCTS[name].due is Due.ERROR])
def test_what_owes_an_error_gives_no_whole_answer_ever(name: str) -> None:
    for form, tries in product(FORMS, range(3)):
        asked = ask(name, form, tries)
        whole = b"".join(write_pieces(asked))
        try:
            status, body, _ = read(written(play(asked)))
        except h11.RemoteProtocolError:
            continue
        assert status != 200 or body != whole


@in_each("name", LIGHT)
def test_every_script_ends(name: str) -> None:
    assert len(list(play(ask(name, "stream")))) < 1000


@pytest.mark.parametrize("name", [name for name in CONDUCTS if "once" in name])
def test_what_misbehaves_once_does_so_at_the_first_try_alone(name: str) -> None:
    first = list(play(ask(name, "body")))
    assert answer_text(NONCE, KEY).encode() not in written(first)
    assert answer_text(NONCE, KEY).encode() in written(play(ask(name, "body", tries=1)))


@pytest.mark.parametrize("name", [name for name, conduct in CONDUCTS.items() if conduct.brisk])
def test_what_needs_haste_ends_by_no_answer_of_the_server(name: str) -> None:
    assert list(play(ask(name, "stream")))[-1] in {End.CUT, End.LINGER}


def test_the_tail_is_a_whole_answer_that_nobody_asked_for() -> None:
    asked = ask("tail", "body")
    _, body, behind = read(written(play(asked)))
    assert answer_text(NONCE, KEY).encode() in body
    assert answer_text(STRANGER, KEY).encode() in read(behind)[1]


def test_a_cookie_names_the_one_who_asked() -> None:
    assert f"Set-Cookie: who={NONCE}".encode() in written(play(ask("cookie", "body")))


def test_an_echo_holds_the_key_in_its_head_and_its_body() -> None:
    data = written(play(ask("key-echo", "body")))
    head, _, body = data.partition(b"\r\n\r\n")
    assert KEY.encode() in head
    assert KEY.encode() in body


@pytest.mark.parametrize("name", [name for name, conduct in CONDUCTS.items() if conduct.heavy])
def test_the_heavy_begin_as_an_ordinary_response_does_and_end_at_last(name: str) -> None:
    sizes, begins = [], b""
    for step in play(ask(name, "stream")):
        if isinstance(step, bytes):
            begins = begins or step
            sizes.append(len(step))
    assert begins.startswith(b"HTTP/1.1 ")
    assert sum(sizes) < ENDLESS + 1000
    assert ("endless" in name) is (sum(sizes) > ENDLESS - 100_000)


def test_a_closing_server_says_so() -> None:
    steps = list(play(ask("closed", "body")))
    assert b"Connection: close" in written(steps)
    assert steps[-1] is End.SHUT


def test_answers_differ_by_nonce_and_by_key() -> None:
    assert answer_text(NONCE, KEY) != answer_text(OTHER, KEY)
    assert answer_text(NONCE, KEY) != answer_text(NONCE, KEY + "x")
    assert answer_vector(NONCE, KEY) != answer_vector(OTHER, KEY)
    assert answer_vector(NONCE, KEY) != answer_vector(NONCE, KEY + "x")
    assert KEY not in answer_text(NONCE, KEY)


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + KEY.encode()


def test_a_request_tells_its_conduct_nonces_and_key() -> None:
    body = json.dumps({"messages": [{"content": write_prompt("slow", NONCE)}]}).encode()
    assert read_request(HEAD, body) == Asked("slow", (NONCE,), key=KEY)
    streamed = body[:-1] + b', "stream": true}'
    assert read_request(HEAD, streamed) == Asked("slow", (NONCE,), streamed=True, key=KEY)


def test_a_request_tells_of_vectors_and_cookies() -> None:
    head = HEAD.replace(b"chat/completions", b"embeddings") + b"\r\nCookie: who=me"
    body = json.dumps({"input": [write_prompt("plain", n) for n in (NONCE, OTHER)]}).encode()
    asked = read_request(head, body)
    assert asked == Asked("plain", (NONCE, OTHER), vectors=True, key=KEY, cookie=True)
    rows = json.loads(b"".join(write_pieces(asked)))["data"]
    assert [row["embedding"] for row in rows] == [answer_vector(n, KEY) for n in (NONCE, OTHER)]


def test_a_request_of_somebody_else_is_served_plainly() -> None:
    assert read_request(b"GET / HTTP/1.1\r\nHost: h", b"") == Asked("plain", ("0" * 16,))
