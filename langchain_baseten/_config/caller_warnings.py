"""Warnings that point at the line of the caller's own code.

Knows the call stack only.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_LIBRARIES = frozenset(
    {"langchain_baseten", "langchain_core", "langchain", "langgraph", "pydantic", "asyncio"}
    | {"concurrent", "threading", "contextlib", "runpy"}
)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the nearest line outside of LangChain, each time.

    Python shows a warning once for each line of code. Here each one is about another response, so
    none is taken for a repetition; filters of the user's own still apply.

    Args:
        message: The text.
        category: The class of the warning.
    """
    at = sys._getframe(1)  # noqa: SLF001  the way in which warnings.warn counts frames
    while _is_library(at) and at.f_back is not None:
        at = at.f_back
    place = (at.f_code.co_filename, at.f_lineno, _module_of(at))
    warnings.warn_explicit(message, category, *place, registry={})


def _is_library(frame: FrameType) -> bool:
    return _module_of(frame).partition(".")[0] in _LIBRARIES


def _module_of(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name
