"""Convert an embeddings response to vectors.

Knows the keys of the response, and where in the user's list a batch begins; must not know how texts
are divided, or the network.
"""

from __future__ import annotations

import binascii
import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.error_responses import (
    error_from_event,
    is_error_payload,
)
from langchain_baseten._protocol.invalid_responses import invalid_response
from langchain_baseten._protocol.json_text import parse_body
from langchain_baseten.exceptions import BasetenInvalidResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHOWN = 100
"""Maximum number of characters of a vector in a message."""
_FLOAT_BYTES = 4
"""Vectors in base64 are 32-bit floats, the least significant byte first, as OpenAI sends them."""
_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """What the reader of a response needs to know about its request.

    Attributes:
        count: How many texts were sent.
        first: Position of the first one in the user's list, for messages.
        dimensions: The length of vectors that was requested, if any.
    """

    count: int
    first: int = 0
    dimensions: int | None = None


def read_vectors(
    text: str,
    context: BatchContext,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> list[list[float]]:
    """Return the vectors of a response in the order of the texts.

    Args:
        text: The body.
        context: What the reader needs to know about the request.
        status: HTTP status, a success.
        headers: Response headers, lower-case names.

    Returns:
        One vector for each text.

    Raises:
        BasetenInvalidResponseError: If the response does not hold one list of finite numbers for
            each text, all of one length.
        BasetenError: If the body is an error in spite of its status.
    """
    body = parse_body(text)
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(body, dict) and (body.get("error") or not data) and is_error_payload(body):
        raise error_from_event(body, status, headers)
    reader = _Reader(context, text, status, headers or {})
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise reader.invalid("holds no list of vectors")
    return reader.read(data)


def check_lengths(vectors: Iterable[list[float]]) -> None:
    """Raise if vectors that came in several responses differ in length.

    Args:
        vectors: The vectors of all texts, in their order.

    Raises:
        BasetenInvalidResponseError: If they differ.
    """
    lengths = list(map(len, vectors))
    for position, length in enumerate(lengths):
        if length != lengths[0]:
            raise BasetenInvalidResponseError(
                f"The server returned a vector of {length} numbers for text {position}, but one of "
                f"{lengths[0]} for text 0. Check that all replicas serve one model."
            )


@dataclass(frozen=True, slots=True)
class _Reader:
    context: BatchContext
    text: str = field(repr=False)
    status: int
    headers: Mapping[str, str] = field(repr=False)

    def read(self, rows: list[dict[str, Any]]) -> list[list[float]]:
        places = self._read_places([row.get("index") for row in rows])
        found: list[list[float]] = []
        for position in range(self.context.count):
            found.append(self._read_vector(position, rows[places[position]].get("embedding")))
            self._check_length(position, len(found[-1]), len(found[0]))
        return found

    def _read_places(self, indices: list[Any]) -> dict[int, int]:
        """Return where the vector of each text is. Without any index they are in the order."""
        if all(index is None for index in indices):
            indices = list(range(len(indices)))
        shown = f"the indices are {shorten(repr(indices), _SHOWN)}"
        places: dict[int, int] = {}
        for place, index in enumerate(indices):
            if type(index) is not int or not 0 <= index < self.context.count:
                raise self.invalid(
                    f"holds a vector with the index {shorten(repr(index), _SHOWN)}, where "
                    f"{self.context.count} texts were sent from text {self.context.first} on",
                    shown,
                )
            if index in places:
                raise self.invalid(f"holds two vectors for text {self._name(index)}", shown)
            places[index] = place
        for position in range(self.context.count):
            if position not in places:
                raise self.invalid(f"holds no vector for text {self._name(position)}", shown)
        return places

    def _read_vector(self, position: int, value: Any) -> list[float]:
        numbers = _decode(value) if isinstance(value, str) else value
        if isinstance(numbers, list) and numbers and set(map(type, numbers)) <= _NUMBERS:
            try:
                vector = list(map(float, numbers))
            except OverflowError:  # an int beyond every float
                vector = [math.inf]
            if all(map(math.isfinite, vector)):
                return vector
        raise self.invalid(
            f"holds a vector for text {self._name(position)} that is not a list of finite numbers",
            shorten(json.dumps(value, ensure_ascii=False), _SHOWN),
        )

    def _check_length(self, position: int, length: int, first: int) -> None:
        wanted = self.context.dimensions
        if wanted is not None and length != wanted:
            raise self.invalid(
                f"holds a vector of {length} numbers for text {self._name(position)}, where "
                f"dimensions={wanted} was requested",
                "check that the model can shorten its vectors",
            )
        if length != first:
            raise self.invalid(
                f"holds a vector of {length} numbers for text {self._name(position)}, but one of "
                f"{first} for text {self._name(0)}",
                "check that all replicas serve one model",
            )

    def _name(self, position: int) -> int:
        return self.context.first + position

    def invalid(self, what: str, shown: str | None = None) -> BasetenInvalidResponseError:
        return invalid_response(what, self.text, self.status, self.headers, shown=shown)


def _decode(text: str) -> list[float] | None:
    """Return the vector that base64 holds, or None."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    count, rest = divmod(len(data), _FLOAT_BYTES)
    return None if rest else list(struct.unpack(f"<{count}f", data))
