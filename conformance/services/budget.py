"""The policy for requests to somebody's own service: its limits, its waits, its count.

Knows what responses cost; a check whose request must not be sent, or that got no response, is
skipped with the reason. Until something responds as a model does, whatever else responds ends the
run. Must not know pytest's hooks, checks or lanes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from conformance.deadline import Deadline
from conformance.libraries import errors, library_of
from conformance.outbound.transport_guard import PASSING, WAKING, TransportGuard, read_wait
from conformance.services.counted_body import CountedBody
from conformance.services.failures import CLOSED, Failures
from conformance.services.observed import Observed, list_features, list_shown
from conformance.subjects.wire_answers import find_error, find_sentence, read_answer
from conformance.verdicts.costs import count_answer

if TYPE_CHECKING:
    from typing import Self

    from conformance.libraries import Request, Response
    from conformance.verdicts.costs import Cost

__all__ = ["Limits", "Meter"]

_REFUSALS = {401, 402, 403}
_NOT_FOUND = {404, 405, 410}
_REDIRECTS = range(300, 400)
_SUCCESSES = range(200, 300)
_CLIENT_ERRORS = range(400, 500)
_SERVER_ERRORS = range(500, 600)
_ERRORS = range(400, 600)
_INTERNAL = 500
_LOST = errors("TransportError")
_SILENT = errors("TimeoutException")
_UNREACHED = (*errors("ConnectTimeout"), *errors("ConnectError"))
_LIMITED = 429
_UNAVAILABLE = 503
_ATTEMPTS = 4
_WAKING_ATTEMPTS = 6
"""Of a service that has answered nothing yet, and may be waking up: half a minute."""
_LONGEST_WAIT = 60.0
_SILENCES = 2
_MOST_SILENCES = 5
"""In a row, and in all, for a service that is silent in each stream and answers otherwise."""
_LONGEST_ANSWER = 3
"""How many of the longest silences a whole answer may take."""


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
        requests: How many requests were sent; one that is sent again after a wait counts once.
        tokens: What the responses so far have counted, or about that.
        stopped: Why nothing is sent any more; empty while all is well.
        withheld: Why a request got no response, until somebody empties it; no check may pass then.
        elsewhere: Whether nothing was withheld but requests for other models.
        observed: The exchanges since somebody emptied the list.
        accepted: Features of the requests that were answered so far, and what the answers showed.
        failures: What failed though the same was answered at other times.
        stays_open: Whether connections stay open after the last event of a stream, so that
            nothing is waited for behind it.
        limits: When to stop.

    Args:
        limits: When to stop.
        model: The only model that may be requested; empty for any.
        silence: Maximum seconds for which the service may be silent; None for as long as the
            client waits.
        guess: Why the model's name is a guess, since the service lists none; empty if it is not.
    """

    def __init__(
        self, limits: Limits, model: str = "", silence: float | None = None, guess: str = ""
    ) -> None:
        super().__init__(silence)
        self.requests = 0
        self.tokens = 0
        self.stopped = ""
        self.withheld = ""
        self.elsewhere = False
        self.observed: list[Observed] = []
        self.accepted: set[str] = set()
        self.failures = Failures()
        self.stays_open = False
        self.limits = limits
        self._model = model
        self._guess = guess
        self._answered = False
        self._plain = False
        self._silences = 0
        self._all_silences = 0
        self._deadline = Deadline()
        self._open: list[CountedBody] = []

    def end(self) -> None:
        """Stop the clock: nothing of the check is under way any more, though it may be open."""
        self._deadline.end()
        for body in self._open:
            body.tell()

    def begin(self, *, plain: bool = False) -> None:
        """Forget what became of the requests before: the next check begins.

        Args:
            plain: Whether it asks a plain question. What is refused of that is refused of all.
        """
        self.withheld, self.elsewhere = "", False
        self._plain = plain
        self.observed, self._open = [], []

    def admit(self, request: Request) -> None:
        """Count a request; skip the check if a limit is reached or the model is another one."""
        requested = _read_model(request)
        if self._model and requested != self._model:
            self.elsewhere = self.elsewhere or not self.withheld
            self._withhold(f"asks for another model, {requested!r:.80}")
        if self.stopped:
            self._withhold(self.stopped)
        for name in ("requests", "tokens"):
            limit = getattr(self.limits, name)
            if getattr(self, name) >= limit:
                self._stop(f"the limit of {limit} {name} is spent; --max-{name} sets it")
        self.requests += 1
        self.limit_silence(request)
        if self._silence is not None:
            host, longest = request.url.netloc.decode("ascii"), _LONGEST_ANSWER * self._silence
            self._deadline.begin(longest, lambda: self._expire(host, longest))

    def _expire(self, host: str, longest: float) -> NoReturn:
        why = f"{host} sends without an end: no whole answer in {longest:g} s"
        if self._count_silence() or not self._answered:
            self._stop(why)
        self._withhold(why)

    def _count_silence(self) -> str:
        """Return how many there were if this is the last that is waited for; else nothing."""
        self._silences += 1
        self._all_silences += 1
        if self._silences == _SILENCES:
            return ", twice in a row"
        return f", {_MOST_SILENCES} times" if self._all_silences == _MOST_SILENCES else ""

    def judge_error(self, request: Request, error: Exception, attempt: int) -> float:
        """Return the seconds to wait; skip the check after a silence or the last attempt."""
        kind = type(error).__name__
        host = request.url.netloc.decode("ascii")
        if isinstance(error, _SILENT) and not isinstance(error, _UNREACHED):
            often = self._count_silence()
            if not self._answered:
                self._stop(f"{host} takes requests and does not answer: {kind}{self._tell_wait()}")
            if often:
                self._stop(f"{host} is silent: {kind}{self._tell_wait()}{often}")
            self._withhold(f"{host} gave no answer in time: {kind}{self._tell_wait()}")
        if attempt + 1 == _ATTEMPTS:
            far = isinstance(error, _UNREACHED)
            what = "cannot be reached" if far else "closes connections without a whole answer"
            why = f" ({error!s:.200})" if far else ""
            self._stop(f"{host} {what}: {kind} in {_ATTEMPTS} attempts{why}")
        self.requests -= 1
        if self._answered:
            self.failures.kinds[CLOSED] += 1
        return read_wait(None, attempt) / 4

    def _tell_wait(self) -> str:
        return f" after {self._silence:g} s (--max-silence)" if self._silence is not None else ""

    def needs_body(self, response: Response) -> bool:
        """Tell whether a response may end the run, so that the reason is in its body."""
        return response.status_code in _REFUSALS or not (self._answered or _is_stream(response))

    def _rejects_guess(self, status: int) -> bool:
        """Tell whether a guessed model's name may be all that a service rejects."""
        return bool(self._guess) and status in _CLIENT_ERRORS and status not in PASSING

    def _find_obstacle(self, request: Request, response: Response, status: int) -> str:
        """Return why the first response is no model's; empty if it may be one."""
        if not self._rejects_guess(status):
            return _find_stranger(request, response, status)
        path = request.url.path
        or_else = f"there is no chat endpoint at {path}, or " if status in _NOT_FOUND else ""
        return (
            f"{self._guess}; {or_else}the model {self._model!r}, a name derived from the URL, is "
            f"rejected: {_tell(response)}; name the model with --model"
        )

    def judge_response(self, request: Request, response: Response, attempt: int) -> float:
        """Return the seconds to wait, 0 to accept; skip all checks if the service will not work."""
        status = response.status_code if self._answered else _read_status(response)
        if status in _REFUSALS:
            self._stop(f"the service refuses the key, or what it may cost: {_tell(response)}")
        if not self._answered and (reason := self._find_obstacle(request, response, status)):
            self._stop(reason)
        if self._plain and not self._answered and status in _CLIENT_ERRORS and status != _LIMITED:
            self.stopped = f"the service refuses a plain question: {_tell(response)}"
        if status not in PASSING and (self._answered or status not in _SERVER_ERRORS):
            self._answered = True
            return 0.0
        wait = read_wait(response.headers.get("retry-after"), attempt)
        waking = not self._answered and status in WAKING
        if wait > _LONGEST_WAIT or attempt + 1 == (_WAKING_ATTEMPTS if waking else _ATTEMPTS):
            reported = (
                f"HTTP {status}" if self._answered else f"nothing but errors: {_tell(response)}"
            )
            long = f", and is to wait {wait:.0f} s" if wait > _LONGEST_WAIT else ""
            self._stop(f"{reported} ({attempt + 1} times{long})")
        self.requests -= 1
        self._deadline.end()  # A wait is no silence.
        if self._answered and status in WAKING - {_UNAVAILABLE}:
            self.failures.kinds[f"HTTP {status}"] += 1
        return wait

    def accept(self, request: Request, response: Response) -> Any:
        """Return the response as it came; its tokens are counted when its body has ended."""
        library, stream = library_of(request), response.stream
        headers: Any = response.headers
        if response.is_stream_consumed:  # What was read was decoded.
            headers = [pair for pair in headers.items() if pair[0] != "content-encoding"]
            stream = library.ByteStream(response.content)

        def note(body: bytes, **end: bool) -> None:
            whole = library.Response(response.status_code, headers=headers, content=body)
            sent = request.content.decode("utf-8", "replace")
            observed = Observed(response.status_code, sent, whole.text, **end)
            self.observed.append(observed)
            self.tokens += count_answer(observed.status, sent, observed.response)
            if not self.withheld:
                self._silences = 0
            if observed.answers and not observed.breaks_off:
                self.accepted |= list_features(sent) | list_shown(observed)
            self.stopped = self.stopped or self.failures.note(observed, self.accepted)

        self._open.append(CountedBody(stream, note, self))
        return library.Response(
            response.status_code,
            headers=headers,
            stream=self._open[-1],
            extensions=response.extensions,
        )

    def loses(self, error: Exception, *, complete: bool) -> bool:
        """Tell whether an answer lacks its end; skip the check for one that fell silent.

        Args:
            error: How it stopped.
            complete: Whether its last event came: a service may then leave the connection open.
        """
        if complete:
            self.stays_open = isinstance(error, _SILENT)
            return False
        if isinstance(error, _SILENT):
            kind = type(error).__name__
            why = f"the service is silent inside an answer: {kind}{self._tell_wait()}"
            if often := self._count_silence():
                self._stop(f"{why}{often}")
            self._withhold(why)
        return True

    def leave(self, idle: float) -> None:
        """Note that a client left a stream in which nothing but comments came for too long."""
        if self._silence is not None and idle >= self._silence and not self.withheld:
            why = f"nothing but comments came in a stream for {self._silence:g} s (--max-silence)"
            self.withheld = why
            if often := self._count_silence():
                self.stopped = self.stopped or f"{why}{often}"

    def _stop(self, why: str) -> NoReturn:
        self.stopped = self.stopped or why
        self._withhold(self.stopped)

    def _withhold(self, why: str) -> NoReturn:
        # Kept as well: on its way through event loops a skip may turn into any other exception.
        self.withheld = self.withheld or why
        pytest.skip(why)


def _is_stream(response: Response) -> bool:
    return bool(response.headers.get("content-type", "").lower().startswith("text/event-stream"))


def _read_status(response: Response) -> int:
    """Return the status of the first response, or of the error that stands in the place of it."""
    status = int(response.status_code)
    if status not in _SUCCESSES or _is_stream(response):
        return status
    error = find_error(response.text)
    if error is None:
        return status
    return error.code if error.code in _ERRORS else _INTERNAL


def _find_stranger(request: Request, response: Response, status: int) -> str:
    """Return why the first that answered is no model's service; empty if it may be one."""
    path = request.url.path
    if status in _NOT_FOUND:
        return f"no such model, or no chat endpoint at {path}: {_tell(response)}"
    if status in _REDIRECTS:
        where = response.headers.get("location", "nowhere")
        return f"HTTP {status}: {path} redirects to {where:.200}; give the URL that it leads to"
    requested = request.method == "POST" and status in _SUCCESSES
    if not requested or _is_stream(response) or read_answer(response.text).choices:
        return ""
    if response.text.lstrip().startswith("<"):
        return f"a page in the place of an answer at {path}, such as a login's: {_tell(response)}"
    return f"what answers at {path} is no chat completion: {_tell(response)}"


def _tell(response: Response) -> str:
    """Return a status with what the service says in its own words."""
    return f"HTTP {response.status_code}: {find_sentence(response.text):.300}".removesuffix(": ")


def _read_model(request: Request) -> str:
    try:
        return str(json.loads(request.content)["model"])
    except (ValueError, KeyError, TypeError):
        return ""
