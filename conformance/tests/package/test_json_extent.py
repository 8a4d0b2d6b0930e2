"""Where a JSON object ends, in texts that are split anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol import json_extent
from langchain_baseten._protocol.json_extent import ObjectExtent

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
TEXTS = st.text(alphabet='{}[]",:\\ \n1ax', max_size=24) | VALUES.map(json.dumps)


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except ValueError:
        return False


@in_each("text", [r'{"a\"}": [1]}', r'{"\\": 1}', "{x}", '{"a": 1} x'])
def test_a_text_is_read_letter_by_letter(text: str) -> None:
    extent = ObjectExtent()
    for letter in text:
        extent.feed(letter)
    assert extent.is_complete() is is_object(text)


@pytest.mark.untraced("many texts through lines that other tests run")
@given(TEXTS, st.integers(1, 5), st.sampled_from(["", " ", "\n", "x", "}", "{}", "\u00a0"]))
def test_a_text_is_complete_if_and_only_if_it_is_an_object(
    text: str, size: int, behind: str
) -> None:
    extent = ObjectExtent()
    for at in range(0, len(text), size):
        extent.feed(text[at : at + size])
    assert extent.is_complete() is is_object(text)
    extent.feed(behind)
    assert extent.is_complete() is is_object(text + behind)


@pytest.mark.parametrize("behind", [" ", "x"], ids=["white space", "more text"])
def test_a_text_is_parsed_once_however_often_one_asks(
    behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extent = ObjectExtent()
    extent.feed(json.dumps({"a": "x" * 100}))
    parsed: list[Any] = []

    def parse(text: str) -> Any:
        parsed.append(text)
        return {}

    monkeypatch.setattr(json_extent, "_parse", parse)
    for _ in range(50):
        extent.is_complete()
        extent.feed(behind)
    assert len(parsed) == 1
