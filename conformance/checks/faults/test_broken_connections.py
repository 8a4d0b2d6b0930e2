"""Connections that are refused, reset, half closed, or not what they should be."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from conformance.checks.faults.call_modes import Aim, Ask
from conformance.checks.faults.sockets import Line, Script, ScriptServer, Serve, unused_port
from conformance.checks.faults.wire_bytes import (
    BODY,
    DONE,
    END,
    FINISH,
    HEAD,
    chunk,
    frame,
    say,
    serve,
)
from langchain_baseten import (
    BasetenConnectionError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenPermissionDeniedError,
)
from langchain_baseten._http.clients import tls_context


def reset_at_once(line: Line) -> None:
    line.request()
    line.reset()


def reset_in_headers(line: Line) -> None:
    line.answer(b"HTTP/1.1 200 OK\r\nContent-Ty")
    line.pause(0.05)
    line.reset()


def close_at_once(line: Line) -> None:
    line.request()


def half_close_at_once(line: Line) -> None:
    line.request()
    line.shut()
    line.sees_close()


def half_close_in_body(line: Line) -> None:
    line.answer(HEAD)
    line.shut()
    line.sees_close()


def reset_before_first_event(line: Line) -> None:
    line.answer(HEAD)
    line.pause(0.05)
    line.reset()


def reset_in_first_event(line: Line) -> None:
    line.answer(HEAD, chunk(b'data: {"choices"'))
    line.pause(0.05)
    line.reset()


def reset_after_first_event(line: Line) -> None:
    line.answer(HEAD, say("Hel"))
    line.pause(0.05)
    line.reset()


def half_close_after_first_event(line: Line) -> None:
    line.answer(HEAD, say("Hel"))
    line.shut()
    line.sees_close()


def end_after_first_event(line: Line) -> None:
    line.answer(HEAD, say("Hel"), END)


def cut_after_finish(line: Line) -> None:
    line.answer(HEAD, say("Hel"), FINISH)


def reset_403(line: Line) -> None:
    line.answer(frame("403 Forbidden", b"", length=40))
    line.pause(0.05)
    line.reset()


def short_answer(line: Line) -> None:
    line.answer(frame("200 OK", BODY, length=len(BODY) + 10))


NOTHING_CAME: dict[str, Script] = {
    "reset before the headers": reset_at_once,
    "reset in the headers": reset_in_headers,
    "closed before the headers": close_at_once,
    "half closed before the headers": half_close_at_once,
    "half closed before the body": half_close_in_body,
    "reset before the first event": reset_before_first_event,
}


class Cut(NamedTuple):
    script: Script
    error: type[BasetenError]
    text: str


CUTS = {
    "reset in the first event": Cut(reset_in_first_event, BasetenConnectionError, ""),
    "reset after the first event": Cut(
        reset_after_first_event, BasetenIncompleteStreamError, "Hel"
    ),
    "half closed in mid-stream": Cut(
        half_close_after_first_event, BasetenIncompleteStreamError, "Hel"
    ),
    "ended without a finish": Cut(end_after_first_event, BasetenIncompleteStreamError, "Hel"),
    "cut after the finish": Cut(cut_after_finish, BasetenIncompleteStreamError, "Hel"),
}


@pytest.mark.parametrize("script", NOTHING_CAME.values(), ids=NOTHING_CAME)
def test_a_connection_that_breaks_before_an_answer_is_a_connection_error(
    serve_script: Serve, aim: Aim, ask: Ask, script: Script
) -> None:
    outcome = ask(aim(serve_script(script).url))
    assert type(outcome.error) is BasetenConnectionError
    assert outcome.error.is_retryable
    assert outcome.error.partial is None
    assert "127.0.0.1" in str(outcome.error)
    assert not outcome.messages


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_stream_that_is_cut_ends_in_an_error_that_holds_what_had_arrived(
    serve_script: Serve, aim: Aim, stream: Ask, cut: Cut
) -> None:
    outcome = stream(aim(serve_script(cut.script).url))
    assert type(outcome.error) is cut.error
    assert outcome.text == cut.text
    assert outcome.partial_text == cut.text


def test_a_refused_connection_is_a_connection_error(aim: Aim, ask: Ask) -> None:
    outcome = ask(aim(f"http://127.0.0.1:{unused_port()}/v1"))
    assert type(outcome.error) is BasetenConnectionError
    assert str(outcome.error).startswith("Cannot connect to 127.0.0.1")


def test_a_host_that_does_not_exist_is_a_connection_error(aim: Aim, ask: Ask) -> None:
    outcome = ask(aim("http://no-such-host.invalid/v1"))
    assert type(outcome.error) is BasetenConnectionError
    assert "no-such-host.invalid" in str(outcome.error)


def test_a_whole_answer_that_is_cut_is_a_connection_error(
    serve_script: Serve, aim: Aim, call: Ask
) -> None:
    outcome = call(aim(serve_script(short_answer).url))
    assert type(outcome.error) is BasetenConnectionError
    assert not outcome.messages


def test_a_403_counts_even_when_its_body_is_reset(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    outcome = ask(aim(serve_script(reset_403).url))
    assert type(outcome.error) is BasetenPermissionDeniedError
    assert outcome.error.status_code == 403


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(serve_script: Serve, authority: trustme.CA) -> ScriptServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return serve_script(serve, tls=context)


@pytest.fixture
def _trusting(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


def test_a_certificate_of_an_unknown_authority_is_a_connection_error(
    tls_server: ScriptServer, aim: Aim, ask: Ask
) -> None:
    outcome = ask(aim(tls_server.url))
    assert type(outcome.error) is BasetenConnectionError
    assert "certificate" in str(outcome.error).lower()
    assert not tls_server.requests


@pytest.mark.usefixtures("_trusting")
def test_an_authority_named_in_the_environment_is_trusted(
    tls_server: ScriptServer, aim: Aim, ask: Ask
) -> None:
    assert ask(aim(tls_server.url)).text == "Hello"


def test_plain_http_to_a_tls_port_is_a_connection_error(
    tls_server: ScriptServer, aim: Aim, ask: Ask
) -> None:
    outcome = ask(aim(tls_server.url.replace("https:", "http:")))
    assert type(outcome.error) is BasetenConnectionError


def test_tls_to_a_plain_http_port_is_a_connection_error(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    server = serve_script(lambda line: line.send(frame("400 Bad Request", b"no TLS here")))
    outcome = ask(aim(server.url.replace("http:", "https:")))
    assert type(outcome.error) is BasetenConnectionError


def test_an_end_of_the_stream_after_done_is_no_fault(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    def close_after_done(line: Line) -> None:
        line.answer(HEAD, say("Hello"), DONE)

    outcome = stream(aim(serve_script(close_after_done).url))
    assert outcome.error is None
    assert outcome.text == "Hello"
