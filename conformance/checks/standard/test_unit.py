"""LangChain's standard unit suite, whole, in both lanes."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from conformance.subjects.subject import OwnClient, chosen
from conformance.verdicts.evidence import end_inapplicable

pytestmark = pytest.mark.own_client_only(
    "LangChain's standard unit suite needs a class, not a factory"
)


@pytest.fixture(autouse=True)
def _snapshot_of_ours(request: pytest.FixtureRequest) -> None:
    if "snapshot" in request.fixturenames and not isinstance(chosen(), OwnClient):
        end_inapplicable("the snapshot is of ChatBaseten itself, and names its class")


class TestModelApisUnit(ChatModelUnitTests):
    lane = "model-apis"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return chosen().kind  # type: ignore[no-any-return]  # our client's class

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "zai-org/GLM-5.2", "api_key": "test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return (
            {"BASETEN_API_KEY": "api_key", "BASETEN_API_BASE": "https://base.com/v1"},
            {"model": "zai-org/GLM-5.2"},
            {"baseten_api_key": "api_key", "baseten_api_base": "https://base.com/v1"},
        )


class TestDedicatedUnit(TestModelApisUnit):
    lane = "dedicated"

    @property
    def chat_model_params(self) -> dict[str, Any]:
        url = "https://model-abcd1234.api.baseten.co/environments/production/predict"
        return {"model_url": url, "api_key": "test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        url = "https://model-abcd1234.api.baseten.co/environments/production/predict"
        return ({"BASETEN_API_KEY": "api_key"}, {"model_url": url}, {"baseten_api_key": "api_key"})
