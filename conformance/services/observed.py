"""One exchange with a service: what was requested beyond a plain answer, and what it returned.

Knows bodies of requests and responses, in part or in whole. Must not know checks or claims.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft202012Validator

from conformance.subjects.wire_answers import WireAnswer, find_error, find_sentence, read_answer
from conformance.verdicts.costs import read_payloads

if TYPE_CHECKING:
    from conformance.subjects.wire_answers import WireCall

__all__ = [
    "ANSWER",
    "BAD_CALL",
    "CALL",
    "ESCAPES",
    "MISCOUNT",
    "OBJECT",
    "REFUSED",
    "SERVER_ERROR",
    "STREAMED_CALL",
    "Observed",
    "list_features",
    "list_shown",
]

REFUSED, SERVER_ERROR = 400, 500
"""The lowest statuses of a refusal, and of a failure."""
CALL, OBJECT = "a call", "an object"
"""What an answer may show."""
ANSWER, BAD_CALL, STREAMED_CALL = "an answer", "a bad call in one body", "a call in a stream"
MISCOUNT, ESCAPES = "a wrong count in one body", "an object in escapes"
_LONG = 200
"""Words of a question that is longer than any answer to it."""
_EVENT = re.compile(r"(?m)^data:")
_DONE = re.compile(r"(?m)^data: ?\[DONE\]")
_MEDIA = {
    '"url":"data:image': "an image",
    '"url":"http': "an image by URL",
    '"input_audio"': "audio",
}
"""What of a request shows a medium; `httpx` writes JSON without spaces."""
_REASON = re.compile(r'"finish_reason": ?"(\w*)')


class Observed(NamedTuple):
    """One exchange of a check.

    Attributes:
        status: HTTP status.
        request: The request's body.
        response: The response's body, as far as it was read.
        lost: Whether the connection was lost before the body's end.
        left: Whether the client read no further.
    """

    status: int
    request: str
    response: str
    lost: bool = False
    left: bool = False

    def read(self) -> dict[str, Any]:
        """Return the request's body; empty if it asked for a list."""
        body: dict[str, Any] = json.loads(self.request or "{}")
        return body

    @property
    def answers(self) -> bool:
        """Whether the response is an answer of a model, or the beginning of one."""
        return self.status < REFUSED and not self.lost and find_error(self.response) is None

    @property
    def failure(self) -> str:
        """How the service failed, in words; empty if it answered, or refused what was asked."""
        error = find_error(self.response) if self.status < REFUSED else None
        if error or self.status >= SERVER_ERROR:
            text = error.sentence if error else find_sentence(self.response)
            where = "an error in an answer" if error else f"HTTP {self.status}"
            return f"{where}: {text:.100}".removesuffix(": ")
        ends = not self.lost and (self.left or not self.breaks_off)
        return "" if ends else "an answer without its end"

    @property
    def is_stream(self) -> bool:
        """Whether the response is one of events."""
        return bool(_EVENT.search(self.response))

    @property
    def finish_reasons(self) -> list[str]:
        """Why the choices of the response ended, as far as it says that."""
        return _REASON.findall(self.response)

    @property
    def is_whole(self) -> bool:
        """Whether the response is an answer as asked for, which the model itself ended."""
        streams = self.is_stream == bool(self.read().get("stream"))
        return self.answers and streams and not {"", "length"}.issuperset(self.finish_reasons)

    @property
    def calls_badly(self) -> bool:
        """Whether a whole answer calls no tool of the request, not as that asks, or twice alike."""
        calls, schemas = self._calls, self._schemas
        lost = self.is_whole and "tool_calls" in self.finish_reasons and not calls
        twice = len({(call.name, call.arguments) for call in calls}) < len(calls)
        return lost or twice or not all(_is_called(call, schemas) for call in calls)

    @property
    def breaks_schema(self) -> bool:
        """Whether a whole answer is an object of another schema than the one that it is to have."""
        form = self.read().get("response_format") or {}
        text = read_answer(self.response).sent_object if self.is_whole else {}
        schema = form.get("json_schema", {}).get("schema", {})
        return bool(text) and not Draft202012Validator(schema).is_valid(text)

    @property
    def escapes(self) -> bool:
        """Whether an answer that is to be JSON is an object only once its text is unescaped."""
        requested = self.is_whole and self.read().get("response_format")
        answer = read_answer(self.response)
        text = answer.text if requested and not answer.sent_object else ""
        plain = (html.unescape(text), text.replace('\\"', '"'))
        return any(sentence != text and WireAnswer(sentence).sent_object for sentence in plain)

    @property
    def adds_arguments(self) -> bool:
        """Whether a call has an argument that its tool does not have."""
        schemas = self._schemas
        called = [(call.value, schemas[call.name]) for call in self._calls if call.name in schemas]
        return any(
            value.keys() - schema["properties"].keys()
            for value, schema in called
            if isinstance(value, dict) and "properties" in schema
        )

    @property
    def _calls(self) -> list[WireCall]:
        return read_answer(self.response).calls if self.is_whole else []

    @property
    def _schemas(self) -> dict[str, dict[str, Any]]:
        """The arguments of the tools that the request has, by the names of these."""
        given = [tool.get("function", {}) for tool in self.read().get("tools") or ()]
        return {each["name"]: each.get("parameters") or {} for each in given if each.get("name")}

    @property
    def miscounts(self) -> bool:
        """Whether tokens of the question count as the answer's, are no counts, or have no sum."""
        names = ("prompt_tokens", "completion_tokens")
        answer = read_answer(self.response)
        prompt, completion = (answer.count(name) or 0 for name in names)
        if not (self.is_whole and answer.usage.keys() & names):
            return False
        wrong = answer.usage.get("total_tokens", prompt + completion) != prompt + completion
        requested, text = (
            len(self.request.split()),
            len(f"{answer.text} {answer.reasoning}".split()),
        )
        few = requested > max(_LONG, text * 3)
        return wrong or min(prompt, completion) < 1 or (few and prompt < requested / 3 < completion)

    @property
    def breaks_off(self) -> bool:
        """Whether the response is a stream with an error inside, or that says of no end."""
        if self.status >= REFUSED or not self.is_stream:
            return False
        ends = self.finish_reasons or _DONE.search(self.response)
        return self.lost or find_error(self.response) is not None or not ends


def _is_called(call: WireCall, schemas: dict[str, dict[str, Any]]) -> bool:
    known = call.name in schemas or not schemas
    # Few engines hold a call that they are free to make to its schema, even if asked to.
    schema = schemas.get(call.name, {}) | {"additionalProperties": True}
    return known and call.is_valid and Draft202012Validator(schema).is_valid(call.value)


def list_features(requested: str) -> set[str]:
    """Return what a request asks of a service beyond a plain answer, in words.

    Args:
        requested: The request's body; empty if it asks for a list.
    """
    body: dict[str, Any] = json.loads(requested or "{}")
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
    if any("reasoning_content" in message for message in messages):
        found.add("reasoning of an earlier turn")
    if any("strict" in tool.get("function", ()) for tool in tools):
        found.add("a strict tool")
    found.update(name for mark, name in _MEDIA.items() if mark in requested)
    forms = {name: body[name] for name in ("tool_choice", "response_format") if name in found}
    kinds = {k: v["type"] if isinstance(v, dict) else str(v) for k, v in forms.items()}
    return (found - forms.keys()) | {f"{name} {kind!r:.40}" for name, kind in kinds.items()}


def list_shown(observed: Observed) -> set[str]:
    """Return what the answer of an exchange shows that its request alone does not, in words."""
    answer = read_answer(observed.response)
    found = {ANSWER} | ({CALL} if answer.calls else set())
    found |= {ESCAPES} if observed.escapes else set()
    found |= {MISCOUNT} if observed.miscounts and not observed.is_stream else set()
    if observed.is_stream:
        found |= {STREAMED_CALL} if answer.calls else set()
    elif observed.calls_badly:
        found.add(BAD_CALL)
    return found | {OBJECT for each in read_payloads(answer.text) if isinstance(each, dict)}
