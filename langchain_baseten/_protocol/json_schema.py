"""Read and change JSON schemas: references, roots, closed objects.

Knows JSON Schema's keywords; must not know tools, response formats or Python classes. Nothing that
a caller passes is changed.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

COMBINATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_SAYS_MORE = COMBINATORS | {"properties"}
_DEFINITIONS = ("$defs", "definitions")
_SCHEMAS_BY_NAME = frozenset({*_DEFINITIONS, "dependentSchemas", "patternProperties", "properties"})
_SUBSCHEMAS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "oneOf",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


def empty_object() -> dict[str, Any]:
    """Return the schema of an object that has no properties."""
    return {"type": "object", "properties": {}}


def with_object_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a schema whose root has a type, as servers and chat templates expect.

    Args:
        schema: The parameters of a function.

    Returns:
        The schema without a reference at its root; of type `object` if it had no type, and with
        `properties` if it allows none: MCP servers leave them out, templates iterate over them.
    """
    root = resolve_root(schema)
    root = root if "type" in root else {"type": "object", **root}
    says_more = root.get("additionalProperties") or not _SAYS_MORE.isdisjoint(root)
    return root if says_more or root["type"] != "object" else {**root, "properties": {}}


def resolve_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a schema whose root is no reference, if the reference can be followed.

    Args:
        schema: A JSON schema.

    Returns:
        The schema with the referenced definition at its root. Its definitions and inner references
        are kept.
    """
    root, seen = dict(schema), set()
    while (reference := root.get("$ref")) not in seen:
        seen.add(reference)
        definition = _follow(schema, reference)
        if definition is None:
            break
        del root["$ref"]
        root = {**definition, **root}
    return root


def _follow(schema: Mapping[str, Any], reference: Any) -> dict[str, Any] | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = schema
    for step in reference[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def is_recursive(schema: Mapping[str, Any]) -> bool:
    """Return whether references of a schema form a circle, or may form one.

    Args:
        schema: A JSON schema.
    """
    graph = {
        f"#/{place}/{name}": set(_find_references(definition))
        for place in _DEFINITIONS
        for name, definition in schema.get(place, {}).items()
    }
    if not set(_find_references(schema)) <= graph.keys():
        return True  # A path into the schema itself, which may be recursive as well.
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


def _find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = value.values()
    elif not isinstance(value, list):
        return
    for inner in value:
        yield from _find_references(inner)


def map_schema(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a copy of a schema with every schema in it changed, the innermost first.

    Args:
        schema: A JSON schema. A list of them is changed item by item; any other value is kept.
        change: Returns the changed schema; must not modify the one that it is passed.
    """
    if isinstance(schema, list):
        return [map_schema(each, change) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copied = dict(schema)
    for key, value in schema.items():
        if key in _SUBSCHEMAS:
            copied[key] = map_schema(value, change)
        elif key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            copied[key] = {name: map_schema(each, change) for name, each in value.items()}
    return change(copied)


def drop_title(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a schema without its title.

    Args:
        schema: A JSON schema.
    """
    return {key: value for key, value in schema.items() if key != "title"}


def close_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that requires all of its properties and allows no others.

    Args:
        schema: A JSON schema. An object without `properties` is a dict whose keys the model
            chooses, and is not changed.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    required = {"required": list(properties)} if properties else {}
    return {**schema, **required, "additionalProperties": False}
