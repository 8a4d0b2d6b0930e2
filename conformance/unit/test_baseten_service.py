"""The constructor's contract: names, defaults, the environment, and what is refused."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from langchain_baseten import ChatBaseten
from langchain_baseten._config.service import DEFAULT_API_BASE, DEFAULT_MODEL, BasetenSettings

KEY = "sk-secret-1234567890"
DEDICATED = "https://model-abcd1234.api.baseten.co/environments/production/predict"


def make(**settings: Any) -> ChatBaseten:
    return ChatBaseten(**{"api_key": KEY, **settings})


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


# environment, arguments -> base URL of the requests
BASES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "by default": ({}, {}, DEFAULT_API_BASE),
    "an argument": ({}, {"base_url": "https://a.example/v1"}, "https://a.example/v1"),
    "the old name": ({}, {"baseten_api_base": "https://a.example/v1"}, "https://a.example/v1"),
    "a variable": ({"BASETEN_API_BASE": "https://b.example/v1"}, {}, "https://b.example/v1"),
    "the newer variable first": (
        {"BASETEN_BASE_URL": "https://c.example/v1", "BASETEN_API_BASE": "https://b.example/v1"},
        {},
        "https://c.example/v1",
    ),
    "an empty variable is none": (
        {"BASETEN_BASE_URL": "", "BASETEN_API_BASE": "https://b.example/v1"},
        {},
        "https://b.example/v1",
    ),
    "an argument beats the variables": (
        {"BASETEN_BASE_URL": "https://c.example/v1"},
        {"base_url": "https://a.example/v1"},
        "https://a.example/v1",
    ),
    "a deployment beats them all": (
        {"BASETEN_BASE_URL": "https://c.example/v1"},
        {"model_url": DEDICATED, "base_url": "https://a.example/v1"},
        "https://model-abcd1234.api.baseten.co/environments/production/sync/v1",
    ),
    "a gateway": (
        {"LANGSMITH_GATEWAY": "https://g.example", "LANGSMITH_API_KEY": "ls"},
        {},
        "https://g.example/baseten/v1",
    ),
    "a deployment is not behind the gateway": (
        {"LANGSMITH_GATEWAY": "https://g.example", "LANGSMITH_API_KEY": "ls"},
        {"model_url": DEDICATED},
        "https://model-abcd1234.api.baseten.co/environments/production/sync/v1",
    ),
}


@pytest.mark.parametrize(
    ("set_variables", "settings", "base"),
    BASES.values(),
    ids=BASES,
    indirect=["set_variables"],
)
@pytest.mark.usefixtures("set_variables")
def test_the_server_is_the_one_that_was_named(settings: dict[str, Any], base: str) -> None:
    assert make(**settings).endpoint.base_url == base


# arguments -> model name
NAMES: dict[str, tuple[dict[str, Any], str]] = {
    "by default": ({}, DEFAULT_MODEL),
    "an empty name": ({"model": ""}, DEFAULT_MODEL),
    "an argument": ({"model": "a/b"}, "a/b"),
    "the field": ({"model_name": "a/b"}, "a/b"),
    "a deployment's": ({"model_url": DEDICATED}, "model-abcd1234"),
    "a deployment's, by argument": ({"model_url": DEDICATED, "model": "a/b"}, "a/b"),
    "a derived name of another deployment": (
        {"model_url": DEDICATED, "model": "model-zzzz9999"},
        "model-abcd1234",
    ),
    "a derived name of a proxy": (
        {"model_url": DEDICATED, "model": "baseten-model"},
        "model-abcd1234",
    ),
    "a name that only looks derived": (
        {"model_url": DEDICATED, "model": "model-a/b"},
        "model-a/b",
    ),
    "a derived name without a deployment": ({"model": "model-zzzz9999"}, "model-zzzz9999"),
}


@pytest.mark.parametrize(("settings", "name"), NAMES.values(), ids=NAMES)
def test_the_model_is_the_one_that_was_named(settings: dict[str, Any], name: str) -> None:
    made = make(**settings)

    assert made.model_name == name


def test_every_alias_is_taken() -> None:
    made = make(model="m", stop_sequences=["x"], timeout=3, max_completion_tokens=5)

    assert (made.model_name, made.stop, made.request_timeout, made.max_tokens) == ("m", ["x"], 3, 5)


def test_a_setting_that_is_none_keeps_its_default() -> None:
    unset = make(model_kwargs=None, streaming=None, base_url=None, stream_chunk_timeout=None)

    assert vars(unset) == vars(make()) | {"stream_chunk_timeout": None}
    assert make().stream_chunk_timeout == 120.0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown name": ({"hologram": 1}, "hologram is not a setting"),
    "a wrong type": ({"temperature": "hot"}, "temperature"),
    "n of zero": ({"n": 0}, "greater than or equal to 1"),
    "n of a stream": ({"n": 2, "streaming": True}, "a stream is one answer"),
    "retries below zero": ({"max_retries": -1}, "greater than or equal to 0"),
    "a URL that is none": ({"base_url": "x"}, "https://"),
    "a deployment's URL that is none": ({"model_url": "x"}, "https://"),
}


@pytest.mark.parametrize(("settings", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_at_construction(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(**settings)


@pytest.mark.parametrize("settings", [{"n": 2}, {"n": 1, "streaming": True}], ids=str)
def test_several_answers_are_taken_outside_of_a_stream(settings: dict[str, Any]) -> None:
    assert make(**settings).n == settings["n"]


def test_a_model_can_be_validated_from_a_model() -> None:
    made = make(model="m")

    assert ChatBaseten.model_validate(made) is made


def test_a_model_can_be_validated_from_attributes() -> None:
    given = SimpleNamespace(model_name="m", baseten_api_key=KEY)
    made = ChatBaseten.model_validate(given, from_attributes=True)

    assert (made.model_name, made.baseten_api_key) == ("m", SecretStr(KEY))
    with pytest.raises(ValueError, match="No API key"):
        ChatBaseten.model_validate(SimpleNamespace(model_name="m"), from_attributes=True)


def test_a_copy_keeps_every_setting() -> None:
    made = make(model="m", seed=1, stop=["x"], default_headers={"a": "b", "x-token": "t"})

    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301  our own bytes
        assert vars(other) == vars(made)
        assert other.baseten_api_key == SecretStr(KEY)


def test_a_deep_copy_shares_clients_and_nothing_else() -> None:
    clients = {"http_client": httpx.Client(), "http_async_client": httpx.AsyncClient()}
    made = make(**clients, model_kwargs={"a": [1]})

    for other in (copy.deepcopy(made), made.__deepcopy__()):
        assert other.http_client is clients["http_client"]
        assert other.http_async_client is clients["http_async_client"]
        assert other.model_kwargs == made.model_kwargs
        assert other.model_kwargs["a"] is not made.model_kwargs["a"]


@pytest.mark.parametrize(
    "client",
    [{"http_client": httpx.Client()}, {"http_async_client": httpx.AsyncClient()}],
    ids=["sync", "async"],
)
def test_a_model_with_a_client_of_its_own_does_not_pickle(client: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="connections do not travel"):
        pickle.dumps(make(**client))


def test_every_setting_is_described() -> None:
    (tree,) = ast.parse(inspect.getsource(BasetenSettings)).body
    assert isinstance(tree, ast.ClassDef)
    pairs = list(pairwise(tree.body))
    described = {
        field.target.id
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }

    own = BasetenSettings.model_fields.keys() - BaseChatModel.model_fields.keys()
    assert own
    assert own - described == set()
