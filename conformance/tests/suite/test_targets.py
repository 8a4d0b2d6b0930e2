from __future__ import annotations

import pytest

from conformance.targets import (
    ENGINE_KEY,
    FAKE_KEY,
    LANES,
    Lane,
    choose_settings,
    find_keys,
    find_stage,
    read_model_overrides,
)

_ROLES = ("model", "alternate_model", "reasoning_model", "vision_model")


HOSTED, DEPLOYED = LANES["model-apis"], LANES["dedicated"]
HOST, OWN = "https://inference.baseten.co/v1", "https://model-x.api.baseten.co/predict"
LOOPBACK = "http://127.0.0.1:1"
KEY = {"BASETEN_API_KEY": "k"}
AIMED = {**KEY, "BASETEN_DEDICATED_MODEL_URL": OWN}
REHEARSED = {**KEY, "BASETEN_BASE_URL": f"{LOOPBACK}/v1"}


@pytest.mark.parametrize(
    ("lane", "target", "given", "environment", "settings"),
    [
        (HOSTED, "replay", (None, None), {}, {"base_url": HOST, "api_key": FAKE_KEY}),
        (
            *(DEPLOYED, "reference", (LOOPBACK, None), {}),
            {
                "model_url": f"{LOOPBACK}/environments/production/predict",
                "api_key": FAKE_KEY,
            },
        ),
        (DEPLOYED, "live", (None, None), AIMED, {"model_url": OWN, "api_key": "k"}),
        (HOSTED, "live", (None, None), AIMED, {"base_url": HOST, "api_key": "k"}),
        (HOSTED, "live", (None, None), REHEARSED, {"base_url": f"{LOOPBACK}/v1", "api_key": "k"}),
        (DEPLOYED, "live", (None, "https://x"), AIMED, {"model_url": "https://x", "api_key": "k"}),
        (DEPLOYED, "engine", (None, OWN), KEY, {"model_url": OWN, "api_key": FAKE_KEY}),
        (
            *(DEPLOYED, "engine", ("http://h", None), {ENGINE_KEY: "e"}),
            {"model_url": DEPLOYED.url("http://h"), "api_key": "e"},
        ),
    ],
)
def test_each_target_has_its_address_and_its_own_key(
    lane: Lane,
    target: str,
    given: tuple[str | None, str | None],
    environment: dict[str, str],
    settings: dict[str, str],
) -> None:
    found = choose_settings(lane, target, *given, environment)
    assert found == settings | {"model": lane.model}


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


@pytest.mark.parametrize(
    ("lane", "target", "missing"),
    [
        (HOSTED, "live", "BASETEN_API_KEY"),
        (DEPLOYED, "live", "BASETEN_DEDICATED_MODEL_URL"),
        (DEPLOYED, "engine", "--model-url"),
    ],
)
def test_what_a_target_lacks_is_named(lane: Lane, target: str, missing: str) -> None:
    with pytest.raises(LookupError, match=missing):
        choose_settings(lane, target, environment={})


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
