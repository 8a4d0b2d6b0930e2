"""The soak's server, in a process of its own: plays conducts, counts, restarts on the same port.

Knows sockets and the two pipes to its parent; must not know who is soaked. It ends when its
standard input does, so it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import threading
from collections import Counter, OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from conformance.maintenance.soak.conducts import CONDUCTS, play
from conformance.maintenance.soak.wire import Cut, Linger, Pause, Shut, read_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.maintenance.soak.wire import Asked, Step

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_REMEMBERED = 10_000
"""Nonces whose tries are remembered; the oldest are forgotten."""


class House:
    """What all connections of the server share.

    Attributes:
        lines: The open connections.
        counts: Requests, connections and cookies so far.
    """

    def __init__(self) -> None:
        self.lines: set[Line] = set()
        self.counts: Counter[str] = Counter()
        self._tries: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def admit(self, asked: Asked) -> Asked:
        """Count a request, and tell it how often it was tried before."""
        self.counts["requests"] += 1
        self.counts["cookies"] += asked.cookie
        tries = self._tries.pop(asked.nonces, 0)
        self._tries[asked.nonces] = tries + 1
        if len(self._tries) > _REMEMBERED:
            self._tries.popitem(last=False)
        known = asked.conduct if asked.conduct in CONDUCTS else "plain"
        return replace(asked, tries=tries, conduct=known)

    def count(self) -> dict[str, int]:
        """Return the counts, with the connections that rest and those inside a response."""
        busy = sum(line.busy for line in self.lines)
        return {**self.counts, "busy": busy, "idle": len(self.lines) - busy}


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._unread = b""
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def busy(self) -> bool:
        """Whether a response is under way, or half a request has come."""
        return bool(self._unread) or (self._task is not None and not self._task.done())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the house."""
        self._transport = cast("asyncio.Transport", transport)
        self._house.lines.add(self)
        self._house.counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """End the script: the client has gone."""
        self._house.lines.discard(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Wait with further steps."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Play the conduct of a request that is complete."""
        self._unread += data
        self._begin()

    def _begin(self) -> None:
        if self._task is not None and not self._task.done():
            # The client was told all; a script that is about to close reads no further request.
            return
        head, found, rest = self._unread.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if not found or len(rest) < size:
            return
        self._unread = rest[size:]
        asked = self._house.admit(read_request(head, rest[:size]))
        self._task = asyncio.get_running_loop().create_task(self._play(play(asked)))

    async def _play(self, steps: Iterable[Step]) -> None:
        await self._take(steps)
        self._task = None
        self._begin()

    async def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, bytes):
                self._transport.write(step)
                await self._writable.wait()
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Linger):
                await asyncio.Event().wait()
            elif isinstance(step, Cut):
                self._transport.abort()
            elif isinstance(step, Shut):
                self._transport.close()
            if self._transport.is_closing():
                return

    def drop(self) -> None:
        """Cut the connection."""
        self._transport.abort()


class Door:
    """Where the server listens. Not asyncio's: that forgets whom it accepts while it closes.

    Args:
        house: What its connections share.
        port: Where to listen; 0 for a free port.
    """

    def __init__(self, house: House, port: int) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._guests: set[asyncio.Task[object]] = set()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._socket.settimeout(0)
        self._loop.add_reader(self._socket, self._admit)
        self.port: int = self._socket.getsockname()[1]

    def _admit(self) -> None:
        try:
            guest, _ = self._socket.accept()
        except OSError:
            return  # It went away before it was let in.
        coming = self._loop.connect_accepted_socket(lambda: Line(self._house), guest)
        task: asyncio.Task[object] = self._loop.create_task(coming)
        self._guests.add(task)
        task.add_done_callback(self._guests.discard)

    def close(self) -> None:
        """Listen no longer."""
        self._loop.remove_reader(self._socket)
        self._socket.close()


async def _serve() -> None:
    house = House()
    door = Door(house, 0)
    _say({"port": door.port})
    orders: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read_orders, args=(loop, orders), daemon=True).start()
    while order := await orders.get():
        if order.startswith("restart"):
            door.close()
            for line in list(house.lines):
                line.drop()
            await asyncio.sleep(float(order.split()[1]))
            door = Door(house, door.port)
        _say(house.count())


def _read_orders(loop: asyncio.AbstractEventLoop, orders: asyncio.Queue[str]) -> None:
    while True:
        line = sys.stdin.readline()
        loop.call_soon_threadsafe(orders.put_nowait, line)
        if not line:
            return


def _say(what: dict[str, int]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
