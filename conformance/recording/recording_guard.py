"""The policy while cassettes are recorded: what is waited for, what ends the run, who responded.

Knows what a response means for a recording. Must not know VCR, cassettes or checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.libraries import errors
from conformance.outbound.transport_guard import TOO_MANY, TransportGuard, read_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.libraries import Request, Response

__all__ = ["RecordingGuard", "StoppedError"]

_REFUSALS = {401, 403}
_LONGEST_WAIT = 120.0
_ATTEMPTS = 8
_SETBACKS = 3
_SILENT = errors("ReadTimeout")


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
        if status != TOO_MANY:
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
