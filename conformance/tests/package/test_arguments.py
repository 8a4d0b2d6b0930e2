"""Constructor arguments as callers write them: aliases, OpenAI's names, typos, two values."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from conformance.tests.package.in_each import in_each
from langchain_baseten import BasetenEmbeddings, ChatBaseten
from langchain_baseten._config.arguments import find_near, read_arguments
from langchain_baseten._protocol.parameters import OPENAI_ONLY, ParameterTable

TABLE = ParameterTable(ChatBaseten)
KEY = "sk-secret-1234567890"

# arguments -> settings
NAMED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "field names": ({"model_name": "m", "seed": 0}, {"model_name": "m", "seed": 0}),
    "aliases": (
        {
            "model": "m",
            "api_key": "k",
            "base_url": "u",
            "stop_sequences": ["x"],
            "timeout": 3,
            "max_completion_tokens": 5,
        },
        {
            "model_name": "m",
            "baseten_api_key": "k",
            "baseten_api_base": "u",
            "stop": ["x"],
            "request_timeout": 3,
            "max_tokens": 5,
        },
    ),
    "None is not set": ({"model": None, "seed": None}, {}),
    "None is a value": ({"stream_chunk_timeout": None}, {"stream_chunk_timeout": None}),
    "False is a value": ({"logprobs": False}, {"logprobs": False}),
    "two names, one value": ({"model": "m", "model_name": "m"}, {"model_name": "m"}),
    "two names, one None": ({"model": None, "model_name": "m"}, {"model_name": "m"}),
    "defaults of OpenAI's client change nothing": (
        {"openai_api_key": None, "use_responses_api": False, "organization": None, "seed": 1},
        {"seed": 1},
    ),
    "the same value in model_kwargs": (
        {"seed": 1, "model_kwargs": {"seed": 1, "top_k": 2}},
        {"seed": 1, "model_kwargs": {"seed": 1, "top_k": 2}},
    ),
    "a value in model_kwargs only": (
        {"model_kwargs": {"max_completion_tokens": 2}},
        {"model_kwargs": {"max_completion_tokens": 2}},
    ),
    "model_kwargs of the wrong type": ({"model_kwargs": 7}, {"model_kwargs": 7}),
    "model_kwargs with odd keys": ({"model_kwargs": {3: 4}}, {"model_kwargs": {3: 4}}),
}


@in_each(("values", "settings"), NAMED)
def test_arguments_are_named_after_fields(values: dict[str, Any], settings: dict[str, Any]) -> None:
    assert read_arguments(values, TABLE) == settings


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a typo": ({"temprature": 1}, ["temprature is not a parameter", "Did you mean temperature?"]),
    "a typo of an alias": ({"modle": "m"}, ["modle is not a parameter", "Did you mean model?"]),
    "an unknown name": (
        {"hologram": 1},
        ["hologram is not a parameter", "write model_kwargs={'hologram': 1}."],
    ),
    "an unknown name with a long value": (
        {"hologram": "x" * 100},
        [f"write model_kwargs={{'hologram': '{'x' * 58}…}}."],
    ),
    "an unknown name of a secret": (
        {"other_api_key": "sk-hush"},
        ["write model_kwargs={'other_api_key': …}."],
    ),
    **{
        f"a secret in {name}": ({name: "sk-hush"}, [f"write model_kwargs={{{name!r}: …}}."])
        for name in ("key", "baseten_key", "apikey", "API_KEY", "auth", "bearer", "token")
    },
    "a header in a value": (
        {"trace": {"Authorization": "Bearer sk-hush"}},
        ["write model_kwargs={'trace': …}."],
    ),
    "headers under another name": (
        {"headers": {"X-Trace": "sk-hush"}},
        ["write model_kwargs={'headers': …}."],
    ),
    "two values": (
        {"model": "a", "model_name": "b"},
        ["one parameter, model_name (also model_name)", "'a' and 'b'"],
    ),
    "two values, the other way round": (
        {"max_tokens": 1, "max_completion_tokens": 2},
        ["one parameter, max_tokens (also max_completion_tokens)", "1 and 2"],
    ),
    "two values, one in model_kwargs": (
        {"max_tokens": 1, "model_kwargs": {"max_completion_tokens": 2}},
        ["one parameter, max_tokens (also max_completion_tokens in model_kwargs)", "1 and 2"],
    ),
    "a client's setting in model_kwargs": (
        {"model_kwargs": {"timeout": 5}},
        ["timeout is a setting of the client", "take it out of model_kwargs"],
    ),
    "headers of one call in model_kwargs": (
        {"model_kwargs": {"extra_headers": {"x-token": "sk-hush"}}},
        ["extra_headers is a setting of the client"],
    ),
    "a key of another client in model_kwargs": (
        {"model_kwargs": {"openai_api_key": "sk-hush"}},
        ["openai_api_key is a setting of the client"],
    ),
}


@in_each(("values", "words"), REFUSED)
def test_ambiguous_and_unknown_arguments_are_refused(
    values: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"setting|parameter") as caught:
        read_arguments(values, TABLE)

    assert [word for word in words if word not in str(caught.value)] == []
    assert "hush" not in str(caught.value)


def test_a_name_without_a_similar_one_gets_no_suggestion() -> None:
    with pytest.raises(ValueError, match="hologram") as caught:
        read_arguments({"hologram": 1}, TABLE)

    assert "Did you mean" not in str(caught.value)


# names of other services' parameters, which are no typing errors of ours
STRANGERS = [
    *("top_x", "min_k", "beam_width", "guided_json", "x", "max_input_tokens", "top_a"),
    *("max_length", "enable_thinking", "retries", "system"),
]


@in_each("name", STRANGERS)
def test_a_name_that_is_no_plausible_typo_gets_no_suggestion(name: str) -> None:
    assert find_near(name, TABLE.by_name) == []


TYPOS = {
    "temperatur": "temperature",
    "max_token": "max_tokens",
    "max_tokens_": "max_tokens",
    "top_pk": "top_k",
    "top_kk": "top_k",
    "stops": "stop",
    "repetition_penality": "repetition_penalty",
    "priorty": "priority",
    "api_ky": "api_key",
    "streeming": "streaming",
    "time_out": "timeout",
}


@in_each(("name", "meant"), TYPOS.items())
def test_a_plausible_typo_gets_a_suggestion(name: str, meant: str) -> None:
    assert meant in find_near(name, TABLE.by_name)


@pytest.mark.parametrize(
    ("name", "field"), [("extra_headers", "default_headers"), ("extra_query", "default_query")]
)
def test_an_option_of_calls_is_refused_with_its_field(name: str, field: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        read_arguments({name: {"X-Trace": "sk-hush"}}, TABLE)

    assert str(caught.value) == f"{name} is not a parameter of ChatBaseten. Did you mean {field}?"


def test_a_class_without_model_kwargs_does_not_recommend_them() -> None:
    with pytest.raises(ValueError, match="not a parameter of BasetenEmbeddings") as caught:
        read_arguments({"hologram": 1}, ParameterTable(BasetenEmbeddings))

    assert "model_kwargs" not in str(caught.value)


@in_each("name", OPENAI_ONLY.keys())
def test_a_parameter_of_openais_client_is_refused_with_an_alternative(name: str) -> None:
    with pytest.raises(ValueError, match="is not a parameter of ChatBaseten") as caught:
        read_arguments({name: "x"}, TABLE)

    assert str(caught.value) == f"{name} is not a parameter of ChatBaseten. {OPENAI_ONLY[name]}"


def test_no_parameter_of_the_package_is_openais_only() -> None:
    assert OPENAI_ONLY.keys().isdisjoint(TABLE.by_name)
    assert {row.field for row in TABLE.rows if row.none_counts} == {"stream_chunk_timeout"}


DOUBLED: dict[str, dict[str, Any]] = {
    "two names": {"api_key": SecretStr("a"), "baseten_api_key": SecretStr(KEY)},
    "two plain names": {"api_key": "a", "baseten_api_key": KEY},
}


@pytest.mark.parametrize("values", DOUBLED.values(), ids=DOUBLED)
def test_two_keys_are_refused_and_neither_is_shown(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one parameter, baseten_api_key") as caught:
        read_arguments(values, TABLE)

    assert KEY not in str(caught.value)


def test_arguments_are_never_changed() -> None:
    values = {"model": "m", "store": None, "model_kwargs": {"top_k": 1}}
    before = repr(values)
    read_arguments(values, TABLE)

    assert repr(values) == before
