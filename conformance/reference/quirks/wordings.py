"""The same answer in other words: keys, ids and counts that another engine has or lacks."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import (
    in_answers,
    in_calls,
    in_deltas,
    in_events,
    in_runs,
    reword,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.reference.exchange import AnswerPlan
    from conformance.reference.quirks.rewording import Payload

__all__ = ["WORDINGS"]


def _null_continuations(call: dict[str, Any], begun: dict[str, Any] | None) -> None:
    if begun:
        call.update(id=None, type="function")
        call["function"]["name"] = None


def _repeat_name(call: dict[str, Any], begun: dict[str, Any] | None) -> None:
    if begun:
        call["id"], call["function"]["name"] = begun["id"], begun["function"]["name"]


def _number_calls(part: dict[str, Any]) -> None:
    for at, call in enumerate(part.get("tool_calls") or ()):
        call.setdefault("index", at)


def _double_reasoning(part: dict[str, Any]) -> None:
    part.setdefault("reasoning_content", part.get("reasoning"))


def _rename_reasoning(part: dict[str, Any]) -> None:
    if "reasoning" in part:
        part["reasoning_content"] = part.pop("reasoning")


def _repeat_as_function(part: dict[str, Any]) -> None:
    for call in (part.get("tool_calls") or ())[:1]:
        part["function_call"] = dict(call["function"])


def _null_usage(event: Payload) -> Payload:
    event.setdefault("usage", None)
    return event


def _count_twice(payload: Payload) -> Payload:
    if usage := payload.get("usage"):
        usage["reasoning_tokens"] = usage["completion_tokens_details"]["reasoning_tokens"]
    return payload


def _fresh_ids(plan: AnswerPlan) -> AnswerPlan:
    at = count()
    return in_events(lambda event: event | {"id": f"{event['id']}-{next(at)}"})(plan)


def _add_blank_delta(run: Sequence[Payload]) -> Iterator[Payload]:
    middle = len(run) // 2
    choice = {"index": run[0]["choices"][0]["index"], "delta": {"content": ""}}
    yield from run[:middle]
    yield run[0] | {"choices": [choice]}
    yield from run[middle:]


WORDINGS: Mapping[str, Quirk] = {
    "null-continuations": Quirk(
        "SGLang 0.5: later pieces of a call", reword(in_calls(_null_continuations))
    ),
    "name-in-every-piece": Quirk("llama-cpp-python: forced calls", reword(in_calls(_repeat_name))),
    "numbered-calls": Quirk(
        "SGLang 0.5: whole calls carry an index", reword(in_deltas(_number_calls))
    ),
    "both-reasoning-keys": Quirk("vLLM 0.11", reword(in_deltas(_double_reasoning))),
    "other-reasoning-key": Quirk(
        "SGLang 0.5, transformers serve", reword(in_deltas(_rename_reasoning))
    ),
    "null-usage": Quirk("SGLang 0.5: tools", reword(in_events(_null_usage))),
    "reasoning-counted-twice": Quirk(
        "SGLang 0.5: also beside the details", reword(in_answers(_count_twice))
    ),
    "fresh-ids": Quirk("SGLang 0.5: choices with ids of their own", reword(_fresh_ids)),
    "legacy-call-beside": Quirk(
        "llama-cpp-python: forced calls, told twice", reword(in_deltas(_repeat_as_function))
    ),
    "blank-deltas": Quirk(
        "vLLM 0.11: a character split over tokens", reword(in_runs(_add_blank_delta))
    ),
}
"""Name to quirk."""
