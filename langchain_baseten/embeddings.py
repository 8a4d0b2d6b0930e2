"""`BasetenEmbeddings`: text to vectors on a dedicated deployment.

Knows LangChain's embeddings interface and batching; shares the service with the chat model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain
from typing import Annotated

from langchain_core.embeddings import Embeddings
from pydantic import SecretStr

from langchain_baseten._config.api_key import clean_key
from langchain_baseten._config.field_docs import describe_fields
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http.request import HttpRequest, RawResponse
from langchain_baseten._protocol.embeddings import read_vectors
from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._protocol.parameters import ClientOnly
from langchain_baseten.exceptions import BasetenRequestError

_BATCH_TEXTS = 32
_BATCH_CHARACTERS = 8000
"""A batch is smaller than both: engines refuse more than 128 texts, and long ones are slow."""

_CONCURRENT_BATCHES = 16


class BasetenEmbeddings(BasetenService, Embeddings):
    """Embedding model on a dedicated Baseten deployment.

    Setup:
        Install `langchain-baseten` and set the environment variable `BASETEN_API_KEY`.

    Key init args:
        model_url: URL of the deployment, in any form that Baseten's pages show.
        model: The deployment's served model name, where the engine requires one.
        api_key: API key; else `BASETEN_API_KEY`.
        timeout: Time limits in seconds.
        max_retries: Maximum number of retries.

    Instantiate:
        ```python
        from langchain_baseten import BasetenEmbeddings

        embeddings = BasetenEmbeddings(
            model_url="https://model-abcd1234.api.baseten.co/environments/production/sync"
        )
        ```

    Embed:
        ```python
        vectors = embeddings.embed_documents(["hello", "world"])
        vector = embeddings.embed_query("hello")
        ```

    Errors are those of `ChatBaseten`: all are a `BasetenError`.
    """

    model_url: Annotated[str, ClientOnly()]
    """URL of the deployment, in any form that Baseten's pages show."""

    @property
    def api_key(self) -> SecretStr | None:
        """The API key, under the name that release 0.2 gave it."""
        return clean_key(self.baseten_api_key)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, in the texts' order.

        Args:
            texts: Any number of texts. They are sent in batches, several at once.

        Returns:
            One vector for each text.

        Raises:
            BasetenRequestError: If `texts` is not a list of texts.
            BasetenError: If a batch got no response.
        """
        batches = list(_batch(texts))
        transport = self._sync_transport
        with ThreadPoolExecutor(max_workers=_CONCURRENT_BATCHES) as pool:
            context = copy_context()
            futures = [
                pool.submit(
                    context.copy().run, transport.fetch, self._build_request(b), _reader(len(b))
                )
                for b in batches
            ]
            try:
                found = [future.result() for future in futures]
            finally:
                # After a failure the batches that have not begun are not paid for.
                pool.shutdown(cancel_futures=True)
        return list(chain.from_iterable(found))

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of one text.

        Args:
            text: The text.

        Returns:
            Its vector.

        Raises:
            BasetenError: If there was no response.
        """
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, in the texts' order, without blocking the event loop.

        Args:
            texts: Any number of texts. They are sent in batches, several at once.

        Returns:
            One vector for each text.

        Raises:
            BasetenRequestError: If `texts` is not a list of texts.
            BasetenError: If a batch got no response.
        """
        transport = self._async_transport
        gate = asyncio.Semaphore(_CONCURRENT_BATCHES)

        async def embed(batch: list[str]) -> list[list[float]]:
            async with gate:
                return await transport.fetch(self._build_request(batch), _reader(len(batch)))

        tasks = [asyncio.ensure_future(embed(batch)) for batch in _batch(texts)]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            # After a failure no request continues in the background.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return list(chain.from_iterable(found))

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of one text.

        Args:
            text: The text.

        Returns:
            Its vector.

        Raises:
            BasetenError: If there was no response.
        """
        return (await self.aembed_documents([text]))[0]

    def _build_request(self, batch: list[str]) -> HttpRequest:
        body = dump_json({"input": batch, "model": self.model})
        return self._build_http_request(self.endpoint.embeddings_url, body)


describe_fields(BasetenEmbeddings)


def _reader(count: int) -> Callable[[RawResponse], list[list[float]]]:
    return lambda response: read_vectors(response.text, count)


def _batch(texts: Iterable[str]) -> Iterator[list[str]]:
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise BasetenRequestError("embed_documents takes a list of texts. Write [text] for one.")
    batch: list[str] = []
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise BasetenRequestError(
                f"Text {place} of embed_documents is a {type(text).__name__}, not text."
            )
        full = len(batch) == _BATCH_TEXTS
        if batch and (full or sum(map(len, batch)) + len(text) > _BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch
