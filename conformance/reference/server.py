"""A responder behind real sockets on loopback: threads and h11, HTTP/1.1 with keep-alive.

Knows connections. Must not know what the responder answers; a responder that raises is the
suite's own fault and is reported when the server closes.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import h11

from conformance.reference.exchange import AnswerPlan, ReceivedRequest, Responder
from conformance.reference.listener import Listener, reset_on_close
from conformance.reference.reference import respond

if TYPE_CHECKING:
    import socket
    import ssl
    from types import TracebackType

_READ_SIZE = 65_536


class LoopbackServer(Listener):
    """Serves a responder on 127.0.0.1 for the length of a `with` block.

    Attributes:
        url: Root URL, without a trailing slash.
        requests: Every request, in order of arrival; empty if none is kept.
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
        super().__init__(tls=tls, port=port)
        self.responder = responder
        self.url = self.root
        self.requests: list[ReceivedRequest] = []
        self.failures: list[Exception] = []
        self._keep = keep

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is None and self.failures:
            raise self.failures[0]

    def converse(self, connection: socket.socket, number: int) -> None:
        """Answer requests until the client leaves."""
        with contextlib.suppress(h11.RemoteProtocolError):
            self._converse(connection)

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
        for chunk in plan.chunks:
            # Ends at once when the server closes.
            self.stopping.wait(chunk.delay)
            connection.sendall(http.send(h11.Data(data=chunk.data)) or b"")
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
        reset_on_close(connection)
