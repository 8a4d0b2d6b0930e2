"""Responses that are nearly right: read where they hold an answer, else the server's failure."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import pytest

from conformance.checks.faults.call_modes import EITHER, Aim, Outcome
from conformance.checks.faults.conftest import KEY
from conformance.checks.faults.sockets import Line, Script, Serve
from conformance.checks.faults.wire_bytes import BODY, frame
from langchain_baseten import (
    BasetenAPIError,
    BasetenEmbeddings,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenRateLimitError,
)

WAYS = (*EITHER, "embed", "aembed")
VECTORS = json.dumps({"data": [{"index": 0, "embedding": [1.0]}]}).encode()
EVENTS = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
BOM = b"\xef\xbb\xbf"
JSON = "Content-Type: application/json"


class Given(NamedTuple):
    """What each way to ask is answered with."""

    whole: bytes = BODY
    events: bytes = EVENTS
    vectors: bytes = VECTORS

    def encode(self, encoding: str) -> Given:
        """Return the same in another encoding."""
        return Given(*(part.decode().encode(encoding) for part in self))

    def of(self, request: bytes) -> bytes:
        """Return what answers a request."""
        if b"/embeddings " in request:
            return self.vectors
        return self.events if b'"stream":true' in request else self.whole


ANSWER = Given()


def everywhere(body: bytes) -> Given:
    return Given(body, body, body)


def keep_answering(given: Given, status: str, *headers: str) -> Script:
    """Return a script that answers each way to ask with its own body."""

    def script(line: Line) -> None:
        while (request := line.request()) is not None:
            answer = frame(status, given.of(request), *headers)
            if status[:3] in {"204", "304"}:
                answer = answer.replace(b"Content-Length: 0\r\n", b"")
            line.send(answer)

    return script


def ask_for(way: str, url: str, aim: Aim, **settings: Any) -> Outcome:
    """Ask in one way, of six: what an embedding came to is its text."""
    if way in EITHER:
        return EITHER[way](aim(url, **settings))
    outcome = Outcome()
    limits = {"timeout": (20, 20), "max_retries": 0, **settings}
    with BasetenEmbeddings(model="m", model_url=url, api_key=KEY, **limits) as model:
        try:
            vectors = (
                model.embed_documents(["a"])
                if way == "embed"
                else asyncio.run(model.aembed_documents(["a"]))
            )
        except BasetenError as error:
            outcome.error = error
        else:
            assert vectors == [[1.0]]
    return outcome


ANSWERS: dict[str, tuple[str, Given, str]] = {
    "a byte order mark": ("200 OK", Given(*(BOM + part for part in ANSWER)), JSON),
    "201": ("201 Created", ANSWER, JSON),
    "202": ("202 Accepted", ANSWER, JSON),
    "203": ("203 Transformed", ANSWER, JSON),
    "299": ("299 Fine", ANSWER, JSON),
    "another content type": ("200 OK", ANSWER, "Content-Type: text/html"),
    "no content type": ("200 OK", ANSWER, "Via: 1.1 a"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_success_with_an_answer_is_an_answer(
    serve_script: Serve, aim: Aim, answer: tuple[str, Given, str]
) -> None:
    status, given, header = answer
    url = serve_script(keep_answering(given, status, header)).url
    for way in WAYS:
        outcome = ask_for(way, url, aim)
        assert outcome.error is None, way
        assert outcome.text == ("" if "embed" in way else "Hello"), way


class Missing(NamedTuple):
    """A response without an answer: its status line, its body, and words of the error."""

    status: str
    given: Given
    words: str
    headers: tuple[str, ...] = ()


PAGE = everywhere(b"<!doctype html><html><title>Sign in</title><body>Welcome</body></html>")
AWAY = ("Location: https://else.example/v1?token=hidden",)
NO_ANSWERS: dict[str, Missing] = {
    "204": Missing("204 No Content", everywhere(b""), "an empty body. Some asynchronous endpoints"),
    "205": Missing("205 Reset", everywhere(b""), "an empty body"),
    "202, empty": Missing("202 Accepted", everywhere(b""), "an empty body"),
    "202, a receipt": Missing(
        "202 Accepted", everywhere(b'{"request_id": "r"}'), '{"request_id": "r"}'
    ),
    "200, empty": Missing("200 OK", everywhere(b""), "an empty body"),
    "200, a page": Missing("200 OK", PAGE, "Sign in Welcome. It is a page"),
    "200, XML": Missing("200 OK", everywhere(b"<?xml?><Error>x</Error>"), "It is a page"),
    "200, text": Missing("200 OK", everywhere(b"OK"), "OK. It is plain text"),
    "200, null": Missing("200 OK", everywhere(b"null"), "null. Check that base_url= or model_url="),
    "200, a number": Missing("200 OK", everywhere(b"5"), ": 5. Check"),
    "200, true": Missing("200 OK", everywhere(b"true"), ": true. Check"),
    "200, a list": Missing("200 OK", everywhere(b"[]"), ": []. Check"),
    "200, an empty object": Missing("200 OK", everywhere(b"{}"), ": {}. Check"),
    "200, no choices": Missing("200 OK", everywhere(b'{"choices": []}'), '{"choices": []}. Check'),
    "200, cut": Missing("200 OK", everywhere(b'{"choices": [{'), "It is JSON that was cut"),
    "200, the other way to answer": Missing("200 OK", Given(EVENTS, BODY, EVENTS), "Hello"),
    "200, two answers": Missing(
        "200 OK", Given(BODY + b"\n" + BODY, BODY + b"\n" + BODY, VECTORS * 2), "JSON that was cut"
    ),
    "UTF-16": Missing("200 OK", ANSWER.encode("utf-16"), "is UTF-16 and not UTF-8"),
    "UTF-16, big end first": Missing("200 OK", ANSWER.encode("utf-16-be"), "is UTF-16 and not"),
    "UTF-16, little end first": Missing("200 OK", ANSWER.encode("utf-16-le"), "is UTF-16 and not"),
    "UTF-32": Missing("200 OK", ANSWER.encode("utf-32"), "is UTF-32 and not UTF-8"),
    "UTF-32, big end first": Missing("200 OK", ANSWER.encode("utf-32-be"), "is UTF-32 and not"),
    "300": Missing("300 Choices", everywhere(b'{"error": "choose"}'), "choose (HTTP 300"),
    "301": Missing("301 Moved", everywhere(b""), "the server sent no answer (HTTP 301"),
    "302, a target": Missing("302 Found", everywhere(b""), "to https://else.example/v1,", AWAY),
    "302, a page": Missing("302 Found", PAGE, "to https://else.example/v1,", AWAY),
    "303": Missing("303 See", ANSWER, "Check base_url= or model_url="),
    "304": Missing("304 Not Modified", everywhere(b""), "Check base_url= or model_url="),
    "399": Missing("399 Odd", everywhere(b"odd"), "odd (HTTP 399). Check base_url="),
}


@pytest.mark.parametrize("missing", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_status_that_rejects_nothing_without_an_answer_is_a_failure_of_the_server(
    serve_script: Serve, aim: Aim, missing: Missing
) -> None:
    headers = ("x-request-id: r1", *missing.headers)
    server = serve_script(keep_answering(missing.given, missing.status, *headers))
    for number, way in enumerate(WAYS, 1):
        error = ask_for(way, server.url, aim, max_retries=2).failure
        assert type(error) is BasetenInvalidResponseError, way
        assert error.response is not None
        assert error.response.status_code == error.status_code == int(missing.status[:3])
        assert error.request_id == "r1"
        assert missing.words in str(error), way
        assert f"HTTP {error.status_code}" in str(error)
        assert "hidden" not in str(error)
        assert len(str(error)) < 900
        assert len(server.requests) == number, way


class Failed(NamedTuple):
    """An error, and how often it is asked for with one retry."""

    status: str
    body: bytes
    cls: type[BasetenError]
    words: str
    tries: int


TOO_HOT = '{"error": {"message": "Too hot"}}'
WORDS = "Too hot (HTTP 400"
ERRORS: dict[str, Failed] = {
    "a mark": Failed("400 Bad", BOM + TOO_HOT.encode(), BasetenInvalidRequestError, WORDS, 1),
    "UTF-16": Failed("400 Bad", TOO_HOT.encode("utf-16"), BasetenInvalidRequestError, WORDS, 1),
    "in a success": Failed(
        "201 Created",
        BOM + b'{"error": {"message": "Busy", "code": 429}}',
        BasetenRateLimitError,
        "Busy (inside a response that began with HTTP 201)",
        2,
    ),
    "600": Failed("600 Odd", b"odd", BasetenAPIError, "odd (HTTP 600)", 2),
    "999": Failed("999 Denied", b'{"error": "odd"}', BasetenAPIError, "odd (HTTP 999)", 2),
}


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("failed", ERRORS.values(), ids=ERRORS)
def test_an_error_is_read_in_every_encoding_and_from_every_status(
    serve_script: Serve, aim: Aim, failed: Failed
) -> None:
    headers = ("x-request-id: r1", "retry-after: 0.02", JSON)
    server = serve_script(keep_answering(everywhere(failed.body), failed.status, *headers))
    for number, way in enumerate(WAYS, 1):
        error = ask_for(way, server.url, aim, max_retries=1).failure
        assert type(error) is failed.cls, way
        assert failed.words in str(error)
        assert error.request_id == "r1"
        assert len(server.requests) == failed.tries * number, way


@pytest.mark.parametrize("status", ["101 Switch", "199 Odd", "000 Odd", "99 Odd", "1000 Odd"])
def test_a_status_that_ends_no_response_is_a_typed_error(
    serve_script: Serve, aim: Aim, status: str
) -> None:
    def script(line: Line) -> None:
        line.answer(frame(status, b"", "Connection: upgrade", "Upgrade: x"))

    url = serve_script(script).url
    for way in WAYS:
        error = ask_for(way, url, aim).failure
        assert isinstance(error, BasetenError)
        assert not isinstance(error, BasetenInvalidRequestError), way


def test_the_message_of_a_server_that_did_not_stream_is_kept(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(keep_answering(everywhere(BOM + BODY), "200 OK", JSON))
    for way in ("stream", "astream"):
        assert ask_for(way, server.url, aim).partial_text == "Hello"


def test_of_a_name_that_is_sent_twice_the_last_counts(serve_script: Serve, aim: Aim) -> None:
    twice = b'{"choices": [], ' + BODY[1:]
    server = serve_script(keep_answering(everywhere(twice), "200 OK", JSON))
    for way in ("invoke", "ainvoke"):
        assert ask_for(way, server.url, aim).text == "Hello"
