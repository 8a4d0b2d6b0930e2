from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import httpx
import httpx2
import pytest

from conformance.libraries import LIBRARIES
from conformance.outbound import transport_guard
from conformance.reference import LoopbackServer, ReceivedRequest, respond
from conformance.reference.exchange import AnswerPlan, BodyChunk, plan_bytes, plan_json
from conformance.services import deployment
from conformance.services.budget import Limits, Meter
from conformance.tests.suite.ways_of_asking import (
    SLUG,
    WAYS,
    aim,
    ask_ainvoke,
    ask_invoke,
    ask_stream,
    ask_with_httpx,
)
from langchain_baseten import BasetenConnectionError, BasetenError

STREAMED = {"model": SLUG, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
KEY = {"authorization": "Bearer k"}
SKIPPED = pytest.skip.Exception
NO_ANSWER = (SKIPPED, AttributeError)
"""LangChain's awaited calls stumble over a skip; what counts is that the meter has the reason."""


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    noted: list[float] = []

    async def note_on_loop(seconds: float) -> None:
        noted.append(seconds)

    # Of the guard alone: threads of the client sleep as well.
    monkeypatch.setattr(transport_guard, "time", SimpleNamespace(sleep=noted.append))
    monkeypatch.setattr(transport_guard, "asyncio", SimpleNamespace(sleep=note_on_loop))
    return noted


every_way = pytest.mark.parametrize("ask", WAYS)


def answer_after(*plans: AnswerPlan) -> Any:
    left = list(plans)
    return lambda request: left.pop(0) if left else respond(request)


@contextmanager
def guarded(answer: Any = respond, **policy: Any) -> Iterator[tuple[Meter, LoopbackServer]]:
    """Put a meter between clients and a server that answers so."""
    meter = Meter(**{"limits": Limits(), **policy})
    with LoopbackServer(answer) as server, pytest.MonkeyPatch.context() as patch:
        meter.install(patch)
        yield meter, server


GUESS = "GET /v1/models responds HTTP 404"
_LOADING = {"error": {"message": "It loads.", "code": 503}}


def refuse(status: int, wait: str | None = None) -> AnswerPlan:
    headers = {"retry-after": wait} if wait else {}
    return plan_json(status, {"error": "No."}, headers)


@every_way
def test_what_is_asked_and_answered_is_counted(ask: Callable[[str], str]) -> None:
    reported: list[int] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        payloads = plan.events if plan.is_stream else [json.loads(plan.body)]
        reported.append(
            max(each["usage"]["total_tokens"] for each in payloads if each.get("usage"))
        )
        return plan

    with guarded(answer, model=SLUG) as (meter, server):
        assert ask(server.url)
        assert ask(server.url)
    assert (meter.requests, meter.tokens) == (2, sum(reported))
    assert meter.stopped == ""


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (
            refuse(400),
            "HTTP 404; the model 'm', a name derived from the URL, is rejected: HTTP 400",
        ),
        (
            refuse(404),
            "there is no chat endpoint at /v1/chat/completions, or the model 'm', a name derived",
        ),
    ],
)
def test_a_name_that_is_a_guess_accuses_nobody_if_it_is_rejected(
    plan: AnswerPlan, reason: str
) -> None:
    with (
        guarded(answer_after(plan), model=SLUG, guess=GUESS) as (meter, server),
        pytest.raises(SKIPPED, match=reason.replace("'m'", f"'{SLUG}'")),
    ):
        ask_invoke(server.url)
    assert meter.stopped.endswith("No.; name the model with --model")


def test_a_name_that_is_a_guess_may_be_right() -> None:
    with guarded(model=SLUG, guess=GUESS) as (_, server):
        assert ask_invoke(server.url)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(requests=1), r"the limit of 1 requests is spent; --max-requests"),
        (Limits(tokens=5), r"the limit of 5 tokens is spent; --max-tokens"),
        (Limits(requests=0), r"the limit of 0 requests is spent"),
    ],
)
def test_nothing_leaves_once_a_limit_is_reached(limits: Limits, reason: str) -> None:
    with guarded(limits=limits) as (_, server):
        if limits.requests:
            assert ask_invoke(server.url)
        for _ in range(2):
            with pytest.raises(SKIPPED, match=reason):
                ask_invoke(server.url)
        assert len(server.requests) == min(limits.requests, 1)


def test_another_model_is_not_asked() -> None:
    with guarded(model="mine") as (meter, server):
        for _ in range(2):
            with pytest.raises(SKIPPED, match=f"asks for another model, '{SLUG}'"):
                ask_invoke(server.url)
            assert meter.elsewhere
        assert server.requests == []
    assert meter.stopped == ""
    meter.begin()
    assert not meter.elsewhere


def test_what_is_no_question_to_a_model_counts_as_no_model() -> None:
    with guarded() as (meter, server):
        for library in LIBRARIES.values():
            library.get(f"{server.url}/v1/models", headers={"authorization": "Bearer k"})
    assert meter.requests == len(LIBRARIES)


@every_way
def test_a_limited_request_waits_as_long_as_it_is_told_and_counts_once(
    ask: Callable[[str], str], waits: list[float]
) -> None:
    responder = answer_after(refuse(429, "7"), refuse(503))
    with guarded(responder) as (meter, server):
        assert ask(server.url)
    assert waits == [7.0, 2.0]
    assert meter.requests == 1


@pytest.mark.parametrize(
    ("plans", "reason", "sent"),
    [
        ([refuse(401)], r"refuses the key, or what it may cost: HTTP 401: No\.$", 1),
        ([refuse(402)], "HTTP 402", 1),
        ([refuse(403)], "HTTP 403", 1),
        ([refuse(404)], r"no chat endpoint at /v1/chat/completions: HTTP 404: No\.$", 1),
        ([refuse(405)], "HTTP 405", 1),
        ([refuse(429, "3600")], "HTTP 429: No. .1 times, and is to wait 3600 s", 1),
        ([refuse(500)] * 9, "nothing but errors: HTTP 500: No. .4 times", 4),
        ([refuse(502)] * 9, "HTTP 502: No. .6 times.$", 6),
        ([plan_bytes(200, "text/html", b"<p>Sign in</p>")], "a page .* HTTP 200: <p>Sign in", 1),
        ([plan_bytes(200, "text/plain", b" <p>Sign in</p>")], "a page .* HTTP 200: <p>Sign in", 1),
        ([plan_bytes(200, "text/plain", b"OK")], "is no chat completion: HTTP 200: OK", 1),
        ([plan_json(200, {"output": "Hi."})], "is no chat completion: .*Hi", 1),
        ([plan_json(200, {"error": "No."})] * 9, r"nothing but errors: HTTP 200: No\. .4 times", 4),
        ([plan_json(200, _LOADING)] * 9, "nothing but errors: HTTP 200: It loads. .6 times", 6),
        ([plan_json(200, {"error": {"message": "No.", "code": 404}})], "no such model, or no", 1),
        (
            [plan_bytes(308, "text/plain", b"", {"location": "https://b.example/v1"})],
            "completions redirects to https://b.example/v1; give the URL",
            1,
        ),
    ],
)
def test_a_service_that_will_not_answer_is_left_alone(
    plans: list[AnswerPlan], reason: str, sent: int
) -> None:
    with guarded(answer_after(*plans)) as (meter, server):
        for _ in range(2):
            with pytest.raises(SKIPPED):
                ask_invoke(server.url)
            assert re.search(reason, meter.withheld)
        assert len(server.requests) == sent


@every_way
def test_a_service_is_left_alone_whatever_is_asked_by(ask: Callable[[str], str]) -> None:
    page = plan_bytes(200, "text/html", b"<p>Sign in</p>")
    with guarded(answer_after(refuse(500), page)) as (meter, server):
        for _ in range(2):
            with pytest.raises(NO_ANSWER):
                ask(server.url)
            assert "such as a login's: HTTP 200: <p>Sign in" in meter.withheld
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "strange",
    [refuse(404), refuse(500), plan_bytes(200, "text/html", b"<p>Sign in</p>")],
    ids=["404", "500", "page"],
)
def test_what_is_strange_after_an_answer_is_left_to_the_check(strange: AnswerPlan) -> None:
    requested: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        requested.append(request)
        return strange if len(requested) > 1 else respond(request)

    with guarded(answer) as (meter, server):
        assert ask_invoke(server.url)
        # A skip is no Exception, and would only skip this test.
        with pytest.raises(BaseException, match=r"No\.|Sign in") as caught:
            ask_invoke(server.url)
    assert isinstance(caught.value, BasetenError)
    assert (meter.stopped, len(requested)) == ("", 2)


def test_a_refusal_of_the_first_request_is_an_answer() -> None:
    with guarded(answer_after(refuse(400))) as (meter, server):
        with pytest.raises(BasetenError, match=r"No\."):
            ask_invoke(server.url)
        assert ask_invoke(server.url)
    assert [each.status for each in meter.observed] == [400, 200]
    assert "Say hello to Ada." in meter.observed[1].response
    meter.begin()
    assert meter.observed == []


@every_way
def test_a_dead_service_is_tried_again_and_then_left_alone(
    ask: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    with LoopbackServer() as server:
        url = server.url
    meter = Meter(Limits())
    with monkeypatch.context() as patch:
        meter.install(patch)
        for _ in range(2):
            with pytest.raises(NO_ANSWER):
                ask(url)
            assert "cannot be reached: ConnectError in 4 attempts (" in meter.withheld
    assert waits == [0.25, 0.5, 1.0]
    assert meter.requests == 1


def test_what_is_sent_again_at_once_is_told_as_failed(waits: list[float]) -> None:
    plan = plan_json(200, {"choices": [{"message": {"content": "Yes."}}]})
    with guarded(answer_after(plan, refuse(503), refuse(502))) as (meter, server):
        for _ in range(2):
            ask_invoke(server.url)
        closed: Any = httpx.RemoteProtocolError("closed")
        assert meter.judge_error(cast("Any", httpx.Request("POST", server.url)), closed, 0) == 0.25
    reported = {"HTTP 502": 1, "no response, but a closed connection": 1}
    assert meter.failures.kinds == reported


class Silent:
    """Answers once, and is silent from then on; notes how long each request was to wait."""

    def __init__(self, library: Any, answers: int) -> None:
        self._library, self._answers = library, answers
        self._ask = library.HTTPTransport.handle_request
        self.waits: list[float | None] = []

    def __call__(self, transport: Any, request: Any) -> Any:
        self.waits.append(request.extensions["timeout"]["read"])
        if len(self.waits) <= self._answers:
            return self._ask(transport, request)
        raise self._library.ReadTimeout("nothing", request=request)


each_library = pytest.mark.parametrize(
    ("library", "ask"), [(httpx2, ask_invoke), (httpx, ask_with_httpx)], ids=LIBRARIES
)


@each_library
def test_a_service_that_falls_silent_is_left_alone_after_the_second_silence(
    library: Any, ask: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Silent(library, answers=1)
    meter = Meter(Limits(), silence=7)
    with LoopbackServer() as server, monkeypatch.context() as patch:
        patch.setattr(library.HTTPTransport, "handle_request", silent)
        meter.install(patch)
        assert ask(server.url)
        with pytest.raises(SKIPPED, match=r"no answer in time: ReadTimeout after 7 s \(--max-s"):
            ask(server.url)
        assert meter.stopped == ""
        with pytest.raises(SKIPPED, match=r"is silent: ReadTimeout after 7 s .*, twice in a row"):
            ask(server.url)
    meter.end()  # else the clock of the last answer ends some other test
    assert meter.stopped
    assert silent.waits == [7, 7, 7]


@each_library
def test_a_service_that_never_answers_is_left_alone_after_the_first_silence(
    library: Any, ask: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Silent(library, answers=0)
    meter = Meter(Limits())
    with monkeypatch.context() as patch:
        patch.setattr(library.HTTPTransport, "handle_request", silent)
        meter.install(patch)
        for _ in range(2):
            with pytest.raises(SKIPPED, match=r"takes requests and does not answer: ReadTimeout$"):
                ask("http://127.0.0.1:9")
    assert len(silent.waits) == 1


@every_way
def test_an_answer_that_is_lost_on_its_way_is_no_answer(ask: Callable[[str], str]) -> None:
    seen: list[ReceivedRequest] = []

    def lose(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        plan = respond(request)
        if len(seen) == 1:
            return plan
        half = plan.with_body(plan.body[:40])
        headers = [pair for pair in half.headers if pair[0] != "content-length"]
        return AnswerPlan(200, tuple(headers), half.chunks, "abort")

    with guarded(lose) as (meter, server):
        assert ask(server.url)
        with pytest.raises(BasetenConnectionError):
            ask(server.url)
    assert (meter.withheld, meter.stopped) == ("", "")
    assert [each.failure for each in meter.observed] == ["", "an answer without its end"]
    # A stream is read no further than its last event.
    assert [each.left for each in meter.observed] == [ask is ask_stream, False]


def test_a_check_that_asks_for_another_model_does_not_apply() -> None:
    item: Any = SimpleNamespace(
        name="test_x", stash=pytest.Stash(), config=SimpleNamespace(stash=pytest.Stash())
    )
    item.config.stash[deployment._METER] = meter = Meter(Limits(), "mine")
    running = deployment.pytest_runtest_call(item)
    next(running)
    meter.withheld, meter.elsewhere = "asks for another model, 'x'", True
    with pytest.raises(SKIPPED, match="not applicable: asks for another model, 'x'"):
        next(running)


def test_a_service_that_never_ends_an_answer_is_left_alone() -> None:
    lost = AnswerPlan(200, (("content-length", "9"),), (BodyChunk(b"{"),), "abort")
    with guarded(lambda _: lost) as (_, server):
        with pytest.raises(SKIPPED, match=r"without a whole answer: .*Error in 4 attempts"):
            ask_invoke(server.url)
        assert len(server.requests) == 4


@pytest.mark.parametrize(("plain", "stopped"), [(True, "the service refuses a plain"), (False, "")])
def test_what_is_refused_of_a_plain_question_is_refused_of_all(plain: bool, stopped: str) -> None:
    with guarded(answer_after(refuse(400))) as (meter, server):
        meter.begin(plain=plain)
        with pytest.raises(BasetenError, match=r"No\."):
            ask_invoke(server.url)
        assert (meter.withheld, meter.stopped.partition(" question")[0]) == ("", stopped)
        meter.begin()
        with (
            pytest.raises(SKIPPED, match=r"plain question: HTTP 400: No\.")
            if plain
            else nullcontext()
        ):
            ask_invoke(server.url)


@every_way
def test_the_first_answer_may_be_compressed_and_say_that_it_is_a_page(
    ask: Callable[[str], str],
) -> None:
    def compress(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        kind = "text/event-stream" if plan.is_stream else "text/html"
        return plan_bytes(200, kind, gzip.compress(plan.body), {"content-encoding": "gzip"})

    with guarded(compress) as (meter, server):
        assert "Ada" in ask(server.url)
        assert "Ada" in ask(server.url)
    assert (meter.stopped, meter.tokens > 0) == ("", True)
    streamed = ["stream", "stream_options"] if ask is ask_stream else []
    assert meter.accepted == {"an answer", *streamed}


def test_what_is_answered_with_an_error_is_not_accepted() -> None:
    failed = plan_json(200, {"error": "No."})
    with guarded(answer_after(failed)) as (meter, server):
        meter._answered = True
        with pytest.raises(BasetenError):
            aim(server.url).invoke("Hello", seed=7)
        assert meter.accepted == set()
        assert aim(server.url).invoke("Hello", seed=7).text
    assert meter.accepted == {"an answer", "seed"}


@pytest.mark.parametrize("ask", [ask_invoke, ask_stream, ask_ainvoke])
@pytest.mark.parametrize(("kind", "attempts"), [("text/plain", 1), ("text/event-stream", 2)])
def test_an_answer_without_an_end_is_no_answer(
    ask: Callable[[str], str], kind: str, attempts: int
) -> None:
    ended = threading.Event()

    def drip() -> Iterator[BodyChunk]:
        while not ended.wait(0.02):
            yield BodyChunk(b":\n\n")

    def answer(_: ReceivedRequest) -> AnswerPlan:
        endless = cast("tuple[BodyChunk, ...]", drip())
        return AnswerPlan(200, (("content-type", kind),), endless)

    with guarded(answer, silence=0.3) as (meter, server):
        for _ in range(attempts):
            assert meter.stopped == ""
            meter.begin()
            with pytest.raises((*NO_ANSWER, BasetenError)):
                ask(server.url)
            meter.end()
        ended.set()
    # On a busy machine 0.3 s may pass between two comments.
    why = r"sends without an end: no whole answer in 0\.9 s|nothing but comments came|ReadTimeout"
    assert re.search(why, meter.withheld)
    assert meter.withheld in meter.stopped


@pytest.mark.parametrize(
    ("in_a_row", "often"), [(True, ["", "twice in"]), (False, ["", "", "", "", "5"])]
)
def test_the_second_silence_inside_answers_in_a_row_is_the_last_and_else_the_fifth(
    in_a_row: bool, often: list[str]
) -> None:
    meter = Meter(Limits(), silence=7)
    meter._answered = True
    for times in often:
        meter._silences *= in_a_row  # an answer in between begins the row anew
        with pytest.raises(SKIPPED):
            meter.loses(httpx2.ReadTimeout("nothing"), complete=False)
        reported = f"silent inside an answer: ReadTimeout after 7 s (--max-silence), {times}"
        assert (reported in meter.stopped) == bool(times)
        assert bool(times) == bool(meter.stopped)


def read_whole(url: str) -> str:
    """Return all of a streamed body, as what records it does."""
    with httpx2.Client(timeout=0.2, headers=KEY) as client:
        return client.post(f"{url}/v1/chat/completions", json=STREAMED).text


def aread_whole(url: str) -> str:
    async def read() -> str:
        async with httpx2.AsyncClient(timeout=0.2, headers=KEY) as client:
            return (await client.post(f"{url}/v1/chat/completions", json=STREAMED)).text

    return asyncio.run(read())


@pytest.mark.parametrize("read", [read_whole, aread_whole])
def test_a_connection_that_stays_open_after_the_last_event_is_waited_for_once(
    read: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stay(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        return replace(plan, chunks=(*plan.chunks, BodyChunk(b": still here", delay=1)))

    meter = Meter(Limits())
    with LoopbackServer(stay) as server, monkeypatch.context() as patch:
        meter.install(patch)
        bodies = [read(server.url)]
        assert meter.stays_open
        patch.setattr(meter, "loses", lambda *_, **__: pytest.fail("it was waited for again"))
        bodies.append(read(server.url))
    assert (meter.withheld, len(meter.observed)) == ("", 2)
    assert all(body.endswith("data: [DONE]\n\n") for body in bodies)


def test_the_second_answer_without_an_end_is_the_last() -> None:
    meter = Meter(Limits())
    meter._answered = True
    for stopped in ("", "h sends without an end: no whole answer in 6 s"):
        with pytest.raises(SKIPPED):
            meter._expire("h", 6)
        assert meter.stopped == stopped
