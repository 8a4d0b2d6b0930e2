"""Which tools a prompt asks for, and with which arguments.

Works for any tool from its name, description and schema. Must not know lanes or wording.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.reference.schemas import Material, fill_schema, find_numbers, find_subjects

_JOINT = re.compile(r"\s+(?:and|then|also)\s+|\s*[;&]\s*")
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_COMMON_WORDS = (
    "a an and any at be by call can current do for from function generate get give given how i in "
    "into is it me my of on one or return returns that the this to tool use used user using value "
    "what when where which with you your tell say"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_NAME_WEIGHT = 3
_ENOUGH = 2


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call.

    Attributes:
        name: The tool's name.
        arguments: Its arguments as JSON text.
    """

    name: str
    arguments: str


def choose_calls(
    text: str, tools: Sequence[Mapping[str, Any]], choice: Any, *, answers_tool: bool
) -> tuple[Call, ...]:
    """Decide which calls answer a prompt.

    `none` gives none, a named tool exactly that one, `required` at least one. With `auto` a tool
    is called when the prompt uses words of its name or description, and not again once its
    result is the last message. Two things asked for (`Paris and Berlin`) give two calls.

    Args:
        text: The prompt.
        tools: Tools as sent.
        choice: `tool_choice` as sent, None when absent.
        answers_tool: Whether the last message is a tool's result.

    Returns:
        The calls, in the order in which the prompt asks for them.
    """
    functions = [tool["function"] for tool in tools]
    if not functions or choice == "none":
        return ()
    if isinstance(choice, Mapping):
        name = choice["function"]["name"]
        return tuple(_call(one, text) for one in functions if one["name"] == name)
    if choice == "required":
        return _requested(text, functions) or (_call(functions[0], text),)
    return () if answers_tool else _requested(text, functions)


def _requested(text: str, functions: Sequence[Mapping[str, Any]]) -> tuple[Call, ...]:
    plan = _plan(text, functions)
    if len(plan) > 1 and all(_suffices(one, text[slice(*span)]) for one, span in plan):
        calls = [_call(one, text, span) for one, span in plan]
        return tuple(dict.fromkeys(calls))
    return tuple(_call(one, text) for one, _ in plan[:1])


def _plan(
    text: str, functions: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], tuple[int, int]]]:
    """Give each joined part of the prompt the tool that it asks for, or goes on asking for."""
    plan: list[tuple[Mapping[str, Any], tuple[int, int]]] = []
    current = None
    for span in _spans(text):
        part = text[slice(*span)]
        best = max(functions, key=lambda one: _score(one, part))
        if _score(best, part) >= _ENOUGH:
            current = best
        elif not _offers(text, span):
            continue
        if current is not None:
            plan.append((current, span))
    return plan


def _spans(text: str) -> list[tuple[int, int]]:
    joints = [match.span() for match in _JOINT.finditer(text)]
    starts = [0, *(end for _, end in joints)]
    ends = [*(start for start, _ in joints), len(text)]
    return list(zip(starts, ends, strict=True))


def _offers(text: str, span: tuple[int, int]) -> list[str]:
    # A leading blank keeps the first word of a later part from counting as a sentence's start.
    part = text[slice(*span)]
    lead = part if span[0] == 0 else f" {part}"
    return find_subjects(lead) + find_numbers(part)


def _suffices(function: Mapping[str, Any], part: str) -> bool:
    """Whether a part of the prompt holds enough to fill the tool's required properties."""
    kinds = [
        schema.get("type")
        for name, schema in _schema(function).get("properties", {}).items()
        if name in _schema(function).get("required", []) and "enum" not in schema
    ]
    numbers = sum(kind in ("integer", "number") for kind in kinds)
    return numbers <= len(find_numbers(part)) and kinds.count("string") <= len(
        find_subjects(f" {part}")
    )


def _score(function: Mapping[str, Any], part: str) -> int:
    name = function["name"]
    if name.lower() in part.lower():
        return 100
    text = _words(part)
    described = _words(function.get("description") or "")
    return _NAME_WEIGHT * len(_words(_CAMEL.sub(" ", name)) & text) + len(described & text)


def _words(text: str) -> set[str]:
    found = {word.lower() for word in _WORD.findall(text)}
    return {word.rstrip("s") for word in found - _COMMON if len(word) > 2}


def _schema(function: Mapping[str, Any]) -> Mapping[str, Any]:
    return function.get("parameters") or {"type": "object", "properties": {}}


def _call(function: Mapping[str, Any], text: str, span: tuple[int, int] | None = None) -> Call:
    part = text if span is None else text[slice(*span)]
    subjects = None if span is None else [s for s in _offers(text, span) if not find_numbers(s)]
    arguments = fill_schema(_schema(function), Material(part, subjects=subjects))
    return Call(function["name"], json.dumps(arguments, ensure_ascii=False))
