"""Classes that derive from our own client, as somebody's package may hold them."""

from __future__ import annotations

from langchain_baseten import ChatBaseten


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
