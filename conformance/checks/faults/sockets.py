"""Small servers on loopback that follow a script: one thread for each connection.

Knows sockets, and where a request ends; must not know what a request means or who sent it.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TypeAlias

from conformance.reference.listener import Listener, reset_on_close

_READ_SIZE = 65_536
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

    def send(self, *chunks: bytes) -> None:
        """Write bytes."""
        for chunk in chunks:
            self._connection.sendall(chunk)

    def answer(self, *chunks: bytes) -> None:
        """Read a request, then write bytes."""
        self.request()
        self.send(*chunks)

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
        reset_on_close(self._connection)
        self._connection.close()

    def shut(self) -> None:
        """Say that nothing more will be written, and go on listening."""
        self._connection.shutdown(socket.SHUT_WR)


Script: TypeAlias = "Callable[[Line], object]"
"""Runs one connection; when it returns, the connection is closed."""


class ScriptServer(Listener):
    """Serves a script on 127.0.0.1 for the length of a `with` block.

    Attributes:
        url: Base URL, with `/v1`.
        requests: Every request read, in order of arrival.
        releases: Released once for each client that a script saw go.

    Args:
        script: What each connection does.
        tls: Context for https; None for http.
        port: Where to listen; 0 for a free port.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        super().__init__(tls=tls, port=port)
        self.requests: list[bytes] = []
        self.releases = threading.Semaphore(0)
        self.url = f"{self.root}/v1"
        self._script = script

    def converse(self, connection: socket.socket, number: int) -> None:
        """Run the script."""
        self._script(Line(self, connection, number))


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
