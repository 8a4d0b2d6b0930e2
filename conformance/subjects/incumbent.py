"""The package of the same name before this one: `ChatBaseten` of langchain-baseten 0.2.

Knows that its import name is ours as well, so it must be installed where ours is not.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

_RELEASE = "0.2."


def make(**settings: Any) -> Any:
    """Make its chat model.

    Args:
        settings: Constructor's arguments; its own are called the same.

    Raises:
        RuntimeError: What is installed under its name is another release, such as ours.
    """
    found = metadata.version("langchain-baseten")
    if not found.startswith(_RELEASE):
        raise RuntimeError(f"langchain-baseten {found} is installed, not release {_RELEASE}x")
    return importlib.import_module("langchain_baseten").ChatBaseten(**settings)
