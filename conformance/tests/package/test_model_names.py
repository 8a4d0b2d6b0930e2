from __future__ import annotations

import httpx
import pytest

from conformance.tests.package.mock_service import KEY, MockService
from langchain_baseten import BasetenInvalidResponseError, ChatBaseten


def test_the_default_model_has_its_profile() -> None:
    assert (
        ChatBaseten(api_key=KEY).profile
        == ChatBaseten(model="zai-org/GLM-5.2", api_key=KEY).profile
    )
    assert ChatBaseten(api_key=KEY).profile
    url = "https://model-abcd1234.api.baseten.co/production/predict"
    assert ChatBaseten(model_url=url, api_key=KEY).profile == {}


def test_a_copy_with_another_url_asks_for_that_urls_model() -> None:
    service = MockService()
    url = "https://model-{}.api.baseten.co/production/predict"
    model = service.model(model=None, model_url=url.format("abcd1234"))
    model.model_copy(update={"model_url": url.format("efgh5678")}).invoke("Hi")
    assert service.body["model"] == "model-efgh5678"
    named = service.model(model="served", model_url=url.format("abcd1234"))
    named.model_copy(update={"model_url": url.format("efgh5678")}).invoke("Hi")
    assert service.body["model"] == "served"


def test_a_key_that_an_unreadable_answer_echoes_is_not_shown() -> None:
    model = MockService(
        httpx.Response(200, text=f"<html><body>your key is {KEY}</body></html>")
    ).model()
    with pytest.raises(BasetenInvalidResponseError, match=r"your key is \[redacted\]") as caught:
        model.invoke("Hi")
    assert KEY not in str(caught.value.body)
    assert caught.value.__cause__ is None
