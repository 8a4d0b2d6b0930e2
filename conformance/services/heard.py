"""One exchange with a service: what was asked of it beyond a plain answer, and what it showed.

Knows bodies of requests and responses, in part or in whole. Must not know checks or claims.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from conformance.subjects.wire_answers import find_error, read_answer
from conformance.verdicts.costs import read_payloads

__all__ = ["CALL", "OBJECT", "REFUSED", "Heard", "list_features", "list_shown"]

REFUSED = 400
"""The lowest status of a refusal."""
CALL, OBJECT = "a call", "an object"
"""What an answer may show."""
_EVENT = re.compile(r"(?m)^data:")
_DONE = re.compile(r"(?m)^data: ?\[DONE\]")
_REASON = re.compile(r'"finish_reason": ?"(\w*)')


class Heard(NamedTuple):
    """One exchange of a check.

    Attributes:
        status: HTTP status.
        asked: The request's body.
        said: The response's body, as far as it was read.
    """

    status: int
    asked: str
    said: str

    @property
    def answers(self) -> bool:
        """Whether the response is an answer of a model, or the beginning of one."""
        return self.status < REFUSED and find_error(self.said) is None

    @property
    def is_stream(self) -> bool:
        """Whether the response is one of events."""
        return bool(_EVENT.search(self.said))

    @property
    def finish_reasons(self) -> list[str]:
        """Why the choices of the response ended, as far as it says that."""
        return _REASON.findall(self.said)

    @property
    def breaks_off(self) -> bool:
        """Whether the response is a stream with an error inside, or that says of no end."""
        if self.status >= REFUSED or not self.is_stream:
            return False
        ends = self.finish_reasons or _DONE.search(self.said)
        return find_error(self.said) is not None or not ends


def list_features(asked: str) -> set[str]:
    """Return what a request asks of a service beyond a plain answer, in words.

    Args:
        asked: The request's body; empty if it asks for a list.
    """
    body: dict[str, Any] = json.loads(asked or "{}")
    # To forbid calls side by side is to ask for something; other options are off by that.
    on = (k for k, v in body.items() if v is not False or k == "parallel_tool_calls")
    given = {k: body[k] for k in on if body[k] is not None}
    found = {k for k, v in given.items() if v not in ([], {})} - {"model", "messages"}
    if found >= {"stream", "tools"}:
        found.add("tools in a stream")
    messages, tools = body.get("messages", ()), body.get("tools") or ()
    if any(message.get("role") == "system" for message in messages):
        found.add("a system message")
    # Agents name the tool of each result: where that is refused, they do not work.
    if any(message.get("name") and message.get("role") != "tool" for message in messages):
        found.add("a name in a message")
    if any(message.get("role") == "tool" for message in messages):
        found.add("a tool's result")
    if any("strict" in tool.get("function", ()) for tool in tools):
        found.add("a strict tool")
    forms = {name: body[name] for name in ("tool_choice", "response_format") if name in found}
    kinds = {k: v["type"] if isinstance(v, dict) else str(v) for k, v in forms.items()}
    return (found - forms.keys()) | {f"{name} {kind!r:.40}" for name, kind in kinds.items()}


def list_shown(heard: Heard) -> set[str]:
    """Return what the answer of an exchange shows that its request alone does not, in words."""
    answer = read_answer(heard.said)
    found = {CALL} if answer.calls else set()
    return found | {OBJECT for each in read_payloads(answer.text) if isinstance(each, dict)}
