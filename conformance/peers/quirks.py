"""What engines behind a dedicated deployment word otherwise than the one that the peer speaks as.

One row a quirk: where it was seen, how the reference answer is reworded, how it must end for the
client. Only rewording: a quirk never says anything else. Must not know the client.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from conformance.peers.exchange import (
    DONE,
    AnswerPlan,
    BodyPiece,
    encode_event,
    plan_bytes,
    plan_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["QUIRKS", "Quirk"]

Ends: TypeAlias = Literal["same", "aborted", "cut", "refused", "unreadable"]
Change: TypeAlias = "Callable[[AnswerPlan], AnswerPlan]"


@dataclass(frozen=True, slots=True)
class Quirk:
    """One way of wording.

    Attributes:
        seen: The engine, and how it came to it.
        change: Rewords the reference answer, streamed or whole.
        ends: For the client: the same answer, one that was broken off, a cut stream, an error of
            the service, a body that is no answer.
        status: Of the error, where the service names one.
        says: What the error must repeat.
    """

    seen: str
    change: Change
    ends: Ends = "same"
    status: int | None = None
    says: str = ""


def _in_deltas(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change each delta of a stream, and each message of a whole answer, in place."""

    def reword(payload: Any) -> Any:
        for choice in payload["choices"]:
            change(choice["delta"] if "delta" in choice else choice["message"])
        return payload

    return lambda plan: plan.map_events(reword).map_json(reword)


def _in_calls(change: Callable[[dict[str, Any], int], object]) -> Change:
    """Change each piece of a call in place, given how many pieces of it came before."""

    def reword(plan: AnswerPlan) -> AnswerPlan:
        told: dict[Any, int] = {}

        def number(delta: dict[str, Any]) -> None:
            for at, call in enumerate(delta.get("tool_calls") or ()):
                place = call.get("index", at)
                change(call, told.get(place, 0))
                told[place] = told.get(place, 0) + 1

        return _in_deltas(number)(plan)

    return reword


def _remember_names() -> Change:
    def reword(plan: AnswerPlan) -> AnswerPlan:
        known: dict[int, tuple[str, str]] = {}

        def repeat(call: dict[str, Any], told: int) -> None:
            place, function = call.get("index", 0), call["function"]
            if not told:
                known[place] = call["id"], function["name"]
            call["id"], function["name"] = known[place]

        return _in_calls(repeat)(plan)

    return reword


def _null_continuations(call: dict[str, Any], told: int) -> None:
    if told:
        call.update(id=None, type="function")
        call["function"]["name"] = None


def _number_calls(delta: dict[str, Any]) -> None:
    for at, call in enumerate(delta.get("tool_calls") or ()):
        call.setdefault("index", at)


def _double_reasoning(delta: dict[str, Any]) -> None:
    delta["reasoning_content"] = delta.get("reasoning")


def _rename_reasoning(delta: dict[str, Any]) -> None:
    if "reasoning" in delta:
        delta["reasoning_content"] = delta.pop("reasoning")


def _pack_events(plan: AnswerPlan) -> AnswerPlan:
    """Join the deltas of one call into one event, and its finish reason with it."""
    if not plan.is_stream:
        return plan
    packed: list[dict[str, Any]] = []
    for place, group in groupby(plan.events, _find_call):
        events = list(group)
        if place is not None:
            calls = [c for e in events for c in e["choices"][0]["delta"]["tool_calls"]]
            events[0]["choices"][0]["delta"]["tool_calls"] = calls
            finish = events[-1]["choices"][0]["finish_reason"]
            packed.append(_finish(events[0], finish))
        else:
            packed += events
    return replace(plan, pieces=tuple(BodyPiece(p) for p in [*map(encode_event, packed), DONE]))


def _find_call(event: dict[str, Any]) -> int | None:
    calls = [c for choice in event["choices"] for c in choice["delta"].get("tool_calls") or ()]
    return calls[0]["index"] if calls else None


def _finish(event: dict[str, Any], reason: str | None) -> dict[str, Any]:
    event["choices"][0]["finish_reason"] = reason
    return event


def _join_pieces(plan: AnswerPlan) -> AnswerPlan:
    return replace(plan, pieces=(BodyPiece(plan.body),))


def _retype(plan: AnswerPlan, kind: str = "application/octet-stream") -> AnswerPlan:
    headers = ((n, kind if n == "content-type" else v) for n, v in plan.headers)
    return replace(plan, headers=tuple(headers)) if plan.is_stream else plan


def _comment(plan: AnswerPlan) -> AnswerPlan:
    if not plan.is_stream:
        return plan
    data = [piece.data for piece in plan.pieces]
    return replace(plan, pieces=tuple(BodyPiece(d) for one in data for d in (b":\n\n", one)))


def _add_blank_deltas(plan: AnswerPlan) -> AnswerPlan:
    if not plan.is_stream:
        return plan
    blank = {**plan.events[0], "choices": [{"index": 0, "delta": {"content": ""}}]}
    middle = len(plan.pieces) // 2
    pieces = [*plan.pieces[:middle], BodyPiece(encode_event(blank)), *plan.pieces[middle:]]
    return replace(plan, pieces=tuple(pieces))


def _add_timings(payload: Any) -> Any:
    payload["timings"] = {"prompt_n": 1, "prompt_ms": 0.6, "predicted_n": 13, "predicted_ms": 2.4}
    return payload


def _null_usage(payload: Any) -> Any:
    payload.setdefault("usage", None)
    return payload


def _fresh_ids(plan: AnswerPlan) -> AnswerPlan:
    at = count()
    return plan.map_events(lambda event: event | {"id": f"{event['id']}-{next(at)}"})


def _repeat_as_function(delta: dict[str, Any]) -> None:
    for call in (delta.get("tool_calls") or ())[:1]:
        delta["function_call"] = dict(call["function"])


def _begin_calls_at_once(plan: AnswerPlan) -> AnswerPlan:
    """Put the first piece of a call's arguments beside its id and name."""
    if not plan.is_stream:
        return plan
    held: list[dict[str, Any]] = []
    for event in plan.events:
        calls = [c for choice in event["choices"] for c in choice["delta"].get("tool_calls") or ()]
        before = held[-1]["choices"][0]["delta"].get("tool_calls") if held else None
        if calls and before and before[0].get("id") and "arguments" not in before[0]["function"]:
            before[0]["function"]["arguments"] = calls[0]["function"]["arguments"]
            continue
        held.append(event)
    pieces = (*map(encode_event, held), DONE)
    return replace(plan, pieces=tuple(map(BodyPiece, pieces)))


def _count_twice(payload: Any) -> Any:
    if usage := payload.get("usage"):
        usage["reasoning_tokens"] = usage["completion_tokens_details"]["reasoning_tokens"]
    return payload


def _fail_inside(*events: dict[str, Any]) -> Change:
    pieces = (*(BodyPiece(encode_event(event)) for event in events), BodyPiece(DONE))
    return lambda plan: replace(plan, pieces=plan.pieces[:6] + pieces) if plan.is_stream else plan


def _abort(plan: AnswerPlan) -> AnswerPlan:
    if not plan.is_stream:
        return plan
    last = {**plan.events[0], "choices": [{"index": 0, "delta": {}, "finish_reason": "abort"}]}
    return replace(plan, pieces=(*plan.pieces[:6], BodyPiece(encode_event(last)), BodyPiece(DONE)))


def _refuse(status: int, body: Any, **headers: str) -> Change:
    return lambda plan: plan_json(status, body, headers)


def _send(body: bytes, kind: str, status: int = 200) -> Change:
    return lambda plan: plan_bytes(status, kind, body)


def _stop_early(plan: AnswerPlan, *last: bytes) -> AnswerPlan:
    if not plan.is_stream:
        return plan
    return replace(plan, pieces=(*plan.pieces[:6], *map(BodyPiece, last)))


_DIED = {
    "message": "EngineCore encountered an issue. See stack trace (above) for the root cause.",
    "type": "InternalServerError",
    "param": None,
    "code": 500,
}
_MISSING = {"message": "The model `nope` does not exist.", "type": "NotFoundError", "code": 404}
_OVERFLOW = "request (8014 tokens) exceeds the available context size (2048 tokens)"

QUIRKS: Mapping[str, Quirk] = {
    "one-delta-many-pieces": Quirk("vLLM 0.32, --stream-interval 20: tools", _pack_events),
    "null-continuations": Quirk(
        "SGLang 0.5: later pieces of a call", _in_calls(_null_continuations)
    ),
    "name-in-every-piece": Quirk("llama-cpp-python: forced calls", _remember_names()),
    "numbered-calls": Quirk("SGLang 0.5: whole calls carry an index", _in_deltas(_number_calls)),
    "both-reasoning-keys": Quirk("vLLM 0.11", _in_deltas(_double_reasoning)),
    "other-reasoning-key": Quirk("SGLang 0.5, transformers serve", _in_deltas(_rename_reasoning)),
    "null-usage": Quirk("SGLang 0.5: tools", lambda plan: plan.map_events(_null_usage)),
    "reasoning-counted-twice": Quirk(
        "SGLang 0.5: also beside the details",
        lambda plan: plan.map_events(_count_twice).map_json(_count_twice),
    ),
    "fresh-ids": Quirk("SGLang 0.5: choices with ids of their own", _fresh_ids),
    "timings": Quirk(
        "llama.cpp: its own measurements",
        lambda plan: plan.map_events(_add_timings).map_json(_add_timings),
    ),
    "legacy-call-beside": Quirk(
        "llama-cpp-python: forced calls, told twice", _in_deltas(_repeat_as_function)
    ),
    "call-begins-at-once": Quirk(
        "llama.cpp: id, name and first arguments in one delta", _begin_calls_at_once
    ),
    "blank-deltas": Quirk("vLLM 0.11: a character split over tokens", _add_blank_deltas),
    "one-read": Quirk("nginx of Truss' docker server: all events at once", _join_pieces),
    "octet-stream": Quirk("Truss 0.18, predict: events under another type", _retype),
    "comments": Quirk("llama.cpp after SIGTERM: comment lines", _comment),
    "dies-inside": Quirk(
        "vLLM 0.32, engine killed: an event, then [DONE]",
        _fail_inside({"error": _DIED}),
        ends="refused",
        status=500,
        says="EngineCore encountered an issue",
    ),
    "aborted": Quirk("vLLM 0.32 after SIGTERM: a finish of its own", _abort, ends="aborted"),
    "ends-quietly": Quirk("Truss 0.18, a generator that raises", _stop_early, ends="cut"),
    "comment-then-closed": Quirk(
        "llama.cpp after SIGTERM",
        lambda plan: replace(_stop_early(plan, b":\n\n"), ending="abort"),
        ends="cut",
    ),
    "nothing-at-all": Quirk(
        "Truss 0.18, raises before its first piece",
        _send(b"", "application/octet-stream"),
        ends="unreadable",
    ),
    "no-events-at-all": Quirk(
        "llama-cpp-python: a prompt that is too long",
        _send(b"", "text/event-stream"),
        ends="unreadable",
    ),
    "raw-text": Quirk(
        "Truss 0.18, predict: a generator of text",
        _send(b"Hello! How can I help you today?", "application/octet-stream"),
        ends="unreadable",
    ),
    "bare-error": Quirk(
        "Truss 0.18, predict: the engine's refusal passed on with 200",
        _send(encode_event({"error": _MISSING})[6:].strip(), "application/octet-stream"),
        ends="refused",
        status=404,
        says="The model `nope` does not exist.",
    ),
    "flat-error": Quirk(
        "SGLang 0.5",
        _refuse(400, {"object": "error", "message": "Bad n.", "type": "BadRequest", "code": 400}),
        ends="refused",
        status=400,
        says="Bad n.",
    ),
    "list-of-details": Quirk(
        "transformers serve",
        _refuse(422, {"detail": [{"loc": ["body", "n"], "msg": "Field n is odd", "type": "x"}]}),
        ends="refused",
        status=422,
        says="Field n is odd",
    ),
    "detail": Quirk(
        "every FastAPI server: unknown paths",
        _refuse(404, {"detail": "Not Found"}),
        ends="refused",
        status=404,
        says="Not Found",
    ),
    "plain-text-error": Quirk(
        "vLLM 0.11, SGLang 0.5: bodies that are no object",
        _send(b"Internal Server Error", "text/plain; charset=utf-8", 500),
        ends="refused",
        status=500,
        says="Internal Server Error",
    ),
    "loading": Quirk(
        "Truss 0.18 while it loads",
        _refuse(503, {"error": "Model with name model is not ready."}),
        ends="refused",
        status=503,
        says="is not ready",
    ),
    "user-code-raised": Quirk(
        "Truss 0.18: the model's own code",
        _refuse(500, {"error": "Internal Server Error (in model/chainlet)."}),
        ends="refused",
        status=500,
        says="in model/chainlet",
    ),
    "no-parsers": Quirk(
        "vLLM 0.32 without parsers",
        _refuse(
            400,
            {"error": {"message": '"auto" tool choice requires --enable-auto-tool-choice'}},
        ),
        ends="refused",
        status=400,
        says="--enable-auto-tool-choice",
    ),
    "overflow-by-type": Quirk(
        "llama.cpp",
        _refuse(
            400,
            {"error": {"code": 400, "message": _OVERFLOW, "type": "exceed_context_size_error"}},
        ),
        ends="refused",
        status=400,
        says=_OVERFLOW,
    ),
}
"""Name to quirk."""
