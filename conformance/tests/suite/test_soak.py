"""The soak: what its server does, what it calls a fault, and what it counts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr

from conformance.cli.main import main
from conformance.maintenance.soak.behaviours import (
    BEHAVIOURS,
    STRANGER,
    Outcome,
    Request,
    expect_text,
    expect_vector,
    read_request,
    write_prompt,
)
from conformance.maintenance.soak.calls import ASYNC_MODES, SOURCES, SYNC_MODES, Call, Models, draw
from conformance.maintenance.soak.checks import (
    AT_END,
    check_background,
    check_call,
    check_durations,
    check_growth,
    check_server,
)
from conformance.maintenance.soak.recorder import Recorder
from conformance.maintenance.soak.resources import Resources, background_errors, count_resources
from conformance.maintenance.soak.server import ServerProcess
from conformance.reference.exchange import AnswerPlan, make_request
from langchain_baseten import BasetenError, ChatBaseten

NONCE, OTHER, KEY = "0123456789abcdef", "fedcba9876543210", "sk-soak-0123456789"
TEXT = expect_text(NONCE, KEY)


# --- the server -----------------------------------------------------------------------------------


def respond(name: str, *, stream: bool = False, retry: bool = False) -> AnswerPlan:
    return BEHAVIOURS[name].respond(Request(name, (NONCE,), stream=stream, key=KEY, retry=retry))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BEHAVIOURS)
def test_only_behaviours_that_succeed_send_the_whole_response(name: str, stream: bool) -> None:
    right, plan = respond("plain", stream=stream), respond(name, stream=stream, retry=True)
    whole = plan.ending == "complete" and right.body in plan.body
    assert whole is (BEHAVIOURS[name].outcome is Outcome.SUCCEEDS)


@pytest.mark.parametrize("name", [name for name in BEHAVIOURS if name.endswith("-once")])
def test_behaviours_named_once_fail_at_the_first_attempt_alone(name: str) -> None:
    assert TEXT.encode() not in respond(name).body
    assert TEXT.encode() in respond(name, retry=True).body


def test_one_response_too_many_is_that_of_a_stranger() -> None:
    assert expect_text(STRANGER, KEY).encode() in respond("response-too-many").body


def test_the_key_comes_back_in_the_head_and_in_the_body() -> None:
    plan = respond("key-echo")
    assert KEY in dict(plan.headers)["x-echo"]
    assert KEY.encode() in plan.body


def test_responses_differ_by_nonce_and_by_key() -> None:
    texts = {expect_text(nonce, key) for nonce in (NONCE, OTHER) for key in (KEY, KEY + "x")}
    vectors = {str(expect_vector(n, key)) for n in (NONCE, OTHER) for key in (KEY, KEY + "x")}
    assert len(texts) == len(vectors) == 4
    assert KEY not in TEXT


def test_a_request_shows_its_behaviour_nonces_and_key() -> None:
    messages = [{"content": write_prompt("slow", NONCE)}]
    url, inputs = "http://h/v1/chat/completions", [write_prompt("plain", n) for n in (NONCE, OTHER)]
    received = make_request(
        url, {"messages": messages, "stream": True}, authorization=f"Api-Key {KEY}"
    )
    assert read_request(received) == Request("slow", (NONCE,), stream=True, key=KEY)
    request = read_request(make_request("http://h/v1/embeddings", {"input": inputs}))
    assert request == Request("plain", (NONCE, OTHER), embeddings=True, key="key")
    vectors = json.loads(BEHAVIOURS["plain"].respond(request).body)["data"]
    assert [row["embedding"] for row in vectors] == [
        expect_vector(n, "key") for n in (NONCE, OTHER)
    ]
    assert read_request(make_request(url)).behaviour == "plain"


def test_the_server_counts_restarts_and_sees_who_keeps_a_response() -> None:
    with ServerProcess() as server, httpx2.Client(trust_env=False, timeout=30) as http:
        url = f"{server.url}/chat/completions"
        for attempt in (429, 200):
            body = {"messages": [write_prompt("busy-once", NONCE)]}
            assert http.post(url, json=body).status_code == attempt
        body = {"messages": [write_prompt("silent", NONCE)]}
        with pytest.raises(httpx2.ReadTimeout):
            http.post(url, json=body, timeout=0.2)
        server.restart(0.01)
        assert http.post(url, json={}, headers={"cookie": "a=b"}).status_code == 200
        until = time.monotonic() + 5
        # The client has the last response a moment before the server has done with it.
        while (counts := server.count())["unfinished"] and time.monotonic() < until:
            time.sleep(0.01)
    assert counts == {"requests": 4, "connections": 2, "cookies": 1, "unfinished": 0}


# --- faults ---------------------------------------------------------------------------------------


class PartialError(BasetenError):
    def __init__(self, text: str, partial: str = "", **more: Any) -> None:
        super().__init__(text)
        self.partial: Any = SimpleNamespace(content=partial)
        vars(self).update(more)


class ReadTimeoutError(PartialError, TimeoutError): ...


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NO, LATE = PartialError("no"), ReadTimeoutError("late")
BATCH, TWO = {"mode": "batch", "nonces": (NONCE, OTHER)}, (TEXT, expect_text(OTHER, KEY))
LEFT = "stream, left"
CANCELLED: dict[str, Any] = {"cancellation": "cancelled"}
ERROR = {"behaviour": "resets"}
CHECKED: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "the right response": ([], [{"result": (TEXT,)}, {**BATCH, "result": TWO}]),
    "another response": (
        ["wrong response"],
        [{"result": (text,)} for text in ("no", TEXT[:-1], TEXT + "!", "")]
        + [{"result": ()}, {**BATCH, "result": TWO[::-1]}, {**BATCH, "result": TWO[:1]}],
    ),
    "the right vector": ([], [{"mode": "embed_documents", "result": (expect_vector(NONCE, KEY),)}]),
    "another vector": (["wrong response"], [{"mode": "embed_documents", "result": ([1.0],)}]),
    "the beginning of the right response, for a caller that leaves": (
        [],
        [{"mode": LEFT, "result": (text,)} for text in ("", TEXT[:9], TEXT)],
    ),
    "the beginning of another response": (
        ["wrong response"],
        [{"mode": LEFT, "result": (text,)} for text in ("no", TEXT + "!")],
    ),
    "a response that nobody gave": (["invented response"], [{**ERROR, "result": (TEXT,)}]),
    "a beginning that was given": ([], [{**ERROR, "mode": LEFT, "result": (TEXT[:9],)}]),
    "nothing, for a caller that cancelled": ([], [CANCELLED]),
    "a typed error where the server fails": ([], [{**ERROR, "error": NO}]),
    "an untyped error": (
        ["untyped error"],
        [{**more, "error": KeyError("x")} for more in ({}, ERROR, CANCELLED, {"disturbed": True})],
    ),
    "a typed error where the server succeeds": (["unexpected error"], [{"error": NO}]),
    "a typed error after a disturbance": ([], [{"error": NO, "disturbed": True}]),
    "a timeout where nothing stalls": (
        ["unexpected timeout"],
        [{**ERROR, "error": LATE}, {"error": LATE, "disturbed": True}],
    ),
    "a timeout where the server stalls": ([], [{"behaviour": "silent", "error": LATE}]),
    "a cancellation, or a time limit, of the caller": (
        [],
        [{**CANCELLED, "error": error} for error in (asyncio.CancelledError(), TimeoutError())],
    ),
    "a cancellation by nobody": (
        ["unexpected cancellation"],
        [{**ERROR, "error": error} for error in (asyncio.CancelledError(), TimeoutError())],
    ),
    "a partial response": ([], [{**ERROR, "error": PartialError("cut", TEXT[:9])}]),
    "another's part": (["wrong response"], [{**ERROR, "error": PartialError("cut", "no")}]),
    "the key in the text, and so in the traceback": (
        ["leaked key", "leaked key"],
        [{**ERROR, "error": PartialError(f"sent {KEY}")}],
    ),
    "the key in an attribute, or in the cause": (
        ["leaked key"],
        [
            {**ERROR, "error": PartialError("no", body={"key": KEY})},
            {**ERROR, "error": caused_by(PartialError("no"), OSError(KEY))},
        ],
    ),
}


@pytest.mark.parametrize("what", CHECKED)
def test_a_call_is_checked_by_what_its_caller_knows(what: str) -> None:
    rules, calls = CHECKED[what]
    for given in calls:
        disturbed = given.get("disturbed", False)
        seen = {name: value for name, value in given.items() if name != "disturbed"}
        call = Call(**{"nonces": (NONCE,), "key": KEY} | seen)
        assert [each.rule for each in check_call(call, disturbed=disturbed)] == rules, given


def test_what_is_held_beyond_what_is_allowed_is_a_leak() -> None:
    start = Resources(sockets=4, files=7, tasks=1, threads=3, memory=100, peak=100)
    for name, more in AT_END.items():
        limit = getattr(start, name) + more
        assert list(check_growth(start, replace(start, **{name: limit}), AT_END, "now")) == []
        found = list(check_growth(start, replace(start, **{name: limit + 1}), AT_END, "now"))
        assert [(each.rule, each.what) for each in found] == [("leak", f"{name} now")]


def test_the_server_sees_responses_that_are_kept_and_cookies() -> None:
    assert list(check_server({"unfinished": 0, "cookies": 0})) == []
    found = check_server({"unfinished": 1, "cookies": 1})
    assert [each.rule for each in found] == ["leak", "sent cookie"]


def test_a_call_hangs_that_takes_longer_than_the_limit() -> None:
    durations = [(Call(), 45.0), (Call("batch"), 45.1)]
    assert [each.what for each in check_durations(durations, 45.0)] == [str(Call("batch"))]


def test_errors_that_reach_no_caller_are_faults() -> None:
    with background_errors() as errors:
        logging.getLogger("asyncio").error("gone", exc_info=ValueError("lost"))
        logging.getLogger("asyncio").warning("slow")
        thread = threading.Thread(target=[].pop)
        thread.start()
        thread.join()
        sys.unraisablehook(cast("Any", SimpleNamespace(exc_value=KeyError("x"), object=None)))
    assert [fault.what for fault in check_background([*errors, ("log", "")])] == [
        "asyncio: gone",
        "thread: IndexError('pop from empty list')",
        "finalizer: KeyError('x') in None",
        "log: ",
    ]
    assert "ValueError: lost" in errors[0][1]


# --- what is recorded and counted -----------------------------------------------------------------


def test_the_recorder_counts_calls_under_way_outcomes_and_faults() -> None:
    recorder = Recorder()
    calls = [Call(pool="a"), Call(pool="a", nonces=(NONCE, OTHER)), Call(pool="b")]
    for call in calls:
        recorder.begin(call)
    assert {call for call, _ in recorder.measure()} == set(calls)
    calls[0].result, calls[1].error = (TEXT,), NO
    for call in calls:
        recorder.end(call)
    assert recorder.measure() == []
    assert recorder.peaks == {"a": 3, "b": 1}
    assert recorder.outcomes.total() == len(recorder.outcomes) == 3
    assert {rule for rule, _ in recorder.faults} == {"wrong response", "unexpected error"}
    assert recorder.examples.keys() == recorder.faults.keys()


@pytest.mark.parametrize("source", ["", "shared"])
def test_a_disturbance_excuses_the_calls_that_it_meets(source: str) -> None:
    recorder = Recorder()
    before, other, inside, after = Call(), Call(source="own"), Call(), Call()
    for call in (before, other):
        recorder.begin(call)
    with recorder.disturbance(source):
        recorder.begin(inside)
    recorder.begin(after)
    excused = []
    for call in (before, other, inside, after):
        call.error, known = NO, recorder.faults.total()
        recorder.end(call)
        excused.append(recorder.faults.total() == known)
    assert excused == [True, not source, True, False]


class _Task(asyncio.Task[None]):
    """A task of a kind of its own, as the package has one."""


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only /proc shows it")  # noqa: PTH110  the path is Linux's
async def test_each_kind_of_resource_is_counted() -> None:
    before = count_resources()
    tasks = [asyncio.create_task(asyncio.sleep(60)), _Task(asyncio.sleep(60))]
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    filler = b"x" * 50_000_000
    with socket.socket(), open(os.devnull), open(os.devnull):  # noqa: ASYNC230, PTH123  what is counted
        held = count_resources()
    stop.set()
    thread.join()
    for task in tasks:
        task.cancel()
    more = {name: getattr(held, name) - getattr(before, name) for name in AT_END}
    assert more.pop("memory") > len(filler) // 2
    assert held.peak >= held.memory
    assert more == {"sockets": 1, "files": 2, "tasks": 2, "threads": 1, "peak": more["peak"]}


# --- calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_of_models_has_the_key_that_is_expected(source: str) -> None:
    models = Models(ChatBaseten, "http://127.0.0.1:9/v1")
    call = next(
        drawn
        for seed in range(999)
        if (drawn := draw(random.Random(seed), SYNC_MODES, BEHAVIOURS)).source == source  # noqa: S311  no secret
    )
    key = models.find(call).baseten_api_key
    assert isinstance(key, SecretStr)
    assert key.get_secret_value() == call.key


def test_the_same_seed_draws_the_same_calls_and_another_seed_others() -> None:
    for modes in (SYNC_MODES, ASYNC_MODES):
        drawn = [draw(random.Random(seed), modes, BEHAVIOURS) for seed in range(200)]  # noqa: S311  no secret
        again = [draw(random.Random(seed), modes, BEHAVIOURS) for seed in range(200)]  # noqa: S311  no secret
        assert [repr(call) for call in drawn] == [repr(call) for call in again]
        assert len({str(call) for call in drawn}) > 80
        assert len({call.nonces for call in drawn}) == 200


@pytest.mark.parametrize(
    "spec",
    ["nonsense", "conformance.nowhere:make", "conformance.tests.suite.factories:of_canned_words"],
)
def test_a_client_that_cannot_be_soaked_ends_the_command(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["soak", "--client", spec]) == 2
    assert "cannot begin" in capsys.readouterr().err
