"""Constructor arguments as callers write them: aliases, foreign names, typos, doubled values."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from langchain_baseten._config import arguments as _arguments
from langchain_baseten._config.arguments import name_settings
from langchain_baseten._config.service import BasetenSettings

FIELDS = list(BasetenSettings.model_fields)
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
    "foreign defaults ask for nothing": (
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


@pytest.mark.parametrize(("values", "settings"), NAMED.values(), ids=NAMED)
def test_arguments_are_named_after_fields(values: dict[str, Any], settings: dict[str, Any]) -> None:
    assert name_settings(values, FIELDS) == settings


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a typo": ({"temprature": 1}, ["temprature is not a setting", "Did you mean temperature?"]),
    "a typo of an alias": ({"modle": "m"}, ["modle is not a setting", "Did you mean model?"]),
    "an unknown name": ({"hologram": 1}, ["hologram is not a setting", "model_kwargs"]),
    "two values": (
        {"model": "a", "model_name": "b"},
        ["one setting, model_name (also model_name)", "'a' and 'b'"],
    ),
    "two values, the other way round": (
        {"max_tokens": 1, "max_completion_tokens": 2},
        ["one setting, max_tokens (also max_completion_tokens)", "1 and 2"],
    ),
    "two values, one in model_kwargs": (
        {"max_tokens": 1, "model_kwargs": {"max_completion_tokens": 2}},
        ["one setting, max_tokens (also max_completion_tokens in model_kwargs)", "1 and 2"],
    ),
    "a client's setting in model_kwargs": (
        {"model_kwargs": {"timeout": 5}},
        ["timeout is a setting of the client", "beside model_kwargs"],
    ),
}


@pytest.mark.parametrize(("values", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_unclear_is_refused(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match="setting") as caught:
        name_settings(values, FIELDS)

    assert [word for word in words if word not in str(caught.value)] == []


def test_no_near_name_is_no_guess() -> None:
    with pytest.raises(ValueError, match="hologram") as caught:
        name_settings({"hologram": 1}, FIELDS)

    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", _arguments._OPENAI_ONLY)
def test_a_setting_of_another_client_is_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(ValueError, match="is not a setting of ChatBaseten: ") as caught:
        name_settings({name: "x"}, FIELDS)

    assert str(caught.value) == (
        f"{name} is not a setting of ChatBaseten: {_arguments._OPENAI_ONLY[name]}."
    )


def test_no_setting_of_ours_is_foreign() -> None:
    assert _arguments._OPENAI_ONLY.keys().isdisjoint(FIELDS)
    assert set(_arguments._ALIASES.values()) <= set(FIELDS)
    assert set(FIELDS) >= _arguments._NONE_COUNTS


DOUBLED: dict[str, dict[str, Any]] = {
    "two names": {"api_key": SecretStr("a"), "baseten_api_key": SecretStr(KEY)},
    "two plain names": {"api_key": "a", "baseten_api_key": KEY},
    "in model_kwargs": {"api_key": SecretStr("a"), "model_kwargs": {"api_key": KEY}},
}


@pytest.mark.parametrize("values", DOUBLED.values(), ids=DOUBLED)
def test_two_keys_are_refused_and_neither_is_shown(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one setting, baseten_api_key") as caught:
        name_settings(values, FIELDS)

    assert KEY not in str(caught.value)


def test_arguments_are_never_changed() -> None:
    values = {"model": "m", "store": None, "model_kwargs": {"top_k": 1}}
    before = repr(values)
    name_settings(values, FIELDS)

    assert repr(values) == before
