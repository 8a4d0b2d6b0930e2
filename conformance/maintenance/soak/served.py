"""The soak's server, seen from the process that soaks: started, asked, restarted, ended.

Knows the child process and its pipes; must not know what the server does with a request.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Counts", "Served"]


@dataclass(frozen=True)
class Counts:
    """What the server saw so far.

    Attributes:
        requests: Requests.
        connections: Connections accepted.
        cookies: Requests that carried a cookie.
        busy: Open connections inside a request or a response, at this moment.
        idle: Open connections that rest, at this moment.
    """

    requests: int = 0
    connections: int = 0
    cookies: int = 0
    busy: int = 0
    idle: int = 0


class Served:
    """The server for the length of a `with` block.

    Attributes:
        url: Its base URL, with `/v1`.
    """

    url: str

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "conformance.maintenance.soak.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
        )
        self.url = f"http://127.0.0.1:{self._read()['port']}/v1"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._child:
            self._pipe(self._child.stdin).close()
            self._child.terminate()

    def count(self) -> Counts:
        """Return what the server saw so far."""
        return Counts(**self._order("count"))

    def restart(self, seconds: float) -> None:
        """Cut every connection and listen to nobody for so many seconds, then on the same port."""
        self._order(f"restart {seconds}")

    def _order(self, order: str) -> dict[str, Any]:
        with self._lock:
            pipe = self._pipe(self._child.stdin)
            pipe.write(f"{order}\n")
            pipe.flush()
            return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._pipe(self._child.stdout).readline()
        if not line:
            raise RuntimeError(f"the soak's server ended with {self._child.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        assert pipe is not None
        return pipe
