from __future__ import annotations

import pytest

from conformance.targets import FAKE_KEY, LANES, choose_settings, find_stage


def test_replay_uses_canonical_addresses() -> None:
    assert choose_settings(LANES["model-apis"], "replay") == {
        "base_url": "https://inference.baseten.co/v1",
        "model": "moonshotai/Kimi-K2.6",
        "api_key": FAKE_KEY,
    }


def test_a_stand_in_server_is_addressed_by_the_lanes_own_path() -> None:
    settings = choose_settings(LANES["dedicated"], "peer", "http://127.0.0.1:1")
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


@pytest.mark.parametrize("lane", list(LANES))
def test_live_without_its_variables_says_which_are_missing(
    lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    with pytest.raises(LookupError, match="BASETEN_DEDICATED_MODEL_URL"):
        choose_settings(LANES[lane], "live")


@pytest.mark.parametrize(
    ("target", "stage"),
    [
        ("replay", "replay"),
        ("live", "live"),
        ("engine", "engine"),
        ("peer:drops-usage", "peer"),
        ("client:drops-usage", "peer"),
        ("replay:drops-usage", "replay"),
    ],
)
def test_a_deviants_requests_go_where_its_kind_says(target: str, stage: str) -> None:
    assert find_stage(target) == stage
