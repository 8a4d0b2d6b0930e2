"""No error, log or warning passes on what a terminal would obey (CWE-150)."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest
from langchain_core.exceptions import OutputParserException

from conformance.checks.faults.call_modes import Aim, Ask, run
from conformance.checks.faults.conftest import KEY
from conformance.checks.faults.sockets import Line, Script, Serve
from conformance.checks.faults.wire_bytes import END, HEAD, chunk, event, frame, say
from conformance.checks.nasty_texts import NASTY, WORDS, find_nasty
from langchain_baseten import BasetenEmbeddings, BasetenError

Build: TypeAlias = "Callable[[str], bytes]"
"""What a server sends that says a text."""

HALF = re.compile("[\ud800-\udfff]")
JSON = "Content-Type: application/json"


def _describe(text: str) -> dict[str, str]:
    return {"message": text, "code": text, "type": text, "request_id": text}


def _refuse(text: str) -> bytes:
    return frame("400 Bad Request", json.dumps({"error": _describe(text)}).encode(), JSON)


def _fail(text: str) -> bytes:
    return frame("500 Oops", json.dumps({"detail": [{"msg": text}], "a": text}).encode(), JSON)


def _as_text(text: str) -> bytes:
    return frame("404 Not Found", text.encode("utf-8", "surrogatepass"), "Content-Type: text/plain")


def _as_page(text: str) -> bytes:
    page = f"<html><body><h1>{text}</h1></body></html>"
    return frame("503 Busy", page.encode("utf-8", "surrogatepass"), "Retry-After: 0")


def _with_http_200(text: str) -> bytes:
    return frame("200 OK", json.dumps({"error": text}).encode(), JSON)


def _without_choices(text: str) -> bytes:
    return frame("200 OK", json.dumps({"message": text, "id": 1}).encode(), JSON)


def _as_a_name(text: str) -> bytes:
    return frame("200 OK", json.dumps({text: {text: text}}).encode(), JSON)


def _as_reason(text: str) -> bytes:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "error", "x": text}
    return frame("200 OK", json.dumps({"choices": [choice]}).encode(), JSON)


ANSWERS: dict[str, Build] = {
    each.__name__.strip("_"): each
    for each in (
        *(_refuse, _fail, _as_text, _as_page),
        *(_with_http_200, _without_choices, _as_a_name, _as_reason),
    )
}
EVENTS: dict[str, Build] = {
    "an error event": lambda text: event({"error": _describe(text)}),
    "an event that is no JSON": lambda text: chunk(
        b"data: {" + re.sub("[\r\n]", " ", text).encode("utf-8", "surrogatepass") + b"\n\n"
    ),
    "an event named error": lambda text: chunk(
        b"event: error\ndata: " + json.dumps(text).encode() + b"\n\n"
    ),
}
# One of each kind that is written or read otherwise on the way; `test_plain_text` has them all.
KINDS = ("a colour", "a link in one byte", "a forged line", "NUL", "isolates", "half a character")
TEXTS = {kind: NASTY[kind] for kind in KINDS}
# Of headers and the status line only what HTTP lets through.
IN_HEADERS = [NASTY[kind] for kind in ("a colour", "a link in one byte", "isolates", "no width")]


def _redirect(text: str) -> bytes:
    return frame("307 Away", b"", f"Location: https://a.invalid/{text}", f"X-Request-Id: {text}")


def _status_line(text: str) -> bytes:
    return frame(f"500 {text}", b"{}")


def _all_of(build: Build, texts: Iterable[str]) -> Script:
    """Return a script that answers each request with the next text."""
    answers = [build(text) for text in texts]

    def answer(line: Line) -> None:
        while answers and line.request() is not None:
            line.send(answers.pop(0))

    return answer


def _check(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    # Of each error in the chain one line of code: the rest is our own, and long.
    chain = "".join(traceback.format_exception(error, limit=1))
    named = getattr(error, "request_id", None)
    assert find_nasty(f"{error}\n{error!r}\n{error.args}\n{chain}\n{caplog.text}\n{named}") == []
    assert "\n" not in str(named)


@pytest.mark.once("compares texts, which no interpreter reads otherwise")
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_error_of_an_answer_is_plain(
    answer: str, ask: Ask, aim: Aim, serve_script: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "langchain_baseten")
    model = aim(serve_script(_all_of(ANSWERS[answer], TEXTS.values())).url)
    for name, text in TEXTS.items():
        failure = ask(model).failure
        _check(failure, caplog)
        if answer not in {"as_reason", "as_a_name"}:
            assert WORDS in str(failure), name
        if answer == "refuse":
            # What was received stays to be looked at; half a character alone is a broken one.
            assert failure.body["error"]["message"] == HALF.sub("\ufffd", text)
            assert json.loads(failure.response.text)["error"]["message"] == text  # type: ignore[union-attr]


@pytest.mark.parametrize("sent", EVENTS)
def test_an_error_inside_a_stream_is_plain(
    sent: str, stream: Ask, aim: Aim, serve_script: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def build(text: str) -> bytes:
        return HEAD + say("Hel") + EVENTS[sent](text) + END

    model = aim(serve_script(_all_of(build, TEXTS.values())).url)
    for name in TEXTS:
        failure = stream(model).failure
        _check(failure, caplog)
        assert WORDS in str(failure), name


@pytest.mark.parametrize("build", [_redirect, _status_line])
def test_an_error_that_quotes_a_header_is_plain(
    build: Build,
    ask: Ask,
    aim: Aim,
    serve_script: Serve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = aim(serve_script(_all_of(build, IN_HEADERS)).url)
    for text in IN_HEADERS:
        failure = ask(model).failure
        _check(failure, caplog)
        # httpx 0.28 and httpx2 2.15 refuse such a location before anybody sees the response.
        if build is _redirect and "Invalid URL in location header" not in str(failure):
            assert WORDS in str(failure), text
            assert WORDS in str(failure.request_id), text


@pytest.mark.usefixtures("short_backoff")
def test_an_error_that_is_retried_is_logged_in_plain_text(
    ask: Ask, aim: Aim, serve_script: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "langchain_baseten")
    model = aim(serve_script(_all_of(_as_page, [*TEXTS.values()][:3])).url, max_retries=2)
    _check(ask(model).failure, caplog)
    assert "Retrying request" in caplog.text


def _embed(model: BasetenEmbeddings, method: str) -> None:
    if method == "embed":
        model.embed_query("Hi")
    else:
        run(model.aembed_query("Hi"))


@pytest.mark.once("compares texts, which no interpreter reads otherwise")
@pytest.mark.parametrize("method", ["embed", "aembed"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_error_of_embeddings_is_plain(
    answer: str, method: str, serve_script: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    url = serve_script(_all_of(ANSWERS[answer], TEXTS.values())).url
    model = BasetenEmbeddings(model="m", model_url=url, api_key=KEY, max_retries=0)
    for name in TEXTS:
        with pytest.raises(BasetenError) as raised:
            _embed(model, method)
        _check(raised.value, caplog)
        if answer not in {"as_reason", "as_a_name"}:
            assert WORDS in str(raised.value), name
    model.close()


METHODS = ("function_calling", "json_schema", "json_mode")


def _speak(text: str, **more: Any) -> bytes:
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return frame("200 OK", json.dumps({"choices": [choice]}).encode(), JSON)


def _call(text: str) -> bytes:
    function = {"name": text, "arguments": f'{{"{text}'}
    calls = [{"index": 0, "id": "a", "type": "function", "function": function}]
    return _speak(text, tool_calls=calls)


def _call_another(text: str) -> bytes:
    function = {"name": text, "arguments": "{}"}
    return _speak(text, tool_calls=[{"id": "a", "type": "function", "function": function}])


SPOKEN: dict[str, Build] = {
    "text": _speak,
    "call": _call,
    "another call": _call_another,
    "refusal": lambda text: _speak("", refusal=text),
}


@pytest.mark.once("compares texts, which no interpreter reads otherwise")
@pytest.mark.filterwarnings("ignore::langchain_baseten.exceptions.MissingToolCallWarning")
@pytest.mark.parametrize("spoken", [(s, m) for s in SPOKEN for m in METHODS], ids=" by ".join)
@pytest.mark.parametrize("method", ["invoke", "ainvoke"])
def test_an_error_that_quotes_the_model_is_plain(
    spoken: tuple[str, Any], method: str, aim: Aim, serve_script: Serve, caplog: Any
) -> None:
    model = aim(serve_script(_all_of(SPOKEN[spoken[0]], TEXTS.values())).url)
    schema = {"title": "Answer", "type": "object", "properties": {"a": {"type": "string"}}}
    chain = model.with_structured_output(schema, method=spoken[1])
    for _ in TEXTS:
        with pytest.raises((BasetenError, OutputParserException)) as raised:
            chain.invoke("Hi") if method == "invoke" else run(chain.ainvoke("Hi"))
        _check(raised.value, caplog)
