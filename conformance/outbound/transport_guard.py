"""Guard every request on its way out: send, judge, wait and send again, as a policy decides.

Knows the transports of HTTP libraries. The policies are in `recording.recording_guard`, for the
recording of cassettes, and `services.budget`, for somebody's own service. Must not know VCR,
cassettes or checks.
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from conformance.libraries import errors, stand_before

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from conformance.libraries import Request, Response

__all__ = ["PASSING", "TOO_MANY", "WAKING", "TransportGuard", "read_wait"]

TOO_MANY = 429
WAKING = frozenset({502, 503, 504})
"""Statuses of what may be there in a moment, such as a deployment that wakes up."""
PASSING = WAKING | {TOO_MANY}
"""Statuses of what may be asked for again."""
_LOST = errors("TransportError")


class TransportGuard(ABC):
    """Stands between the client and the network; a subclass is a policy.

    Args:
        silence: Maximum seconds for which a service may be silent; None for as long as the client
            waits.
    """

    def __init__(self, silence: float | None = None) -> None:
        self._silence = silence

    def limit_silence(self, request: Request) -> None:
        """Shorten the read timeout of a request."""
        if self._silence is not None:
            given = request.extensions.get("timeout", {})
            waits = {**given, "read": min(given.get("read") or math.inf, self._silence)}
            request.extensions = {**request.extensions, "timeout": waits}

    @abstractmethod
    def admit(self, request: Request) -> None:
        """Count a request that is about to be sent; raise if it must not be."""

    @abstractmethod
    def judge_error(self, request: Request, error: Exception, attempt: int) -> float:
        """Return the seconds to wait before a request without a response is sent again; or raise.

        Args:
            request: The request.
            error: Transport error of either library.
            attempt: How often the request was sent before.
        """

    def needs_body(self, response: Response) -> bool:
        """Return whether a response is read before it is judged."""
        return False

    @abstractmethod
    def judge_response(self, request: Request, response: Response, attempt: int) -> float:
        """Return the seconds to wait before a request is sent again, 0 to accept; or raise."""

    def accept(self, request: Request, response: Response) -> Response:
        """Return the response that the client gets."""
        return response

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Guard the transports of both libraries for as long as the patch holds."""
        stand_before(patch, self._guard, self._guard_async)

    def _guard(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def handle(transport: Any, request: Request) -> Any:
            attempt = 0
            while True:
                self.admit(request)
                try:
                    response = send(transport, request)
                    if self.needs_body(response):
                        response.read()
                except _LOST as error:
                    wait = self.judge_error(request, error, attempt)
                else:
                    if not (wait := self.judge_response(request, response, attempt)):
                        return self.accept(request, response)
                    response.close()
                time.sleep(wait)
                attempt += 1

        return handle

    def _guard_async(self, send: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_async(transport: Any, request: Request) -> Any:
            attempt = 0
            while True:
                self.admit(request)
                try:
                    response = await send(transport, request)
                    if self.needs_body(response):
                        await response.aread()
                except _LOST as error:
                    wait = self.judge_error(request, error, attempt)
                else:
                    if not (wait := self.judge_response(request, response, attempt)):
                        return self.accept(request, response)
                    await response.aclose()
                await asyncio.sleep(wait)
                attempt += 1

        return handle_async


def read_wait(retry_after: str | None, attempt: int) -> float:
    """Return how many seconds a limited request waits, at least a tenth.

    Args:
        retry_after: The header, in seconds or as a date; anything else counts as absent.
        attempt: How often this request was limited before; doubles the wait without a header.
    """
    try:
        seconds = float(retry_after or "nan")
    except ValueError:
        seconds = _read_date(str(retry_after))
    return 2.0**attempt if math.isnan(seconds) else max(seconds, 0.1)


def _read_date(text: str) -> float:
    """Return how many seconds away a date is; no number for what is none."""
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return math.nan
