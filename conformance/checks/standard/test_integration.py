"""LangChain's standard integration suite, whole, in both lanes.

What a lane does not claim is a property that says no, with its reason; no test is overridden.
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests

from conformance.subjects.subject import chosen
from conformance.targets import LANES

_LONG_PROMPT = "Summarise in one word. " + "The quick brown fox jumps over the lazy dog. " * 120


def _ask(model: BaseChatModel, prompt: str, *, stream: bool) -> AIMessage:
    if not stream:
        return model.invoke(prompt)
    chunks = list(model.stream(prompt))
    whole: BaseMessageChunk = chunks[0] + chunks[1:]
    assert isinstance(whole, AIMessage)
    return whole


class _Lane(ChatModelIntegrationTests):
    lane: str
    settings: dict[str, Any]

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return chosen().kind  # type: ignore[no-any-return]  # the class, or what stands for it

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**self.settings, "max_retries": 0}

    @property
    def model_override_value(self) -> str | None:
        # Which option of a call names the model is for each maker to say.
        return LANES[self.lane].alternate_model if chosen().ours else None

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        # Whether a model knows Anthropic's blocks is for each maker to say.
        return chosen().ours

    @property
    def enable_vcr_tests(self) -> bool:
        # What plays recordings changes the libraries beneath another maker's client.
        return chosen().ours

    @property
    def supported_usage_metadata_details(self) -> dict[Any, Any]:
        # `usage.invoke.details` and `usage.cache.read` judge these of others.
        details = ["reasoning_output", "cache_read_input"] if chosen().ours else []
        return {"invoke": details, "stream": details}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        reasoning_model = self.chat_model_class(
            **{**self.chat_model_params, "model": LANES[self.lane].reasoning_model}
        )
        return _ask(reasoning_model, "What is 3 + 4? Think first.", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)
        model.invoke(_LONG_PROMPT)
        return _ask(model, _LONG_PROMPT, stream=stream)


class TestModelApis(_Lane):
    """Audio is not claimed: the page says that Model APIs take text, and some models images."""

    lane = "model-apis"


class TestDedicated(_Lane):
    lane = "dedicated"

    @property
    def supports_audio_inputs(self) -> bool:
        return True
