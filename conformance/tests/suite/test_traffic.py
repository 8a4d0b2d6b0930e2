from __future__ import annotations

from typing import Any

import pytest

from conformance.subjects.traffic import is_usage_unrequested

REQUESTED = {"model": "moonshotai/Kimi-K2.6", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("body", "unrequested"),
    [
        ({}, False),
        ({"stream": False, "stream_options": None}, False),
        ({"stream": True}, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, True),
        ({"stream": True, "stream_options": {"include_usage": True}}, False),
    ],
)
def test_usage_is_requested_of_a_stream_by_its_option(
    body: dict[str, Any], *, unrequested: bool
) -> None:
    assert is_usage_unrequested(body) is unrequested
