"""What users may import, and the numbers that are written down more than once."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.specifiers import SpecifierSet

import langchain_baseten
from conformance.tests.package.in_each import in_each
from langchain_baseten import chat_models, embeddings, exceptions
from langchain_baseten._version import VERSION

ROOT = Path(__file__).parents[3]


def test_the_public_names_are_sorted_and_all_there_is() -> None:
    names = langchain_baseten.__all__
    importable = {
        name
        for name in dir(langchain_baseten)
        if not name.startswith("_")
        and not isinstance(getattr(langchain_baseten, name), ModuleType)
        and name not in {"TYPE_CHECKING", "VERSION"}
    }

    assert names == sorted(names)
    assert set(names) == importable | {"__version__"}


@in_each("module", [chat_models, embeddings, exceptions])
def test_a_public_module_lists_what_is_public_in_it(module: ModuleType) -> None:
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }

    assert sorted(module.__all__) == sorted(set(module.__all__))
    assert defined <= set(module.__all__) <= {*defined, "DEFAULT_MODEL"}
    assert defined <= set(langchain_baseten.__all__)


def test_every_error_and_warning_is_public() -> None:
    own = {name for name in vars(exceptions) if re.match(r"Baseten|Missing|End|Err", name)}

    assert own <= set(langchain_baseten.__all__)


def test_what_a_model_does_not_need_is_imported_when_it_is_used() -> None:
    statements = (
        "import sys",
        "import langchain_baseten as b",
        "b.ChatBaseten(api_key='k')",
        "print({*b.__all__} <= {*dir(b)})",
        "unused = {'tenacity', 'langchain_core.tools.base', 'langchain_baseten.embeddings'}",
        "print(unused & {*sys.modules}, 'langchain_baseten._structured_output' in sys.modules)",
        "print(b.BasetenEmbeddings is b.embeddings.BasetenEmbeddings)",
        "del b.BasetenEmbeddings",
        "from langchain_baseten import *",
        "print(BasetenEmbeddings is b.embeddings.BasetenEmbeddings)",
        # the imports of the former package
        "from langchain_baseten import BasetenEmbeddings, ChatBaseten, __version__",
        "from langchain_baseten.chat_models import ChatBaseten as C",
        "from langchain_baseten.embeddings import BasetenEmbeddings as E",
        "print(C is ChatBaseten, E is BasetenEmbeddings, __version__)",
    )
    found = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-W", "error", "-c", "\n".join(statements)],
        cwd=Path(langchain_baseten.__file__).parents[1],
        capture_output=True,
        check=True,
        text=True,
    )

    printed = ["True", "set() False", "True", "True", f"True True {VERSION}"]
    assert found.stdout.splitlines() == printed


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'langchain_baseten' has no attribute 'ChatBased'"):
        langchain_baseten.ChatBased  # type: ignore[attr-defined]  # noqa: B018  that is the point


def test_the_version_is_in_the_changelog_and_well_formed() -> None:
    newest = re.search(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert newest is not None
    assert newest[1] == VERSION == langchain_baseten.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(a|b|rc)?\d*", VERSION)


def test_the_version_is_within_what_dependents_pin() -> None:
    # deepagents-code 0.1.57, extra `baseten`, read on 2026-11-29
    assert SpecifierSet("<1.0.0,>=0.2.3").contains(VERSION)


def test_the_lowest_versions_that_are_tested_are_the_lowest_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    floors = {re.sub(r">=([^,]+),.*", r"==\1", need) for need in project["dependencies"]}

    assert set(tox["testenv:lowest"]["deps"].split()) == floors
    assert all("==" in floor for floor in floors)


def test_each_python_that_is_allowed_is_tested_by_a_plain_tox() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    named = "\n".join(project["classifiers"])
    allowed = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", named, re.MULTILINE)
    middle, *otherwise = tox["testenv:lowest"]["base_python"].split(", ")
    run = {middle, *tox["tox"]["env_list"].split(", ")}

    assert allowed[0] == project["requires-python"].removeprefix(">=")
    assert {"py" + one.replace(".", "") for one in allowed} <= run
    assert otherwise == ["py" + allowed[0].replace(".", "")]
