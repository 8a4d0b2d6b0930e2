"""Descriptions of fields are the docstrings below them, where the source is installed."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

import pytest
from pydantic import BaseModel, ConfigDict

from langchain_baseten import ChatBaseten
from langchain_baseten._config import field_docs
from langchain_baseten._config.field_docs import describe_fields


class Described(BaseModel):
    """A model with one described field."""

    model_config = ConfigDict(defer_build=True)

    first: int = 1
    """The first
    field."""

    second: int = 2


class Bare(BaseModel):
    """A model without fields, below which stands another that has some."""


class Other(BaseModel):
    """A model whose fields have the names of another's."""

    second: int = 2
    """The other's."""


def test_a_docstring_below_a_field_is_its_description() -> None:
    describe_fields(Described)
    describe_fields(Bare)

    assert Described.model_fields["first"].description == "The first\nfield."
    assert Described.model_fields["second"].description is None
    assert Described.model_json_schema()["properties"]["first"]["description"].startswith(
        "The first"
    )


@pytest.mark.parametrize("failure", [OSError, TypeError])
def test_without_a_source_fields_have_no_description(
    failure: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen(BaseModel):
        """A model of a frozen application."""

        first: int = 1
        """The first field."""

    def fail(_: object) -> str:
        raise failure

    monkeypatch.setattr(field_docs, "getsource", fail)
    describe_fields(Frozen)

    assert Frozen.model_fields["first"].description is None


def test_every_docstring_of_a_field_is_found() -> None:
    (tree,) = ast.parse(inspect.getsource(ChatBaseten)).body
    assert isinstance(tree, ast.ClassDef)
    named = {
        field.target.id
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
    }

    assert len(named) > 45
    assert {name for name in named if not ChatBaseten.model_fields[name].description} == set()
