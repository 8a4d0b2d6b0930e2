"""Code as users write it, for the type checkers: mypy and pyright check this file (tox -e types).

A line that has to fail carries `type: ignore`: both checkers report an ignore that hides nothing.
The suite runs the same lines, so what type-checks works.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import httpx
import httpx2
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from pydantic import SecretStr

from langchain_baseten import (
    BasetenEmbeddings,
    BasetenError,
    ChatBaseten,
    Endpoint,
    EndpointError,
    ErrorResponse,
    ListedModel,
)

KEY = "sk-typed-0123456789"
URL = "https://model-abcd1234.api.baseten.co/environments/production/sync"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n'


def fetch_key() -> str:
    return KEY


async def afetch_key() -> SecretStr:
    return SecretStr(KEY)


def fetch_number() -> int:
    return 7


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/embeddings"):
        return httpx.Response(200, json={"data": [{"index": 0, "embedding": [0.5]}]})
    if request.url.path.endswith("/models"):
        return httpx.Response(200, json={"data": [{"id": "a/b", "context_length": 7}]})
    if json.loads(request.content).get("stream"):
        return httpx.Response(200, content=EVENT + b"data: [DONE]\n\n")
    message = {"role": "assistant", "content": "Hello"}
    return httpx.Response(200, json={"choices": [{"index": 0, "message": message}]})


CLIENT = httpx.Client(transport=httpx.MockTransport(answer))
ASYNC_CLIENT = httpx.AsyncClient(transport=httpx.MockTransport(answer))


def chat(model: str = "zai-org/GLM-5.2") -> ChatBaseten:
    return ChatBaseten(model=model, api_key=KEY, http_client=CLIENT, http_async_client=ASYNC_CLIENT)


def embeddings() -> BasetenEmbeddings:
    return BasetenEmbeddings(
        model_url=URL, api_key=KEY, http_client=CLIENT, http_async_client=ASYNC_CLIENT
    )


def test_both_names_of_an_argument_are_taken() -> None:
    first = ChatBaseten(
        model="a", api_key=KEY, base_url="https://a.example/v1", timeout=30, stop_sequences=["a"]
    )
    second = ChatBaseten(
        model_name="a",
        baseten_api_key=SecretStr(KEY),
        baseten_api_base="https://a.example/v1",
        request_timeout=30,
        stop=["a"],
    )

    assert first == second
    assert_type(first.model, str)
    assert_type(first.model_name, str)
    assert_type(first.base_url, str)
    assert_type(first.stop, list[str] | str | None)
    assert first.model == second.model_name == "a"
    assert first.base_url == second.baseten_api_base
    assert (first.timeout, first.stop_sequences) == (second.request_timeout, second.stop)
    assert first.api_key == second.baseten_api_key


def test_both_names_of_a_field_are_set() -> None:
    model = chat()
    model.timeout = 30
    model.model = "moonshotai/Kimi-K3"
    model.stop_sequences = "END"
    model.api_key = "sk-other-0123456789"

    assert (model.request_timeout, model.model_name, model.stop) == (
        30,
        "moonshotai/Kimi-K3",
        "END",
    )
    assert model.baseten_api_key == SecretStr("sk-other-0123456789")
    assert model.profile is not None
    assert model.profile.get("name") == "Kimi K3"


@pytest.mark.parametrize("kind", [ChatBaseten, BasetenEmbeddings])
def test_time_limits_of_every_kind_are_taken(kind: Any) -> None:
    ChatBaseten(api_key=KEY, timeout=30)
    ChatBaseten(api_key=KEY, timeout=2.5)
    ChatBaseten(api_key=KEY, timeout=(10, 60))
    ChatBaseten(api_key=KEY, timeout=(10, None))
    ChatBaseten(api_key=KEY, timeout=httpx.Timeout(30))
    BasetenEmbeddings(model_url=URL, api_key=KEY, timeout=httpx2.Timeout(30))
    with pytest.raises(ValueError, match="time limit"):
        ChatBaseten(api_key=KEY, timeout="30")  # type: ignore[arg-type]  # not seconds
    with pytest.raises(ValueError, match="time limit"):
        kind(model_url=URL, api_key=KEY, timeout="30")


def test_functions_are_taken_as_keys() -> None:
    ChatBaseten(api_key=fetch_key)
    ChatBaseten(api_key=afetch_key)
    ChatBaseten(api_key=lambda: KEY)
    BasetenEmbeddings(model_url=URL, api_key=fetch_key)
    ChatBaseten(api_key=fetch_number)  # type: ignore[arg-type]  # a number is no key
    with pytest.raises(ValueError, match="api_key"):
        ChatBaseten(api_key=7)  # type: ignore[arg-type]  # nor is this


def test_typing_errors_fail_the_checker_and_the_constructor() -> None:
    with pytest.raises(ValueError, match="Did you mean temperature"):
        ChatBaseten(api_key=KEY, temprature=0)  # type: ignore[call-arg]  # a typing error
    with pytest.raises(ValueError, match="temperature"):
        ChatBaseten(api_key=KEY, temperature="hot")  # type: ignore[arg-type]  # not a number
    with pytest.raises(ValueError, match="Did you mean dimensions"):
        BasetenEmbeddings(model_url=URL, api_key=KEY, dimension=8)  # type: ignore[call-arg]  # same
    with pytest.raises(ValueError, match="chunk_size"):
        BasetenEmbeddings(model_url=URL, api_key=KEY, chunk_size="all")  # type: ignore[arg-type]  # same
    with pytest.raises(ValueError, match="model_url"):
        BasetenEmbeddings(api_key=KEY)  # type: ignore[call-arg]  # no deployment
    with pytest.raises(TypeError):
        embeddings().embed_query()  # type: ignore[call-arg]  # no text


def test_messages_and_chunks_have_their_types() -> None:
    with chat() as model:
        message = model.invoke([HumanMessage("Hi")], stop=["END"], temperature=0)
        assert_type(message, AIMessage)
        chunks = model.stream("Hi")
        assert_type(chunks, Iterator[AIMessageChunk])
        texts = [chunk.text for chunk in chunks]
        bound = model.bind_tools([fetch_key], tool_choice="auto").bind(stop=["END"])
        assert_type(bound.invoke("Hi"), AIMessage)

    assert message.text == "".join(texts) == "Hello"


async def test_async_calls_have_their_types() -> None:
    async with chat() as model:
        message = await model.ainvoke("Hi")
        assert_type(message, AIMessage)
        chunks = model.astream("Hi")
        assert_type(chunks, AsyncIterator[AIMessageChunk])
        texts = [chunk.text async for chunk in chunks]

    assert message.text == "".join(texts) == "Hello"


def test_embeddings_have_their_types() -> None:
    with embeddings() as model:
        assert_type(model.embed_query("a"), list[float])
        assert_type(model.embed_documents(["a"]), list[list[float]])
        assert_type(asyncio.run(model.aembed_query("a")), list[float])


def test_listed_models_have_their_types() -> None:
    rows = chat().list_models()
    assert_type(rows, list[ListedModel])
    assert_type(rows[0].context_length, int | None)
    known = ChatBaseten(model=rows[0].id, profile=rows[0].profile, api_key=KEY)

    assert known.profile == {"max_input_tokens": 7}


def test_errors_and_endpoints_have_their_types() -> None:
    assert_type(chat().endpoint, Endpoint)
    assert chat().endpoint.kind == "model-apis"
    with pytest.raises(EndpointError) as caught:
        _ = chat().model_copy(update={"base_url": "nowhere"}).endpoint
    error: BasetenError = caught.value
    assert_type(error.response, ErrorResponse | None)
    assert_type(error.retry_after, float | None)
    assert error.partial is None
