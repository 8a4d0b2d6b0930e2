"""Servers that lie, each in one way and named by its lie: wrappers around an honest peer.

Knows what to spoil in requests, answers and streams; must not know which claims that breaks.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.reference.error_bodies import refuse_hosted
from conformance.reference.exchange import DONE, AnswerPlan, BodyPiece, encode_json, plan_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.reference.exchange import Peer, PeerRequest

    Change = Callable[[Any], Any]

__all__ = [
    "abridges_arguments",
    "always_says_done",
    "answers_in_ascii",
    "answers_in_prose",
    "calls_none_by_their_name",
    "calls_one_tool_at_a_time",
    "counts_no_details",
    "counts_nothing",
    "cuts_long_streams",
    "doubles_usage_in_streams",
    "drops_late_content",
    "fills_optional_fields",
    "finishes_everything",
    "finishes_for_no_reason",
    "forgets_tool_results",
    "gives_each_call_its_own_id",
    "hides_the_cutoff",
    "ignores_json_mode",
    "ignores_stops",
    "ignores_tool_choice",
    "ignores_tools",
    "keeps_logprobs_to_itself",
    "keeps_thoughts_to_itself",
    "leaks_a_second_choice",
    "miscounts_totals",
    "names_another_model",
    "refuses_images",
    "refuses_sound",
    "sends_html_to_later_turns",
    "sends_logprobs_everywhere",
    "streams_whole_answers_at_once",
    "swallows_media",
    "understands_no_schema",
]

_LONG = 40
"""Pieces of a stream."""


def ignores_tools(peer: Peer) -> Peer:
    return _hear(peer, lambda body: _without(body, "tools", "tool_choice"))


def ignores_tool_choice(peer: Peer) -> Peer:
    return _hear(peer, lambda body: _without(body, "tool_choice"))


def calls_one_tool_at_a_time(peer: Peer) -> Peer:
    return _hear(
        peer, lambda body: body | {"parallel_tool_calls": False} if body.get("tools") else body
    )


def forgets_tool_results(peer: Peer) -> Peer:
    def forget(body: Any) -> Any:
        kept = [m for m in body["messages"] if m["role"] != "tool" and "tool_calls" not in m]
        return body | {"messages": kept}

    return _hear(peer, forget)


def understands_no_schema(peer: Peer) -> Peer:
    return _hear(peer, lambda body: _without(body, "response_format"))


def ignores_json_mode(peer: Peer) -> Peer:
    def forget(body: Any) -> Any:
        form = body.get("response_format") or {}
        return _without(body, "response_format") if form.get("type") == "json_object" else body

    return _hear(peer, forget)


def ignores_stops(peer: Peer) -> Peer:
    return _hear(peer, lambda body: _without(body, "stop"))


def swallows_media(peer: Peer) -> Peer:
    def swallow(body: Any) -> Any:
        for message in body["messages"]:
            if isinstance(message.get("content"), list):
                parts = [part for part in message["content"] if part["type"] == "text"]
                message["content"] = parts or "(nothing)"
        return body

    return _hear(peer, swallow)


def refuses_images(peer: Peer) -> Peer:
    return _refuse(peer, b'"image_url"')


def refuses_sound(peer: Peer) -> Peer:
    return _refuse(peer, b'"input_audio"')


def fills_optional_fields(peer: Peer) -> Peer:
    def require(body: Any) -> Any:
        text = json.dumps(body).replace('"guide": {"anyOf"', '"guide_": {"anyOf"')
        text = text.replace('"required": ["city", "days"]', '"required": ["city", "days", "guide"]')
        return json.loads(text.replace('"guide_"', '"guide"'))

    return _hear(peer, require)


def answers_in_prose(peer: Peer) -> Peer:
    def tell(part: Any) -> None:
        if calls := part.pop("tool_calls", None):
            part["content"] = "".join(str(call["function"].get("arguments")) for call in calls)

    return _say_parts(peer, tell)


def answers_in_ascii(peer: Peer) -> Peer:
    return _say_calls(peer, lambda text: text.encode("ascii", "replace").decode())


def abridges_arguments(peer: Peer) -> Peer:
    return _say_calls(peer, lambda text: text.replace("}", ""))


def calls_none_by_their_name(peer: Peer) -> Peer:
    def misname(part: Any) -> None:
        for call in part.get("tool_calls") or ():
            if call["function"].get("name"):
                call["function"]["name"] = "some_tool"

    return _say_parts(peer, misname)


def gives_each_call_its_own_id(peer: Peer) -> Peer:
    def number(part: Any) -> None:
        for at, call in enumerate(part.get("tool_calls") or ()):
            if str(call.get("id")).startswith("functions."):
                call["id"] = f"functions.get_weather:{call.get('index', at)}"

    return _say_parts(peer, number)


def keeps_thoughts_to_itself(peer: Peer) -> Peer:
    def hide(part: Any) -> None:
        for key in ("reasoning", "reasoning_content"):
            part.pop(key, None)

    return _say_parts(peer, hide)


def miscounts_totals(peer: Peer) -> Peer:
    return _say_usage(peer, lambda usage: usage | {"total_tokens": usage["total_tokens"] + 1})


def counts_nothing(peer: Peer) -> Peer:
    return _say_usage(peer, lambda usage: None)


def counts_no_details(peer: Peer) -> Peer:
    return _say_usage(
        peer, lambda usage: _without(usage, "prompt_tokens_details", "completion_tokens_details")
    )


def doubles_usage_in_streams(peer: Peer) -> Peer:
    def double(event: Any) -> Any:
        counts = {k: 2 * v for k, v in (event.get("usage") or {}).items() if isinstance(v, int)}
        return {**event, "usage": {**event["usage"], **counts}} if counts else event

    return lambda request: peer(request).map_events(double)


def leaks_a_second_choice(peer: Peer) -> Peer:
    def leak(payload: Any) -> Any:
        others = [choice | {"index": 1} for choice in payload.get("choices") or ()]
        return payload | {"choices": payload["choices"] + others} if others else payload

    return _say(peer, leak)


def names_another_model(peer: Peer) -> Peer:
    return _say(peer, lambda payload: payload | {"model": "some/other-model"})


def finishes_for_no_reason(peer: Peer) -> Peer:
    return _say_choices(
        peer,
        lambda choice: (
            choice | {"finish_reason": "stop"} if choice.get("finish_reason") else choice
        ),
    )


def finishes_everything(peer: Peer) -> Peer:
    def finish(choice: Any) -> Any:
        return {"finish_reason": "stop"} | choice if "message" in choice else choice

    def last(plan: AnswerPlan) -> AnswerPlan:
        return _map_last(plan, lambda choice: {"finish_reason": "stop"} | choice)

    return lambda request: last(_say_choices(peer, finish)(request))


def keeps_logprobs_to_itself(peer: Peer) -> Peer:
    return _say_choices(peer, lambda choice: _without(choice, "logprobs"))


def sends_logprobs_everywhere(peer: Peer) -> Peer:
    made_up = {"logprobs": {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": []}]}}
    heard = _hear(peer, lambda body: _without(body, "logprobs", "top_logprobs"))
    said = _say_choices(heard, lambda choice: choice | made_up)
    return lambda request: (said if b'"logprobs"' in request.body else peer)(request)


def drops_late_content(peer: Peer) -> Peer:
    def drop(plan: AnswerPlan) -> AnswerPlan:
        finished: list[bool] = []

        def keep(event: Any) -> Any:
            late = bool(finished) and bool(event.get("choices"))
            finished.extend(True for c in event.get("choices") or () if c.get("finish_reason"))
            return None if late else event

        return plan.map_events(keep)

    return lambda request: drop(peer(request))


def cuts_long_streams(peer: Peer) -> Peer:
    def cut(plan: AnswerPlan) -> AnswerPlan:
        long = plan.is_stream and len(plan.pieces) > _LONG
        return replace(plan, pieces=plan.pieces[:_LONG]) if long else plan

    return lambda request: cut(peer(request))


def always_says_done(peer: Peer) -> Peer:
    def end(plan: AnswerPlan) -> AnswerPlan:
        said = plan.says_done or not plan.is_stream
        return plan if said else replace(plan, pieces=(*plan.pieces, BodyPiece(DONE)))

    return lambda request: end(peer(request))


def hides_the_cutoff(peer: Peer) -> Peer:
    def hide(event: Any) -> Any:
        if "cutoff" not in str(event.get("error")):
            return event
        return {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}

    return _say(peer, hide)


def streams_whole_answers_at_once(peer: Peer) -> Peer:
    """Send no event before the last one is known, and all text in the first that has any."""

    def gather(plan: AnswerPlan) -> AnswerPlan:
        parts = [part for event in plan.events for part in _parts(event)]
        texts = [part["content"] for part in parts if part.get("content")]

        def move(part: Any) -> None:
            if part.get("content"):
                part["content"] = "".join(texts)
                texts.clear()

        return plan.map_events(lambda event: _each_part(event, move))

    return lambda request: gather(peer(request))


def sends_html_to_later_turns(peer: Peer) -> Peer:
    page = plan_bytes(502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>")
    return lambda request: page if b'"role":"assistant"' in request.body else peer(request)


def _without(table: Any, *names: str) -> Any:
    return {key: value for key, value in table.items() if key not in names}


def _hear(peer: Peer, change: Change) -> Peer:
    def answer(request: PeerRequest) -> AnswerPlan:
        if not request.body:
            return peer(request)
        return peer(replace(request, body=encode_json(change(request.json()))))

    return answer


def _refuse(peer: Peer, mark: bytes) -> Peer:
    refusal = refuse_hosted(400, "This is not supported.", wrapped=False)
    return lambda request: refusal if mark in request.body else peer(request)


def _say(peer: Peer, change: Change) -> Peer:
    return lambda request: peer(request).map_json(change).map_events(change)


def _say_choices(peer: Peer, change: Change) -> Peer:
    def alter(payload: Any) -> Any:
        return payload | {"choices": [change(choice) for choice in payload.get("choices") or ()]}

    return _say(peer, lambda payload: alter(payload) if "choices" in payload else payload)


def _say_parts(peer: Peer, change: Callable[[Any], None]) -> Peer:
    return _say(peer, lambda payload: _each_part(payload, change))


def _each_part(payload: Any, change: Callable[[Any], None]) -> Any:
    for part in _parts(payload):
        change(part)
    return payload


def _parts(payload: Any) -> Iterator[Any]:
    for choice in payload.get("choices") or ():
        yield from (choice[name] for name in ("message", "delta") if choice.get(name))


def _say_calls(peer: Peer, change: Callable[[str], str]) -> Peer:
    def alter(part: Any) -> None:
        for call in part.get("tool_calls") or ():
            if call["function"].get("arguments"):
                call["function"]["arguments"] = change(call["function"]["arguments"])

    return _say_parts(peer, alter)


def _say_usage(peer: Peer, change: Change) -> Peer:
    def alter(payload: Any) -> Any:
        return payload | {"usage": change(payload["usage"])} if payload.get("usage") else payload

    return _say(peer, alter)


def _map_last(plan: AnswerPlan, change: Change) -> AnswerPlan:
    said = len(plan.events)
    counted = iter(range(1, said + 1))

    def alter(event: Any) -> Any:
        if next(counted) == said:
            return event | {"choices": list(map(change, event.get("choices") or ()))}
        return event

    return plan.map_events(alter)
