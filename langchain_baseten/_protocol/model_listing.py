"""Convert a response of GET /v1/models to rows.

Knows the keys that the Model APIs and the engines send; must not know the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from langchain_core.language_models import ModelProfile

from langchain_baseten._protocol.error_responses import error_from_event, is_error_payload
from langchain_baseten._protocol.invalid_responses import invalid_response
from langchain_baseten._protocol.json_text import parse_body

MEDIA = ("text", "image", "audio", "video")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model that a server lists. What was not sent, or not as documented, is None or empty.

    The Model APIs send all of it (recorded on 2026-08-17); engines send `id` and, in the case of
    vLLM, the context length.

    Attributes:
        id: The slug to pass as `model`.
        name: Name for people.
        description: What the model is good at.
        created: Unix time in seconds.
        owned_by: Who serves the model.
        context_length: Maximum number of tokens of input and output together.
        max_completion_tokens: Maximum number of tokens of a response.
        quantization: Format of the weights, such as `fp4`.
        pricing: US dollars per token by `prompt`, `completion` and `input_cache_read`, and per
            item by `image` and `request`.
        supported_features: Such as `tools`, `json_mode`, `structured_outputs`, `reasoning`,
            `reasoning_effort`.
        supported_sampling_parameters: Such as `temperature`, `top_p`, `stop`.
        input_modalities: Such as `text`, `image`.
        output_modalities: Such as `text`.
        raw: The row as it was sent.
    """

    id: str
    name: str | None = None
    description: str | None = None
    created: int | None = None
    owned_by: str | None = None
    context_length: int | None = None
    max_completion_tokens: int | None = None
    quantization: str | None = None
    pricing: Mapping[str, Decimal] = field(default_factory=dict)
    supported_features: tuple[str, ...] = ()
    supported_sampling_parameters: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def profile(self) -> ModelProfile:
        """What the row says in the terms of langchain-core's `ModelProfile`.

        Pass it as `profile=` for a model that is newer than this package.
        """
        sizes = {
            "name": self.name,
            "max_input_tokens": self.context_length,
            "max_output_tokens": self.max_completion_tokens,
        }
        profile: dict[str, Any] = {k: v for k, v in sizes.items() if v is not None}
        for way, kinds in (("inputs", self.input_modalities), ("outputs", self.output_modalities)):
            if kinds:
                profile |= {f"{kind}_{way}": kind in kinds for kind in MEDIA}
        if self.supported_features:
            features = self.supported_features
            profile["reasoning_output"] = "reasoning" in features
            profile["tool_calling"] = "tools" in features
            profile["structured_output"] = "structured_outputs" in features
        if self.supported_sampling_parameters:
            profile["temperature"] = "temperature" in self.supported_sampling_parameters
        return cast("ModelProfile", profile)


def read_models(
    text: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    redact: Callable[[Any], Any] = lambda value: value,
) -> list[ListedModel]:
    """Return the rows of a listing, in the order of the server.

    Args:
        text: The body.
        status: HTTP status, a success.
        headers: Response headers, lower-case names.
        redact: Hides the secrets that a server may have repeated.

    Raises:
        BasetenInvalidResponseError: If it holds no list of models with ids.
        BasetenError: If the body is an error in spite of its status.
    """
    body = parse_body(text)
    rows = body.get("data") if isinstance(body, dict) else None
    if isinstance(body, dict) and not rows and is_error_payload(body):
        raise error_from_event(body, status, headers)
    if not isinstance(rows, list) or not all(_has_id(row) for row in rows):
        raise invalid_response("holds no list of models", text, status, headers)
    return [read_model(row) for row in redact(rows)]


def read_model(row: Mapping[str, Any]) -> ListedModel:
    """Return one row of a listing.

    Args:
        row: The row, with an `id`.
    """
    length = row.get("context_length")
    return ListedModel(
        id=row["id"],
        **{name: _read(row.get(name), str) for name in _TEXTS},
        created=_read(row.get("created"), int),
        context_length=_read(row.get("max_model_len") if length is None else length, int),
        max_completion_tokens=_read(row.get("max_completion_tokens"), int),
        pricing=_read_prices(row.get("pricing")),
        **{name: _read_texts(row.get(name)) for name in _LISTS},
        raw=row,
    )


_TEXTS = ("name", "description", "owned_by", "quantization")
_LISTS = (
    *("supported_features", "supported_sampling_parameters"),
    *("input_modalities", "output_modalities"),
)


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)


def _read(value: Any, kind: type) -> Any:
    return value if type(value) is kind else None


def _read_texts(value: Any) -> Any:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _read_prices(value: Any) -> dict[str, Decimal]:
    prices = {k: _read_price(v) for k, v in value.items()} if isinstance(value, dict) else {}
    return {name: price for name, price in prices.items() if price is not None}


def _read_price(value: Any) -> Decimal | None:
    """Return a price; prices are sent as text, since floats are not exact."""
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() else None
