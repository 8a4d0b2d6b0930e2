"""The embeddings of the earlier release under their name: a vector for each text, or an error."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import struct
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from conformance.checks.features.questions import note_requests
from conformance.reference import AsyncResponderTransport, ResponderTransport, respond
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import expect
from conformance.targets import FAKE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.reference import ReceivedRequest, Responder
    from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own_client_only("the names are those of langchain-baseten", applies=False)

_URL = "https://model-abcd1234.api.baseten.co/environments/production/predict"
_TEXTS = [f"Boat {number} 京都 é e\u0301" for number in range(70)]
_WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "sync": lambda model, texts: model.embed_documents(texts),
    "async": lambda model, texts: asyncio.run(model.aembed_documents(texts)),
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
    assert {each.path for each in seen} == {"/environments/production/sync/v1/embeddings"}
    assert sorted(len(body["input"]) for body in bodies) == [6, 32, 32]
    assert sorted(text for body in bodies for text in body["input"]) == sorted(_TEXTS)
    assert {(*body,) for body in bodies} == {("input", "model")}
    assert vectors == [model.embed_query(text) for text in _TEXTS]
    assert asyncio.run(model.aembed_query(_TEXTS[-1])) == vectors[-1]
    assert embed(model, []) == []


@pytest.mark.claim("drop-in.names.known")
@_every_way
def test_long_texts_are_sent_in_smaller_requests(
    evidence: Evidence, embed: Callable[[Any, Any], Any]
) -> None:
    seen: list[ReceivedRequest] = []
    texts = ["a" * 5_000, "b" * 3_000, "c" * 9_000, "d", "e"]
    assert len(embed(_mount(evidence, note_requests(seen)), texts)) == len(texts)
    sent = sorted("".join(text[0] for text in each.json()["input"]) for each in seen)
    assert sent == ["ab", "c", "de"]


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
    told = embed(_mount(evidence, note_requests(seen, _change_rows(encode)), **settings), _TEXTS)
    assert {name: seen[0].json()[name] for name in settings} == settings
    wanted = embed(_mount(evidence), _TEXTS)
    assert [pytest.approx(each, abs=1e-6) for each in wanted] == told


_NAN = base64.b64encode(struct.pack("<8f", *[float("nan")] * 8)).decode()
_WRONG: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "missing": lambda rows: rows[:3] + rows[4:],
    "twice": lambda rows: [*rows[:3], {**rows[3], "index": 2}, *rows[4:]],
    "beyond": lambda rows: [*rows[:3], {**rows[3], "index": 99}, *rows[4:]],
    "empty": lambda rows: [*rows[:3], {**rows[3], "embedding": []}, *rows[4:]],
    "text": lambda rows: [*rows[:3], {**rows[3], "embedding": ["a"] * 8}, *rows[4:]],
    "short": lambda rows: [*rows[:3], {**rows[3], "embedding": [0.5]}, *rows[4:]],
    "not a number": lambda rows: [*rows[:3], {**rows[3], "embedding": _NAN}, *rows[4:]],
    "none": lambda _: None,
}


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
    for texts in (["hello", None], "hello"):
        with expect("unsendable", match="embed_documents"):
            embed(model, texts)
    assert seen == []
    sentence = "The lighthouse is closed."
    refusing = _mount(evidence, lambda _: plan_json(429, {"error": sentence}))
    with expect("any", match=sentence) as caught:
        embed(refusing, _TEXTS)
    assert caught.value.status_code == 429
    assert json.loads(caught.value.response.text) == {"error": sentence}
