from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from conformance.reference import (
    AnswerPlan,
    BodyChunk,
    Ending,
    LoopbackServer,
    ReceivedRequest,
    respond,
)

TEXT = (("content-type", "text/plain"),)
KEY = {"authorization": "Bearer key"}
CHAT = {"model": "zai-org/GLM-5", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def fixed(*chunks: BodyChunk, ending: Ending = "complete", status: int = 200) -> Any:
    return lambda _request: AnswerPlan(status, TEXT, chunks, ending)


def test_a_responder_is_served_over_http() -> None:
    with LoopbackServer() as server:
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=CHAT, headers=KEY)
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"] == 'You said "Hello".'
        assert int(answer.headers["content-length"]) == len(answer.content)
        (request,) = server.requests
        assert request.json() == CHAT
        assert request.header("authorization") == "Bearer key"
        assert request.path == "/v1/chat/completions"
        assert request.host == "127.0.0.1"


def test_a_body_without_length_is_chunked() -> None:
    with LoopbackServer(fixed(BodyChunk(b"ab"), BodyChunk(b"c"))) as server:
        answer = httpx.get(server.url)
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.content == b"abc"


def test_an_empty_body_is_served() -> None:
    with LoopbackServer(fixed(status=404)) as server:
        answer = httpx.get(server.url)
        assert (answer.status_code, answer.content) == (404, b"")


def test_connections_are_kept_alive_and_counted() -> None:
    with LoopbackServer() as server:
        with httpx.Client() as client:
            for _ in range(3):
                client.post(f"{server.url}/v1/chat/completions", json=CHAT, headers=KEY)
        assert (server.connections, len(server.requests)) == (1, 3)
        httpx.get(server.url)
        assert server.connections == 2


def test_a_connection_is_closed_when_the_client_asks_for_it() -> None:
    with LoopbackServer(fixed(BodyChunk(b"a"))) as server, httpx.Client() as client:
        for _ in range(2):
            answer = client.get(server.url, headers={"connection": "close"})
            assert answer.headers["connection"] == "close"
        assert server.connections == 2


def test_many_clients_are_served_at_once() -> None:
    meeting = threading.Barrier(8, timeout=5)

    def wait(_request: ReceivedRequest) -> AnswerPlan:
        meeting.wait()
        return AnswerPlan(200, TEXT, (BodyChunk(b"a"),))

    with LoopbackServer(wait) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.get(server.url).content, range(8)))
        assert answers == [b"a"] * 8
        assert server.connections == 8


def test_pieces_arrive_when_they_are_due() -> None:
    responder = fixed(BodyChunk(b"a"), BodyChunk(b"b", 0.2))
    with LoopbackServer(responder) as server, httpx.stream("GET", server.url) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"a"
        start = time.monotonic()
        assert next(chunks) == b"b"
        assert time.monotonic() - start > 0.1


@pytest.mark.parametrize(
    ("ending", "error"), [("abort", httpx.RemoteProtocolError), ("reset", httpx.ReadError)]
)
def test_a_body_can_be_cut_or_reset(ending: Ending, error: type[Exception]) -> None:
    responder = fixed(BodyChunk(b"a"), ending=ending)
    with LoopbackServer(responder) as server, httpx.stream("GET", server.url) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"a"
        with pytest.raises(error):
            next(chunks)


def raw(server: LoopbackServer, *data: bytes, reset: bool = False) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port or 0)) as client:
        for chunk in data:
            client.sendall(chunk)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HT",
        b"not http at all\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_a_client_that_leaves_or_talks_nonsense_harms_nobody(data: bytes, reset: bool) -> None:
    with LoopbackServer(fixed(BodyChunk(b"a" * 100_000), BodyChunk(b"b" * 2_000_000))) as server:
        raw(server, data, reset=reset)
        assert len(httpx.get(server.url).content) == 2_100_000
        assert server.connections == 2


def test_a_client_that_leaves_inside_a_stream_harms_nobody() -> None:
    responder = fixed(BodyChunk(b"a"), *[BodyChunk(b"b" * 100_000, 0.01)] * 20)
    with LoopbackServer(responder) as server:
        with httpx.stream("GET", server.url) as answer:
            assert next(answer.iter_raw()) == b"a"
        assert httpx.get(server.url).status_code == 200


def test_a_request_in_pieces_is_read_whole() -> None:
    with LoopbackServer(fixed(BodyChunk(b"a"))) as server:
        body = b"x" * 200_000
        httpx.post(server.url, content=(body[at : at + 999] for at in range(0, len(body), 999)))
        assert server.requests[0].body == body


def test_closing_does_not_wait_for_a_slow_answer() -> None:
    responder = fixed(BodyChunk(b"a"), BodyChunk(b"b", 60.0))
    with LoopbackServer(responder) as server, httpx.stream("GET", server.url) as answer:
        assert next(answer.iter_raw()) == b"a"
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 5
    # Not by asking again: the system may have given the port to a server of another process.
    assert server._listening.fileno() == -1


def test_closing_cuts_idle_connections() -> None:
    with LoopbackServer() as server, httpx.Client() as client:
        kept = client.get(server.url).extensions["network_stream"]
        server.close()
        assert kept.read(1, timeout=5) == b""


def test_a_thread_that_does_not_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.reference.listener._JOIN_SECONDS", 0)
    requested, release, before = threading.Event(), threading.Event(), {*threading.enumerate()}

    def hang(_request: ReceivedRequest) -> AnswerPlan:
        requested.set()
        release.wait(30)
        return AnswerPlan(200, TEXT)

    server = LoopbackServer(hang).__enter__()
    ask_in_vain(server.url)
    assert requested.wait(30)
    with pytest.raises(RuntimeError, match="did not end"):
        server.close()
    release.set()
    until = time.monotonic() + 30
    while {*threading.enumerate()} - before and time.monotonic() < until:
        time.sleep(0.01)
    assert {*threading.enumerate()} <= before


def test_a_server_closes_its_sockets_after_its_acceptor(monkeypatch: pytest.MonkeyPatch) -> None:
    accept = LoopbackServer._accept

    def accept_late(server: LoopbackServer) -> None:
        time.sleep(0.05)
        accept(server)

    monkeypatch.setattr("conformance.reference.listener._JOIN_SECONDS", 0)
    monkeypatch.setattr(LoopbackServer, "_accept", accept_late)
    with LoopbackServer():
        pass
    assert "acceptor" not in {thread.name for thread in threading.enumerate()}


def ask_in_vain(url: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url, timeout=0.05)


def test_a_responder_that_raises_is_reported_at_the_end() -> None:
    def broken(_request: ReceivedRequest) -> AnswerPlan:
        raise LookupError("no such answer")

    with pytest.raises(LookupError, match="no such answer"), LoopbackServer(broken) as server:
        assert httpx.get(server.url).status_code == 500
    with pytest.raises(KeyError, match="own"), LoopbackServer(broken) as server:
        fail_after(server.url)


def fail_after(url: str) -> None:
    httpx.get(url)
    raise KeyError("own")


def test_https_is_served_with_the_given_certificate() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with LoopbackServer(respond, tls=tls) as server:
        assert server.url.startswith("https://127.0.0.1:")
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url)
        answer = httpx.post(
            f"{server.url}/v1/chat/completions", json=CHAT, headers=KEY, verify=trusting
        )
        assert answer.status_code == 200
        assert server.connections == 2


class SlowlyWrapping(ssl.SSLContext):
    """Leaves other threads time between taking a connection over and handing it out."""

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        secured = super().wrap_socket(*args, **options)
        time.sleep(0.1)
        return secured


@pytest.mark.parametrize("kind", [ssl.SSLContext, SlowlyWrapping])
def test_a_client_that_never_shakes_hands_is_cut(kind: type[ssl.SSLContext]) -> None:
    with LoopbackServer(tls=kind(ssl.PROTOCOL_TLS_SERVER)) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=5) as client:
            while not server.connections:
                time.sleep(0.001)
            server.close()
            assert client.recv(1) == b""
