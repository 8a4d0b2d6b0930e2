"""Broken clients: each function puts one defect into ChatBaseten, and is named by it.

A defect takes pytest's monkeypatch, which undoes it. Knows the client's insides; must not know
which claims that breaks. This file holds what the defects share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from langchain_baseten import chat_models

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Patch", "answer_with", "change_message", "change_parameters", "hear_with"]

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
