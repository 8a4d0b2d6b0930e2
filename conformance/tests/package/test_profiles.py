"""Model profiles: complete, well formed, and a copy for each who asks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import ModelProfile

from langchain_baseten import ChatBaseten
from langchain_baseten.data import _profiles
from langchain_baseten.data._profiles import _PROFILES

SLUGS = list(_PROFILES)


def find_profile(slug: str) -> Any:
    return ChatBaseten(model=slug, api_key="sk-profiles-0123456789").profile


@pytest.mark.parametrize("slug", SLUGS)
def test_a_profile_uses_langchains_names(slug: str) -> None:
    profile = find_profile(slug)

    assert profile.keys() <= ModelProfile.__annotations__.keys()
    assert 0 < profile["max_output_tokens"] <= profile["max_input_tokens"]
    assert profile["name"]


def test_profiles_are_sorted_and_of_one_shape() -> None:
    assert sorted(SLUGS, key=str.lower) == SLUGS
    assert len({tuple(profile) for profile in _PROFILES.values()}) == 1


def test_profiles_are_importable_without_the_package() -> None:
    program = (
        "import runpy, sys; found = runpy.run_path(sys.argv[1])['_PROFILES']; "
        "print(len(found), 'langchain_core' in sys.modules)"
    )
    found = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", program, str(_profiles.__file__)],
        capture_output=True,
        check=True,
        text=True,
    )

    assert found.stdout.split() == [str(len(SLUGS)), "False"]


def test_features_are_capabilities() -> None:
    kimi, glm = find_profile("moonshotai/Kimi-K2.5"), find_profile("zai-org/GLM-5.2")
    deepseek = find_profile("deepseek-ai/DeepSeek-V3.1")

    assert (kimi["image_inputs"], kimi["reasoning_output"]) == (True, False)
    assert (glm["image_inputs"], glm["reasoning_output"]) == (False, True)
    assert (deepseek["tool_calling"], deepseek["structured_output"]) == (True, False)
    assert (glm["tool_calling"], glm["structured_output"]) == (True, True)


def test_no_model_takes_or_gives_video_or_audio() -> None:
    kinds = ("audio_inputs", "video_inputs", "audio_outputs", "video_outputs", "image_outputs")

    assert {find_profile(slug)[kind] for slug in SLUGS for kind in kinds} == {False}


@pytest.mark.parametrize("slug", ["GLM-5.2", "zai-org/glm-5.2", "baseten-model"])
def test_a_model_that_no_listing_named_has_no_profile(slug: str) -> None:
    assert find_profile(slug) == {}


def test_changing_a_profile_changes_no_other() -> None:
    find_profile(SLUGS[0])["name"] = "changed"

    assert find_profile(SLUGS[0])["name"] != "changed"
