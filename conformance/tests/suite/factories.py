"""Factories for the tests of other people's models: good, useless and broken ones.

Knows nothing of the checks; `of_ours` is our own client as somebody else would bring it.
"""

from __future__ import annotations

import importlib
from typing import Any

from langchain_core.language_models import FakeListChatModel

number = 7


def of_ours(**settings: Any) -> Any:
    return importlib.import_module("langchain_baseten").ChatBaseten(**settings)


def of_canned_words(**settings: Any) -> Any:
    if "temperature" in settings:
        raise NotImplementedError("words in cans have no temperature")
    return FakeListChatModel(responses=["Hello, Ada."])


def of_nothing(**settings: Any) -> Any:
    return None


def of_trouble(**settings: Any) -> Any:
    raise OSError("no such model here")


def of_no_use(**settings: Any) -> Any:
    raise NotImplementedError("never")
