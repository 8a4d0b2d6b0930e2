"""Connections on loopback: a thread for each, and an end that leaves none.

Knows sockets. Must not know what is written to them or read from them.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

__all__ = ["SERVING", "Listener", "reset_on_close"]

SERVING = "serving"
"""Name of the threads that serve connections."""

_JOIN_SECONDS = 5.0


class Listener(ABC):
    """Accepts connections on 127.0.0.1 for the length of a `with` block.

    Attributes:
        root: Root URL, without a trailing slash.
        port: Where it listens.
        connections: Number of connections accepted so far.
        stopping: Set when it closes.

    Args:
        tls: Context for https; None for http.
        port: The port; 0 for a free one.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.connections = 0
        self.stopping = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._listening = socket.create_server(("127.0.0.1", port), backlog=512)
        self._waker, self._wake = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="acceptor", daemon=True)
        self.port: int = self._listening.getsockname()[1]
        self.root = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"

    @abstractmethod
    def converse(self, connection: socket.socket, number: int) -> None:
        """Serve one connection, in a thread of its own; it is closed afterwards.

        Args:
            connection: The connection, its TLS handshake done.
            number: 1 for the first connection.
        """

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

    def close(self) -> None:
        """Stop accepting, cut open connections and wait for the threads; once is enough.

        Raises:
            RuntimeError: A thread did not end within five seconds.
        """
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._wake.send(b"x")
        self._acceptor.join()  # it waits for nothing else, and for ever once its sockets are closed
        with self._lock:
            threads = list(self._open)
            for connection in self._open.values():
                # The client, or the server, may have closed it first.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_JOIN_SECONDS)
        for opened in (self._listening, self._waker, self._wake):
            opened.close()
        if any(thread.is_alive() for thread in threads):
            raise RuntimeError("a connection did not end")

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while True:
                selector.select()
                if self.stopping.is_set():
                    return
                self._start(self._listening.accept()[0])

    def _start(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.connections += 1
            args = (connection, self.connections)
            thread = threading.Thread(target=self._serve, name=SERVING, args=args, daemon=True)
            self._open[thread] = connection
        thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            # A client that leaves, at any moment, is no fault of the server.
            with contextlib.suppress(OSError), self._secure(connection) as secured:
                self.converse(secured, number)
        finally:
            with self._lock:
                del self._open[threading.current_thread()]

    def _secure(self, connection: socket.socket) -> socket.socket:
        if self._tls is None:
            return connection
        # Known before the handshake, so that closing can cut a client that never shakes hands.
        # Wrapping leaves an empty socket behind, which closing must not find in its place.
        with self._lock:
            secured = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
            self._open[threading.current_thread()] = secured
        try:
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured


def reset_on_close(connection: socket.socket) -> None:
    """Have a connection closed with RST in place of FIN: that is what no linger time means.

    Args:
        connection: The connection, still open.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
