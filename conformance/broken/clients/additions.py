"""Clients that break what this package adds: its list of models, profiles, sessions, key functions.

They know the client's insides and must not know which claims that breaks.
"""

from __future__ import annotations

import asyncio
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with
from langchain_baseten import ChatBaseten
from langchain_baseten._config import api_key, service, session
from langchain_baseten._config.api_key import KeyProvider
from langchain_baseten._config.service import BasetenService
from langchain_baseten._protocol import model_listing

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def forgets_prices(patch: Patch) -> None:
    patch.setattr(model_listing, "_read_prices", lambda _: {})


def keeps_the_first_profile(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "_derive_again", BasetenService._derive_again)


def forgets_the_thread(patch: Patch) -> None:
    """Read the context alone, and not what a caller passes."""
    patch.setattr(session.SessionModel, "_in_thread", lambda self, _config: self)


def tells_the_threads_id(patch: Patch) -> None:
    real = session.session_header

    def tell(thread: str, headers: Any) -> dict[str, str]:
        return dict.fromkeys(real(thread, headers), thread)

    # Where the service has imported it.
    patch.setattr(service, "session_header", tell)


def replaces_the_users_session(patch: Patch) -> None:
    patch.setattr(session, "SESSION_HEADERS", frozenset())


def keeps_the_first_key(patch: Patch) -> None:
    kept: list[Any] = []

    def keep(key: Any) -> Any:
        kept.append(key)
        return kept[0]

    answer_with(patch, KeyProvider, "fetch", keep)


def awaits_functions_by_their_definition(patch: Patch) -> None:
    async def call(self: Any) -> Any:
        if iscoroutinefunction(self._function):
            return await self._function()
        return await asyncio.to_thread(self._function)

    patch.setattr(api_key.KeyProvider, "_call", call)
