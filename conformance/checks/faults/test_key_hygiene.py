"""No log and no traceback shows the key, and no error drags the HTTP library along."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import Iterator

import pytest

from conformance.checks.faults.call_modes import Aim, Ask, run
from conformance.checks.faults.conftest import KEY
from conformance.checks.faults.sockets import Line, Script, Serve, unused_port
from conformance.checks.faults.wire_bytes import HEAD, frame, say, serve

MINE = "mine-0987654321"


def echo_the_key(line: Line) -> None:
    request = line.request() or b""
    line.send(frame("401 Unauthorized", b'{"error": "bad ' + _authorization(request) + b'"}'))


def _authorization(request: bytes) -> bytes:
    lines = request.split(b"\r\n")
    return next(line for line in lines if line.lower().startswith(b"authorization"))


def reset(line: Line) -> None:
    line.request()
    line.reset()


def reset_in_stream(line: Line) -> None:
    line.answer(HEAD, say("Hel"))
    line.pause(0.05)
    line.reset()


def stall(line: Line) -> None:
    line.request()
    line.sees_close()


FAILURES: dict[str, Script] = {
    "refused with the key in the body": echo_the_key,
    "reset": reset,
    "cut": reset_in_stream,
    "silent": stall,
    "server error": lambda line: line.answer(frame("500 Oops", b"{}")),
    "unreadable": lambda line: line.answer(frame("200 OK", b"{}")),
    "broken gzip": lambda line: line.answer(frame("200 OK", b"{}", "Content-Encoding: gzip")),
    "redirect": lambda line: line.answer(frame("307 Away", b"", "Location: https://a.invalid/")),
}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if error.__cause__ is not None and error.__context__ is not error.__cause__:
            yield from _chain(error.__context__)
        error = error.__cause__ or error.__context__


def _with_locals(error: BaseException) -> str:
    # Suppressed contexts are looked at one by one: a debugger shows them all the same.
    return "".join(
        line
        for link in _chain(error)
        for line in traceback.TracebackException.from_exception(link, capture_locals=True).format()
    )


@pytest.mark.parametrize("script", FAILURES.values(), ids=FAILURES)
def test_no_traceback_shows_a_key_in_its_locals(
    serve_script: Serve, aim: Aim, ask: Ask, script: Script
) -> None:
    model = aim(
        serve_script(script).url,
        timeout=(2, 0.2),
        default_headers={"X-Token": MINE},
        default_query={"token": MINE},
    )
    outcome = ask(model)
    shown = _with_locals(outcome.failure) + repr(outcome.error) + repr(vars(outcome.failure))
    assert "chat_models.py" in shown
    assert KEY not in shown
    assert MINE not in shown
    # No exception of the HTTP library, which would show the request.
    modules = [type(link).__module__ for link in _chain(outcome.error)]
    assert modules == ["langchain_baseten.exceptions"]


@pytest.mark.usefixtures("short_backoff")
def test_a_refused_connection_has_no_other_exception_in_its_chain(aim: Aim, ask: Ask) -> None:
    outcome = ask(aim(f"http://127.0.0.1:{unused_port()}/v1", max_retries=1))
    assert len(list(_chain(outcome.error))) == 1
    assert KEY not in _with_locals(outcome.failure)


def test_no_traceback_of_a_cancelled_call_shows_the_key(serve_script: Serve, aim: Aim) -> None:
    model = aim(serve_script(stall).url)

    async def work() -> None:
        await asyncio.wait_for(model.ainvoke("Hi"), 0.2)

    with pytest.raises(TimeoutError) as raised:
        run(work())
    shown = _with_locals(raised.value)
    assert "transport.py" in shown
    assert KEY not in shown


def test_no_debug_log_shows_the_key(
    serve_script: Serve, aim: Aim, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = aim(serve_script(serve).url, default_headers={"X-Token": MINE})
    assert ask(model).text == "Hello"
    assert "/v1/chat/completions" in caplog.text
    assert "send_request_headers" in caplog.text
    assert KEY not in caplog.text
    assert MINE not in caplog.text


def test_no_debug_log_shows_a_key_that_headers_repeat(
    serve_script: Serve, aim: Aim, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = frame("401 No", b"{}", f"X-Echo: {KEY}", f"X-Raw: {KEY.encode().hex()}")
    outcome = ask(aim(serve_script(lambda line: line.answer(answer)).url))
    assert "receive_response_headers" in caplog.text
    assert "[redacted]" in caplog.text
    assert KEY not in caplog.text + repr(vars(outcome.failure))
    assert KEY.encode().hex() not in caplog.text + repr(vars(outcome.failure))


PASSWORDS = ["pr0xy-Passw0rd", "hunter2"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_repeats_its_password_shows_it_nowhere(  # noqa: PLR0913, PLR0917  its fixtures
    serve_script: Serve,
    aim: Aim,
    ask: Ask,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    password: str,
) -> None:
    encoded = base64.b64encode(f"me:{password}".encode()).decode()
    answer = frame(f"407 {encoded}", f"denied: me:{password}".encode(), f"X-Echo: {encoded}")
    proxy = serve_script(lambda line: line.answer(answer)).url.removesuffix("/v1")
    monkeypatch.setenv(f"{scheme}_proxy", proxy.replace("//", f"//me:{password}@"))
    caplog.set_level(logging.DEBUG)

    outcome = ask(aim(f"{scheme}://gateway.invalid/v1"))

    shown = caplog.text + _with_locals(outcome.failure) + repr(vars(outcome.failure))
    assert "407 Proxy Authentication Required" in str(outcome.error)
    assert encoded not in shown
    assert password not in shown
