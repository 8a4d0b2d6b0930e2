from __future__ import annotations

import pytest

from conformance.targets import (
    ENGINE_KEY,
    FAKE_KEY,
    LANES,
    choose_settings,
    find_keys,
    find_stage,
    read_model_overrides,
)

_ROLES = ("model", "alternate_model", "reasoning_model", "vision_model")


def test_replay_uses_canonical_addresses() -> None:
    assert choose_settings(LANES["model-apis"], "replay") == {
        "base_url": "https://inference.baseten.co/v1",
        "model": "moonshotai/Kimi-K2.6",
        "api_key": FAKE_KEY,
    }


def test_a_stand_in_server_is_addressed_by_the_lanes_own_path() -> None:
    settings = choose_settings(LANES["dedicated"], "reference", "http://127.0.0.1:1")
    assert settings["model_url"] == "http://127.0.0.1:1/environments/production/predict"


def test_live_takes_key_and_deployment_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", "k")
    monkeypatch.setenv("BASETEN_DEDICATED_MODEL_URL", "https://model-x.api.baseten.co/predict")
    settings = choose_settings(LANES["dedicated"], "live")
    assert settings["model_url"] == "https://model-x.api.baseten.co/predict"
    assert settings["api_key"] == "k"
    hosted = choose_settings(LANES["model-apis"], "live")
    assert hosted["base_url"] == "https://inference.baseten.co/v1"


def test_a_given_url_beats_the_environment() -> None:
    environment = {"BASETEN_API_KEY": "k", "BASETEN_BASE_URL": "http://127.0.0.1:1/v1"}
    hosted = choose_settings(LANES["model-apis"], "live", environment=environment)
    assert hosted["base_url"] == "http://127.0.0.1:1/v1"
    given = choose_settings(LANES["dedicated"], "live", None, "https://x.example", environment)
    assert given["model_url"] == "https://x.example"


def test_an_engine_gets_its_own_key_and_never_basetens() -> None:
    lane = LANES["dedicated"]
    environment = {"BASETEN_API_KEY": "k"}
    found = choose_settings(lane, "engine", None, "http://127.0.0.1:1/v1", environment)
    assert (found["model_url"], found["api_key"]) == ("http://127.0.0.1:1/v1", FAKE_KEY)
    keyed = choose_settings(lane, "engine", "http://h", None, {ENGINE_KEY: "e"})
    assert keyed == {"model_url": lane.url("http://h"), "model": "omni", "api_key": "e"}
    with pytest.raises(LookupError, match="--model-url"):
        choose_settings(lane, "engine", environment={})


@pytest.mark.parametrize(
    ("given", "overrides"),
    [
        ([], {}),
        (["a/b"], {"model-apis": {"model": "a/b"}, "dedicated": dict.fromkeys(_ROLES, "a/b")}),
        (["dedicated=tiny"], {"dedicated": dict.fromkeys(_ROLES, "tiny")}),
        (["model-apis=a=b"], {"model-apis": {"model": "a=b"}}),
    ],
)
def test_models_of_ones_own_take_over_the_roles(
    given: list[str], overrides: dict[str, dict[str, str]]
) -> None:
    assert read_model_overrides(given) == overrides
    for lane, override in overrides.items():
        assert LANES[lane].with_models(override).model == override["model"]


@pytest.mark.parametrize("lane", list(LANES))
def test_live_without_its_variables_says_which_are_missing(
    lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    monkeypatch.delenv("BASETEN_DEDICATED_MODEL_URL", raising=False)
    missing = {"model-apis": "BASETEN_API_KEY", "dedicated": "BASETEN_DEDICATED_MODEL_URL"}
    with pytest.raises(LookupError, match=missing[lane]):
        choose_settings(LANES[lane], "live")


@pytest.mark.parametrize(
    ("target", "stage"),
    [
        ("replay", "replay"),
        ("live", "live"),
        ("engine", "engine"),
        ("reference:drops-usage", "reference"),
        ("client:drops-usage", "reference"),
        ("replay:drops-usage", "replay"),
    ],
)
def test_a_broken_implementation_s_requests_go_where_its_kind_says(target: str, stage: str) -> None:
    assert find_stage(target) == stage


@pytest.mark.parametrize(
    ("environment", "keys"),
    [
        ({}, ()),
        ({"BASETEN_API_KEY": " a\n", "CONFORMANCE_ENGINE_KEY": "b"}, ("a", "b")),
        ({"BASETEN_API_KEY": "  ", "CONFORMANCE_ENGINE_KEY": "b"}, ("b",)),
    ],
)
def test_the_keys_in_use_are_baseten_s_and_the_engines(
    environment: dict[str, str], keys: tuple[str, ...]
) -> None:
    assert find_keys(environment) == keys
