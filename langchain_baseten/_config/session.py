"""Prompt-cache affinity: the requests of one LangGraph thread name the same session.

Knows runnable configs and the header; must not know messages. Baseten keeps the prompt cache where
a request was served, and routes by session
(https://docs.baseten.co/inference/model-apis/pricing-and-limits).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, var_child_runnable_config
from pydantic import BaseModel, ConfigDict, PrivateAttr

from langchain_baseten._config.call_options import conceal_options
from langchain_baseten._config.private_attributes import read_private

SESSION_HEADER = "x-session-affinity"
SESSION_HEADERS = frozenset({SESSION_HEADER, "x-baseten-session-id", "x-session-id", "session-id"})
"""The headers by which Baseten knows a session."""

_THREAD_IDS = (str, int, UUID)


def find_thread(config: Mapping[str, Any] | None) -> str:
    """Return the id of the LangGraph thread that a config names, or an empty string.

    Args:
        config: A runnable config.
    """
    if not config or not (settings := config.get("configurable")):
        return ""
    thread = settings.get("thread_id")
    return str(thread) if isinstance(thread, _THREAD_IDS) else ""


def session_header(thread: str, headers: Mapping[str, Any]) -> dict[str, str]:
    """Return the header that names a thread's session.

    Args:
        thread: Id of the thread, of which only a hash is sent; empty where there is none.
        headers: Headers of the user. If one of them names a session, it is left alone.
    """
    if not thread or any(name.lower() in SESSION_HEADERS for name in headers):
        return {}
    digest = hashlib.sha256(thread.encode("utf-8", "surrogatepass"))
    return {SESSION_HEADER: digest.hexdigest()[:32]}


class SessionModel(BaseChatModel):
    """A chat model that knows the LangGraph thread in which it is called.

    langchain-core passes no config to `_generate` and `_stream`. Inside a graph it stands in a
    context variable. Where a caller passes one by hand, a copy of the model makes the call, with
    the same connections: a context variable would not reach streams that are read later.
    """

    model_config = ConfigDict(defer_build=True)

    _thread: str | None = PrivateAttr(default=None)

    @property
    def _current_thread(self) -> str:
        thread: str | None = read_private(self, "_thread")
        return find_thread(var_child_runnable_config.get()) if thread is None else thread

    def _in_thread(self, config: RunnableConfig | None) -> Self:
        """Return the model that makes a call with this config."""
        if not config:
            return self
        thread = find_thread(ensure_config(config))
        if thread == self._current_thread:
            return self
        copied = BaseModel.__copy__(self)
        copied._thread = thread
        return copied

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002  langchain-core's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the model's message, as langchain-core describes it."""
        model, held, kwargs = self._in_thread(config), [config], conceal_options(kwargs)
        del config  # tracebacks show locals, and the config may hold a key
        return super(SessionModel, model).invoke(input, held.pop(), stop=stop, **kwargs)

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002  langchain-core's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the model's message, as langchain-core describes it."""
        model, held, kwargs = self._in_thread(config), [config], conceal_options(kwargs)
        del config  # tracebacks show locals, and the config may hold a key
        return await super(SessionModel, model).ainvoke(input, held.pop(), stop=stop, **kwargs)

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002  langchain-core's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Return the chunks of the model's message, as langchain-core describes them."""
        model = self._in_thread(config)
        return super(SessionModel, model).stream(input, config, stop=stop, **kwargs)

    def astream(
        self,
        input: LanguageModelInput,  # noqa: A002  langchain-core's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Return the chunks of the model's message, as langchain-core describes them."""
        model = self._in_thread(config)
        return super(SessionModel, model).astream(input, config, stop=stop, **kwargs)

    if not TYPE_CHECKING:  # where langchain-core's own overloads count

        def stream_events(self, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
            """Return the events of the model's message, as langchain-core describes them."""
            model, held, kwargs = self._in_thread(config), [config], conceal_options(kwargs)
            del config
            return super(SessionModel, model).stream_events(input, held.pop(), **kwargs)

        def astream_events(self, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
            """Return the events of the model's message, as langchain-core describes them."""
            model, held, kwargs = self._in_thread(config), [config], conceal_options(kwargs)
            del config
            return super(SessionModel, model).astream_events(input, held.pop(), **kwargs)
