"""Guard every request on its way out: send, judge, wait and send again, as a policy decides.

Knows the transports of HTTP libraries. `RecordingGuard` is the policy while cassettes are recorded;
the one for somebody's own service is `services.budget`. Must not know VCR, cassettes or checks.
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

__all__ = ["PASSING", "WAKING", "RecordingGuard", "StoppedError", "TransportGuard", "read_wait"]

_REFUSALS = {401, 403}
_TOO_MANY = 429
WAKING = frozenset({502, 503, 504})
"""Statuses of what may be there in a moment, such as a deployment that wakes up."""
PASSING = WAKING | {_TOO_MANY}
"""Statuses of what may be asked for again."""
_LONGEST_WAIT = 120.0
_ATTEMPTS = 8
_SETBACKS = 3
_LOST = errors("TransportError")
_SILENT = errors("ReadTimeout")


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


class StoppedError(BaseException):
    """A request got no response; the message says why. No check can catch it as a failure."""


class RecordingGuard(TransportGuard):
    """Waits out 429, stops when the key is refused or the service is gone, notes who responded.

    Attributes:
        hosts: Who responded since `begin`: hosts over TLS by name, others as `http://host`.
        sent: How many requests were sent in all.
        stopped: Why nothing is sent any more; empty while all is well.

    Args:
        report: Called with what is being waited for, each request among it.
        patient: Whether a check that is refused or cut off costs that check alone. Even then
            nothing is sent after three in a row, or before anything was ever answered.
        silence: Seconds for which a service may be silent; None for as long as the client waits.
    """

    def __init__(
        self, report: Callable[[str], None], *, patient: bool = False, silence: float | None = None
    ) -> None:
        super().__init__(silence)
        self.hosts: set[str] = set()
        self.sent = 0
        self.stopped = ""
        self._report = report
        self._patient = patient
        self._answered = False
        self._setbacks = 0

    def begin(self) -> None:
        """Forget who responded before: the next cassette begins."""
        self.hosts = set()

    def admit(self, request: Request) -> None:
        """Count a request, and shorten its read timeout.

        Raises:
            StoppedError: Nothing is sent any more.
        """
        if self.stopped:
            raise StoppedError(self.stopped)
        self.sent += 1
        self._report(f"request {self.sent} is out")
        self.limit_silence(request)

    def judge_error(self, request: Request, error: Exception, attempt: int) -> float:
        """Raise StoppedError: what was sent and lost is not sent again."""
        if isinstance(error, _SILENT):
            raise self._miss(f"the service was silent for too long at request {self.sent}")
        kind = type(error).__name__
        raise self._miss(f"the service was lost at request {self.sent}: {kind}") from error

    def judge_response(self, request: Request, response: Response, attempt: int) -> float:
        """Return the seconds to wait after 429, 0 for any other response.

        Raises:
            StoppedError: The key is refused, or the wait is too long.
        """
        self.hosts.add(_name_host(request))
        status = response.status_code
        if status in _REFUSALS:
            raise self._miss(
                f"request {self.sent} was refused with {status}: the key is wrong, or may not use "
                "this model"
            )
        if status != _TOO_MANY:
            self._answered, self._setbacks = True, 0
            return 0.0
        wait = read_wait(response.headers.get("retry-after"), attempt)
        if wait > _LONGEST_WAIT or attempt + 1 == _ATTEMPTS:
            raise self._stop(
                f"request {self.sent} was limited with 429 for the {attempt + 1}. time, the next "
                f"try in {wait:.1f} s; record again later, or less at once with --claim and --lane"
            )
        self._report(f"429: waiting {wait:.1f} s")
        return wait

    def _miss(self, why: str) -> StoppedError:
        """Return what ends the check, or the run if it is time for that."""
        self._setbacks += 1
        if self._patient and self._answered and self._setbacks < _SETBACKS:
            return StoppedError(why)
        return self._stop(f"{why}; nothing was sent after it")

    def _stop(self, why: str) -> StoppedError:
        self.stopped = self.stopped or why
        return StoppedError(self.stopped)


def _name_host(request: Request) -> str:
    url = request.url
    return url.host if url.scheme == "https" else f"{url.scheme}://{url.host}"


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
