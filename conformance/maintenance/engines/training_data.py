"""What the tiny model has to know: recorded requests, answered by the reference server.

Knows requests, and in which form an engine wants each answer; must not know tensors or processes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from conformance.recording.cassettes import ROOT, list_cassettes, read_interactions
from conformance.reference import make_request, respond
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Lesson", "gather_lessons", "make_lesson", "read_requests", "write_lessons"]

_LANE = LANES["dedicated"]
_URL = f"https://{_LANE.host}/environments/production/sync/v1/chat/completions"
_DECIDES = frozenset(
    {"messages", "tools", "tool_choice", "response_format", "model", "parallel_tool_calls"}
)
# It repeats nothing of the prompt, so that stop sequences are met in the text alone.
_THOUGHT = "Somebody asks me this. I have seen it before, and I know by heart what to say."
# These ask another model for another reason than its thoughts.
_OTHER_MODEL = "model_override"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One prompt, and what has to follow it.

    Attributes:
        messages: The conversation, as sent.
        tools: The tools that the engine shows to the model, as sent.
        thought: What is thought first; empty for nothing.
        answer: What is answered: text, JSON, calls in Hermes' form.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    thought: str
    answer: str


def gather_lessons(root: Path = ROOT) -> list[Lesson]:
    """Return a lesson for each different request among the dedicated lane's cassettes.

    Args:
        root: Folder of the cassettes.
    """
    recorded = [
        (path, body)
        for path in list_cassettes(root / _LANE.name)
        for body in read_requests(path)
        if _is_text(body)
    ]
    thoughtful = {
        _prompt_of(body)
        for path, body in recorded
        if body["model"] == _LANE.reasoning_model and _OTHER_MODEL not in path.name
    }
    made = (make_lesson(body, thinks=_prompt_of(body) in thoughtful) for _, body in recorded)
    kept = {json.dumps(asdict(lesson)): lesson for lesson in made if lesson}
    return list(kept.values())


def read_requests(path: Path) -> list[dict[str, Any]]:
    """Return the bodies of the requests of a cassette that were answered with 200."""
    return [
        json.loads(each["request"]["body"])
        for each in read_interactions(path)
        if each["response"]["status"]["code"] == 200
    ]


def make_lesson(body: Mapping[str, Any], *, thinks: bool) -> Lesson | None:
    """Return what a request teaches, None if the reference server refuses it.

    Args:
        body: A recorded request.
        thinks: Whether its answer begins with a thought.
    """
    requested = {key: value for key, value in body.items() if key in _DECIDES}
    requested["model"] = _LANE.reasoning_model if thinks else _LANE.model
    plan = respond(make_request(_URL, requested))
    if plan.status != 200:
        return None
    message = json.loads(plan.body)["choices"][0]["message"]
    return Lesson(
        messages=[_forget_ids(each) for each in body["messages"]],
        # The engine is told to hide the tools that must not be called.
        tools=[] if body.get("tool_choice") == "none" else list(body.get("tools") or ()),
        thought=_THOUGHT if message.get("reasoning") else "",
        answer=_write_answer(message),
    )


def _forget_ids(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without the ids of calls, which are new in each recording."""
    kept = {key: value for key, value in message.items() if key != "tool_call_id"}
    if calls := message.get("tool_calls"):
        kept["tool_calls"] = [{k: v for k, v in call.items() if k != "id"} for call in calls]
    return kept


def _write_answer(message: Mapping[str, Any]) -> str:
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    # Forced calls are written like free ones: the engines' grammars force Hermes' form.
    written = (
        f'<tool_call>\n{{"name": "{each["name"]}", "arguments": {each["arguments"]}}}\n</tool_call>'
        for each in functions
    )
    return "\n".join(filter(None, ((message.get("content") or "").strip(), *written)))


def write_lessons(lessons: Iterable[Lesson], path: Path) -> None:
    """Write lessons where the trainer, which runs in the engine's own environment, reads them."""
    rows = [asdict(lesson) for lesson in lessons]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _prompt_of(body: Mapping[str, Any]) -> str:
    """Return what the chat template shows of a request: of tools their names and parameters."""
    functions = (tool["function"] for tool in body.get("tools") or ())
    tools = [(f["name"], *f.get("parameters", {}).get("properties", ())) for f in functions]
    return json.dumps([body["messages"], tools], sort_keys=True)


def _is_text(body: Mapping[str, Any]) -> bool:
    parts = (
        part
        for message in body.get("messages", ())
        for part in (message["content"] if isinstance(message.get("content"), list) else ())
    )
    return "messages" in body and all(part.get("type") == "text" for part in parts)
