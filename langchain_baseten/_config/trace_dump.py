"""What traces show of a model: its dump, made again when a value has changed.

Must not know any field. langchain-core would keep it among the model's attributes, and what reads
them in another thread (a first call, a repr, a dump) fails when one is added:
https://docs.python.org/3/library/stdtypes.html#dict-views
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

from langchain_core.load import dumpd

if TYPE_CHECKING:
    from langchain_core.load import Serializable


class TraceDump:
    """The dump of one model, kept while each of the model's values is the same object.

    A copy or a pickle of it has none.
    """

    def __init__(self) -> None:
        self._kept: tuple[list[Any], dict[str, Any]] = ([], {})

    def __eq__(self, other: object) -> bool:
        # Two models with the same settings are equal, whichever was asked.
        return isinstance(other, TraceDump)

    __hash__ = None  # type: ignore[assignment]  # mutable, and never a dict key

    def __reduce__(self) -> tuple[Any, ...]:
        return (TraceDump, ())

    def read(self, model: Serializable) -> dict[str, Any]:
        """Return the dump.

        Args:
            model: The model, always the same or one with the same values.
        """
        values = [*vars(model).values()]  # held: a new object never has a kept one's identity
        kept, dump = self._kept
        if len(kept) != len(values) or not all(map(is_, kept, values)):
            dump = dumpd(model)
            self._kept = values, dump
        return dump
