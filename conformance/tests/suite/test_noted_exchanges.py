"""The first and the last exchange of a check: noted whatever client asks, shown without secrets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import httpx2
import pytest

from conformance.reference import LoopbackServer, respond
from conformance.reports.exchange import MOST, show_noted
from conformance.subjects import noted_exchanges
from conformance.subjects.noted_exchanges import ExchangeListener, NotedExchange
from conformance.tests.suite.ways_of_asking import (
    KEY,
    SLUG,
    ask_astream,
    ask_invoke,
    ask_stream,
    ask_with_httpx,
)
from conformance.verdicts.verdicts import ShownExchange
from langchain_baseten import BasetenConnectionError


def ask_without_reading_apart(url: str) -> None:
    body = {"model": SLUG, "messages": [{"role": "user", "content": "Hello"}]}
    httpx2.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})


ASKING = [ask_invoke, ask_stream, ask_astream, ask_with_httpx, ask_without_reading_apart]


@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize("ours", [True, False])
def test_the_first_and_the_last_exchange_are_noted_and_all_are_counted(
    ask: Callable[[str], object], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = ExchangeListener()
    with LoopbackServer() as server, monkeypatch.context() as patch:
        listener.install(patch, ours=ours)
        for _ in range(3):
            ask(server.url)
        answered = respond(server.requests[0]).body
        opening = f"POST {server.url}/v1/chat/completions"
    assert listener.total == 3
    assert [each.number for each in listener.noted] == [1, 3]
    for noted in listener.noted:
        assert (noted.opening, noted.status, noted.failure) == (opening, 200, "")
        assert json.loads(noted.body)["model"] == SLUG
        assert bytes(noted.data) == answered
        assert KEY not in repr(noted)


@pytest.mark.parametrize("awaited", [False, True])
def test_what_gets_no_response_is_noted_with_the_failure(
    awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackServer() as server:
        url = server.url
    listener = ExchangeListener()
    with monkeypatch.context() as patch:
        listener.install(patch, ours=True)
        for _ in range(2):
            with pytest.raises(BasetenConnectionError, match="Cannot connect"):
                (ask_astream if awaited else ask_invoke)(url)
    assert [(each.failure, each.status) for each in listener.noted] == [("ConnectError", 0)] * 2
    assert {each.response for each in show_noted(listener, str)} == {"no response: ConnectError"}


def test_a_look_up_of_models_is_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = ExchangeListener()
    with LoopbackServer() as server, monkeypatch.context() as patch:
        listener.install(patch, ours=False)
        headers = {"authorization": f"Bearer {KEY}"}
        assert httpx2.get(f"{server.url}/v1/models", headers=headers).json()["data"]
        assert listener.noted == []
        ask_without_reading_apart(server.url)
    [noted] = listener.noted
    assert noted.opening.startswith("POST ")


def test_no_more_of_a_long_body_is_kept_than_anybody_looks_at() -> None:
    noted = NotedExchange("GET http://h/", {}, b"")
    for _ in range(3):
        noted.add(b"x" * (noted_exchanges._MOST - 1))
    assert len(noted.data) == noted_exchanges._MOST


def show(noted: NotedExchange, clean: Callable[[str], str] = str) -> ShownExchange:
    listener = ExchangeListener()
    listener.noted, listener.total = [noted], 9
    [shown] = show_noted(listener, clean)
    return shown


def test_an_exchange_is_shown_with_harmless_headers_and_without_what_is_secret() -> None:
    picture = "iVBORw0KGgo" + "A" * 300
    noted = NotedExchange(
        f"POST http://u:p@h:1/v1?token={KEY}",
        {"Authorization": f"Bearer {KEY}", "Accept": "a/b"},
        f'{{"url": "data:image/png;base64,{picture}", "key": "{KEY}"}}'.encode(),
        status=400,
        answered={"set-cookie": KEY, "content-type": "text/plain"},
        data=bytearray(f"Bad key {KEY}\n{'x' * 3000}".encode()),
        number=5,
    )
    shown = show(noted, lambda text: text.replace(KEY, "***"))
    assert shown.request.startswith("POST http://h:1/v1?token=REDACTED\naccept: a/b\n\n{")
    assert "data:image/png;sha256," in shown.request
    assert '"key": "***"' in shown.request
    assert shown.response.startswith("400\ncontent-type: text/plain\n\nBad key ***\nxxx")
    assert shown.response.endswith("more characters")
    assert (shown.number, shown.total, shown.name) == (5, 9, "request 5 of 9")


def test_no_part_of_a_key_is_left_in_a_url_or_where_a_body_is_cut() -> None:
    body = b"x" * (MOST - 10) + KEY.encode()
    noted = NotedExchange(f"POST http://h/{KEY}/v1", {}, body, 200)
    noted.add(body)
    shown = show(noted, lambda text: text.replace(KEY, "***"))
    assert KEY[:8] not in f"{shown.request}{shown.response}"
    assert shown.request.startswith("POST http://h/***/v1")


@pytest.mark.parametrize("encoded", [True, False])
def test_a_compressed_body_is_shown_as_text(encoded: bool) -> None:
    data = gzip.compress(b"Hello") if encoded else b"Hello"
    noted = NotedExchange("GET http://h/", {}, b"", 200, {"content-encoding": "gzip"})
    noted.add(data)
    assert show(noted).response == "200\n\nHello"


def test_a_request_that_was_left_before_a_response_says_so() -> None:
    shown = show(NotedExchange("GET http://h/", {}, b""))
    assert shown.response == "no response: none was waited for"
