"""LangChain's standard unit suite, whole, in both lanes."""

from __future__ import annotations

from typing import Any

from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_baseten import ChatBaseten


class TestModelApisUnit(ChatModelUnitTests):
    lane = "model-apis"

    @property
    def chat_model_class(self) -> type[ChatBaseten]:
        return ChatBaseten

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
