"""`BasetenEmbeddings`: text to vectors on a dedicated deployment.

Knows LangChain's embeddings interface and batching; shares the wire with the chat model.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from langchain_baseten._http.request import Call
from langchain_baseten._protocol.error_responses import parse_body
from langchain_baseten._config.endpoint import Endpoint, parse_model_url
from langchain_baseten._http.clients import Connections, check_client_kind
from langchain_baseten._protocol.response import malformed
from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._config.api_key import (
    MISSING_KEY,
    BearerAuth,
    clean_key,
    find_key,
    reference_for,
    key_from_environment,
)
from langchain_baseten._version import VERSION
from langchain_baseten._http.transport import AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BATCH_TEXTS = 32
_BATCH_CHARACTERS = 8000
"""A batch is smaller than both: engines refuse more than 128 texts, and long ones are slow."""

_AT_ONCE = 16

_STAY_HERE = ("api_key", "http_client", "http_async_client")
"""Fields that do not travel in a pickle."""


class BasetenEmbeddings(BaseModel, Embeddings):
    """Embedding model on a dedicated Baseten deployment.

    Example:
        ```python
        from langchain_baseten import BasetenEmbeddings

        embeddings = BasetenEmbeddings(
            model_url="https://model-<id>.api.baseten.co/environments/production/sync"
        )
        vectors = embeddings.embed_documents(["hello", "world"])
        ```

    Errors are those of `ChatBaseten`: all under `BasetenError`.
    """

    model_config = ConfigDict(
        populate_by_name=True, hide_input_in_errors=True, protected_namespaces=(), extra="forbid"
    )

    model_url: str
    """URL of the deployment, in any form that the dashboard shows."""

    api_key: SecretStr = Field(default_factory=key_from_environment, alias="baseten_api_key")
    """API key; else `BASETEN_API_KEY`."""

    model: str | None = None
    """The deployment's served model name, where the engine insists on one."""

    timeout: Any = None
    """Seconds, a `(connect, read)` tuple or an `httpx.Timeout`; by default 10 and 1,200."""

    max_retries: int = Field(default=2, ge=0)
    """Tries after the first one."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own."""

    _connections: Connections = PrivateAttr(default_factory=Connections)

    def __init__(self, **settings: Any) -> None:
        # The key becomes a secret before any other frame can hold it: tracebacks show locals.
        for name in ("api_key", "baseten_api_key"):
            if settings.get(name) is not None:
                settings[name] = clean_key(settings.pop(name))
        super().__init__(**settings)

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        parse_model_url(self.model_url)
        check_client_kind("http_client", self.http_client, asynchronous=False)
        check_client_kind("http_async_client", self.http_async_client, asynchronous=True)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state without the key: a pickle gets a reference to it instead."""
        state = super().__getstate__()
        fields = {k: v for k, v in state["__dict__"].items() if k not in _STAY_HERE}
        return {**state, "__dict__": fields, "reference": reference_for(self.api_key)}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take a state over; the key comes from this process.

        Raises:
            ValueError: If this process has none.
        """
        key = find_key(state["reference"])
        if key is None:
            raise ValueError(MISSING_KEY)
        fields = {**state["__dict__"], **dict.fromkeys(_STAY_HERE), "api_key": key}
        kept = {k: v for k, v in state.items() if k != "reference"}
        super().__setstate__({**kept, "__dict__": fields})

    def close(self) -> None:
        """Close the connections that `embed_documents` opened."""
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and those of `close()`."""
        await self._connections.aclose()

    @property
    def endpoint(self) -> Endpoint:
        """Where requests go, normalised from `model_url`."""
        return parse_model_url(self.model_url)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, in the texts' order.

        Args:
            texts: Any number of texts; they go in batches, several at once.

        Raises:
            BasetenError: If a batch got no answer.
        """
        calls = [(self._plan(batch), len(batch)) for batch in _batch(texts)]
        own = self.http_client
        wire = SyncTransport(self._connections.sync_client() if own is None else own)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            context = copy_context()
            answers = [pool.submit(context.copy().run, wire.fetch, call) for call, _ in calls]
            try:
                found = [
                    read_vectors(answer.result().text, count)
                    for answer, (_, count) in zip(answers, calls, strict=True)
                ]
            finally:
                # After a failure the batches that have not begun are not paid for.
                pool.shutdown(cancel_futures=True)
        return list(chain.from_iterable(found))

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of one text.

        Raises:
            BasetenError: If there was no answer.
        """
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, in the texts' order, without blocking the event loop.

        Args:
            texts: Any number of texts; they go in batches, several at once.

        Raises:
            BasetenError: If a batch got no answer.
        """
        own = self.http_async_client
        wire = AsyncTransport(await self._connections.async_client() if own is None else own)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def embed(batch: list[str]) -> list[list[float]]:
            async with gate:
                fetched = await wire.fetch(self._plan(batch))
            return read_vectors(fetched.text, len(batch))

        tasks = [asyncio.ensure_future(embed(batch)) for batch in _batch(texts)]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            # After a failure nothing goes on behind the caller's back.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return list(chain.from_iterable(found))

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of one text.

        Raises:
            BasetenError: If there was no answer.
        """
        return (await self.aembed_documents([text]))[0]

    def _plan(self, batch: list[str]) -> Call:
        return Call(
            url=self.endpoint.embeddings_url,
            body=dump_json({"input": batch, "model": self.model or self.endpoint.model_name}),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": f"langchain-baseten/{VERSION}",
            },
            params={},
            auth=BearerAuth(self.api_key),
            timeout=self.timeout,
            idle=None,
            max_retries=self.max_retries,
        )


def _batch(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        full = len(batch) == _BATCH_TEXTS
        if batch and (full or sum(map(len, batch)) + len(text) > _BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def read_vectors(text: str, count: int) -> list[list[float]]:
    """Return the vectors of an answer in the order of the texts.

    Args:
        text: The answer's body.
        count: How many texts were sent.

    Raises:
        BasetenInvalidResponseError: If the answer does not hold a vector for each text.
    """
    body = parse_body(text)
    data = body.get("data") if isinstance(body, dict) else None
    rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
    vectors = [row.get("embedding") for row in sorted(rows, key=_place)]
    if len(vectors) != count or not all(isinstance(vector, list) for vector in vectors):
        raise malformed(f"does not hold {count} vectors", text)
    return [list(vector) for vector in vectors if vector is not None]


def _place(row: dict[str, Any]) -> int:
    index = row.get("index")
    return index if isinstance(index, int) else 0
