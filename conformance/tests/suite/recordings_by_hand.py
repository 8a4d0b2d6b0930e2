"""Recorded exchanges made by hand for each claim that they can prove, and clients with a defect.

Knows chat completions as recorders keep them; must not know what proves what.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.reference import AnswerPlan
from langchain_baseten import ChatBaseten

URL = "https://inference.baseten.co/v1/chat/completions"
ORIGIN = {"repository": "https://github.com/someone/else", "commit": "0123456789abcdef"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
CACHED = {
    **USAGE,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
JSON = {"type": "json_object"}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.1}]}


def call(arguments: str = "{}", call_id: str = "a", name: str | None = "f", index: int = 0) -> Any:
    function = {"arguments": arguments, **({} if name is None else {"name": name})}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def completion(finish: str | None = "stop", usage: Any = USAGE, **message: Any) -> Any:
    """Return an invoked answer."""
    beside = {"logprobs": message.pop("logprobs")} if "logprobs" in message else {}
    fields = {"role": "assistant", "content": None, **message}
    end = {} if finish is None else {"finish_reason": finish}
    choice = {"index": 0, "message": fields, **beside, **end}
    return {"id": "c1", "model": "m", "choices": [choice], **({"usage": usage} if usage else {})}


def chunk(finish: str | None = None, usage: Any = None, **delta: Any) -> Any:
    """Return an event of a stream."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "model": "m", "choices": choices, "usage": usage}


def last(usage: Any = USAGE) -> Any:
    """Return the event that carries the usage alone."""
    return {"id": "c1", "model": "m", "choices": [], "usage": usage}


END = (chunk("stop"), last(), "[DONE]")


def record(
    answer: Any, *, status: int = 200, url: str = URL, origin: Any = ORIGIN, **request: Any
) -> dict[str, Any]:
    """Return a recording; a tuple is a stream, a string a body as it stands."""
    name, kind = request.pop("name", ""), "application/json"
    response = {"complete": request.pop("complete", True)}
    body = answer if isinstance(answer, str) else json.dumps(answer)
    if isinstance(answer, tuple):
        texts = [event if isinstance(event, str) else json.dumps(event) for event in answer]
        body, kind = "".join(f"data: {text}\n\n" for text in texts), "text/event-stream"
        request["stream"] = True
    headers = {"Content-Type": [request.pop("kind", kind)], "Content-Length": ["1"]}
    sent = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **request}
    return {
        "id": name,
        "model": "m",
        "request": {"method": "POST", "url": url, "body": sent},
        "response": {"status": status, "headers": headers, "body": body, **response},
        "provenance": origin,
    }


def write_corpus(folder: Path, *recordings: dict[str, Any]) -> Path:
    """Write recordings where `load` finds them; those without a name get a number."""
    folder.mkdir(exist_ok=True)
    with gzip.open(folder / "cases.jsonl.gz", "wt", encoding="utf-8") as lines:
        for number, line in enumerate(recordings):
            lines.write(json.dumps({**line, "id": line["id"] or f"case-{number}"}) + "\n\n")
    return folder


def swap(old: bytes, new: bytes, **changes: Any) -> Callable[[AnswerPlan], AnswerPlan]:
    """Return an answer's change: other bytes in its body, another status or ending."""
    return lambda plan: replace(plan.with_body(plan.body.replace(old, new)), **changes)


NO_USAGE = swap(json.dumps(USAGE).encode(), b"null")


def with_defect(
    answer: Callable[[AnswerPlan], AnswerPlan] = lambda plan: plan,
    request: Callable[[Any], object] = lambda _: None,
) -> Callable[..., ChatBaseten]:
    """Return a client that gets another answer than was recorded, or sends another request."""

    async def change(sent: Any) -> None:
        request(sent)

    def make(**settings: Any) -> ChatBaseten:
        for name, hook in (("http_client", request), ("http_async_client", change)):
            settings[name].event_hooks["request"].insert(0, hook)
            respond = settings[name]._transport.responder
            settings[name]._transport.responder = lambda requested, whole=respond: answer(
                whole(requested)
            )
        return ChatBaseten(**settings)

    return make


def _called(*calls: Any, **request: Any) -> dict[str, Any]:
    return record(completion("tool_calls", tool_calls=list(calls)), tools=TOOLS, **request)


def _calls(*chunks: Any) -> dict[str, Any]:
    events = (chunk(tool_calls=[each]) for each in chunks)
    return record((*events, chunk("tool_calls"), last(), "[DONE]"), tools=TOOLS)


HELLO, HELLOS = record(completion(content="Hello")), record((chunk(content="Hello"), *END))
REFUSED = {"error": {"message": "not supported", "code": 400}}

# claim -> recordings that prove it together; each alone does not, where there are several
PROVING: dict[str, list[dict[str, Any]]] = {
    "tools.invoke.call": [_called(call())],
    "tools.async.call": [_called(call()), _calls(call())],
    "tools.invoke.unicode": [_called(call('{"city": "Zürich"}'))],
    "tools.invoke.parallel": [_called(call(), call(call_id="b", index=1))],
    "tools.invoke.shared-id": [_called(call(), call(index=1))],
    "tools.invoke.invalid-arguments": [_called(call('{"city": '))],
    "tools.choice.none": [
        record(completion(content="No."), tools=TOOLS, tool_choice="none"),
        record((chunk(content="No."), *END), tools=TOOLS, tool_choice="none"),
    ],
    "tools.stream.merge-by-index": [
        _calls(call("{"), call("}", "b")),
        _calls(call("{"), call("}", "a")),
        _calls(call("{"), call("}", "", "")),
        _calls(call("{"), call("}", "a", None)),
    ],
    "tools.stream.whole-call": [_calls(call()), _calls(call("{"), call("}"))],
    "structured.finish.missing": [
        record(completion(None, content="{}"), response_format=JSON),
        record((chunk(content="{}"), last(), "[DONE]"), response_format=JSON),
    ],
    "image.model-apis.text-model": [record(REFUSED, status=400, messages=IMAGE)],
    "streaming.text.after-finish": [
        record((chunk(content="a"), chunk("stop"), chunk(content="b"), last(), "[DONE]"))
    ],
    "streaming.end.once": [HELLOS],
    "streaming.end.without-done": [record((chunk(content="a"), *END[:2]))],
    "streaming.end.error-inside": [
        record((chunk(content="a"), {"error": {"message": "boom", "code": 500}}))
    ],
    "usage.invoke.once": [HELLO],
    "usage.invoke.details": [record(completion(content="a", usage=CACHED))],
    "usage.invoke.absent": [record(completion(content="a", usage=None))],
    "usage.stream.once": [record((chunk(content="a", usage=USAGE), *END))],
    "usage.stream.last": [
        record((chunk(content="a", usage=USAGE), *END)),
        record((chunk(content="a", usage=USAGE), chunk("stop", USAGE), "[DONE]")),
    ],
    "usage.cache.read": [
        record(completion(content="a", usage=CACHED)),
        record((chunk(content="a"), chunk("stop"), last(CACHED), "[DONE]")),
    ],
    "logprobs.model-apis.absent": [record(REFUSED, status=400, logprobs=True)],
    "metadata.finish.reason": [HELLO, HELLOS],
    "reasoning.answer.kept": [
        record(completion(content="a", reasoning_content="b")),
        record((chunk(reasoning_content="b"), chunk(content="a"), *END)),
    ],
    "parameters.stop.ends": [
        record(completion(content="a"), stop=["b"]),
        record((chunk(content="a"), *END), stop=["b"]),
    ],
    "errors.sentence.kept": [
        record(REFUSED, status=400),
        record({"error": "please check the key"}, status=403),
        record({"message": "not supported", "code": 400}, status=400),
    ],
}

# claim -> recordings that come close and prove nothing
MISSING: dict[str, list[dict[str, Any]]] = {
    "tools.invoke.call": [HELLO, HELLOS, _calls(call()), _called(call("{"))],
    "tools.invoke.unicode": [_called(call('{"city": "Paris"}'))],
    "tools.invoke.parallel": [_called(call(), call("{", "b"))],
    "tools.invoke.shared-id": [_called(call(), call(call_id="b", index=1))],
    "tools.invoke.invalid-arguments": [_called(call())],
    "tools.choice.none": [
        record(completion(content="No."), tool_choice="none"),
        record((chunk(content="No."), *END), tools=TOOLS),
        _called(call(), tool_choice="none"),
    ],
    "structured.finish.missing": [
        record(completion(content="{}"), response_format=JSON),
        record(completion(None, content="{}")),
        record((chunk(content="{}"), *END)),
    ],
    "image.model-apis.text-model": [
        record(REFUSED, status=400, messages=IMAGE),
        record(completion(content="A picture."), messages=IMAGE),
    ],
    "streaming.text.after-finish": [HELLOS, record((chunk(content="a"), last(), "[DONE]"))],
    "streaming.end.without-done": [HELLOS],
    "streaming.end.error-inside": [record((chunk(content="a"),)), record(REFUSED, status=400)],
    "usage.invoke.details": [HELLO],
    "usage.invoke.absent": [HELLO],
    "usage.stream.once": [HELLOS],
    "logprobs.model-apis.absent": [
        record(REFUSED, status=400),
        record(completion(content="a", logprobs=LOGPROBS), logprobs=True),
    ],
    "parameters.stop.ends": [
        record(completion(content="a b"), stop=["b"]),
        record((chunk(content="a"), chunk("length"), last(), "[DONE]"), stop=["b"]),
    ],
    "errors.sentence.kept": [
        HELLO,
        record(REFUSED, status=400),
        record((chunk(content="a"), {"error": {"message": "boom", "code": 500}})),
    ],
}
