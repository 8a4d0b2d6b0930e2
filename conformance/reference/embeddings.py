"""The embeddings route of a dedicated deployment.

Knows the OpenAI shape of embeddings and the batch limit of Baseten's embedding engine. The
vectors are digests: equal texts give equal vectors, and that is all they mean.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from conformance.reference.error_bodies import ENGINE_HEADERS
from conformance.reference.exchange import AnswerPlan, plan_json
from conformance.reference.tokens import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BATCH = 128
DIMENSIONS = 8


def embed(body: Mapping[str, Any]) -> AnswerPlan:
    """Answer an embeddings request.

    Args:
        body: The decoded body; `input` is a text or a list of texts.

    Returns:
        The vectors; 413 above 128 inputs; 422 when there is no usable input.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return _refuse(422, "input must be a string or a list of strings")
    if len(texts) > LARGEST_BATCH:
        reported = f"batch size {len(texts)} > maximum allowed batch size {LARGEST_BATCH}"
        return _refuse(413, reported)
    tokens = sum(map(count_tokens, texts))
    value = {
        "object": "list",
        "data": [
            {"object": "embedding", "embedding": make_vector(text), "index": index}
            for index, text in enumerate(texts)
        ],
        "model": body.get("model") or "model",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return plan_json(200, value, ENGINE_HEADERS)


def make_vector(text: str) -> list[float]:
    """Return the unit vector of a text: eight bytes of its digest, normalised."""
    raw = hashlib.sha256(text.encode("utf-8", "replace")).digest()[:DIMENSIONS]
    centred = [byte - 127.5 for byte in raw]
    norm = math.hypot(*centred)
    return [value / norm for value in centred]


def _refuse(status: int, message: str) -> AnswerPlan:
    value = {"message": message, "type": "Validation", "code": status}
    return plan_json(status, value, ENGINE_HEADERS)
