"""Model profiles: complete, well formed, and a copy for each who asks."""

from __future__ import annotations

import pytest
from langchain_core.language_models import ModelProfile

from langchain_baseten.data import _profiles
from langchain_baseten.data._profiles import find_profile

SLUGS = [row[0] for row in _profiles._ROWS]
FEATURES = {"tools", "structured_outputs", "reasoning", "image"}


@pytest.mark.parametrize("slug", SLUGS)
def test_a_profile_uses_langchains_names(slug: str) -> None:
    profile = find_profile(slug)

    assert profile.keys() <= ModelProfile.__annotations__.keys()
    assert 0 < profile["max_output_tokens"] <= profile["max_input_tokens"]
    assert profile["name"]


def test_no_model_is_listed_twice_and_no_feature_is_unknown() -> None:
    assert len(set(SLUGS)) == len(SLUGS)
    assert sorted(SLUGS, key=str.lower) == SLUGS
    assert {name for row in _profiles._ROWS for name in row[4].split()} == FEATURES


def test_features_are_told_as_capabilities() -> None:
    kimi, glm = find_profile("moonshotai/Kimi-K2.5"), find_profile("zai-org/GLM-5.2")
    deepseek = find_profile("deepseek-ai/DeepSeek-V3.1")

    assert (kimi["image_inputs"], kimi["reasoning_output"]) == (True, False)
    assert (glm["image_inputs"], glm["reasoning_output"]) == (False, True)
    assert (deepseek["tool_calling"], deepseek["structured_output"]) == (True, False)
    assert (glm["tool_calling"], glm["structured_output"]) == (True, True)


def test_no_model_takes_or_gives_video_or_audio() -> None:
    kinds = ("audio_inputs", "video_inputs", "audio_outputs", "video_outputs", "image_outputs")

    assert {find_profile(slug)[kind] for slug in SLUGS for kind in kinds} == {False}  # type: ignore[literal-required]  # named just above


@pytest.mark.parametrize("slug", ["", "GLM-5.2", "zai-org/glm-5.2", "baseten-model"])
def test_a_model_that_no_listing_named_has_no_profile(slug: str) -> None:
    assert find_profile(slug) == {}


def test_changing_a_profile_changes_no_other() -> None:
    find_profile(SLUGS[0])["name"] = "changed"

    assert find_profile(SLUGS[0])["name"] != "changed"
