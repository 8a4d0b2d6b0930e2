"""Which observations in recorded exchanges prove which claim; pure.

Knows requests and answers as recorded, and the claims' ids; must not know the client, nor how an
exchange is played. An observation counts only if its exchange reached the application whole, sync
and async: whoever plays it sees to that.

Left out is what playing a recording cannot show: tokens that arrive one by one, time limits, chains
such as `with_structured_output`, and claims about every parameter or every status.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from conformance.maintenance.corpus import oracle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.maintenance.corpus.oracle import Call, Content, Json

__all__ = ["CONTRADICTIONS", "PROOFS", "Exchange"]


@dataclass(frozen=True)
class Exchange:
    """A recorded exchange of a chat model.

    Attributes:
        request: The request body.
        status: The HTTP status.
        body: The answer's body.
        expected: What the oracle reads in the answer.
    """

    request: Json
    status: int
    body: str
    expected: Content

    @cached_property
    def events(self) -> list[Json]:
        """The answer's JSON objects: those of a stream, or the one document."""
        texts = oracle.payloads(self.body) if self.streamed and self.status < 400 else [self.body]
        return [event for text in texts if (event := oracle.parse_object(text)) is not None]

    @property
    def streamed(self) -> bool:
        """Whether the request asked for a stream."""
        return bool(self.request.get("stream"))

    @property
    def answered(self) -> bool:
        """Whether the answer is a message."""
        return self.expected.failure is None


Observation: TypeAlias = Callable[[Exchange], bool]


def _invoked(seen: Observation) -> Observation:
    return lambda e: not e.streamed and e.answered and seen(e)


def _streamed(seen: Observation) -> Observation:
    return lambda e: e.streamed and e.answered and seen(e)


def _both(seen: Observation) -> tuple[Observation, ...]:
    return (_invoked(seen), _streamed(seen))


# --- calls ----------------------------------------------------------------------------------------


def _list_calls(exchange: Exchange) -> list[Call]:
    return [c for c in exchange.expected.calls if c.args is not None and c.name]


def _shares_an_id(exchange: Exchange) -> bool:
    ids = [call.ids for call in _list_calls(exchange)]
    return len(set(ids)) < len(ids)


def _forbids_calls(exchange: Exchange) -> bool:
    requested = exchange.request
    forbidden = bool(requested.get("tools")) and requested.get("tool_choice") == "none"
    return forbidden and not exchange.expected.calls


def _list_fragments(exchange: Exchange) -> list[list[Json]]:
    """Return the fragments of each streamed call."""
    found: dict[int, list[Json]] = defaultdict(list)
    for event in exchange.events:
        for part in _read_choice(event).get("delta", {}).get("tool_calls") or []:
            found[part["index"]].append(part)
    return list(found.values())


def _continues_with(test: Callable[[Json, Json], bool]) -> Observation:
    """Return the observation of a later fragment that stands so to the first one."""
    return lambda e: any(test(p[0], later) for p in _list_fragments(e) for later in p[1:])


def _name_in(part: Json) -> Any:
    return (part.get("function") or {}).get("name")


# --- text, reasoning, ends ------------------------------------------------------------------------


def _read_choice(event: Json) -> Json:
    return oracle.first_choice(event) or {}


def _finishes(exchange: Exchange) -> bool:
    return "finish_reason" in exchange.expected.metadata


def _speaks_after_its_end(exchange: Exchange) -> bool:
    choices = [_read_choice(event) for event in exchange.events]
    ends = [n for n, choice in enumerate(choices) if choice.get("finish_reason")]
    later = choices[ends[0] + 1 :] if ends else []
    return any((choice.get("delta") or {}).get("content") for choice in later)


def _breaks_off_with_an_error(exchange: Exchange) -> bool:
    failure = exchange.expected.failure
    return exchange.streamed and exchange.status < 400 and bool(failure and failure.sentence)


def _is_json_without_an_end(exchange: Exchange) -> bool:
    return bool(exchange.request.get("response_format")) and not _finishes(exchange)


def _stops(exchange: Exchange) -> bool:
    stops, expected = exchange.request.get("stop") or [], exchange.expected
    reported = expected.metadata.get("finish_reason") == "stop"
    return (
        bool(stops)
        and reported
        and not any(stop in expected.text + expected.reasoning for stop in stops)
    )


# --- usage ----------------------------------------------------------------------------------------


def _counts(*names: str) -> Observation:
    return lambda e: all((e.expected.usage or {}).get(name) for name in names)


def _list_usages(exchange: Exchange) -> list[Json]:
    return [event for event in exchange.events if event.get("usage")]


def _counts_repeatedly(exchange: Exchange) -> bool:
    return len(_list_usages(exchange)) > 1


def _counts_last_beside(choices: bool) -> Observation:
    return lambda e: _counts_repeatedly(e) and bool(_list_usages(e)[-1].get("choices")) is choices


# --- refusals -------------------------------------------------------------------------------------


def _sends_image(exchange: Exchange) -> bool:
    messages = exchange.request.get("messages") or []
    parts = [part for m in messages if isinstance(m.get("content"), list) for part in m["content"]]
    return any(part.get("type") == "image_url" for part in parts)


def _asks_for_logprobs(exchange: Exchange) -> bool:
    return bool(exchange.request.get("logprobs"))


def _refuses(exchange: Exchange) -> bool:
    return 400 <= exchange.status < 500


def _fails_in_form(test: Callable[[Json], bool]) -> Observation:
    return lambda e: e.status >= 400 and any(map(test, e.events))


PROOFS: Mapping[str, tuple[Observation, ...]] = {
    "tools.invoke.call": (_invoked(lambda e: bool(_list_calls(e))),),
    "tools.async.call": _both(lambda e: bool(_list_calls(e))),
    "tools.invoke.unicode": (
        _invoked(lambda e: any(not repr(call.args).isascii() for call in _list_calls(e))),
    ),
    "tools.invoke.parallel": (_invoked(lambda e: len(_list_calls(e)) > 1),),
    "tools.invoke.shared-id": (_invoked(_shares_an_id),),
    "tools.invoke.invalid-arguments": (
        _invoked(lambda e: any(call.args is None for call in e.expected.calls)),
    ),
    "tools.choice.none": _both(_forbids_calls),
    "tools.stream.merge-by-index": (
        _streamed(_continues_with(lambda a, b: bool(b.get("id")) and a["id"] != b["id"])),
        _streamed(_continues_with(lambda a, b: a.get("id") == b.get("id"))),
        _streamed(_continues_with(lambda _, b: not b.get("id"))),
        _streamed(_continues_with(lambda _, b: _name_in(b) == "")),
        _streamed(_continues_with(lambda _, b: _name_in(b) is None)),
    ),
    "tools.stream.whole-call": (
        _streamed(lambda e: any(len(parts) == 1 for parts in _list_fragments(e))),
        _streamed(lambda e: any(len(parts) > 1 for parts in _list_fragments(e))),
    ),
    "structured.finish.missing": _both(_is_json_without_an_end),
    "image.model-apis.text-model": (lambda e: _sends_image(e) and _refuses(e),),
    "streaming.text.after-finish": (_streamed(_speaks_after_its_end),),
    "streaming.end.once": (_streamed(lambda e: _finishes(e) and bool(e.expected.usage)),),
    "streaming.end.without-done": (
        _streamed(lambda e: _finishes(e) and "[DONE]" not in oracle.payloads(e.body)),
    ),
    "streaming.end.error-inside": (_breaks_off_with_an_error,),
    "usage.invoke.once": (_invoked(_counts("input_tokens", "output_tokens")),),
    "usage.invoke.details": (_invoked(_counts("cache_read")), _invoked(_counts("reasoning"))),
    "usage.invoke.absent": (_invoked(lambda e: e.expected.usage is None),),
    "usage.stream.once": (_streamed(_counts_repeatedly),),
    "usage.stream.last": (
        _streamed(_counts_last_beside(choices=True)),
        _streamed(_counts_last_beside(choices=False)),
    ),
    "usage.cache.read": _both(_counts("cache_read")),
    "logprobs.model-apis.absent": (
        lambda e: _asks_for_logprobs(e) and (_refuses(e) or e.answered),
    ),
    "metadata.finish.reason": _both(_finishes),
    "reasoning.answer.kept": _both(lambda e: bool(e.expected.reasoning and e.expected.text)),
    "parameters.stop.ends": _both(_stops),
    "errors.sentence.kept": (
        _fails_in_form(lambda body: isinstance(body.get("error"), dict)),
        _fails_in_form(lambda body: isinstance(body.get("error"), str)),
        _fails_in_form(lambda body: isinstance(body.get("message"), str)),
    ),
}
"""Claim id -> the observations that prove it together, each made in at least one exchange."""

CONTRADICTIONS: Mapping[str, Observation] = {
    "image.model-apis.text-model": lambda e: _sends_image(e) and e.answered,
    "logprobs.model-apis.absent": lambda e: "logprobs" in e.expected.metadata,
}
"""Claim id -> an observation that speaks against it: one, and nothing is proven."""
