"""Broken servers, each with one defect and named by it: wrappers around the reference server.

Knows what to spoil in requests, answers and streams; must not know which claims that breaks.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.reference.error_bodies import refuse_hosted
from conformance.reference.exchange import DONE, AnswerPlan, BodyChunk, encode_json, plan_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.reference.exchange import ReceivedRequest, Responder

    Change = Callable[[Any], Any]

_LONG = 40
"""Pieces of a stream."""


def ignores_tools(responder: Responder) -> Responder:
    return _hear(responder, lambda body: _without(body, "tools", "tool_choice"))


def ignores_tool_choice(responder: Responder) -> Responder:
    return _hear(responder, lambda body: _without(body, "tool_choice"))


def calls_one_tool_at_a_time(responder: Responder) -> Responder:
    return _hear(
        responder, lambda body: body | {"parallel_tool_calls": False} if body.get("tools") else body
    )


def forgets_tool_results(responder: Responder) -> Responder:
    def forget(body: Any) -> Any:
        turns = body.get("messages", ())
        kept = [m for m in turns if m["role"] != "tool" and "tool_calls" not in m]
        return body | {"messages": kept}

    return _hear(responder, forget)


def ignores_system_messages(responder: Responder) -> Responder:
    def forget(body: Any) -> Any:
        kept = [message for message in body.get("messages", ()) if message["role"] != "system"]
        return body | {"messages": kept} if kept else body

    return _hear(responder, forget)


def understands_no_schema(responder: Responder) -> Responder:
    return _hear(responder, lambda body: _without(body, "response_format"))


def ignores_json_mode(responder: Responder) -> Responder:
    def forget(body: Any) -> Any:
        form = body.get("response_format") or {}
        return _without(body, "response_format") if form.get("type") == "json_object" else body

    return _hear(responder, forget)


def ignores_stops(responder: Responder) -> Responder:
    return _hear(responder, lambda body: _without(body, "stop"))


def swallows_media(responder: Responder) -> Responder:
    def swallow(body: Any) -> Any:
        for message in body.get("messages", ()):
            if isinstance(message.get("content"), list):
                parts = [part for part in message["content"] if part["type"] == "text"]
                message["content"] = parts or "(nothing)"
        return body

    return _hear(responder, swallow)


def refuses_images(responder: Responder) -> Responder:
    return _refuse(responder, b'"image_url"')


def refuses_sound(responder: Responder) -> Responder:
    return _refuse(responder, b'"input_audio"')


def reads_text_parts_alone(responder: Responder) -> Responder:
    def forget(body: Any) -> Any:
        turns = [
            turn | {"content": [part for part in turn["content"] if part["type"] == "text"]}
            if isinstance(turn.get("content"), list)
            else turn
            for turn in body.get("messages", ())
        ]
        return body | {"messages": turns} if turns else body

    return _hear(responder, forget)


def fills_optional_fields(responder: Responder) -> Responder:
    def require(body: Any) -> Any:
        text = json.dumps(body).replace('"guide": {"anyOf"', '"guide_": {"anyOf"')
        text = text.replace('"required": ["city", "days"]', '"required": ["city", "days", "guide"]')
        return json.loads(text.replace('"guide_"', '"guide"'))

    return _hear(responder, require)


def answers_in_prose(responder: Responder) -> Responder:
    def tell(part: Any) -> None:
        if calls := part.pop("tool_calls", None):
            part["content"] = "".join(str(call["function"].get("arguments")) for call in calls)

    return _say_parts(responder, tell)


def answers_in_ascii(responder: Responder) -> Responder:
    return _say_calls(responder, lambda text: text.encode("ascii", "replace").decode())


def abridges_arguments(responder: Responder) -> Responder:
    return _say_calls(responder, lambda text: text.replace("}", ""))


def calls_none_by_their_name(responder: Responder) -> Responder:
    def misname(part: Any) -> None:
        for call in part.get("tool_calls") or ():
            if call["function"].get("name"):
                call["function"]["name"] = "some_tool"

    return _say_parts(responder, misname)


def gives_each_call_its_own_id(responder: Responder) -> Responder:
    def number(part: Any) -> None:
        for at, call in enumerate(part.get("tool_calls") or ()):
            if str(call.get("id")).startswith("functions."):
                call["id"] = f"functions.get_weather:{call.get('index', at)}"

    return _say_parts(responder, number)


def keeps_thoughts_to_itself(responder: Responder) -> Responder:
    def hide(part: Any) -> None:
        for key in ("reasoning", "reasoning_content"):
            part.pop(key, None)

    return _say_parts(responder, hide)


def miscounts_totals(responder: Responder) -> Responder:
    return _say_usage(responder, lambda usage: usage | {"total_tokens": usage["total_tokens"] + 1})


def counts_nothing(responder: Responder) -> Responder:
    return _say_usage(responder, lambda usage: None)


def counts_no_details(responder: Responder) -> Responder:
    return _say_usage(
        responder,
        lambda usage: _without(usage, "prompt_tokens_details", "completion_tokens_details"),
    )


def doubles_usage_in_streams(responder: Responder) -> Responder:
    def double(event: Any) -> Any:
        counts = {k: 2 * v for k, v in (event.get("usage") or {}).items() if isinstance(v, int)}
        return {**event, "usage": {**event["usage"], **counts}} if counts else event

    return lambda request: responder(request).map_events(double)


def leaks_a_second_choice(responder: Responder) -> Responder:
    def leak(payload: Any) -> Any:
        others = [choice | {"index": 1} for choice in payload.get("choices") or ()]
        return payload | {"choices": payload["choices"] + others} if others else payload

    return _say(responder, leak)


def names_another_model(responder: Responder) -> Responder:
    return _say(responder, lambda payload: payload | {"model": "some/other-model"})


def finishes_for_no_reason(responder: Responder) -> Responder:
    return _say_choices(
        responder,
        lambda choice: (
            choice | {"finish_reason": "stop"} if choice.get("finish_reason") else choice
        ),
    )


def finishes_everything(responder: Responder) -> Responder:
    def finish(choice: Any) -> Any:
        return {"finish_reason": "stop"} | choice if "message" in choice else choice

    def last(plan: AnswerPlan) -> AnswerPlan:
        return _map_last(plan, lambda choice: {"finish_reason": "stop"} | choice)

    return lambda request: last(_say_choices(responder, finish)(request))


def keeps_logprobs_to_itself(responder: Responder) -> Responder:
    return _say_choices(responder, lambda choice: _without(choice, "logprobs"))


def sends_logprobs_everywhere(responder: Responder) -> Responder:
    made_up = {"logprobs": {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": []}]}}
    observed = _hear(responder, lambda body: _without(body, "logprobs", "top_logprobs"))
    altered = _say_choices(observed, lambda choice: choice | made_up)
    return lambda request: (altered if b'"logprobs"' in request.body else responder)(request)


def drops_late_content(responder: Responder) -> Responder:
    def drop(plan: AnswerPlan) -> AnswerPlan:
        finished: list[bool] = []

        def keep(event: Any) -> Any:
            late = bool(finished) and bool(event.get("choices"))
            finished.extend(True for c in event.get("choices") or () if c.get("finish_reason"))
            return None if late else event

        return plan.map_events(keep)

    return lambda request: drop(responder(request))


def cuts_long_streams(responder: Responder) -> Responder:
    def cut(plan: AnswerPlan) -> AnswerPlan:
        long = plan.is_stream and len(plan.chunks) > _LONG
        return replace(plan, chunks=plan.chunks[:_LONG]) if long else plan

    return lambda request: cut(responder(request))


def always_says_done(responder: Responder) -> Responder:
    def end(plan: AnswerPlan) -> AnswerPlan:
        ended = plan.says_done or not plan.is_stream
        return plan if ended else replace(plan, chunks=(*plan.chunks, BodyChunk(DONE)))

    return lambda request: end(responder(request))


def hides_the_cutoff(responder: Responder) -> Responder:
    def hide(event: Any) -> Any:
        if "cutoff" not in str(event.get("error")):
            return event
        return {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}

    return _say(responder, hide)


def streams_all_text_again(responder: Responder) -> Responder:
    def grow(plan: AnswerPlan) -> AnswerPlan:
        reported: list[str] = []

        def repeat(part: Any) -> None:
            if part.get("content"):
                reported.append(part["content"])
                part["content"] = "".join(reported)

        return plan.map_events(lambda event: _each_part(event, repeat))

    return lambda request: grow(responder(request))


def streams_parts_of_letters(responder: Responder) -> Responder:
    def cut(part: Any) -> None:
        if part.get("content"):
            part["content"] = (
                part["content"].encode("ascii", "replace").decode().replace("?", "\ufffd")
            )

    return lambda request: responder(request).map_events(lambda event: _each_part(event, cut))


def streams_whole_answers_at_once(responder: Responder) -> Responder:
    """Send no event before the last one is known, and all text in the first that has any."""

    def gather(plan: AnswerPlan) -> AnswerPlan:
        parts = [part for event in plan.events for part in _parts(event)]
        texts = [part["content"] for part in parts if part.get("content")]

        def move(part: Any) -> None:
            if part.get("content"):
                part["content"] = "".join(texts)
                texts.clear()

        return plan.map_events(lambda event: _each_part(event, move))

    return lambda request: gather(responder(request))


def sends_html_to_later_turns(responder: Responder) -> Responder:
    page = plan_bytes(502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>")
    return lambda request: page if b'"role":"assistant"' in request.body else responder(request)


def _without(table: Any, *names: str) -> Any:
    return {key: value for key, value in table.items() if key not in names}


def _hear(responder: Responder, change: Change) -> Responder:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        if not request.body:
            return responder(request)
        return responder(replace(request, body=encode_json(change(request.json()))))

    return answer


def _refuse(responder: Responder, mark: bytes) -> Responder:
    refusal = refuse_hosted(400, "This is not supported.", wrapped=False)
    return lambda request: refusal if mark in request.body else responder(request)


def _say(responder: Responder, change: Change) -> Responder:
    return lambda request: responder(request).map_json(change).map_events(change)


def _say_choices(responder: Responder, change: Change) -> Responder:
    def alter(payload: Any) -> Any:
        return payload | {"choices": [change(choice) for choice in payload.get("choices") or ()]}

    return _say(responder, lambda payload: alter(payload) if "choices" in payload else payload)


def _say_parts(responder: Responder, change: Callable[[Any], None]) -> Responder:
    return _say(responder, lambda payload: _each_part(payload, change))


def _each_part(payload: Any, change: Callable[[Any], None]) -> Any:
    for part in _parts(payload):
        change(part)
    return payload


def _parts(payload: Any) -> Iterator[Any]:
    for choice in payload.get("choices") or ():
        yield from (choice[name] for name in ("message", "delta") if choice.get(name))


def _say_calls(responder: Responder, change: Callable[[str], str]) -> Responder:
    def alter(part: Any) -> None:
        for call in part.get("tool_calls") or ():
            if call["function"].get("arguments"):
                call["function"]["arguments"] = change(call["function"]["arguments"])

    return _say_parts(responder, alter)


def _say_usage(responder: Responder, change: Change) -> Responder:
    def alter(payload: Any) -> Any:
        return payload | {"usage": change(payload["usage"])} if payload.get("usage") else payload

    return _say(responder, alter)


def _map_last(plan: AnswerPlan, change: Change) -> AnswerPlan:
    length = len(plan.events)
    counted = iter(range(1, length + 1))

    def alter(event: Any) -> Any:
        if next(counted) == length:
            return event | {"choices": list(map(change, event.get("choices") or ()))}
        return event

    return plan.map_events(alter)
