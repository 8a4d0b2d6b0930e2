"""`list_models`: typed rows of GET /v1/models, over the same border as every other call."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from langchain_core.language_models import ModelProfile

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, MockService
from langchain_baseten import (
    BasetenAPIError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    ChatBaseten,
    EndpointError,
    ListedModel,
)
from langchain_baseten._protocol.model_listing import read_model, read_models

ROW = {
    "id": "a/b",
    "name": "B",
    "description": "Good.",
    "created": 1754410981,
    "object": "model",
    "owned_by": "baseten",
    "context_length": 200_000,
    "max_completion_tokens": 100_000,
    "quantization": "fp4",
    "pricing": {"prompt": "0.0000001", "completion": "0.0000005", "image": "0"},
    "supported_sampling_parameters": ["temperature", "stop"],
    "supported_features": ["tools", "json_mode", "structured_outputs", "reasoning"],
    "input_modalities": ["text", "image"],
    "output_modalities": ["text"],
}
ENGINE_ROW = {"id": "tiny", "object": "model", "max_model_len": 2048, "owned_by": "vllm"}

WAYS: dict[str, Any] = {
    "sync": lambda model: model.list_models(),
    "async": lambda model: asyncio.run(model.alist_models()),
}
sync_and_async = pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)


@sync_and_async
def test_models_are_listed_in_the_order_of_the_server(ask: Any) -> None:
    service = MockService({"data": [ROW, ENGINE_ROW]})
    first, second = ask(service.model())

    assert first == ListedModel(
        id="a/b",
        name="B",
        description="Good.",
        created=1754410981,
        owned_by="baseten",
        context_length=200_000,
        max_completion_tokens=100_000,
        quantization="fp4",
        pricing={
            "prompt": Decimal("1E-7"),
            "completion": Decimal("5E-7"),
            "image": Decimal(0),
        },
        supported_features=("tools", "json_mode", "structured_outputs", "reasoning"),
        supported_sampling_parameters=("temperature", "stop"),
        input_modalities=("text", "image"),
        output_modalities=("text",),
        raw=ROW,
    )
    assert (second.id, second.context_length, second.pricing) == ("tiny", 2048, {})


FAILURES: dict[str, tuple[Any, type[Exception], str]] = {
    "404": (
        lambda: httpx2.Response(404, json={"detail": "Not Found"}),
        BasetenNotFoundError,
        "Not Found",
    ),
    "500": (lambda: httpx2.Response(500, text=f"bad {KEY}"), BasetenAPIError, "redacted"),
    "a page": (lambda: httpx2.Response(200, text="<html>"), BasetenInvalidResponseError, "no list"),
    "a list": ([ROW], BasetenInvalidResponseError, "holds no list of models"),
    "no list": ({"data": "x"}, BasetenInvalidResponseError, "holds no list of models"),
    "no rows": ({"data": ["x"]}, BasetenInvalidResponseError, "holds no list of models"),
    "no ids": ({"data": [{"id": 7}]}, BasetenInvalidResponseError, "holds no list of models"),
    "an error": ({"error": {"message": "broken"}}, BasetenAPIError, "broken"),
}


@in_each("ask", WAYS)
@in_each(("answer", "kind", "words"), FAILURES)
def test_what_is_no_listing_is_a_typed_error_without_the_key(
    ask: Any, answer: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        ask(MockService(answer() if callable(answer) else answer).model())

    assert KEY not in f"{caught.value}{vars(caught.value)}"


def test_a_row_that_repeats_the_key_is_shown_without_it() -> None:
    [row] = MockService({"data": [{**ROW, "description": f"for {KEY}"}]}).model().list_models()

    assert row.description == "for [redacted]"
    assert KEY not in f"{row}{row.raw}"


def test_a_url_that_cannot_be_requested_lists_nothing() -> None:
    model = ChatBaseten(api_key=KEY).model_copy(update={"baseten_api_base": "nowhere"})

    with pytest.raises(EndpointError):
        model.list_models()


def test_fields_of_another_type_count_as_not_sent() -> None:
    odd = {
        "id": "a",
        "name": 7,
        "created": "yesterday",
        "context_length": True,
        "pricing": {"prompt": "free", "completion": None, "image": "NaN", "request": "0.1"},
        "supported_features": "tools",
        "input_modalities": ["text", 7],
    }
    row = read_model(odd)

    assert (row.name, row.created, row.context_length) == (None, None, None)
    assert row.pricing == {"request": Decimal("0.1")}
    assert (row.supported_features, row.input_modalities) == ((), ("text",))
    assert row.raw is odd
    assert read_model({"id": "a", "pricing": "free"}).pricing == {}


def test_a_profile_says_what_the_row_says_and_no_more() -> None:
    [row] = read_models(json.dumps({"data": [ROW]}))

    assert row.profile == {
        "name": "B",
        "max_input_tokens": 200_000,
        "max_output_tokens": 100_000,
        "text_inputs": True,
        "image_inputs": True,
        "audio_inputs": False,
        "video_inputs": False,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        "reasoning_output": True,
        "tool_calling": True,
        "structured_output": True,
        "temperature": True,
    }
    assert row.profile.keys() <= ModelProfile.__annotations__.keys()
    assert read_model(ENGINE_ROW).profile == {"max_input_tokens": 2048}
