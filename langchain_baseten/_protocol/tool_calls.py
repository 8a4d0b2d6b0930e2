"""Tool calls as the wire sends them, repaired: one slot a call, one id a call, one name a call.

Knows every way in which servers repeat, drop or share ids, names and indices; must not know where
the deltas come from.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk

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

    def claim(self, wire_id: str) -> str:
        """Return the server's id, a neighbour of it if another call has it, or a fresh one."""
        wanted = wire_id or self._new_id()
        while wanted in self._taken:
            wanted = _neighbour(wanted)
        self._taken.add(wanted)
        return wanted


def _neighbour(taken: str) -> str:
    # Kimi counts its calls: functions.NAME:0, functions.NAME:1; the next number is what it meant.
    match = _NUMBERED.fullmatch(taken)
    return f"{match[1]}{int(match[2]) + 1}" if match else f"{taken}_1"


@dataclass(slots=True)
class _Slot:
    number: int
    wire_id: str = ""
    name: str = ""
    identified: bool = False
    arguments: list[str] = field(default_factory=list)

    def is_whole(self) -> bool:
        """Tell whether the arguments so far are a JSON object."""
        return isinstance(_parse("".join(self.arguments)), dict)

    def begins_new_call(self, name: str, wire_id: str) -> bool:
        """Tell whether a delta with this name and id begins another call at the same index."""
        renamed = bool(name and self.name and wire_id and wire_id != self.wire_id)
        return renamed and self.is_whole()


class ToolCallAssembler:
    """Assigns the tool-call deltas of one stream to calls.

    Args:
        ids: Gives the calls their ids.
    """

    def __init__(self, ids: ToolCallIds) -> None:
        self._ids = ids
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, deltas: list[Any]) -> list[ToolCallChunk]:
        """Take the deltas of one event.

        Args:
            deltas: The event's `tool_calls`.

        Returns:
            One chunk for each call that the event touched, with name and id only where new.
        """
        chunks: dict[int, ToolCallChunk] = {}
        for delta in deltas:
            if not isinstance(delta, dict):
                continue
            function = delta.get("function")
            function = function if isinstance(function, dict) else {}
            name, wire_id = _text(function.get("name")), _text(delta.get("id"))
            slot = self._find(delta.get("index"), name, wire_id)
            new = self._emit(slot, name, wire_id, write_arguments(function.get("arguments")))
            chunks[slot.number] = _join(chunks.get(slot.number), new)
        return list(chunks.values())

    def close(self) -> list[ToolCallChunk]:
        """Return a chunk with an id for each call to which the server gave none."""
        nameless = [slot for slot in self._slots if not slot.identified]
        return [
            tool_call_chunk(name=None, args=None, id=self._ids.claim(""), index=slot.number)
            for slot in nameless
        ]

    def _find(self, index: object, name: str, wire_id: str) -> _Slot:
        place = index if isinstance(index, int) and not isinstance(index, bool) else None
        slot = self._by_index.get(place) if place is not None else self._guess(name, wire_id)
        if slot is None or slot.begins_new_call(name, wire_id):
            slot = _Slot(number=len(self._slots))
            self._slots.append(slot)
        if place is not None:
            self._by_index[place] = slot
        return slot

    def _guess(self, name: str, wire_id: str) -> _Slot | None:
        # Without an index a known id continues its call; else only a name can begin one, and a
        # repeated name continues unless the arguments are already whole.
        known = (slot for slot in self._slots if wire_id and slot.wire_id == wire_id)
        last = next(known, None) or (self._slots[-1] if self._slots else None)
        if last is None or not name:
            return last
        return None if name != last.name or last.is_whole() else last

    def _emit(self, slot: _Slot, name: str, wire_id: str, arguments: str) -> ToolCallChunk:
        new_name = name if name and not slot.name else None
        new_id = self._ids.claim(wire_id) if wire_id and not slot.identified else None
        slot.name = slot.name or name
        slot.wire_id = slot.wire_id or wire_id
        slot.identified = slot.identified or new_id is not None
        slot.arguments.append(arguments)
        return tool_call_chunk(name=new_name, args=arguments, id=new_id, index=slot.number)


def _join(first: ToolCallChunk | None, second: ToolCallChunk) -> ToolCallChunk:
    # langchain-core never joins two entries of one event, so they are joined here.
    if first is None:
        return second
    return tool_call_chunk(
        name=first["name"] or second["name"],
        args=f"{first['args']}{second['args']}",
        id=first["id"] or second["id"],
        index=first["index"],
    )


def read_calls(raw: Any, ids: ToolCallIds) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Read the calls of a whole message.

    Args:
        raw: The message's `tool_calls`, whatever the server put there.
        ids: Gives the calls their ids.

    Returns:
        The calls, and those whose name or arguments cannot be used, with their raw text.
    """
    valid: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    for call in raw if isinstance(raw, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        function = function if isinstance(function, dict) else {"arguments": call}
        name = _text(function.get("name"))
        text = write_arguments(function.get("arguments"))
        call_id = ids.claim(_text(call.get("id")) if isinstance(call, dict) else "")
        arguments = _parse(text) if text.strip() else {}
        if name and isinstance(arguments, dict):
            valid.append(tool_call(name=name, args=arguments, id=call_id))
        else:
            problem = "the arguments are not a JSON object" if name else "the call has no name"
            invalid.append(
                invalid_tool_call(name=name or None, args=text, id=call_id, error=problem)
            )
    return valid, invalid


def write_arguments(arguments: Any) -> str:
    """Return a call's arguments as JSON text, whichever type the server sent."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _parse(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
