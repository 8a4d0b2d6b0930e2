"""The soak's server: plays conducts, counts, restarts on the same port.

It lives in a process of its own, so that a census of the soaking process counts none of it, and
ends when its standard input does, so that it never outlives its parent. Knows sockets, and the two
pipes between the processes; must not know who is soaked.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import Counter, OrderedDict
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.maintenance.soak.conducts import CONDUCTS, play
from conformance.maintenance.soak.wire import End, read_request
from conformance.reference.listener import Listener, reset_on_close

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from conformance.maintenance.soak.wire import Asked, Step

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_REMEMBERED = 10_000
"""Nonces whose tries are remembered; the oldest are forgotten."""
_READ = 65_536


class Books:
    """What outlives a restart: the counts, and how often each answer was asked for."""

    def __init__(self) -> None:
        self.counts = Counter(requests=0, connections=0, cookies=0)
        self._lock = threading.Lock()
        self._tries: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def admit(self, asked: Asked) -> Asked:
        """Count a request, and tell it how often it was tried before."""
        with self._lock:
            self.counts["requests"] += 1
            self.counts["cookies"] += asked.cookie
            tries = self._tries.pop(asked.nonces, 0)
            self._tries[asked.nonces] = tries + 1
            if len(self._tries) > _REMEMBERED:
                self._tries.popitem(last=False)
        known = asked.conduct if asked.conduct in CONDUCTS else "plain"
        return replace(asked, tries=tries, conduct=known)


class Stage(Listener):
    """Where conducts are played until the next restart.

    Args:
        books: What outlives it.
        port: Where to listen; 0 for a free port.
    """

    def __init__(self, books: Books, port: int = 0) -> None:
        super().__init__(port=port)
        self._books = books
        self._busy: set[int] = set()

    def count(self) -> dict[str, int]:
        """Return the counts, with the connections that are inside a request or a response."""
        return {**self._books.counts, "busy": len(self._busy)}

    def converse(self, connection: socket.socket, number: int) -> None:
        """Play the conduct of each request until the client leaves, or a script ends it."""
        self._books.counts["connections"] += 1
        unread = b""
        try:
            while found := self._read(connection, number, unread):
                head, body, unread = found
                asked = self._books.admit(read_request(head, body))
                if not self._play(connection, play(asked)):
                    return
        finally:
            self._busy.discard(number)

    def _read(
        self, connection: socket.socket, number: int, unread: bytes
    ) -> tuple[bytes, bytes, bytes] | None:
        """Return the next request, head and body, and what came after it; None if none comes."""
        while True:
            head, found, rest = unread.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if found and len(rest) >= size:
                return head, rest[:size], rest[size:]
            if not unread:
                self._busy.discard(number)
            if not (data := connection.recv(_READ)):
                return None
            self._busy.add(number)
            unread += data

    def _play(self, connection: socket.socket, steps: Iterable[Step]) -> bool:
        """Take the steps of a script; tell whether the connection is open afterwards."""
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, float):
                # Ends at once when the server closes.
                self.stopping.wait(step)
            else:
                if step is End.LINGER:
                    connection.recv(_READ)
                elif step is End.CUT:
                    reset_on_close(connection)
                return False
        return True


def _serve() -> None:
    books = Books()
    with ExitStack() as opened:
        stage = opened.enter_context(Stage(books))
        _say({"port": stage.port})
        for order in sys.stdin:
            if away := json.loads(order).get("away"):
                opened.close()
                time.sleep(away)
                stage = opened.enter_context(Stage(books, stage.port))
            _say(stage.count())


def _say(what: dict[str, int]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _serve()
