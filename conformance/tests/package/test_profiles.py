"""Model profiles: complete, well formed, and a copy for each who asks."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import ModelProfile
from langchain_core.runnables import ConfigurableField, RunnableConfig

from conformance.cli.main import main
from conformance.maintenance import profiles
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService
from langchain_baseten import ChatBaseten, ListedModel
from langchain_baseten._config import profile as profile_module
from langchain_baseten._config.profile import find_profile as find_by_name
from langchain_baseten._protocol.model_listing import read_model
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


def test_the_module_is_what_the_facts_and_the_last_listing_make_of_it() -> None:
    facts = tomllib.loads(profiles.FACTS.read_text("utf-8"))
    merged, sources = profiles.merge(_PROFILES, _SOURCES, [], facts, "2026-11-29")

    assert profiles.write_module(merged, sources, facts) == profiles.TARGET.read_text("utf-8")


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


# --- the command ---------------------------------------------------------------------------------

ROW = {
    "id": "a/b",
    "name": "B",
    "context_length": 10,
    "max_completion_tokens": 5,
    "supported_features": ["tools", "json_mode"],
    "input_modalities": ["text", "image"],
}
NO_FACTS: dict[str, Any] = {
    "sources": {"listing": "https://list", "page": "https://page, read 2026-02-01"},
    "defaults": {"open_weights": True},
    "models": {},
}


def merge(*rows: Any, facts: Any = None, **known: Any) -> Any:
    table = {**NO_FACTS, "models": facts or {}}
    sources = dict.fromkeys(known.get("profiles", {}), ("https://list", "2026-01-01"))
    listing: list[ListedModel] = [read_model(row) for row in rows]
    return profiles.merge(known.get("profiles", {}), sources, listing, table, "2026-03-01")


def test_a_listing_becomes_a_module_of_profiles() -> None:
    merged, sources = merge(ROW, facts={"a/b": {"notes": {"image_inputs": "both " * 30}}})
    source = profiles.write_module(merged, sources, {"models": {"a/b": {"notes": {}}}})
    namespace: dict[str, Any] = {}
    exec(compile(source, "profiles", "exec"), namespace)  # noqa: S102  our own text
    found = namespace["_PROFILES"]["a/b"]

    assert (found["max_input_tokens"], found["max_output_tokens"]) == (10, 5)
    assert (found["image_inputs"], found["image_url_inputs"], found["attachment"]) == (True,) * 3
    assert (found["tool_calling"], found["structured_output"]) == (True, False)
    assert found["open_weights"] is True
    assert namespace["_SOURCES"] == {"a/b": ("https://list", "2026-03-01")}


def test_a_model_that_is_not_listed_any_more_keeps_its_facts_as_deprecated() -> None:
    profiles_before = {"c/d": {"name": "D", "reasoning_effort_levels": ["low"]}}
    merged, sources = merge(ROW, profiles=profiles_before)

    assert list(merged) == ["a/b", "c/d"]
    assert (merged["c/d"]["name"], merged["c/d"]["status"]) == ("D", "deprecated")
    assert EFFORTS not in merged["c/d"]
    assert sources["c/d"] == ("https://list", "2026-01-01")
    assert "status" not in merge({**ROW, "id": "c/d"}, profiles=merged)[0]["c/d"]
    assert merge(profiles=merged)[0]["c/d"]["status"] == "deprecated"


def test_a_model_of_another_source_is_deprecated_by_a_later_listing() -> None:
    facts = {"e/f": {"source": "page", "name": "F", "image_inputs": True}, "g/h": {"name": "H"}}
    merged, sources = merge(facts=facts)

    assert list(merged) == ["e/f"]
    assert merged["e/f"]["image_url_inputs"] is True
    assert "status" not in merged["e/f"]
    assert sources["e/f"] == ("https://page", "2026-02-01")
    assert merge(ROW, facts=facts)[0]["e/f"]["status"] == "deprecated"


def test_a_listing_decides_over_facts_unless_they_override_it() -> None:
    facts: dict[str, Any] = {"a/b": {"name": "other", "structured_output": True}}

    assert merge(ROW, facts=facts)[0]["a/b"]["name"] == "B"
    facts["a/b"]["overrides"] = ["structured_output"]
    assert merge(ROW, facts=facts)[0]["a/b"]["structured_output"] is True


def test_notes_stand_above_their_fields_in_short_lines() -> None:
    merged, sources = merge(ROW)
    notes = {"image_inputs": "models.dev says no; " * 12}
    source = profiles.write_module(merged, sources, {"models": {"a/b": {"notes": notes}}})
    above = source.partition('        "image_inputs"')[0].splitlines()

    assert above[-1].startswith("        # ")
    assert max(map(len, source.splitlines())) <= 100


def test_differences_name_models_and_fields() -> None:
    old = {"a": {"name": "A"}, "b": {"name": "B"}}
    new = {"b": {"name": "C", "temperature": True}, "d": {}}

    assert profiles.compare(old, new) == [
        "+ d",
        "- a",
        "~ b: name 'B' -> 'C'",
        "~ b: temperature None -> True",
    ]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "profiles.py"
    monkeypatch.setattr(profiles, "TARGET", path)
    return path


def test_the_command_shows_what_a_listing_changes_and_writes_it(
    tmp_path: Path, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = tmp_path / "l.json"
    listing.write_text(json.dumps({"data": [ROW]}), encoding="utf-8")

    assert main(["profiles", "--difference", "--listing", str(listing)]) == 1
    assert "+ a/b\n" in capsys.readouterr().out
    assert not written.exists()
    assert main(["profiles", "--refresh", "--listing", str(listing), "--read", "2026-12-01"]) == 0
    assert '"a/b": (' in written.read_text(encoding="utf-8")
    assert '"2026-12-01"' in written.read_text(encoding="utf-8")


def test_the_command_merges_facts_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "--difference", "--facts-only"]) == 0
    assert capsys.readouterr().out == "no differences\n"


def test_the_command_asks_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = MockService({"data": [ROW]})
    monkeypatch.setattr(profiles, "ChatBaseten", service.model)

    assert main(["profiles", "--difference"]) == 1
    assert "+ a/b\n" in capsys.readouterr().out
    assert [request.method for request in service.requests] == ["GET"]


@pytest.mark.parametrize("text", ["<html>", '{"data": 7}'])
def test_without_a_listing_nothing_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    listing = tmp_path / "l.json"
    listing.write_text(text, encoding="utf-8")

    assert main(["profiles", "--difference", "--listing", str(listing)]) == 2
    assert "holds no list of models" in capsys.readouterr().err


def test_without_a_key_the_command_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)

    assert main(["profiles", "--difference"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cannot begin: No API key. Pass api_key=… or set the environment")
    assert "pydantic" not in line
