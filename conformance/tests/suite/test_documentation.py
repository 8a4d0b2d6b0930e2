"""The pages: every example prints what the page shows, and every command names what exists.

Knows Markdown's indents and tox.ini; must not know what the pages explain.
"""

from __future__ import annotations

import configparser
import inspect
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.claims.pages import read_features
from conformance.claims.table import load_table
from conformance.cli.main import ELSEWHERE, HERE_ADDED, main
from conformance.maintenance.documentation import command as pages
from conformance.maintenance.documentation.blocks import read_blocks
from conformance.maintenance.documentation.examples import (
    find_differences,
    reference_service,
    run_page,
    write_outputs,
)
from conformance.maintenance.documentation.mdx import TITLES, find_unsafe
from conformance.targets import FAKE_KEY, LANES, choose_settings
from langchain_baseten import BasetenEmbeddings, ChatBaseten

_ROOT = Path(__file__).parents[3]
_READ = [_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted((_ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"[A-Z_]+=\S*")
_INDENTED = re.compile(r"(?<=\n\n)((?: {4}\S.*\n)+)")


def _read_commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each command; comments are left out, `&&` joins two commands."""
    fenced = [block.text for block in read_blocks(page) if block.language in {"bash", "sh"}]
    bare = _FENCE.sub("", page)
    for text in (*fenced, *_INDENTED.findall(bare)):
        for line in text.splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                if words := [*dropwhile(_VARIABLE.fullmatch, words)]:
                    yield words


def _find_flaw(words: list[str]) -> str | None:
    """Return what is wrong with a command, None if it names only what exists."""
    match words:
        case ["tox"] | ["export", _]:
            return None
        case ["tox", "-e", names]:
            missing = set(names.split(",")) - _list_environments()
            return f"tox has no environment {', '.join(sorted(missing))}" if missing else None
        case ["python", "-m", "pip", *rest] | ["pip", *rest] | ["uv", *rest]:
            return _find_pip_flaw(rest)
        case ["python", "-m", module, *rest]:
            return _find_module_flaw(module, rest)
    return f"{words[0]} is not a command of this project"


def _find_module_flaw(module: str, words: list[str]) -> str | None:
    match module:
        case "conformance":
            name = words[0] if words else "verify"
            known = name.startswith("-") or name in {*HERE_ADDED, *ELSEWHERE}
            return None if known else f"the suite has no command {name}"
        case "pytest":
            missing = {word for word in words if "/" in word and not (_ROOT / word).exists()}
            return f"there is no {', '.join(sorted(missing))}" if missing else None
        case "conformance.maintenance.engines":
            return None
    return f"python -m {module} is not a command of this project"


def _find_pip_flaw(words: list[str]) -> str | None:
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    known = {settings["project"]["name"], "pip", "tox", ".", *settings["dependency-groups"]}
    named = [word for word in words[1:] if not word.startswith("-")]
    strangers = {word for word in named if not (_ROOT / word).is_file()} - known
    if words[0] not in {"install", "add"} or not named or strangers:
        return f"pip {' '.join(words)} does not install this project"
    return None


def _list_environments() -> set[str]:
    tox = configparser.ConfigParser()
    tox.read(_ROOT / "tox.ini", encoding="utf-8")
    listed = re.split(r"[\s,]+", tox["tox"]["env_list"].strip())
    sections = (name.partition(":") for name in tox.sections())
    return {*listed, *(name for kind, _, name in sections if kind == "testenv" and name)}


@pytest.mark.parametrize("page", pages.EXECUTED, ids=lambda page: page.name)
def test_every_example_prints_what_the_page_shows(page: Path) -> None:
    with reference_service():
        outcomes = run_page(page.read_text(encoding="utf-8"), str(page))
    assert find_differences(outcomes) == [], "`python -m conformance docs --write` renews the pages"
    assert outcomes
    if missing := {outcome.missing for outcome in outcomes} - {None}:
        pytest.skip(f"examples that need {missing} were left out; the rest agrees")


def test_our_own_pages_say_what_the_claims_quote() -> None:
    assert list(pages.list_unsaid()) == []


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A guide of one example, in the place of all pages."""
    page = tmp_path / "docs" / "chat.md"
    page.parent.mkdir()
    (tmp_path / "README.md").write_text((_ROOT / "README.md").read_text("utf-8"), "utf-8")
    for name, value in {"ROOT": tmp_path, "EXECUTED": (page,)}.items():
        monkeypatch.setattr(pages, name, value)
    monkeypatch.setattr(pages, "MDX", tmp_path / "none")
    monkeypatch.setattr(pages, "renew_mdx", str)
    return page


def test_what_is_stale_and_what_a_claim_no_longer_finds_is_shown(
    guide: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (_ROOT / "docs" / "chat.md").read_text(encoding="utf-8")
    example = "```python\nprint(1)\n```\n\n```text\n2\n```\n\nEnd.\n"
    guide.write_text(text + example, encoding="utf-8")
    assert pages.main([]) == 1
    output = capsys.readouterr().out
    assert "docs/chat.md is stale" in output
    assert "\n-2\n+1\n" in output
    assert pages.main(["--write"]) == 0
    assert pages.main([]) == 0
    assert capsys.readouterr().out.endswith("All pages agree.\n")
    otherwise = guide.read_text("utf-8").replace(
        'reasoning_effort="high")', "reasoning_effort='high')"
    )
    guide.write_text(otherwise, encoding="utf-8")
    assert pages.main([]) == 1
    assert "docs/chat.md: reasoning.effort.sent: the page does not say" in capsys.readouterr().out


def test_the_requirements_are_those_of_the_group() -> None:
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    _comment, *lines = (_ROOT / "conformance/requirements.txt").read_text("utf-8").splitlines()
    assert lines == settings["dependency-groups"]["test"]


def test_the_factory_to_copy_makes_a_client_of_the_chat_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = read_blocks((_ROOT / "README.md").read_text(encoding="utf-8"))
    [code] = [block.text for block in blocks if "def make_model(" in block.text]
    monkeypatch.setitem(sys.modules, "langchain_openai", SimpleNamespace(ChatOpenAI=dict))
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own page
    for lane in LANES.values():
        made = names["make_model"](**choose_settings(lane, "reference"), temperature=0.5)
        settings = {"model": lane.model, "api_key": FAKE_KEY, "temperature": 0.5}
        assert made == settings | {"base_url": f"https://{lane.host}{lane.base_path}"}
    with pytest.raises(NotImplementedError):
        names["make_model"](model="m", base_url="https://inference.baseten.co/v1")


def test_an_output_that_differs_is_reported_and_renewed() -> None:
    page = "```python\nprint(1)\n```\n\n```text\n2\n```\n\n```python\nprint(3)\n```\nEnd.\n"
    outcomes = run_page(page, "page")
    new = write_outputs(page, outcomes)
    assert find_differences(outcomes) == [
        "line 2: printed '1', and the page shows '2'",
        "line 10: printed '3', and the page shows ''",
    ]
    assert [o.shown.text for o in run_page(new, "page") if o.shown] == ["1\n", "3\n"]
    assert find_differences(run_page(new, "page")) == []
    assert write_outputs(new, run_page(new, "page")) == new
    assert new.endswith("End.\n")


def test_a_text_behind_prose_is_no_output() -> None:
    [outcome] = run_page("```python\nx = 1\n```\nSaid elsewhere:\n\n```text\n2\n```\n", "page")
    assert outcome.shown is None


def test_ids_that_differ_in_each_run_are_not_compared() -> None:
    code = "import uuid\nprint(uuid.uuid4(), uuid.uuid4().hex)"
    page = write_outputs(f"```python\n{code}\n```\n", run_page(f"```python\n{code}\n```\n", "p"))
    assert find_differences(run_page(page, "page")) == []


def test_an_example_without_its_optional_package_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    [outcome] = run_page("```python\nfrom langgraph.graph import START\n```\n", "page")
    assert (outcome.printed, outcome.missing) == (None, "langgraph")
    assert find_differences([outcome]) == []


def test_the_features_table_is_that_of_the_claims() -> None:
    page = pages.CHAT.read_text(encoding="utf-8")
    columns = {column.statement: column.mark for column in load_table().columns}
    assert read_features(page, columns) == columns
    assert pages.renew_chat(page) == page, "`python -m conformance docs --write` renews it"


def test_the_mdx_page_is_the_chat_page_in_the_form_of_langchain() -> None:
    mdx = pages.MDX.read_text(encoding="utf-8")
    assert mdx == pages.renew_mdx(), "`python -m conformance docs --write` renews it"
    assert mdx.startswith('---\ntitle: "ChatBaseten integration"\ndescription: ')
    assert find_unsafe(mdx) == []
    assert "<CodeGroup>\n```bash pip\n" in mdx
    assert [title for title in TITLES.values() if f"```python {title}\n" not in mdx] == []
    assert not re.search(r"\]\((?!https?://|/|#)", mdx), "a link that only works in the repository"


def test_prose_that_mdx_reads_as_code_is_noticed() -> None:
    mdx = '---\ntitle: "x"\n---\n<Tip>\n`{a}` and a{b}\n</Tip>\n```python\nx = {}\n```\n'
    assert find_unsafe(mdx) == [" and a{b}"]


_HEADINGS = (
    *("Overview", "Integration details", "Model features", "Setup", "Credentials"),
    *("Installation", "Without a key", "Instantiation", "By slug", "By URL", "Parameters"),
    *("Invocation", "Response", "Chaining", "Streaming", "Async", "Batch", "Tool calling"),
    *("Agents", "LangGraph", "Structured output", "Images and audio", "Reasoning", "Token usage"),
    *("Caching and rate limits", "Fallbacks", "init_chat_model", "Errors"),
    *("Retries, time limits and cold starts", "Dedicated deployments", "Profiles", "Tracing"),
    *("Connections", "Secrets", "API reference"),
)
"""Sections of LangChain's template and of the published page, and those that both lack."""


def test_the_chat_page_has_the_sections_of_the_template() -> None:
    page = _FENCE.sub("", pages.CHAT.read_text(encoding="utf-8"))
    found = re.findall(r"(?m)^##+ (.*)$", page)
    assert [heading for heading in found if heading in _HEADINGS] == list(_HEADINGS)


def test_each_defect_of_the_migration_page_is_a_failure_of_the_earlier_release() -> None:
    rows = re.findall(r"(?m)^\| `([\w.-]+)` \|", (_ROOT / "docs/migration.md").read_text("utf-8"))
    failures = re.findall(
        r"(?m)^\| `([\w.-]+)` \| .*\d+/\d+ \|", (_ROOT / "docs/incumbent.md").read_text("utf-8")
    )
    assert len(rows) > 8
    assert set(rows) <= set(failures)


_SECTIONS = (
    *("Setup", "Key init args, completion parameters", "Key init args, client parameters"),
    *("Instantiate", "Invoke", "Stream", "Async", "Tool calling", "Structured output"),
    *("Images and audio", "Reasoning", "Token usage", "Response metadata", "Errors"),
)
"""Sections of a chat model's docstring, as LangChain's integrations have them."""


@pytest.mark.parametrize("documented", [ChatBaseten, BasetenEmbeddings])
def test_every_block_of_a_class_docstring_runs(documented: type) -> None:
    # A section's text is indented below its heading.
    text = re.sub(r"(?m)^ {4}", "", inspect.getdoc(documented) or "")
    with reference_service():
        outcomes = run_page(text, documented.__name__)
    assert outcomes
    for outcome in outcomes:
        code = outcome.code
        assert outcome.printed or "print(" not in code.text, f"line {code.line} printed nothing"


def test_the_docstring_of_the_chat_model_has_the_usual_sections() -> None:
    text = inspect.getdoc(ChatBaseten) or ""
    assert tuple(re.findall(r"(?m)^([A-Z][a-z, ]+):$", text)) == _SECTIONS


@pytest.mark.parametrize("page", _READ, ids=lambda page: page.name)
def test_every_command_of_a_page_names_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    flaws = {shlex.join(words): _find_flaw(words) for words in _read_commands(text)}
    assert {command: flaw for command, flaw in flaws.items() if flaw} == {}


@pytest.mark.parametrize("page", _READ, ids=lambda page: page.name)
def test_every_option_of_a_command_exists(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in _read_commands(page.read_text(encoding="utf-8")):
        if words[:3] != ["python", "-m", "conformance"]:
            continue
        name = next((word for word in words[3:4] if not word.startswith("-")), "verify")
        with pytest.raises(SystemExit):
            main([name, "--help"])
        shown = capsys.readouterr().out
        options = [word for word in words[3:] if word.startswith("--")]
        assert [option for option in options if option not in shown] == [], shlex.join(words)


@pytest.mark.parametrize("page", _READ, ids=lambda page: page.name)
def test_every_block_of_a_page_is_closed_and_says_its_language(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert 2 * len(read_blocks(text)) == len(re.findall(r"^\s*```", text, re.MULTILINE))
    languages = {block.language for block in read_blocks(text)}
    assert languages <= {"python", "bash", "text", "mermaid", "toml"}


def test_the_page_on_checks_quotes_the_suite() -> None:
    page = (_ROOT / "docs" / "authoring-checks.md").read_text(encoding="utf-8")
    suite = [*(_ROOT / "conformance").rglob("*.py"), *(_ROOT / "conformance").glob("*.toml")]
    texts = [path.read_text(encoding="utf-8") for path in suite]
    quoted = [b for b in read_blocks(page) if b.language in {"python", "toml"}]
    assert len(quoted) > 3
    assert [b.line for b in quoted if not any(b.text in text for text in texts)] == []


def test_the_page_of_the_package_has_commands_and_blocks() -> None:
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    assert ["tox", "-e", "matrix"] in list(_read_commands(text))
    assert ["pip", "install", "-U", "langchain-baseten"] in list(_read_commands(text))
    assert len(read_blocks(text)) > 3


@pytest.mark.parametrize(
    ("command", "flaw"),
    [
        ("tox -e matrix,py311", None),
        ("tox -e nonsense", "no environment nonsense"),
        ("pip install langchain-openai", "does not install this project"),
        ("pip install -U", "does not install this project"),
        ("pip uninstall langchain-baseten", "does not install this project"),
        ("python -m pip install tox", None),
        ("python -m pip install -U pip", None),
        ("pip install -e . --group test", None),
        ("pip install --group nonsense", "does not install this project"),
        ("pip install -r conformance/requirements.txt", None),
        ("pip install -r conformance/nonsense.txt", "does not install this project"),
        ("uv add langchain-baseten", None),
        ("uv add langchain-openai", "does not install this project"),
        ("python -m conformance", None),
        ("python -m conformance list", None),
        ("python -m conformance --claim some.claim", None),
        ("python -m pytest -q conformance/tests/package", None),
        ("python -m pytest conformance/unit", "there is no conformance/unit"),
        ("python -m conformance dance", "no command dance"),
        ("make test", "make is not a command"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command: str, flaw: str | None) -> None:
    found = _find_flaw(command.split())
    assert (found is None) if flaw is None else flaw in str(found)
