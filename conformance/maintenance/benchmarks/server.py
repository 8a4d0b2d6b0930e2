"""The benchmark's server, in its own process, so that its cost is not measured.

Prints its port, serves until its standard input ends, and never outlives its parent.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from typing import cast

from conformance.maintenance.benchmarks.scenarios import Scenario, render_reply, render_stream

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection, kept alive between requests."""

    def __init__(self) -> None:
        self._unread = b""
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        head, found, rest = self._unread.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if found and len(rest) >= size:
            self._unread = rest[size:]
            self._task = asyncio.get_running_loop().create_task(self._respond(rest[:size]))

    async def _respond(self, content: bytes) -> None:
        body = json.loads(content)
        if not body.get("stream"):
            reply = render_reply(body)
            self._transport.write(_JSON % len(reply) + reply)
            return
        scenario = Scenario.parse(body["model"])
        self._transport.write(_SSE)
        for part in render_stream(scenario):
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part))
            if scenario.pace:
                await asyncio.sleep(scenario.pace)
        self._transport.write(b"0\r\n\r\n")


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    over = asyncio.Event()
    threading.Thread(target=_wait_for_end, args=(loop, over), daemon=True).start()
    await over.wait()


def _wait_for_end(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(over.set)


if __name__ == "__main__":
    asyncio.run(_serve())
