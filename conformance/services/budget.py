"""The policy for requests to somebody's own service: its limits, its waits, its count.

Knows what responses cost; a check whose request must not be sent, or that got no response, is
skipped with the reason. Must not know pytest's hooks, checks or lanes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from conformance.libraries import AsyncBody, Body, errors, library_of
from conformance.recording.transport_guard import TransportGuard, read_wait
from conformance.verdicts.costs import count_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Self

    from conformance.libraries import Request, Response
    from conformance.verdicts.costs import Cost

__all__ = ["Limits", "Meter"]

_REFUSALS = {401, 402, 403}
_NOT_FOUND = 404
_LOST = errors("TransportError")
_SILENT = errors("TimeoutException")
_UNREACHED = errors("ConnectTimeout")
_PASSING = {429, 502, 503, 504}
_ATTEMPTS = 4
_LONGEST_WAIT = 60.0
_SILENCES = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may cost: no request is sent once one of them is reached."""

    requests: int = 200
    tokens: int = 50_000

    @classmethod
    def covering(cls, estimate: Cost) -> Self:
        """Return limits that a run of this estimate does not reach if all goes well.

        Half of the requests may be sent again after a wait. Another model counts other tokens and
        may say more than the recorded one: three times as many are left to it.

        Args:
            estimate: What the recorded exchanges of the run's checks cost.
        """
        least = cls()
        return cls(
            max(least.requests, estimate.requests * 3 // 2), max(least.tokens, estimate.tokens * 3)
        )


class Meter(TransportGuard):
    """Keeps a run within its limits.

    Attributes:
        requests: How many requests were sent.
        tokens: What the responses so far have counted, or about that.
        stopped: Why nothing is sent any more; empty while all is well.
        withheld: Why a request got no response, until somebody empties it; no check may pass then.
        limits: When to stop.

    Args:
        limits: When to stop.
        model: The only model that may be requested; empty for any.
    """

    def __init__(self, limits: Limits, model: str = "") -> None:
        self.requests = 0
        self.tokens = 0
        self.stopped = ""
        self.withheld = ""
        self.limits = limits
        self._model = model
        self._answered = False
        self._silences = 0

    def admit(self, request: Request) -> None:
        """Count a request; skip the check if a limit is reached or the model is another one."""
        requested = _read_model(request)
        if self._model and requested != self._model:
            self._withhold(f"asks for another model, {requested!r:.80}")
        if self.stopped:
            self._withhold(self.stopped)
        for name in ("requests", "tokens"):
            limit = getattr(self.limits, name)
            if getattr(self, name) >= limit:
                self._stop(f"the limit of {limit} {name} is spent; --max-{name} sets it")
        self.requests += 1

    def judge_error(self, request: Request, error: Exception, attempt: int) -> float:
        """Return the seconds to wait; skip the check after a silence or the last attempt."""
        kind = type(error).__name__
        host = request.url.netloc.decode("ascii")
        if isinstance(error, _SILENT) and not isinstance(error, _UNREACHED):
            self._silences += 1
            if self._silences == _SILENCES:
                self._stop(f"{host} is silent: {kind}, twice in a row")
            self._withhold(f"{host} gave no answer in time: {kind}")
        if attempt + 1 == _ATTEMPTS:
            self._stop(f"{host} cannot be reached: {kind} in {_ATTEMPTS} attempts")
        return read_wait(None, attempt) / 4

    def judge_response(self, request: Request, response: Response, attempt: int) -> float:
        """Return the seconds to wait, 0 to accept; skip all checks if the service will not work."""
        status, self._silences = response.status_code, 0
        if status in _REFUSALS:
            self._stop(f"the service refuses the key, or what it may cost: HTTP {status}")
        if status == _NOT_FOUND and not self._answered:
            self._stop(f"no such model, or no chat endpoint: HTTP 404 at {request.url.path}")
        if status not in _PASSING:
            self._answered = True
            return 0.0
        wait = read_wait(response.headers.get("retry-after"), attempt)
        if wait > _LONGEST_WAIT or attempt + 1 == _ATTEMPTS:
            self._stop(f"HTTP {status} {attempt + 1} times, and is to wait {wait:.0f} s")
        return wait

    def accept(self, request: Request, response: Response) -> Any:
        """Return the response as it came; its tokens are counted when its body has ended."""
        library, headers = library_of(request), response.headers

        def note(body: bytes) -> None:
            whole = library.Response(response.status_code, headers=headers, content=body)
            sent = request.content.decode("utf-8", "replace")
            self.tokens += count_answer(response.status_code, sent, whole.text)

        return library.Response(
            response.status_code,
            headers=headers,
            stream=_Counted(response.stream, note, self._lose),
            extensions=response.extensions,
        )

    def _lose(self, error: Exception) -> NoReturn:
        self._withhold(f"the connection was lost inside an answer: {type(error).__name__}")

    def _stop(self, why: str) -> NoReturn:
        self.stopped = self.stopped or why
        self._withhold(self.stopped)

    def _withhold(self, why: str) -> NoReturn:
        # Kept as well: on its way through event loops a skip may turn into any other exception.
        self.withheld = self.withheld or why
        pytest.skip(why)


def _read_model(request: Request) -> str:
    try:
        return str(json.loads(request.content)["model"])
    except (ValueError, KeyError, TypeError):
        return ""


class _Counted(Body, AsyncBody):
    """A body that passes its chunks on as they come, and reports once what they were."""

    def __init__(
        self,
        stream: Any,
        note: Callable[[bytes], None],
        lose: Callable[[Exception], NoReturn],
    ) -> None:
        self._stream = stream
        self._note = note
        self._lose = lose
        self._body = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._body += chunk
                yield chunk
        except _LOST as error:
            self._lose(error)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._body += chunk
                yield chunk
        except _LOST as error:
            self._lose(error)

    # Clients close once, however the body ended.
    def close(self) -> None:
        self._note(bytes(self._body))
        self._stream.close()

    async def aclose(self) -> None:
        self._note(bytes(self._body))
        await self._stream.aclose()
