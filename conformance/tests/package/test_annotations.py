"""Annotations of public classes resolve at run time, as langchain-core needs them to.

`RunnableWithFallbacks` asks for the type hints of a method before it forwards the call.
"""

from __future__ import annotations

import inspect
import typing
from typing import Any

import httpx2
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel

import langchain_baseten
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService, calling
from langchain_baseten import ChatBaseten

METHODS = [
    (cls, name)
    for cls in (getattr(langchain_baseten, name) for name in langchain_baseten.__all__)
    if inspect.isclass(cls)
    for base in cls.__mro__
    if base.__module__.startswith("langchain_baseten")
    for name, value in vars(base).items()
    if (inspect.isfunction(value) and value.__module__.startswith("langchain_baseten"))
    or isinstance(value, classmethod | staticmethod | property)
]


def unwrap(cls: type, name: str) -> Any:
    found = inspect.getattr_static(cls, name)
    if isinstance(found, property):
        return found.fget
    return getattr(found, "__func__", found)


@in_each(("cls", "name"), METHODS)
def test_annotations_of_a_method_resolve(cls: type, name: str) -> None:
    assert typing.get_type_hints(unwrap(cls, name)) is not None


def test_annotations_of_public_classes_resolve() -> None:
    for name in langchain_baseten.__all__:
        found = getattr(langchain_baseten, name)
        if inspect.isclass(found):
            assert typing.get_type_hints(found) is not None


def test_there_are_methods_to_look_at() -> None:
    assert len(METHODS) > 60
    assert (ChatBaseten, "bind_tools") in METHODS
    assert issubclass(ChatBaseten, BaseChatModel)


class Joke(BaseModel):
    """A joke."""

    setup: str


def test_fallbacks_can_be_bound_to_tools_and_structured() -> None:
    # langchain-core binds fallbacks too only where the return type is a Runnable.
    failing = MockService(httpx2.Response(500)).model()
    chain: Any = failing.with_fallbacks([MockService(calling("Joke", {"setup": "Knock"})).model()])

    (call,) = chain.bind_tools([Joke]).invoke("Hi").tool_calls
    assert call["args"] == {"setup": "Knock"}
    assert chain.with_structured_output(Joke).invoke("Hi") == Joke(setup="Knock")
    assert RunnableLambda(lambda x: x) | chain.bind_tools([Joke]) is not None
