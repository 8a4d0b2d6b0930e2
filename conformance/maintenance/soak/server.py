"""The soak's server: behaves as each request says, counts, and restarts on the same port.

It is a process of its own, so that what the soaking process holds is none of the server's, and it
ends with its standard input. Knows the reference server's sockets, and the pipes to this process.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.maintenance.process import Process
from conformance.maintenance.soak.behaviours import BEHAVIOURS, read_request
from conformance.reference.server import LoopbackServer

if TYPE_CHECKING:
    import socket

    import h11

    from conformance.reference.exchange import AnswerPlan, ReceivedRequest

__all__ = ["ServerProcess"]


class ServerProcess(Process):
    """The server's process for the length of a `with` block; `url` ends in `/v1`."""

    def __init__(self) -> None:
        super().__init__(sys.executable, "soak.server")
        self.url = f"http://127.0.0.1:{self.hello['port']}/v1"

    def count(self) -> Counter[str]:
        """Return the number of `requests`, `connections` and `cookies` so far.

        `unfinished` are the connections on which a response is now being written.
        """
        return Counter(self.ask({}))

    def restart(self, seconds: float) -> None:
        """Drop every connection, accept none for so many seconds, then listen again."""
        self.ask({"away": seconds})


class _Server(LoopbackServer):
    """Listens until the next restart.

    Args:
        counts: The counts, and how often each response was requested; they outlive a restart.
        port: Where to listen; 0 for a free port.
    """

    def __init__(self, counts: Counter[str], port: int = 0) -> None:
        super().__init__(self._respond, port=port, keep=False)
        self._counts = counts
        self._counts["unfinished"] = 0

    def converse(self, connection: socket.socket, number: int) -> None:
        """Behave as each request says until the client leaves, or a behaviour ends it."""
        self._add("connections", 1)
        super().converse(connection, number)

    def _add(self, name: str, number: int) -> int:
        with self._lock:
            self._counts[name] += number
            return self._counts[name]

    def _respond(self, received: ReceivedRequest) -> AnswerPlan:
        request = read_request(received)
        self._add("requests", 1)
        self._add("cookies", received.header("cookie") is not None)
        attempts = self._add(" ".join(request.nonces), 1)
        return BEHAVIOURS[request.behaviour].respond(replace(request, retry=attempts > 1))

    def _write(self, http: h11.Connection, connection: socket.socket, plan: AnswerPlan) -> None:
        self._add("unfinished", 1)
        try:
            if plan.status:
                super()._write(http, connection, plan)
            else:
                for chunk in plan.chunks:
                    self.stopping.wait(chunk.delay)
                    connection.sendall(chunk.data)
            if plan.ending == "abort":
                connection.recv(1)
        finally:
            self._add("unfinished", -1)


def _serve() -> None:
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        server = stack.enter_context(_Server(counts))
        _print({"port": server.port})
        for line in sys.stdin:
            if away := json.loads(line).get("away"):
                stack.close()
                time.sleep(away)
                server = stack.enter_context(_Server(counts, server.port))
            names = ("requests", "connections", "cookies", "unfinished")
            _print({name: counts[name] for name in names})


def _print(content: dict[str, int]) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    _serve()
