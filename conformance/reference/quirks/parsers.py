"""What becomes of calls and thoughts where an engine's parsers are missing or find none."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from conformance.reference.error_bodies import refuse_by_engine
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import (
    in_bodies,
    in_calls,
    in_events,
    in_runs,
    read_requested,
    reword,
)
from conformance.reference.tokens import split_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.reference.exchange import AnswerPlan, ReceivedRequest, Responder
    from conformance.reference.quirks.rewording import Payload

__all__ = ["PARSERS"]

_AUTO = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
_STRING = re.compile(r': "([^"]*)"')


def _without_parsers(responder: Responder) -> Responder:
    inline = _keep_thoughts_inline(responder)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = inline(request)
        refusal = _refuse_tools(read_requested(request)) if plan.status < 400 else None
        return refusal or plan

    return answer


def _refuse_tools(requested: Payload) -> AnswerPlan | None:
    choice = requested.get("tool_choice") or "auto"
    if not requested.get("tools") or choice == "none":
        return None
    named = f"function {_quote(choice['function']['name'])}" if isinstance(choice, dict) else None
    reported = f"tool_choice={named or _quote(choice)} requires --tool-call-parser to be set"
    return refuse_by_engine(_AUTO if choice == "auto" else reported)


def _quote(name: str) -> str:
    return f'"{name}"'


def _tell_thoughts(message: dict[str, Any]) -> None:
    if message.get("reasoning"):
        text = f"<think>{message['reasoning']}</think>{message.get('content') or ''}"
        message.update(content=text, reasoning=None)


def _inline_whole(body: Payload) -> Payload:
    for choice in body["choices"]:
        _tell_thoughts(choice["message"])
    return body | {"usage": body["usage"] | {"completion_tokens_details": None}}


def _inline_run(run: Sequence[Payload]) -> Iterator[Payload]:
    for thinks, events in groupby(run, lambda event: "reasoning" in event["choices"][0]["delta"]):
        reported = list(events)
        if thinks:
            tokens = [event["choices"][0]["delta"]["reasoning"] for event in reported]
            for token in ("<think>", *tokens, "</think>"):
                yield _with_delta(reported[0], {"content": token})
        else:
            yield from (
                _with_delta(e, e["choices"][0]["delta"] or {"content": ""}) for e in reported
            )


def _with_delta(event: Payload, delta: dict[str, Any]) -> Payload:
    return event | {"choices": [event["choices"][0] | {"delta": delta}]}


def _count_no_thoughts(event: Payload) -> Payload:
    (event.get("usage") or {}).pop("completion_tokens_details", None)
    return event


_keep_thoughts_inline = reword(
    in_bodies(_inline_whole), in_runs(_inline_run), in_events(_count_no_thoughts)
)


def _misspell(arguments: str) -> str:
    """Forget the quotes around each value."""
    return _STRING.sub(r": \1", arguments)


def _tell_raw_calls(body: Payload) -> Payload:
    for choice in body["choices"]:
        calls = [call["function"] for call in choice["message"].pop("tool_calls", ())]
        raw = "\n".join(
            f'<tool_call>\n{{"name": "{call["name"]}", "arguments": '
            f"{_misspell(call['arguments'])}}}\n</tool_call>"
            for call in calls
        )
        if calls:
            choice["message"]["content"] = f"{choice['message'].get('content') or ''}{raw}"
            choice["finish_reason"] = "stop"
    return body


def _place_of_arguments(event: Payload) -> tuple[int, int] | None:
    choice = event["choices"][0]
    calls = [c for c in choice["delta"].get("tool_calls") or () if c["function"].get("arguments")]
    return (choice["index"], calls[0]["index"]) if calls else None


def _misspell_run(run: Sequence[Payload]) -> Iterator[Payload]:
    for place, events in groupby(run, _place_of_arguments):
        reported = list(events)
        if place is None:
            yield from reported
            continue
        calls = [event["choices"][0]["delta"]["tool_calls"][0] for event in reported]
        arguments = "".join(call["function"]["arguments"] for call in calls)
        # The brace that closes the call around them is taken for one of theirs.
        for token in split_tokens(f"{_misspell(arguments)}}}"):
            chunk = calls[0] | {"function": calls[0]["function"] | {"arguments": token}}
            yield _with_delta(reported[0], {"content": None, "tool_calls": [chunk]})


def _name_another(call: dict[str, Any], _: dict[str, Any] | None) -> None:
    if call["function"].get("name"):
        call["function"]["name"] = "no_such_tool"


PARSERS: Mapping[str, Quirk] = {
    "no-parsers": Quirk(
        "vLLM 0.32 without parsers", _without_parsers, ends="refused", status=400, says=_AUTO
    ),
    "thoughts-inline": Quirk("vLLM 0.32 without parsers", _keep_thoughts_inline, ends="otherwise"),
    "malformed-call": Quirk(
        "vLLM 0.32: whole it is text, streamed it is a call",
        reword(in_bodies(_tell_raw_calls), in_runs(_misspell_run)),
        ends="otherwise",
    ),
    "unknown-tool": Quirk(
        "vLLM 0.32: passed on", reword(in_calls(_name_another)), ends="otherwise"
    ),
}
"""Name to quirk."""
