"""The earlier release's names: import path, arguments under every alias, environment variables."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import InMemoryRateLimiter

from conformance.checks.features.questions import GREETING, get_weather
from conformance.checks.features.responders import mount, note_bodies
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own_client_only("the names are those of langchain-baseten", applies=False)

_URL = "https://model-abcd1234.api.baseten.co/environments/production/predict"

# Arguments of release 0.2.5 -> a value; what only means something at OpenAI is not among them.
_ARGUMENTS: dict[str, Any] = {
    "model": "zai-org/GLM-5.2",
    "model_name": "zai-org/GLM-5.2",
    "model_url": _URL,
    "api_key": FAKE_KEY,
    "baseten_api_key": FAKE_KEY,
    "base_url": "https://inference.baseten.co/v1",
    "baseten_api_base": "https://inference.baseten.co/v1",
    "temperature": 0.5,
    "max_tokens": 50,
    "top_p": 0.9,
    "stop": ["END"],
    "stop_sequences": ["END"],
    "n": 1,
    "seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {7: -1},
    "reasoning_effort": "high",
    "reasoning": {"effort": "high"},
    "service_tier": "default",
    "verbosity": "low",
    "streaming": True,
    "stream_usage": False,
    "model_kwargs": {"top_k": 40},
    "extra_body": {"min_p": 0.1},
    "disabled_params": {"parallel_tool_calls": None},
    "default_headers": {"X-Team": "harbour"},
    "default_query": {"team": "harbour"},
    "include_response_headers": True,
    "timeout": 30.0,
    "request_timeout": (5.0, 30.0),
    "stream_chunk_timeout": 30.0,
    "max_retries": 5,
    "http_socket_options": [],
    "rate_limiter": InMemoryRateLimiter(),
    "disable_streaming": "tool_calling",
    "output_version": "v1",
    "profile": None,
    "cache": False,
    "verbose": False,
    "callbacks": [],
    "tags": ["a"],
    "metadata": {"a": 1},
    "custom_get_token_ids": lambda text: [7],
}
_REQUIRED = {"model": "zai-org/GLM-5.2", "api_key": FAKE_KEY}
_TOOL = {"name": "tell", "description": "Tell of a harbour. " * 9, "parameters": {}}
_INSTEAD = {
    "model": {"model_name", "model_url"},
    "api_key": {"baseten_api_key"},
}


@pytest.mark.claim("drop-in.names.known")
@pytest.mark.parametrize("name", _ARGUMENTS)
@pytest.mark.filterwarnings("error")
def test_every_argument_of_the_earlier_release_is_taken(name: str) -> None:
    kept = {own: v for own, v in _REQUIRED.items() if name not in {own, *_INSTEAD[own]}}
    model = chosen().make(**kept, **{name: _ARGUMENTS[name]})
    if name.startswith("stop"):
        assert model.stop == model.stop_sequences == ["END"]
    aliases = {field.alias: own for own, field in chosen().kind.model_fields.items() if field.alias}
    assert aliases.get(name, name) in model.model_fields_set


@pytest.mark.claim("drop-in.names.known")
@pytest.mark.parametrize("module", ["langchain_baseten", "langchain_baseten.chat_models"])
def test_the_class_stands_where_it_stood(module: str) -> None:
    bases = type(chosen().make(**_REQUIRED)).__mro__
    named = next(kind for kind in bases if kind.__name__ == "ChatBaseten")
    assert importlib.import_module(module).ChatBaseten is named


@pytest.mark.claim("drop-in.names.known")
def test_tokens_are_estimated_as_they_were_counted() -> None:
    model = chosen().make(**_REQUIRED)
    reported = [model.get_num_tokens("Nets are mended. " * count) for count in (1, 10, 100)]
    assert all(3 * 10**at <= count <= 9 * 10**at for at, count in enumerate(reported)), reported
    requested = [HumanMessage("Nets are mended.")]
    for tool in (_TOOL, get_weather):
        with_tools = model.get_num_tokens_from_messages(requested, tools=[tool])
        assert with_tools > model.get_num_tokens_from_messages(requested) + 10, (
            f"a {type(tool).__name__} is not counted"
        )
    counted = chosen().make(**_REQUIRED, custom_get_token_ids=lambda text: [7] * len(text))
    assert counted.get_num_tokens("Nets") == 4


@pytest.mark.claim("drop-in.names.known")
def test_the_embeddings_stand_where_they_stood() -> None:
    exported = importlib.import_module("langchain_baseten").BasetenEmbeddings
    assert importlib.import_module("langchain_baseten.embeddings").BasetenEmbeddings is exported


@pytest.mark.claim("drop-in.names.known")
@pytest.mark.parametrize("variable", ["BASETEN_BASE_URL", "BASETEN_API_BASE"])
def test_the_variables_are_read_as_they_were(
    monkeypatch: pytest.MonkeyPatch, variable: str, evidence: Evidence
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setenv("BASETEN_API_KEY", FAKE_KEY)
    monkeypatch.setenv(variable, "https://inference.baseten.co/v1")
    model = mount("model-apis", evidence, note_bodies(sent), api_key=None, base_url=None)
    assert model.invoke(GREETING).text
    assert len(sent) == 1
