"""LangChain's standard suites for embeddings, whole, against the reference server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from conformance.reference import respond
from conformance.reference.embeddings import make_vector
from conformance.reference.server import LoopbackServer
from conformance.targets import FAKE_KEY, LANES
from langchain_baseten import BasetenEmbeddings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.reference import AnswerPlan, ReceivedRequest

URL = "https://model-abcd1234.api.baseten.co/environments/production/sync"


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[BasetenEmbeddings]:
        return BasetenEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model_url": URL, "api_key": FAKE_KEY}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return ({"BASETEN_API_KEY": "api_key"}, {"model_url": URL}, {"baseten_api_key": "api_key"})


class TestIntegration(EmbeddingsIntegrationTests):
    requests: list[ReceivedRequest]
    root: str

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        self.requests = []
        with LoopbackServer(self._answer) as server:
            self.root = server.url
            yield

    def _answer(self, request: ReceivedRequest) -> AnswerPlan:
        self.requests.append(request)
        return respond(request)

    @property
    def embeddings_class(self) -> type[BasetenEmbeddings]:
        return BasetenEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {
            "model_url": LANES["dedicated"].url(self.root),
            "api_key": FAKE_KEY,
            "default_headers": {"X-Team": "harbour"},
            "chunk_size": 2,
            "max_retries": 0,
        }

    def test_batches_keep_the_order_and_carry_the_users_headers(self) -> None:
        texts = [f"text {n}" for n in range(9)]
        with BasetenEmbeddings(**self.embedding_model_params) as model:
            vectors = model.embed_documents(texts)

        assert vectors == [pytest.approx(make_vector(text)) for text in texts]
        assert len(self.requests) == 5
        assert {r.header("x-team") for r in self.requests} == {"harbour"}
        assert {r.header("authorization") for r in self.requests} == {f"Bearer {FAKE_KEY}"}
