"""Join the argument deltas of one tool call that arrived together.

Knows the fields of message chunks; must not know events. Whoever adds chunks with `+` has
langchain-core parse the arguments so far at each. Deltas of one network read are there at the same
time, so joining them delays nothing. The first of each call, which cost little, are passed on as
they are: a short call looks the same however it has arrived.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import ToolCallChunk

Fields = dict[str, Any]
"""The fields of a message chunk, by name."""

_ARGUMENTS_ONLY = {"tool_call_chunks"}
_SINGLY = 16
"""Number of argument deltas of each call that are never joined."""


class ArgumentRun:
    """Holds back arguments while more of the same call may follow."""

    def __init__(self) -> None:
        self._call: ToolCallChunk | None = None
        self._texts: list[str] = []
        self._counts: Counter[int | None] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether anything is held back."""
        return self._call is not None

    def add(self, fields: Fields) -> tuple[Fields, ...]:
        """Return what is to be emitted now, in order.

        Args:
            fields: The fields of the next chunk.
        """
        call = _find_arguments(fields)
        if call is None:
            return (fields,) if self._call is None else (*self.end(), fields)
        if self._counts[call["index"]] < _SINGLY:
            self._counts[call["index"]] += 1
            return (*self.end(), fields)
        ready = () if self._call and self._call["index"] == call["index"] else self.end()
        self._call = call
        self._texts.append(call["args"] or "")
        return ready

    def end(self) -> tuple[Fields, ...]:
        """Return what was held back, if anything."""
        if self._call is None:
            return ()
        call: ToolCallChunk = {**self._call, "args": "".join(self._texts)}
        self._call = None
        self._texts.clear()
        return ({"tool_call_chunks": [call]},)


def _find_arguments(fields: Fields) -> ToolCallChunk | None:
    """Return the tool-call chunk of fields that hold nothing but arguments of one call."""
    if fields.keys() != _ARGUMENTS_ONLY or len(fields["tool_call_chunks"]) != 1:
        return None
    call: ToolCallChunk = fields["tool_call_chunks"][0]
    return call if call["name"] is None and call["id"] is None else None
