"""Chains travel to other processes: those of `with_structured_output`, and what wraps a model."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from conformance.reference import LoopbackServer
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY
from langchain_baseten import ChatBaseten
from langchain_baseten._protocol.schemas import METHODS, Method


class Person(BaseModel):
    """A person."""

    name: str
    city: str


class PersonDict(TypedDict):
    """A person."""

    name: str
    city: str


def count(last: int) -> int:
    """Count to a number."""
    return last


SCHEMAS: dict[str, Any] = {
    "pydantic": Person,
    "TypedDict": PersonDict,
    "JSON schema": Person.model_json_schema(),
}
QUESTION = "Ada lives in Rome. Answer as JSON with the keys 'name' and 'city'."


@pytest.fixture
def model() -> Iterator[ChatBaseten]:
    with LoopbackServer() as server, _open(server) as opened:
        yield opened


def _open(server: LoopbackServer) -> ChatBaseten:
    return ChatBaseten(
        model="moonshotai/Kimi-K2.6", base_url=f"{server.url}/v1", api_key=KEY, max_retries=0
    )


def _travel(chain: Any) -> Any:
    return pickle.loads(pickle.dumps(chain))  # noqa: S301  our own bytes


@in_each("method", METHODS)
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_structured_chain_answers_the_same_after_a_pickle(
    schema: str, method: Method, model: ChatBaseten
) -> None:
    plain = model.with_structured_output(SCHEMAS[schema], method=method)
    raw = model.with_structured_output(SCHEMAS[schema], method=method, include_raw=True)
    expected = await plain.ainvoke(QUESTION)
    travelled = _travel(raw)

    assert isinstance(expected, Person if schema == "pydantic" else dict)
    assert _travel(plain).invoke(QUESTION) == expected
    for found in (travelled.invoke(QUESTION), await travelled.ainvoke(QUESTION)):
        assert (found["parsed"], found["parsing_error"]) == (expected, None)
        assert found["raw"].response_metadata["model_name"] == model.model


WRAPPERS: dict[str, Callable[[ChatBaseten], Any]] = {
    "tools": lambda model: model.bind_tools([count]),
    "retries": lambda model: model.with_retry(stop_after_attempt=2),
    "fallbacks": lambda model: model.with_fallbacks([model]),
    "config": lambda model: model.with_config(tags=["a"]),
    "prompt": lambda model: ChatPromptTemplate.from_messages([("human", "{input}")]) | model,
    "alternatives": lambda model: model.configurable_fields(
        temperature=ConfigurableField(id="temperature")
    ),
}


@in_each("wrap", WRAPPERS)
def test_a_wrapped_model_answers_after_a_pickle(
    wrap: Callable[[ChatBaseten], Any], model: ChatBaseten
) -> None:
    assert "Hello" in _travel(wrap(model)).invoke("Hello").text
