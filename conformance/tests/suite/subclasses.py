"""Classes that derive from our own client, as somebody's package may hold them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator


class Mine(ChatBaseten):
    """Changes nothing."""


class WithDefaults(ChatBaseten):
    """Has defaults of its own."""

    temperature: float | None = 0.2
    max_tokens: int | None = 500


class ShowsItsKey(ChatBaseten):
    """Shows the key in its representation."""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [("api_key", getattr(self.baseten_api_key, "get_secret_value", str)())]


class Altered(ChatBaseten):
    """Asks and answers through hooks, in each way of calling; here none of them does anything."""

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return what is asked in the place of this."""
        return messages, options

    def _translate(self, *, streamed: bool) -> AbstractContextManager[Any]:
        """Raise other errors."""
        return nullcontext(streamed)

    def _tell(self, message: Any, *, streamed: bool) -> None:
        """Change an answer or a chunk of one."""

    def _tell_all(self, result: Any) -> Any:
        """Return another result."""
        for generation in result.generations:
            self._tell(generation.message, streamed=False)
        return result

    def _split(self, chunk: Any) -> Iterable[Any]:
        """Yield other chunks in the place of one."""
        self._tell(chunk.message, streamed=True)
        yield chunk

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=False):
            return self._tell_all(super()._generate(messages, *given, **options))

    async def _agenerate(self, messages: Any, *given: Any, **options: Any) -> Any:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=False):
            return self._tell_all(await super()._agenerate(messages, *given, **options))

    def _stream(self, messages: Any, *given: Any, **options: Any) -> Iterator[Any]:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=True):
            for chunk in super()._stream(messages, *given, **options):
                yield from self._split(chunk)

    async def _astream(self, messages: Any, *given: Any, **options: Any) -> AsyncIterator[Any]:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=True):
            async for chunk in super()._astream(messages, *given, **options):
                for part in self._split(chunk):
                    yield part
