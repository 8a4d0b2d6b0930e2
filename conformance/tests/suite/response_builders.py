"""Answers as VCR keeps them, made by hand: for the tests of what compares shapes.

Knows a response's least form, whole or streamed; must not know what any test makes of it.
"""

from __future__ import annotations

import json
from typing import Any

ANSWER = {"id": "a", "n": 1, "f": 0.5, "choices": [{"text": "x", "stop": None}], "ok": True}
USAGE = {"total_tokens": 3}


def response(
    body: Any, kind: str = "application/json", status: int = 200, **headers: str
) -> dict[str, Any]:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    kept = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return {
        "status": {"code": status, "message": ""},
        "headers": {"content-type": [kind], **kept} if kind else kept,
        "body": {"string": text},
    }


def stream(*events: Any, done: bool = True) -> dict[str, Any]:
    """Return a stream of events; one that is a text already goes as it is."""
    reported = [event if isinstance(event, str) else json.dumps(event) for event in events]
    text = "".join(f"data: {each}\n\n" for each in reported)
    return response(text + "data: [DONE]\n\n" * done, "text/event-stream; charset=utf-8")


def chunk(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    return {"choices": [{"delta": delta, "finish_reason": finish}], **more}


def call(index: int | None, name: str | None = None, choice: int = 0) -> dict[str, Any]:
    """Return an event with a chunk of one tool call."""
    called = {"id": name} | ({} if index is None else {"index": index})
    return {"choices": [{"index": choice, "delta": {"tool_calls": [called]}}]}


GOOD = (chunk("a"), chunk("b"), chunk(None, "stop"), {"choices": [], "usage": USAGE})
