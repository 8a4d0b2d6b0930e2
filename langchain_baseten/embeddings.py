"""`BasetenEmbeddings`: text to vectors on a dedicated deployment.

Knows LangChain's embeddings interface and batching; shares the service with the chat model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import chain
from typing import Annotated, Any, Literal

from langchain_core.embeddings import Embeddings
from pydantic import Field

from langchain_baseten._config.field_docs import describe_fields
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http.parallel import run_in_tasks, run_in_threads
from langchain_baseten._http.request import HttpRequest, RawResponse
from langchain_baseten._protocol.embeddings import BatchContext, check_lengths, read_vectors
from langchain_baseten._protocol.json_text import dump_json, join_surrogates
from langchain_baseten._protocol.parameters import ClientOnly, Sent
from langchain_baseten.exceptions import BasetenRequestError

__all__ = ["BasetenEmbeddings"]

_BATCH_CHARACTERS = 8000
"""Engines are slow with long texts, so a batch holds fewer of them; a longer text goes alone."""

_Batch = tuple[int, list[str]]
"""The position of the first text in the user's list, and the texts."""


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
        chunk_size: Maximum number of texts in one request.
        max_concurrency: Maximum number of requests at the same time.

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

    model_url: Annotated[str, ClientOnly()] = Field(...)
    """URL of the deployment, in any form that Baseten's pages show."""

    dimensions: Annotated[int | None, Sent()] = Field(default=None, ge=1)
    """Length of the vectors, for models that can shorten theirs. Vectors of another length are an
    error then."""

    encoding_format: Annotated[Literal["float", "base64"] | None, Sent()] = None
    """How vectors are sent: `"base64"` takes less time to transfer and to read. Either is read,
    whether it was requested or not."""

    chunk_size: Annotated[int, ClientOnly()] = Field(default=32, ge=1)
    """Maximum number of texts in one request. Engines refuse more than 128. A request holds no more
    than 8,000 characters either, unless a single text is longer."""

    max_concurrency: Annotated[int, ClientOnly()] = Field(default=16, ge=1)
    """Maximum number of requests that one call sends at the same time."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, in the texts' order.

        Args:
            texts: Any number of texts. They are sent in batches, several at once. The first batch
                that fails is raised at once, and the others are stopped.

        Returns:
            One vector for each text.

        Raises:
            BasetenRequestError: If `texts` is not a list of texts. Nothing was sent.
            BasetenError: If a batch got no response.
        """
        fetch = self._sync_transport.fetch
        batches = self._divide(texts)
        jobs = [partial(self._fetch_with, fetch, batch) for batch in batches]
        return _join(run_in_threads(jobs, self._check_positive("max_concurrency")))

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of one text.

        Args:
            text: The text.

        Returns:
            Its vector.

        Raises:
            BasetenRequestError: If `text` is not a text. Nothing was sent.
            BasetenError: If there was no response.
        """
        return self.embed_documents([_check_text(text, "The text of embed_query")])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, in the texts' order, without blocking the event loop.

        Args:
            texts: Any number of texts. They are sent in batches, several at once. The first batch
                that fails is raised at once, and the others are cancelled.

        Returns:
            One vector for each text.

        Raises:
            BasetenRequestError: If `texts` is not a list of texts. Nothing was sent.
            BasetenError: If a batch got no response.
        """
        fetch = self._async_transport.fetch
        batches = self._divide(texts)
        jobs = [partial(self._fetch_with, fetch, batch) for batch in batches]
        return _join(await run_in_tasks(jobs, self._check_positive("max_concurrency")))

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of one text.

        Args:
            text: The text.

        Returns:
            Its vector.

        Raises:
            BasetenRequestError: If `text` is not a text. Nothing was sent.
            BasetenError: If there was no response.
        """
        return (await self.aembed_documents([_check_text(text, "The text of embed_query")]))[0]

    def _fetch_with(self, fetch: Callable[..., Any], batch: _Batch) -> Any:
        # The request is built when it is sent: all of them at once would hold every text again.
        first, texts = batch
        context = BatchContext(count=len(texts), first=first, dimensions=self.dimensions)
        return fetch(self._build_request(texts), partial(_read, context=context))

    def _build_request(self, texts: list[str]) -> HttpRequest:
        body: dict[str, Any] = {"input": texts, "model": self.model}
        for name in ("dimensions", "encoding_format"):
            if getattr(self, name) is not None:
                body[name] = getattr(self, name)
        return self._build_http_request(self.endpoint.embeddings_url, dump_json(body))

    def _divide(self, texts: Iterable[str]) -> list[_Batch]:
        """Return the texts in batches; each is checked before any is sent."""
        unordered = isinstance(texts, Mapping | AbstractSet)
        if isinstance(texts, str | bytes) or unordered or not isinstance(texts, Iterable):
            raise BasetenRequestError(
                f"embed_documents takes a list of texts, not a {type(texts).__name__}. Write "
                "[text] for one."
            )
        checked = [
            _check_text(text, f"Text {place} of embed_documents")
            for place, text in enumerate(texts)
        ]
        return list(_batch(checked, self._check_positive("chunk_size")))

    def _check_positive(self, name: str) -> int:
        # A copy or an assignment may have set anything.
        value: Any = getattr(self, name)
        if not isinstance(value, int) or value < 1:
            raise BasetenRequestError(f"{name}={value!r} is not a number above 0.")
        return value


describe_fields(BasetenEmbeddings)
BasetenEmbeddings.model_rebuild()


def _read(response: RawResponse, context: BatchContext) -> list[list[float]]:
    return read_vectors(response.text, context, status=response.status, headers=response.headers)


def _join(found: list[list[list[float]]]) -> list[list[float]]:
    vectors = list(chain.from_iterable(found))
    check_lengths(vectors)
    return vectors


def _check_text(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise BasetenRequestError(f"{name} is a {type(text).__name__}, not text.")
    if join_surrogates(text) != text:
        raise BasetenRequestError(
            f"{name} holds half of a surrogate pair, which UTF-8 cannot encode."
        )
    return text


def _batch(texts: list[str], size: int) -> Iterator[_Batch]:
    first, characters = 0, 0
    for place, text in enumerate(texts):
        characters += len(text)
        if place > first and (place - first == size or characters > _BATCH_CHARACTERS):
            yield first, texts[first:place]
            first, characters = place, len(text)
    if texts:
        yield first, texts[first:]
