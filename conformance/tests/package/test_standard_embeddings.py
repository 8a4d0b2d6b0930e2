"""LangChain's standard suites for embeddings, whole, against the reference server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from conformance.reference.server import LoopbackServer
from conformance.targets import FAKE_KEY, LANES
from langchain_baseten import BasetenEmbeddings

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
    root: str

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with LoopbackServer() as server:
            self.root = server.url
            yield

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
