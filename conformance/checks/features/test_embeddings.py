"""The embeddings of the earlier release under their name: a vector for each text, or an error."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import pickle
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from conformance.checks.features.responders import note_requests, refuse_noted
from conformance.libraries import Request
from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    ReceivedRequest,
    Responder,
    ResponderTransport,
    respond,
)
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import expect
from conformance.targets import FAKE_KEY
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own_client_only("the names are those of langchain-baseten", applies=False)

_URL = "https://model-abcd1234.api.baseten.co/environments/production/predict"
_PATH = "/environments/production/sync/v1/embeddings"
_MOMENT, _PATIENCE, _WAIT = 0.005, 5.0, 0.1
_NO_CLIENT: dict[str, Any] = {
    "http_client": httpx2.Client(transport=ResponderTransport(refuse_noted)),
    "http_async_client": httpx2.AsyncClient(transport=AsyncResponderTransport(refuse_noted)),
}
"""Clients whose requests are all refused."""
_TEXTS = [f" Boat {max(number, 1)} 京都 é\r\ne\u0301\t" for number in range(70)]
"""The first two are one text."""
_WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "sync": lambda model, texts: model.embed_documents(texts),
    "async": lambda model, texts: asyncio.run(model.aembed_documents(texts)),
}
_QUERIES: dict[str, Callable[[Any], Any]] = {
    "embed_documents": lambda model: model.embed_documents(["a"]),
    "aembed_documents": lambda model: asyncio.run(model.aembed_documents(["a"])),
    "embed_query": lambda model: model.embed_query("a"),
    "aembed_query": lambda model: asyncio.run(model.aembed_query("a")),
}
_every_way = pytest.mark.parametrize("embed", _WAYS.values(), ids=_WAYS)


def _mount(evidence: Evidence, responder: Responder = respond, **settings: Any) -> Any:
    evidence.came_from("reference")
    clients = {
        "http_client": httpx2.Client(transport=ResponderTransport(responder)),
        "http_async_client": httpx2.AsyncClient(transport=AsyncResponderTransport(responder)),
    }
    made = importlib.import_module("langchain_baseten").BasetenEmbeddings
    given = {"model_url": _URL, "api_key": FAKE_KEY, "max_retries": 0}
    return made(**{**given, **clients, **settings})


def _change_rows(change: Callable[[list[dict[str, Any]]], Any]) -> Responder:
    """Return the reference server with the rows of each answer changed."""

    def alter(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "data": change(body["data"])}

    return lambda request: respond(request).map_json(alter)


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_each_text_gets_its_vector_in_whatever_order_they_come(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    seen: list[ReceivedRequest] = []
    model = _mount(evidence, note_requests(seen, _change_rows(lambda rows: rows[::-1])))
    vectors = embed(model, _TEXTS)
    bodies = [each.json() for each in seen]
    assert {each.path for each in seen} == {_PATH}
    assert sorted(len(body["input"]) for body in bodies) == [6, 32, 32]
    assert sorted(text for body in bodies for text in body["input"]) == sorted(_TEXTS)
    assert {(*body,) for body in bodies} == {("input", "model")}
    assert vectors == [model.embed_query(text) for text in _TEXTS]
    assert asyncio.run(model.aembed_query(_TEXTS[-1])) == vectors[-1]
    before = len(seen)
    assert (embed(model, []), len(seen)) == ([], before), "a request is sent for no texts"
    whole = _change_rows(lambda rows: [{**row, "embedding": [3, 0, -4]} for row in rows])
    assert embed(_mount(evidence, whole), _TEXTS[:1]) == [[3.0, 0.0, -4.0]]


class _Crowd:
    """Counts the requests that are answered at the same time, and lets each wait for others."""

    def __init__(self) -> None:
        self.present = self.most = self.came = 0
        self._lock = threading.Lock()

    def come(self) -> int:
        """Return for how many moments to wait: the first waits longer than the second."""
        with self._lock:
            self.came += 1
            self.present += 1
            self.most = max(self.most, self.present)
            return 1 + self.came % 2

    def go(self) -> None:
        with self._lock:
            self.present -= 1


class _Slowly(ResponderTransport):
    def __init__(self, crowd: _Crowd) -> None:
        super().__init__()
        self.crowd = crowd

    def handle_request(self, request: Request) -> Any:
        # The others begin meanwhile, if they may.
        threading.Event().wait(_MOMENT * self.crowd.come())
        self.crowd.go()
        return super().handle_request(request)


class _SlowlyAwaited(AsyncResponderTransport):
    def __init__(self, crowd: _Crowd) -> None:
        super().__init__()
        self.crowd = crowd

    async def handle_async_request(self, request: Request) -> Any:
        for _ in range(20 * self.crowd.come()):
            await asyncio.sleep(0)
        self.crowd.go()
        return await super().handle_async_request(request)


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_as_many_requests_as_may_be_sent_at_once_have_as_many_texts_as_they_may(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    crowd = _Crowd()
    clients: dict[str, Any] = {
        "http_client": httpx2.Client(transport=_Slowly(crowd)),
        "http_async_client": httpx2.AsyncClient(transport=_SlowlyAwaited(crowd)),
    }
    reported = embed(_mount(evidence, **clients, chunk_size=5, max_concurrency=3), _TEXTS)
    assert reported == embed(_mount(evidence), _TEXTS)
    assert 1 < crowd.most <= 3
    seen: list[ReceivedRequest] = []
    assert len(embed(_mount(evidence, note_requests(seen), chunk_size=64), _TEXTS)) == 70
    assert sorted(len(each.json()["input"]) for each in seen) == [6, 64]


def _refuse(status: int, body: Any, _: ReceivedRequest) -> AnswerPlan:
    return plan_json(status, body)


def _refuse_first(request: ReceivedRequest) -> AnswerPlan:
    is_first = _TEXTS[0] in request.json()["input"]
    return plan_json(400, {"error": "Not now."}) if is_first else respond(request)


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_a_request_among_others_waits_as_the_service_asks(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    requested: list[float] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        if _TEXTS[0] not in request.json()["input"]:
            return respond(request)
        requested.append(time.monotonic())
        named = {"retry-after-ms": f"{_WAIT * 1000:.0f}"}
        return respond(request) if len(requested) > 1 else plan_json(429, {"error": "No."}, named)

    assert len(embed(_mount(evidence, answer, max_retries=1), _TEXTS)) == len(_TEXTS)
    first, second = requested
    assert second - first >= _WAIT


def _is_first(request: Request) -> bool:
    return _TEXTS[0] in json.loads(request.content)["input"]


class _Late(ResponderTransport):
    """Refuses the first texts, and answers no others before that was raised."""

    def __init__(self) -> None:
        super().__init__(_refuse_first)
        self.raised = threading.Event()
        self.answered = 0

    def handle_request(self, request: Request) -> Any:
        request.read()
        if not _is_first(request):
            self.answered += not self.raised.wait(_PATIENCE)
        return super().handle_request(request)


class _LateAwaited(AsyncResponderTransport):
    def __init__(self) -> None:
        super().__init__(_refuse_first)
        self.answered = 0

    async def handle_async_request(self, request: Request) -> Any:
        await request.aread()
        if not _is_first(request):
            await asyncio.sleep(_PATIENCE)
            self.answered += 1
        return await super().handle_async_request(request)


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_a_request_that_fails_is_raised_before_the_others_are_answered(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    late, awaited = _Late(), _LateAwaited()
    clients: dict[str, Any] = {
        "http_client": httpx2.Client(transport=late),
        "http_async_client": httpx2.AsyncClient(transport=awaited),
    }
    with expect("refused"):
        embed(_mount(evidence, **clients), _TEXTS)
    assert (late.answered, awaited.answered) == (0, 0)
    late.raised.set()


@pytest.mark.claim("package.serialise.key")
def test_embeddings_are_written_down_without_their_key(evidence: Evidence) -> None:
    evidence.came_from("client")
    made = importlib.import_module("langchain_baseten").BasetenEmbeddings
    model = made(model_url=_URL, api_key="k3y0000a.S3cretS3cret", default_query={"sig": "S3cret00"})
    shown = f"{model!r} {model} {model.model_dump()} {pickle.dumps(model)!r}"
    assert "S3cret" not in shown
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301  our own


@pytest.mark.claim("drop-in.names.known")
@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("way", _QUERIES)
def test_texts_are_sent_as_questions_are(
    evidence: Evidence, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        return respond(request) if len(seen) > 1 else plan_json(503, {"error": "Not now."})

    given: dict[str, Any] = {
        "default_headers": {"x-team": "harbour"},
        "default_query": {"version": "7"},
    }
    # A way that is awaited may not ask by the other client.
    other = "http_client" if way.startswith("a") else "http_async_client"
    given |= {"model_url": _URL.replace("predict", "sync/v1/embeddings"), "api_key": None}
    monkeypatch.setenv("BASETEN_API_KEY", "from-the-shell")
    model = _mount(evidence, answer, max_retries=1, **given, **{other: _NO_CLIENT[other]})
    assert _QUERIES[way](model)
    received = {
        (each.header("x-team"), each.header("authorization"), each.target.rpartition("/")[2])
        for each in seen
    }
    assert {each.path for each in seen} == {_PATH}
    assert (len(seen), received) == (
        2,
        {("harbour", "Bearer from-the-shell", "embeddings?version=7")},
    )


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_long_texts_are_sent_in_smaller_requests(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    seen: list[ReceivedRequest] = []
    texts = ["a" * 5_000, "b" * 3_000, "c" * 9_000, "d", "e"]
    assert len(embed(_mount(evidence, note_requests(seen)), texts)) == len(texts)
    sent = sorted(" ".join(each.json()["input"]) for each in seen)
    assert sent == [f"{texts[0]} {texts[1]}", texts[2], "d e"]


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_vectors_are_asked_for_and_read_in_either_format(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    seen: list[ReceivedRequest] = []

    def encode(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        packed = (struct.pack("<8f", *row["embedding"]) for row in rows)
        texts = (base64.b64encode(each).decode() for each in packed)
        return [{**row, "embedding": text} for row, text in zip(rows, texts, strict=True)]

    settings = {"dimensions": 8, "encoding_format": "base64", "model": "bge"}
    received = embed(
        _mount(evidence, note_requests(seen, _change_rows(encode)), **settings), _TEXTS
    )
    assert {name: seen[0].json()[name] for name in settings} == settings
    wanted = embed(_mount(evidence), _TEXTS)
    assert [pytest.approx(each, abs=1e-6) for each in wanted] == received


_NAN = base64.b64encode(struct.pack("<8f", *[float("nan")] * 8)).decode()
_WRONG: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "missing": lambda rows: rows[:3] + rows[4:],
    "twice": lambda rows: [*rows, rows[2]],
    "beyond": lambda rows: [*rows, {**rows[3], "index": 99}],
    "empty": lambda rows: [{**row, "embedding": []} for row in rows],
    "text": lambda rows: [*rows[:3], {**rows[3], "embedding": ["a"] * 8}, *rows[4:]],
    "short": lambda rows: [*rows[:3], {**rows[3], "embedding": [0.5]}, *rows[4:]],
    "not a number": lambda rows: [*rows[:3], {**rows[3], "embedding": _NAN}, *rows[4:]],
    "none": lambda _: None,
}


def _resize(length: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "embedding": [0.5] * length} for row in rows]


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_vectors_of_several_answers_have_one_length_and_an_error_names_its_text(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    def spoil(vector: list[float]) -> Responder:
        def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [{**row, "embedding": vector} for row in rows] if len(rows) == 6 else rows

        return _change_rows(change)

    for vector in ([0.5], []):
        with expect("any", match="text 64") as caught:
            embed(_mount(evidence, spoil(vector)), _TEXTS)
        assert type(caught.value).__name__ == "BasetenInvalidResponseError"
    for length in (1, 9):
        same = _change_rows(partial(_resize, length))
        with expect("any", match="text 0") as caught:
            embed(_mount(evidence, same, dimensions=8), _TEXTS[:6])
        assert type(caught.value).__name__ == "BasetenInvalidResponseError"


@pytest.mark.claim("drop-in.names.known")
@_every_way
@pytest.mark.parametrize("wrong", _WRONG)
def test_an_answer_that_lacks_a_vector_is_an_error(
    evidence: Evidence, embed: Callable[[Any, Any], Any], wrong: str
) -> None:
    with expect("any") as caught:
        embed(_mount(evidence, _change_rows(_WRONG[wrong])), _TEXTS[:6])
    assert type(caught.value).__name__ == "BasetenInvalidResponseError"


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_what_is_no_text_and_what_the_service_refuses_are_errors(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    seen: list[ReceivedRequest] = []
    model = _mount(evidence, note_requests(seen))
    texts: Any
    for texts in (["hello", None], "hello", b"hello", {"hello", "you"}, {"hello": 1}, 7):
        with expect("unsendable", match="embed_documents"):
            embed(model, texts)
    assert seen == []
    sentence = "The lighthouse is closed."
    body = {"error": {"message": sentence, "code": 429}}
    for status in (200, 429):
        refusing = _mount(evidence, partial(_refuse, status, body))
        with expect("any", match=sentence) as caught:
            embed(refusing, _TEXTS)
        assert (caught.value.status_code, caught.value.body) == (429, body)
    assert json.loads(caught.value.response.text) == body
