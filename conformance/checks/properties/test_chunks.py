"""Message chunks that are copied are equal to those that langchain-core's constructors make.

Knows every attribute that pydantic compares or shows, and that no two chunks share a container.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel

from langchain_baseten._protocol.chunks import make_generation, make_message

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_METADATA = st.dictionaries(_TEXTS, _VALUES, max_size=3)
_SIDE_TEXTS = st.dictionaries(st.sampled_from(["reasoning_content", "refusal"]), _TEXTS)
_CALLS = st.fixed_dictionaries(
    {
        "name": st.none() | _TEXTS,
        "args": st.none() | _TEXTS,
        "id": st.none() | _TEXTS,
        "index": st.integers(0, 3),
        "type": st.just("tool_call_chunk"),
    }
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "content": _TEXTS,
        "response_metadata": _METADATA,
        "additional_kwargs": _SIDE_TEXTS,
        "tool_call_chunks": st.lists(_CALLS, min_size=1, max_size=2),
    },
)


def _construct(fields: dict[str, Any]) -> AIMessageChunk:
    metadata = {"model_provider": "baseten", **fields.get("response_metadata", {})}
    return AIMessageChunk(**{"content": "", **fields, "response_metadata": metadata})


def _attributes(model: BaseModel) -> dict[str, Any]:
    return {
        "type": type(model),
        "fields": {name: (type(value), value) for name, value in model.__dict__.items()},
        "order": list(model.__dict__),
        "set": model.model_fields_set,
        "extra": model.model_extra,
        "private": model.__pydantic_private__,
        "repr": repr(model),
    }


@settings(max_examples=60, deadline=None)
@given(_FIELDS)
def test_a_chunk_is_equal_to_what_the_constructors_make(fields: dict[str, Any]) -> None:
    made, expected = make_message(dict(fields)), _construct(fields)
    assert made == expected
    assert _attributes(made) == _attributes(expected)
    generation, wanted = make_generation(made), ChatGenerationChunk(message=expected)
    assert generation == wanted
    assert _attributes(generation) == _attributes(wanted)
    assert generation.message is made
    assert made + made == expected + expected


@settings(max_examples=20, deadline=None)
@given(st.lists(_FIELDS, min_size=2, max_size=2))
def test_no_two_chunks_share_a_container(both: list[dict[str, Any]]) -> None:
    models = [make_message(fields) for fields in both]
    models += [make_message({}) for _ in range(2)]
    containers = [
        id(value)
        for model in models
        for value in (*model.__dict__.values(), model.model_fields_set, model.model_extra)
        if isinstance(value, list | dict | set)
    ]
    assert len(containers) == len(set(containers))
