"""How many tokens an event carries: deltas joined as an engine joins them that sends several."""

from __future__ import annotations

import operator
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import in_runs, reword

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conformance.reference.quirks.rewording import Payload

__all__ = ["PACKINGS", "pack"]


def pack(run: Sequence[Payload], size: int) -> Iterator[Payload]:
    """Join the deltas of each choice, `size` at a time; the finish joins the last ones.

    Args:
        run: Events of one choice each. The first of a choice stays alone: it names the role.
        size: Most deltas in one event.

    Yields:
        The joined events.
    """
    held: dict[int, list[Payload]] = {}
    for event in run:
        choice = event["choices"][0]
        if choice["index"] not in held:
            held[choice["index"]] = []
            yield event
            continue
        waiting = held[choice["index"]]
        waiting.append(event)
        if len(waiting) == size or choice.get("finish_reason"):
            yield reduce(_join_events, waiting)
            waiting.clear()
    # Not every stream says why it ends.
    yield from (reduce(_join_events, waiting) for waiting in held.values() if waiting)


def _join_events(one: Payload, other: Payload) -> Payload:
    first, last = one["choices"][0], other["choices"][0]
    logprobs = _join_tables(first.get("logprobs") or {}, last.get("logprobs") or {})
    reported = {"logprobs": logprobs or None} if "logprobs" in last else {}
    delta = _join_tables(first["delta"], last["delta"])
    return other | {"choices": [last | {"delta": delta} | reported]}


def _join_tables(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**one, **other}
    for key, value in one.items():
        if value is not None:
            more = other.get(key)
            joined[key] = value if more is None else _JOINS.get(key, _keep)(value, more)
    # In the engine's order of keys, which happens to be that of the alphabet.
    return dict(sorted(joined.items()))


def _join_calls(one: list[Payload], other: list[Payload]) -> list[Payload]:
    """Join two lists of chunks; what a call goes on with is one chunk, its name another."""
    if not (one and other and _goes_on(one[-1], other[0])):
        return one + other
    reported, more = one[-1]["function"], other[0]["function"]
    arguments = (reported.get("arguments") or "") + (more.get("arguments") or "")
    return [*one[:-1], one[-1] | {"function": reported | {"arguments": arguments}}, *other[1:]]


def _goes_on(one: Payload, other: Payload) -> bool:
    named = one["function"].get("name") or other["function"].get("name")
    return not named and one["index"] == other["index"]


def _keep(one: Any, _: Any) -> Any:
    return one


_JOINS: Mapping[str, Callable[[Any, Any], Any]] = {
    # The text of a delta, and the entries of its log probabilities.
    "content": operator.add,
    "reasoning": operator.add,
    "reasoning_content": operator.add,
    "tool_calls": _join_calls,
}

PACKINGS: Mapping[str, Quirk] = {
    "one-delta-many-pieces": Quirk(
        "vLLM 0.32, --stream-interval 20", reword(in_runs(partial(pack, size=20)))
    ),
}
"""Name to quirk."""
