"""Tool calls of responses: deltas assigned to calls, one id and one name for each call.

Knows every way in which servers repeat, drop or share ids, names and indices, and what
langchain-core makes of incomplete arguments; must not know where the deltas come from.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.utils.json import parse_partial_json

from langchain_baseten._protocol.json_extent import ObjectExtent
from langchain_baseten._protocol.json_text import (
    ControlEscaper,
    SurrogateJoiner,
    clean_json_text,
    join_surrogates,
    parse_object,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import InvalidToolCall, ToolCall, ToolCallChunk

_NUMBERED = re.compile(r"(.*[:_])(\d{1,9})", re.DOTALL)


class ToolCallIds:
    """Gives each call of one message an id of its own.

    Args:
        new_id: Returns an id for a call that the server sent without one.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._taken: set[str] = set()
        self._latest: dict[str, str] = {}

    def claim(self, server_id: str) -> str:
        """Return the server's id, a variant of it if it is taken, or a new one.

        Args:
            server_id: The id that the server sent, or an empty string.
        """
        asked = server_id or self._new_id()
        # All variants up to the latest are taken.
        wanted = self._latest.get(asked, asked)
        while wanted in self._taken:
            wanted = _next_like(wanted)
        self._taken.add(wanted)
        self._latest[asked] = wanted
        return wanted


def _next_like(taken: str) -> str:
    # Kimi counts its calls: functions.NAME:0, functions.NAME:1; the next number is the one meant.
    match = _NUMBERED.fullmatch(taken)
    return f"{match[1]}{int(match[2]) + 1}" if match else f"{taken}_1"


@dataclass(slots=True)
class _Slot:
    """One call of a stream.

    Attributes:
        number: Position of the call in the message.
        server_id: First id that the server sent.
        name: The tool's name.
        identified: Whether an id was emitted.
        arguments: Argument text so far, in deltas, cleaned.
        begun: Whether the argument text is emitted as it arrives: None until its first character
            that is no white space is known, then whether that is `{`.
        joiner: Holds back the first halves of surrogate pairs.
        escaper: Escapes line breaks and the like that models write into strings.
        extent: Knows whether the arguments so far are a JSON object; it has read `seen` deltas.
    """

    number: int
    server_id: str = ""
    name: str = ""
    identified: bool = False
    arguments: list[str] = field(default_factory=list)
    begun: bool | None = None
    joiner: SurrogateJoiner = field(default_factory=lambda: SurrogateJoiner(in_json=True))
    escaper: ControlEscaper = field(default_factory=ControlEscaper)
    extent: ObjectExtent = field(default_factory=ObjectExtent)
    seen: int = 0

    @property
    def text(self) -> str:
        """The argument text so far."""
        return "".join(self.arguments)

    def is_complete(self) -> bool:
        """Return whether the arguments so far are a JSON object, NaN and Infinity allowed."""
        for text in self.arguments[self.seen :]:
            self.extent.feed(text)
        self.seen = len(self.arguments)
        return self.extent.is_complete()

    def begins_new_call(self, name: str, server_id: str) -> bool:
        """Return whether a delta with this name and id begins another call at the same index.

        Dynamo, LMDeploy and Ollama give parallel calls one index. A name that differs is told from
        a piece of the name by an id of its own, or by arguments that are complete; a name that is
        repeated needs both, since some servers repeat it, and others send fresh ids.
        """
        if not name or not self.name:
            return False
        fresh, renamed = bool(server_id) and server_id != self.server_id, name != self.name
        return (fresh and renamed) or ((fresh or renamed) and self.is_complete())

    def add(self, text: str) -> str:
        """Add argument text, and return what of it can be emitted now.

        Only what begins an object is emitted: `null` means no arguments, and a chunk that
        was emitted cannot be taken back.
        """
        text = self.escaper.feed(self.joiner.feed(text))
        self.arguments.append(text)
        if self.begun is None and (first := text.lstrip()[:1]):
            self.begun = first == "{"
            text = self.text
        return text if self.begun else ""

    def ending(self, *, cut: bool) -> str:
        """Return the argument text to emit when no delta follows.

        Args:
            cut: Whether the response was cut here, so that empty arguments are incomplete.
        """
        rest = self.joiner.rest
        text = self.text + rest
        empty = _is_empty(text)
        if self.name and (not cut if empty else parse_object(text) is not None):
            return ""
        return (rest if self.begun else text) + _closing_suffix(text)


_SUFFIXES = ("", "]", "}", '"]', '"}', '""]', '""}')
"""Ends of a text that langchain-core cannot repair to an object: none where it cannot anyway, else
a bracket that closes nothing, behind a quote where the text ends inside a string, or behind two
where it ends with a backslash."""


def _closing_suffix(text: str) -> str:
    """Return the text that keeps langchain-core from taking call arguments for a JSON object.

    `AIMessageChunk` repairs arguments with `parse_partial_json` (langchain_core/utils/json.py,
    1.8.3), which closes strings and brackets that are open: a call that was cut in the middle of
    `{"content": "hello wor` would be executed. It gives up at a closing bracket that does not
    match. Events of version 3 (language_models/_compat_bridge.py) use `json.loads`, and take
    whatever is JSON. The suffix is chosen by calling both, so that it holds for other versions.
    """
    return next((end for end in _SUFFIXES if _is_unusable(text + end)), _SUFFIXES[-1])


def _is_unusable(arguments: str) -> bool:
    if not arguments:  # taken for an empty object
        return False
    with suppress(ValueError, RecursionError):
        json.loads(arguments)
        return False
    try:
        return not isinstance(parse_partial_json(arguments), dict)
    except (ValueError, RecursionError):
        return True


class ToolCallAssembler:
    """Assigns the tool-call deltas of one stream to calls.

    Args:
        ids: Gives the calls their ids.
    """

    def __init__(self, ids: ToolCallIds) -> None:
        self._ids = ids
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}
        self._by_id: dict[str, _Slot] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, deltas: list[Any]) -> list[ToolCallChunk]:
        """Read the deltas of one event.

        Args:
            deltas: The event's `tool_calls`.

        Returns:
            One chunk for each call that the event names, with name and id only where new.
        """
        chunks: dict[int, ToolCallChunk] = {}
        for delta in deltas:
            if not isinstance(delta, dict):
                continue
            function = delta.get("function")
            function = function if isinstance(function, dict) else {}
            name, wire_id = _name(function.get("name")), _text(delta.get("id"))
            slot = self._find(delta.get("index"), name, wire_id)
            new = self._emit(slot, name, wire_id, write_arguments(function.get("arguments")))
            chunks[slot.number] = _join(chunks.get(slot.number), new)
        return list(chunks.values())

    def endings(self, *, cut: bool = False) -> list[ToolCallChunk]:
        """Return the chunks that make the calls so far read as they are, and change nothing.

        Args:
            cut: Whether the response was cut, so that empty arguments of the last call are
                incomplete.

        Returns:
            A chunk for each call whose arguments are no JSON object or that has no name: merged
            with the chunks before it, the call is an invalid one.
        """
        slots = () if self._closed else self._slots
        texts = [(s.number, s.ending(cut=cut and s is self._slots[-1])) for s in slots]
        return [
            tool_call_chunk(name=None, args=text, id=None, index=number)
            for number, text in texts
            if text
        ]

    def close(self, *, cut: bool = False) -> list[ToolCallChunk]:
        """Return the last chunks of the stream's calls.

        Args:
            cut: As for `endings`.

        Returns:
            The endings, and an id for each call to which the server gave none.
        """
        chunks = {int(chunk["index"] or 0): chunk for chunk in self.endings(cut=cut)}
        for slot in () if self._closed else self._slots:
            if not slot.identified:
                new_id = self._ids.claim("")
                new = tool_call_chunk(name=None, args=None, id=new_id, index=slot.number)
                chunks[slot.number] = _join(chunks.get(slot.number), new)
        self._closed = True
        return [chunks[number] for number in sorted(chunks)]

    def _find(self, index: object, name: str, server_id: str) -> _Slot:
        place = index if isinstance(index, int) and not isinstance(index, bool) else None
        slot = self._by_index.get(place) if place is not None else self._guess(name, server_id)
        if slot is None or slot.begins_new_call(name, server_id):
            slot = _Slot(number=len(self._slots))
            self._slots.append(slot)
        if place is not None:
            self._by_index[place] = slot
        return slot

    def _guess(self, name: str, server_id: str) -> _Slot | None:
        # Without an index a known id continues its call; else only a name can begin one, and a
        # repeated name continues unless the arguments are already complete.
        last = self._by_id.get(server_id) or (self._slots[-1] if self._slots else None)
        if last is None or not name:
            return last
        return None if name != last.name or last.is_complete() else last

    def _emit(self, slot: _Slot, name: str, server_id: str, arguments: str) -> ToolCallChunk:
        new_name = name if name and not slot.name else None
        new_id = self._ids.claim(server_id) if server_id and not slot.identified else None
        slot.name = slot.name or name
        if server_id and not slot.server_id:
            slot.server_id = server_id
            first = self._by_id.setdefault(server_id, slot)
            self._by_id[server_id] = min(first, slot, key=_number)
        slot.identified = slot.identified or new_id is not None
        text = slot.add(arguments)
        return tool_call_chunk(name=new_name, args=text, id=new_id, index=slot.number)


def _join(first: ToolCallChunk | None, second: ToolCallChunk) -> ToolCallChunk:
    # langchain-core never merges two entries of one chunk, so they are merged here.
    if first is None:
        return second
    return tool_call_chunk(
        name=first["name"] or second["name"],
        args=f"{first['args'] or ''}{second['args'] or ''}",
        id=first["id"] or second["id"],
        index=first["index"],
    )


def read_calls(
    raw: Any, ids: ToolCallIds, *, cut: bool = False
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Read the calls of a message that is not streamed.

    Args:
        raw: The message's `tool_calls`, of whatever type the server sent.
        ids: Gives the calls their ids.
        cut: Whether the response was cut, so that empty arguments of the last call are incomplete.

    Returns:
        The valid calls, and those whose name or arguments cannot be used, with their raw text.
    """
    valid: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    calls = raw if isinstance(raw, list) else []
    for number, call in enumerate(calls, start=1):
        name, text, wire_id = _read_call(call)
        call_id = ids.claim(wire_id)
        complete = not (cut and number == len(calls))
        arguments = {} if complete and _is_empty(text) else parse_object(text)
        if name and arguments is not None:
            valid.append(tool_call(name=name, args=arguments, id=call_id))
        else:
            problem = "the arguments are not a JSON object" if name else "the call has no name"
            invalid.append(
                invalid_tool_call(name=name or None, args=text, id=call_id, error=problem)
            )
    return valid, invalid


def _read_call(call: Any) -> tuple[str, str, str]:
    fields = call if isinstance(call, dict) else {}
    function = fields.get("function")
    function = function if isinstance(function, dict) else {"arguments": call}
    text = clean_json_text(write_arguments(function.get("arguments")))
    return _name(function.get("name")), text, _text(fields.get("id"))


def write_arguments(arguments: Any) -> str:
    """Return a call's arguments as JSON text.

    Args:
        arguments: The arguments, of any type that a server may send.
    """
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _is_empty(arguments: str) -> bool:
    return arguments.strip() in ("", "null")


def _name(value: Any) -> str:
    # White space names no tool.
    text = _text(value)
    return text if text.strip() else ""


def _text(value: Any) -> str:
    return join_surrogates(value) if isinstance(value, str) else ""


def _number(slot: _Slot) -> int:
    return slot.number
