"""Model profiles: complete, well formed, and a copy for each who asks."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import ModelProfile
from langchain_core.runnables import ConfigurableField, RunnableConfig

from conformance.tests.package.in_each import in_each
from langchain_baseten import ChatBaseten
from langchain_baseten._config import profile as profile_module
from langchain_baseten._config.profile import find_profile as find_by_name
from langchain_baseten.data import _profiles
from langchain_baseten.data._profiles import _PROFILES, _SOURCES

SLUGS = list(_PROFILES)
EFFORTS, DEFAULT = "reasoning_effort_levels", "reasoning_effort_default"


def find_profile(slug: str) -> Any:
    return ChatBaseten(model=slug, api_key="sk-profiles-0123456789").profile


@in_each("slug", SLUGS)
def test_a_profile_uses_langchains_names(slug: str) -> None:
    profile = find_profile(slug)

    assert profile.keys() <= ModelProfile.__annotations__.keys()
    assert 0 < profile["max_output_tokens"] <= profile["max_input_tokens"]
    assert profile["name"]


def test_profiles_are_sorted_and_of_one_shape() -> None:
    sometimes = {"status", "reasoning_effort_levels", "reasoning_effort_default"}

    assert sorted(SLUGS, key=str.lower) == SLUGS
    assert len({frozenset(profile) - sometimes for profile in _PROFILES.values()}) == 1


def test_each_profile_has_its_source_and_date() -> None:
    assert list(_SOURCES) == SLUGS
    for source, date in _SOURCES.values():
        assert "https://" in source
        assert "2026-01-01" < date < "2100-01-01"


def test_every_model_that_release_0_2_5_listed_has_a_profile() -> None:
    assert len(SLUGS) >= 24
    assert {
        *("zai-org/GLM-5.3", "zai-org/GLM-5.3-Fast", "zai-org/GLM-5.3-Flash"),
        *("deepseek-ai/DeepSeek-V4.1-Flash", "deepseek-ai/DeepSeek-V4.1-Flash-Fast"),
    } <= set(SLUGS)


def test_a_default_effort_is_one_of_the_levels() -> None:
    levels = {s: p["reasoning_effort_levels"] for s, p in _PROFILES.items() if EFFORTS in p}
    defaults = {s: p[DEFAULT] for s, p in _PROFILES.items() if DEFAULT in p}

    assert levels["zai-org/GLM-5.2"] == ["none", "high", "max"]
    assert levels["moonshotai/Kimi-K3"] == ["low", "high", "max"]
    assert defaults["openai/gpt-oss-120b"] == "medium"
    assert all(default in levels[slug] for slug, default in defaults.items())
    assert all(_PROFILES[slug]["reasoning_output"] for slug in levels)


@pytest.mark.parametrize(
    ("slug", "field", "words"),
    [
        ("deepseek-ai/DeepSeek-V4-Pro", "max_input_tokens", "models.dev says 1048576"),
        ("zai-org/GLM-5.2", "image_inputs", "models.dev says yes"),
    ],
)
def test_where_sources_disagree_the_row_says_why(slug: str, field: str, words: str) -> None:
    row = Path(str(_profiles.__file__)).read_text("utf-8").partition(f'"{slug}": {{')[2]
    above = row.partition(f'"{field}"')[0].rpartition(",\n")[2]

    assert words in " ".join(above.split())
    assert "decides" in above


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

    assert (kimi["image_inputs"], kimi["attachment"], kimi["reasoning_output"]) == (True,) * 3
    assert (glm["image_inputs"], glm["attachment"], glm["reasoning_output"]) == (False, False, True)
    assert (deepseek["tool_calling"], deepseek["status"]) == (True, "deprecated")
    assert (glm["tool_calling"], glm["structured_output"]) == (True, True)


def test_no_model_takes_or_gives_video_or_audio() -> None:
    kinds = ("audio_inputs", "video_inputs", "audio_outputs", "video_outputs", "image_outputs")

    assert {find_profile(slug)[kind] for slug in SLUGS for kind in kinds} == {False}


@in_each("slug", ["GLM-5.2", "zai-org/glm-5.2", "baseten-model"])
def test_a_model_that_no_listing_named_has_no_profile(slug: str) -> None:
    assert find_profile(slug) == {}


def test_changing_a_profile_changes_no_other() -> None:
    profile = find_profile("zai-org/GLM-5.2")
    profile[EFFORTS].append("changed")
    profile["name"] = "changed"

    found = find_profile("zai-org/GLM-5.2")
    assert (found["name"], found[EFFORTS]) == ("GLM 5.2", ["none", "high", "max"])


# --- the profile follows the model ---------------------------------------------------------------

KIMI, GLM = "moonshotai/Kimi-K3", "zai-org/GLM-5.2"
URL = "https://model-abcd1234.api.baseten.co/environments/production/sync"


def configure(model: ChatBaseten, name: str) -> ChatBaseten:
    field = ConfigurableField(id="model")
    config: RunnableConfig = {"configurable": {"model": name}}
    chosen: Any = model.configurable_fields(model_name=field)
    configured: ChatBaseten = chosen._prepare(config)[0]
    return configured


def assign(model: ChatBaseten, name: str) -> ChatBaseten:
    model.model_name = name
    return model


RENAME: dict[str, Any] = {
    "copy": lambda model, name: model.model_copy(update={"model_name": name}),
    "configurable field": configure,
    "assignment": assign,
}


@in_each("rename", RENAME)
def test_another_model_has_its_own_profile(rename: Any) -> None:
    model = ChatBaseten(model=GLM, api_key="sk-profiles-0123456789")

    assert rename(model, KIMI).profile == _PROFILES[KIMI]
    assert rename(model, "my/own").profile == {}
    assert rename(model, GLM).profile == _PROFILES[GLM]


@in_each("rename", RENAME)
def test_a_profile_that_was_given_stays(rename: Any) -> None:
    given: ModelProfile = {"max_input_tokens": 32_000}
    model = ChatBaseten(model=GLM, profile=given, api_key="sk-profiles-0123456789")

    assert rename(model, KIMI).profile == given


def test_a_copy_that_is_moved_to_a_deployment_has_no_profile() -> None:
    model = ChatBaseten(api_key="sk-profiles-0123456789")

    assert model.profile == _PROFILES[GLM]
    assert model.model_copy(update={"model_url": URL}).profile == {}
    model.model_url = URL
    assert model.profile == {}


def test_a_profile_that_was_changed_is_kept_by_copies_of_the_same_model() -> None:
    model = ChatBaseten(model=GLM, api_key="sk-profiles-0123456789")
    assert model.profile is not None
    model.profile["max_input_tokens"] = 7
    kept = [model.model_copy(update={"temperature": 0}), copy.deepcopy(model)]
    kept.append(pickle.loads(pickle.dumps(model)))  # noqa: S301  our own

    assert [each.profile and each.profile["max_input_tokens"] for each in kept] == [7, 7, 7]
    assert kept[2].model_copy(update={"model_name": KIMI}).profile == _PROFILES[KIMI]


def test_fields_that_an_older_langchain_core_does_not_know_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Older:
        name: str

    monkeypatch.setattr(profile_module, "ModelProfile", Older)
    profile_module._find_known.cache_clear()

    assert find_by_name(GLM) == {"name": "GLM 5.2"}
    profile_module._find_known.cache_clear()
