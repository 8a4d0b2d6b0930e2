"""A value for a JSON schema, filled with what a prompt mentions.

Knows JSON schema as far as tools and response formats use it. Must not know requests.
"""

from __future__ import annotations

import math
import re
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_QUOTED = re.compile(r"(?<!\w)(?:'([^']+)'|\"([^\"]+)\"|“([^”]+)”|「([^」]+)」)(?!\w)")
_PROPER = re.compile(r"(?<!^)(?<![.!?:]\s)\b[A-Z][\w-]+(?:\s[A-Z][\w-]+)*(?:,\s[A-Z]{2}\b)?")
_AFTER = re.compile(r"\b(?:in|for|at|named|called|about)\s+(?:the\s+|an?\s+)?([\w-]{3,})")
_WORD = re.compile(r"[^\W\d_]{3,}")
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def find_numbers(text: str) -> list[str]:
    """Return the numbers that stand free in a text, as written."""
    return _NUMBER.findall(text)


def find_subjects(text: str) -> list[str]:
    """Return what a text talks about: quoted words, then names, else words behind `in` or `for`."""
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(text)]
    rest = _QUOTED.sub(" ", text)
    found = quoted + _PROPER.findall(rest)
    return found or _AFTER.findall(rest)


class Material:
    """What a prompt offers for filling a schema; each value is used once."""

    def __init__(self, text: str, *, subjects: Iterable[str] | None = None) -> None:
        self.text = text
        self.numbers = deque(find_numbers(text))
        self.subjects = deque(find_subjects(text) if subjects is None else subjects)
        words = _WORD.findall(text)
        self.topic = words[-1] if words else "nothing"

    def take_number(self, default: float) -> float:
        """Return the next number of the prompt, or the default when none is left."""
        return float(self.numbers.popleft()) if self.numbers else default

    def take_word(self, name: str) -> str:
        """Return the next subject of the prompt, or a stable phrase for the property."""
        return self.subjects.popleft() if self.subjects else f"{name} about {self.topic}"

    def mentions(self, name: str) -> bool:
        """Whether the prompt asks for a property by name, and not for its absence."""
        words = re.escape(name.replace("_", " "))
        requested = re.search(rf"\b{words}\b", self.text, re.IGNORECASE)
        return bool(requested) and not re.search(rf"\bno {words}\b", self.text, re.IGNORECASE)


def fill_schema(schema: Mapping[str, Any], material: Material) -> Any:
    """Build a value that is valid for a schema.

    Required properties are filled; others only when the prompt names them. When a schema
    requires nothing and nothing is named, all of its properties are filled.

    Args:
        schema: A JSON schema; `$ref` may point into `$defs` or `definitions`.
        material: What the prompt offers; values are consumed.

    Returns:
        A JSON value.
    """
    return _Filling(material, schema).fill(schema, "value")


class _Filling:
    """One pass over a schema; knows how deep it is, so that recursive schemas end."""

    _DEEPEST = 8

    def __init__(self, material: Material, root: Mapping[str, Any]) -> None:
        self.material = material
        self.root = root
        self.depth = 0

    def fill(self, schema: Mapping[str, Any], name: str) -> Any:
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return _choose(schema["enum"], self.material)
        self.depth += 1
        try:
            # An engine lets its model write what it likes where it does not know the type.
            fill = _FILLERS.get(_kind(schema), _Filling.fill_object)
            return fill(self, schema, name)
        finally:
            self.depth -= 1

    def fill_object(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or []
        wanted = [key for key in properties if key in required or self.material.mentions(key)]
        return {key: self.fill(properties[key], key) for key in wanted or list(properties)}

    def fill_array(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        items = self._resolve(schema.get("items") or {"type": "string"})
        count = max(schema.get("minItems", 0), min(self._offer(items), schema.get("maxItems", 99)))
        return [self.fill(items, name) for _ in range(count)]

    def fill_number(self, schema: Mapping[str, Any], name: str) -> float:
        return _within(self.material.take_number(1.0), schema)

    def fill_integer(self, schema: Mapping[str, Any], name: str) -> int:
        return int(self.fill_number(schema, name))

    def fill_string(self, schema: Mapping[str, Any], name: str) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        word = self.material.take_word(name).ljust(schema.get("minLength", 0), ".")
        return word[: schema.get("maxLength")]

    def fill_boolean(self, schema: Mapping[str, Any], name: str) -> bool:
        return True

    def fill_null(self, schema: Mapping[str, Any], name: str) -> None:
        return None

    def _offer(self, items: Mapping[str, Any]) -> int:
        """How many items the prompt has to offer."""
        if self.depth > self._DEEPEST:
            return 0
        offers = {
            "number": self.material.numbers,
            "integer": self.material.numbers,
            "string": self.material.subjects,
        }
        return max(len(offers.get(_kind(items), ())), 1)

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while True:
            if "$ref" in schema:
                schema = _follow(schema["$ref"], self.root)
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                nulls = self.depth > self._DEEPEST
                likes = (one for one in options if (one.get("type") == "null") is nulls)
                schema = next(likes, options[0])
            elif "allOf" in schema:
                schema = schema["allOf"][0]
            else:
                return schema


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        return next((one for one in kind if one != "null"), "null")
    return str(kind)


def _follow(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    target: Any = root
    for step in filter(None, reference.removeprefix("#").split("/")):
        target = target[step]
    return dict(target)


def _choose(options: list[Any], material: Material) -> Any:
    named = (one for one in options if str(one).lower() in material.text.lower())
    return next(named, options[0])


def _within(value: float, schema: Mapping[str, Any]) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - 1)
    # Open bounds less than two apart leave only what lies between them.
    return (low + high) / 2 if low > high else float(min(max(value, low), high))


_FILLERS = {
    "object": _Filling.fill_object,
    "array": _Filling.fill_array,
    "number": _Filling.fill_number,
    "integer": _Filling.fill_integer,
    "string": _Filling.fill_string,
    "boolean": _Filling.fill_boolean,
    "null": _Filling.fill_null,
}

KINDS = frozenset(_FILLERS)
"""The types that JSON schema knows."""
