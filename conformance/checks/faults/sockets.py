"""Small servers on loopback that follow a script: one thread for each connection.

Knows sockets, and where a request ends; must not know what a request means or who sent it.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

_READ_SIZE = 65_536
_JOIN_SECONDS = 5.0
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Line:
    """One accepted connection, as a script sees it.

    Attributes:
        number: 1 for the first connection of the server.
    """

    def __init__(self, server: ScriptServer, connection: socket.socket, number: int) -> None:
        self.number = number
        self._server = server
        self._connection = connection
        self._unread = b""

    def request(self) -> bytes | None:
        """Return the next request, head and body; None when the client has gone."""
        while (whole := _length(self._unread)) is None or len(self._unread) < whole:
            data = self._connection.recv(_READ_SIZE)
            if not data:
                return None
            self._unread += data
        request, self._unread = self._unread[:whole], self._unread[whole:]
        self._server.requests.append(request)
        return request

    def send(self, *pieces: bytes) -> None:
        """Write bytes."""
        for piece in pieces:
            self._connection.sendall(piece)

    def answer(self, *pieces: bytes) -> None:
        """Read a request, then write bytes."""
        self.request()
        self.send(*pieces)

    def pause(self, seconds: float) -> bool:
        """Wait; tell whether there is a reason to go on, which a closing server ends."""
        return not self._server.stopping.wait(seconds)

    def sees_close(self, seconds: float = 5.0) -> bool:
        """Wait for the client to go; tell whether it did, and have the server note it."""
        self._connection.settimeout(seconds)
        try:
            while self._connection.recv(_READ_SIZE):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass  # A reset is a close as well.
        self._server.releases.release()
        return True

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def shut(self) -> None:
        """Say that nothing more will be written, and go on listening."""
        self._connection.shutdown(socket.SHUT_WR)


Script: TypeAlias = "Callable[[Line], object]"
"""Runs one connection; when it returns, the connection is closed."""


class ScriptServer:
    """Serves a script on 127.0.0.1 for the length of a `with` block.

    Attributes:
        port: Where it listens.
        url: Base URL, with `/v1`.
        requests: Every request read, in order of arrival.
        connections: Number of connections accepted so far.
        releases: Released once for each client that a script saw go.
        stopping: Set when the server closes.

    Args:
        script: What each connection does.
        tls: Context for https; None for http.
        port: Where to listen; 0 for a free port.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.releases = threading.Semaphore(0)
        self.stopping = threading.Event()
        self._script = script
        self._tls = tls
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._waker, self._wake = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'' if tls is None else 's'}://127.0.0.1:{self.port}/v1"

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
            RuntimeError: A script did not end within five seconds.
        """
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._wake.send(b"x")
        self._acceptor.join(_JOIN_SECONDS)
        for connection in self._threads.values():
            # The client, or the script, may have gone first.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        for opened in (self._listener, self._waker, self._wake):
            opened.close()
        if any(thread.is_alive() for thread in self._threads):
            raise RuntimeError("a script did not end")

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while True:
                selector.select()
                if self.stopping.is_set():
                    return
                self._start(self._listener.accept()[0])

    def _start(self, connection: socket.socket) -> None:
        self.connections += 1
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=self._serve, args=(connection, self.connections))
        self._threads[thread] = connection
        thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        # A client that leaves, at any moment, is no fault of the server.
        with contextlib.suppress(OSError), connection:
            if self._tls is None:
                self._script(Line(self, connection, number))
                return
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._script(Line(self, secured, number))


Serve: TypeAlias = "Callable[..., ScriptServer]"
"""`serve_script(script, **settings)`: starts a server that ends with the check."""


def unused_port() -> int:
    """Return a port on loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _length(data: bytes) -> int | None:
    head, found, _ = data.partition(b"\r\n\r\n")
    if not found:
        return None
    length = _LENGTH.search(head)
    return len(head) + 4 + (int(length[1]) if length else 0)
