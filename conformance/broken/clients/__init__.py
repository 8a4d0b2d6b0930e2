"""Broken clients: each function puts one defect into ChatBaseten, and is named by it.

A defect takes pytest's monkeypatch, which undoes it. Knows the client's insides; must not know
which claims that breaks. This file holds what the defects share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from langchain_baseten import chat_models
from langchain_baseten._protocol import response, stream

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Patch",
    "answer_with",
    "change_message",
    "change_parameters",
    "change_reading",
    "hear_with",
    "walk",
    "wrap",
]

Patch: TypeAlias = pytest.MonkeyPatch
"""What puts a defect in, and takes it out again."""


def answer_with(patch: Patch, owner: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Change what a function or method returns.

    Args:
        patch: Undoes it.
        owner: Module or class that holds the function.
        name: Its name there.
        change: Takes what was returned, returns what shall be.
    """
    real = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **kwargs: change(real(*args, **kwargs)))


def hear_with(patch: Patch, owner: Any, name: str, at: int, change: Callable[[Any], Any]) -> None:
    """Change one positional argument of a function or method.

    Args:
        patch: Undoes it.
        owner: Module or class that holds the function.
        name: Its name there.
        at: Which argument, `self` counted.
        change: Takes what was passed, returns what shall be.
    """
    real = getattr(owner, name)

    def hear(*args: Any, **kwargs: Any) -> Any:
        return real(*args[:at], change(args[at]), *args[at + 1 :], **kwargs)

    patch.setattr(owner, name, hear)


def change_message(patch: Patch, change: Callable[[Any], Any]) -> None:
    """Change each message as the request holds it.

    Args:
        patch: Undoes it.
        change: Takes a message of the request, returns the one to send.
    """
    answer_with(patch, chat_models, "write_messages", lambda turns: list(map(change, turns)))


def change_parameters(patch: Patch, change: Callable[[Any], Any]) -> None:
    """Change the parameters of each request.

    Args:
        patch: Undoes it.
        change: Takes the parameters by their names in the request, returns those to send.
    """
    answer_with(patch, chat_models, "build_parameters", change)


def wrap(patch: Patch, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put another function or method in the place of one.

    Args:
        patch: Undoes it.
        owner: Module or class that holds the function.
        name: Its name there.
        make: Takes the function, returns the one to put in its place.
    """
    patch.setattr(owner, name, make(getattr(owner, name)))


def change_reading(patch: Patch, name: str, change: Callable[[Any], Any]) -> None:
    """Change what is read of responses, streamed or not.

    Args:
        patch: Undoes it.
        name: The function that reads it.
        change: Takes what it returned, returns what shall be.
    """
    for module in (response, stream):
        answer_with(patch, module, name, change)


def walk(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with each of its texts changed.

    Args:
        value: The value.
        change: Takes a text, returns another.
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: walk(inner, change) for key, inner in value.items()}
    return [walk(inner, change) for inner in value] if isinstance(value, list) else value
