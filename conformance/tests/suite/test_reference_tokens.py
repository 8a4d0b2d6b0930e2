from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.reference.tokens import count_tokens, group_tokens, spend_tokens, split_tokens


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    tokens = split_tokens(text)
    assert "".join(tokens) == text
    assert len(tokens) == count_tokens(text)


def test_a_sentence_has_several_tokens() -> None:
    assert split_tokens("Hello, wonderful 世界 \n") == (
        "Hello",
        ",",
        " wonder",
        "ful",
        " 世界",
        " \n",
    )


def test_groups_keep_order_and_count() -> None:
    assert group_tokens(("a", "b", "c"), 2) == [("ab", 2), ("c", 1)]
    assert group_tokens((), 2) == []


@pytest.mark.parametrize(
    ("budget", "kept", "left", "cut"),
    [
        (None, ("a", "b"), None, False),
        (3, ("a", "b"), 1, False),
        (2, ("a", "b"), 0, False),
        (1, ("a",), 0, True),
        (0, (), 0, True),
    ],
)
def test_a_budget_is_spent_to_its_end(
    budget: int | None, kept: tuple[str, ...], left: int | None, cut: bool
) -> None:
    assert spend_tokens("ab", budget) == (kept, left, cut)
