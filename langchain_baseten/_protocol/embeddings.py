"""Convert an embeddings response to vectors.

Knows the keys of the response; must not know batches or the network.
"""

from __future__ import annotations

import math
from typing import Any

from langchain_baseten._protocol.error_responses import error_from_event, is_error_payload
from langchain_baseten._protocol.json_text import parse_body
from langchain_baseten._protocol.response import invalid_response


def read_vectors(text: str, count: int) -> list[list[float]]:
    """Return the vectors of a response in the order of the texts.

    Args:
        text: The body.
        count: How many texts were sent.

    Returns:
        One vector for each text.

    Raises:
        BasetenInvalidResponseError: If the response does not hold a vector for each text.
        BasetenError: If the body is an error in spite of HTTP 200.
    """
    body = parse_body(text)
    if isinstance(body, dict) and is_error_payload(body):
        raise error_from_event(body)
    data = body.get("data") if isinstance(body, dict) else None
    rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
    by_index = dict(_read_row(place, row) for place, row in enumerate(rows))
    vectors = [by_index.get(index) for index in range(count)]
    found = [vector for vector in vectors if vector is not None]
    if len(rows) != count or len(found) != count or len({len(vector) for vector in found}) > 1:
        raise invalid_response(f"does not hold {count} vectors of one length, each once", text)
    return found


def _read_row(place: int, row: dict[str, Any]) -> tuple[int, list[float] | None]:
    # Rows without an index are in the order of the texts.
    index, vector = row.get("index"), row.get("embedding")
    index = index if type(index) is int else place
    if not isinstance(vector, list) or not vector or not all(map(_is_number, vector)):
        return index, None
    return index, vector


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value)
