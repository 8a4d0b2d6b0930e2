"""A responder behind real sockets on loopback: threads and h11, HTTP/1.1 with keep-alive.

Knows connections. Must not know what the responder answers; a responder that raises is the
suite's own fault and is reported when the server closes.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

import h11

from conformance.reference.exchange import AnswerPlan, ReceivedRequest, Responder
from conformance.reference.reference import respond

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

_READ_SIZE = 65_536
_JOIN_SECONDS = 5.0


class LoopbackServer:
    """Serves a responder on 127.0.0.1 for the length of a `with` block.

    Attributes:
        url: Root URL, without a trailing slash.
        requests: Every request, in order of arrival; empty if none is kept.
        connections: Number of connections accepted so far.
        failures: Exceptions that the responder raised; the first is raised at the end of the block.

    Args:
        responder: What answers.
        tls: Context for https; None for http.
        port: The port; 0 for a free one.
        keep: Whether requests are kept. A server that runs for days must not.

    Raises:
        OSError: The port is taken.
    """

    def __init__(
        self,
        responder: Responder = respond,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        keep: bool = True,
    ) -> None:
        self.responder = responder
        self._keep = keep
        self.requests: list[ReceivedRequest] = []
        self.connections = 0
        self.failures: list[Exception] = []
        self._tls = tls
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.create_server(("127.0.0.1", port))
        self._waker, self._wake = socket.socketpair()
        self._acceptor = threading.Thread(
            target=self._accept, name="reference-acceptor", daemon=True
        )
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if error is None and self.failures:
            raise self.failures[0]

    def close(self) -> None:
        """Stop accepting, cut open connections and wait for the threads; once is enough.

        Raises:
            RuntimeError: A thread did not end within five seconds.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake.send(b"x")
        self._acceptor.join(_JOIN_SECONDS)
        with self._lock:
            threads = list(self._open)
            for connection in self._open.values():
                # The client may have gone first.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_JOIN_SECONDS)
        for opened in (self._listener, self._waker, self._wake):
            opened.close()
        if any(thread.is_alive() for thread in threads):
            raise RuntimeError("a connection of the reference server server did not end")

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while True:
                selector.select()
                if self._stopping.is_set():
                    return
                self._start(self._listener.accept()[0])

    def _start(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        with self._lock:
            self.connections += 1
            self._open[thread] = connection
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            # A client that leaves, at any moment, is no fault of the server.
            with (
                contextlib.suppress(OSError, h11.RemoteProtocolError),
                self._secure(connection) as secured,
            ):
                self._converse(secured)
        finally:
            with self._lock:
                del self._open[threading.current_thread()]

    def _secure(self, connection: socket.socket) -> socket.socket:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return connection
        # Known before the handshake, so that closing can cut a client that never shakes hands.
        # Wrapping leaves an empty socket behind, which closing must not find in its place.
        with self._lock:
            secured = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
            self._open[threading.current_thread()] = secured
        return secured

    def _converse(self, connection: socket.socket) -> None:
        http = h11.Connection(h11.SERVER)
        while (request := _read_request(http, connection)) is not None:
            if self._keep:
                with self._lock:
                    self.requests.append(request)
            plan = self._plan(request)
            self._write(http, connection, plan)
            if plan.ending != "complete" or http.our_state is not h11.DONE:
                _prepare_close(connection, plan)
                return
            http.start_next_cycle()

    def _plan(self, request: ReceivedRequest) -> AnswerPlan:
        try:
            return self.responder(request)
        except Exception as error:  # noqa: BLE001  # any failure of a responder is kept for the end of the block
            self.failures.append(error)
            return AnswerPlan(500, (("content-type", "text/plain"), ("content-length", "0")))

    def _write(self, http: h11.Connection, connection: socket.socket, plan: AnswerPlan) -> None:
        headers = list(plan.headers)
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("transfer-encoding", "chunked"))
        opening = h11.Response(status_code=plan.status, headers=headers)
        connection.sendall(http.send(opening) or b"")
        for piece in plan.pieces:
            # Ends at once when the server closes.
            self._stopping.wait(piece.delay)
            connection.sendall(http.send(h11.Data(data=piece.data)) or b"")
        if plan.ending == "complete":
            connection.sendall(http.send(h11.EndOfMessage()) or b"")


def _read_request(http: h11.Connection, connection: socket.socket) -> ReceivedRequest | None:
    """Read the next request; None when the client closed the connection."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(connection.recv(_READ_SIZE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> ReceivedRequest:
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
    return ReceivedRequest(head.method.decode(), head.target.decode("latin-1"), headers, body)


def _prepare_close(connection: socket.socket, plan: AnswerPlan) -> None:
    if plan.ending == "reset":
        # With a linger time of zero, closing sends RST in place of FIN.
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
