"""Traces show a model as it is when it is asked, and keeping that changes no attribute of it."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from conformance.tests.package.mock_service import KEY, MockService
from langchain_baseten import ChatBaseten


class _Trace(BaseCallbackHandler):
    """Remembers what each call shows of its model."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: dict[str, Any], *_: Any, **__: Any) -> None:
        self.shown.append(serialized)


def test_what_is_shown_is_made_once_for_the_same_values_and_anew_for_others() -> None:
    trace, model = _Trace(), MockService().model(temperature=0.1)
    config: Any = {"callbacks": [trace], "configurable": {"thread_id": "a"}}
    for temperature in (0.1, 0.9):
        model.temperature = temperature
        model.invoke("Hi", config)
        list(model.stream("Hi", config))
    first, second, third, fourth = trace.shown
    assert first is second
    assert third is fourth
    assert [shown["kwargs"]["temperature"] for shown in (first, third)] == [0.1, 0.9]


def test_a_call_adds_no_attribute() -> None:
    model, other = (MockService().model(http_client=None, http_async_client=None) for _ in "ab")
    before = list(vars(model))
    assert model._serialized
    assert list(vars(model)) == before
    assert model == other


def test_a_value_that_cannot_be_compared_is_shown() -> None:
    class Unequal(dict[str, Any]):
        def __eq__(self, other: object) -> bool:
            raise ValueError("as the arrays of numpy say")

        __hash__ = None

    model = ChatBaseten(model="m", api_key=KEY, extra_body={"a": 1})
    assert model._serialized["kwargs"]["extra_body"] == {"a": 1}
    model.extra_body = {"a": Unequal()}
    assert "a" in model._serialized["kwargs"]["extra_body"]
