"""Tools and schemas in every form that callers pass, and the functions that they become."""

from __future__ import annotations

from typing import Any, List, TypedDict, Union  # noqa: UP035  pydantic v1 needs List

from pydantic import BaseModel, RootModel
from pydantic.v1 import BaseModel as OldModel

from langchain_baseten._protocol.schemas import write_response_format
from langchain_baseten._protocol.tools import write_tools


class Sum(BaseModel):
    """A sum."""

    value: int


class Total(TypedDict):
    """A total."""

    value: int


class OldSum(OldModel):
    """An old sum."""

    value: int


class Node(BaseModel):
    """A node."""

    title: str
    children: list[Node] = []


class OldNode(OldModel):
    """An old node."""

    title: str
    children: List[OldNode] = []  # noqa: UP006


OldNode.update_forward_refs()


class Tree(BaseModel):
    """A tree."""

    root: Node


class Cat(BaseModel):
    """A cat."""

    lives: int


class Dog(BaseModel):
    """A dog."""

    tricks: list[str]


class Pet(RootModel[Union[Cat, Dog]]):  # noqa: UP007  evaluated at run time
    """A pet."""


class Scores(BaseModel):
    """Scores by name."""

    by_name: dict[str, Cat]
    anything: dict[str, Any]
    best: Cat | None


class Endless(TypedDict):
    """A TypedDict that holds itself."""

    inner: list[Endless]


def climb(node: Node) -> str:
    """Climb a node."""
    return node.title


def find(place: str) -> str:
    """Find a place."""
    return place


PLAIN = {
    "type": "object",
    "properties": {"value": {"type": "integer"}},
    "required": ["value"],
}
OPENAI = {"type": "function", "function": {"name": "f", "parameters": PLAIN}}
ANTHROPIC = {"name": "f", "description": "d", "input_schema": PLAIN}
HOSTED = {"type": "baseten__exa__web_search_exa"}
NAMED = {"type": "function", "function": {"name": "f"}}
FUNCTION = {"name": "f", "description": "d", "parameters": PLAIN}
EMPTY = {"type": "object", "properties": {}}
ITSELF = {
    "title": "f",
    "$ref": "#/$defs/A",
    "$defs": {
        "A": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "next": {"$ref": "#/$defs/A"}},
        }
    },
}
EITHER = {"title": "f", "anyOf": [PLAIN, {"type": "object", "properties": {"b": {}}}]}
BEDROCK = {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": PLAIN}}}
MCP = {"name": "f", "description": "d", "inputSchema": PLAIN}
OTHER_VENDORS_KEYS: dict[str, Any] = {
    "cache_control": {"type": "ephemeral"},
    "cachePoint": {"type": "default"},
    "defer_loading": True,
    "extras": {"a": 1},
    "input_examples": [{"value": 1}],
}
DICT_FORMS: dict[str, Any] = {
    "an OpenAI function": FUNCTION,
    "an OpenAI tool": {"type": "function", "function": FUNCTION},
    "a flat OpenAI tool": {"type": "function", **FUNCTION},
    "an Anthropic tool": ANTHROPIC,
    "a Bedrock tool": BEDROCK,
    "an MCP tool": MCP,
    "a titled schema": {"title": "f", "description": "d", **PLAIN},
    "a named schema": {"name": "f", "description": "d", **PLAIN},
    "a named schema of a response format": {"name": "f", "description": "d", "schema": PLAIN},
    "a response format": {
        "type": "json_schema",
        "json_schema": {"name": "f", "description": "d", "schema": PLAIN},
    },
}


def function_of(tool_or_schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the function that a tool is written as."""
    (written,) = write_tools([tool_or_schema], strict=strict)
    assert written.keys() == {"type", "function"}
    function: dict[str, Any] = written["function"]
    return function


def schema_of(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the schema that a response format holds."""
    inner: dict[str, Any] = write_response_format(schema, strict=strict)["json_schema"]["schema"]
    return inner
