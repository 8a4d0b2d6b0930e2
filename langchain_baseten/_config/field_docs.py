"""Descriptions of fields, from the docstrings below them.

pydantic's `use_attribute_docstrings` does the same, but looks for the class in every module that is
loaded, which takes 50 ms at import.
"""

from __future__ import annotations

import ast
import sys
from inspect import cleandoc, getsource
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel


def describe_fields(model: type[BaseModel]) -> None:
    """Set the descriptions of the fields that a model defines itself.

    Where the source is not installed, the fields stay without descriptions.

    Args:
        model: The class, which must not be built yet: `defer_build` in its configuration.
    """
    try:
        source = getsource(sys.modules[model.__module__])
    except (OSError, TypeError):
        source = ""
    for name, text in _read_docs(source, model.__name__):
        if name in model.model_fields:
            model.model_fields[name].description = text


def _read_docs(source: str, class_name: str) -> Iterator[tuple[str, str]]:
    # Fields stand before methods: the rest of the class need not be parsed.
    fields = source[source.find(f"\nclass {class_name}(") :]
    ends = (end for mark in ("\n    @", "\n    def ") if (end := fields.find(mark)) > 0)
    for node in ast.parse(fields[: min(ends, default=None)]).body[:1]:
        yield from _read_body(node)


def _read_body(node: ast.stmt) -> Iterator[tuple[str, str]]:
    body = [*getattr(node, "body", ()), *getattr(node, "orelse", ())]
    for field, text in pairwise(body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(doc))),
            ):
                yield name, cleandoc(doc)
    for child in body:
        if isinstance(child, ast.If):
            yield from _read_body(child)
