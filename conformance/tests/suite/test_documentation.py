"""The pages: every Python block runs, page by page, and every command line names what exists.

Knows Markdown's fences and indents and tox.ini; must not know what the pages explain.
"""

from __future__ import annotations

import configparser
import inspect
import re
import shlex
import tomllib
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from conformance.__main__ import _COMMANDS, _OWN_PARSERS
from conformance.reference import AsyncPeerTransport, PeerTransport
from langchain_baseten import BasetenEmbeddings, ChatBaseten
from langchain_baseten._http.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[3]
_RUN = [_ROOT / "README.md", _ROOT / "docs" / "chat.md"]
_READ = [_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted((_ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"[A-Z_]+=\S*")
_INDENTED = re.compile(r"(?<=\n\n)((?: {4}\S.*\n)+)")


@dataclass(frozen=True)
class _Block:
    """A piece of a page: its language, its text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int


def _read_blocks(page: str) -> list[_Block]:
    return [
        _Block(found[1], found[2], page.count("\n", 0, found.start(2)) + 1)
        for found in _FENCE.finditer(page)
    ]


def _read_commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each command; comments are left out, `&&` joins two commands."""
    fenced = [block.text for block in _read_blocks(page) if block.language in {"bash", "sh"}]
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
        case ["tox"]:
            return None
        case ["tox", "-e", names]:
            missing = set(names.split(",")) - _list_environments()
            return f"tox has no environment {', '.join(sorted(missing))}" if missing else None
        case ["python", "-m", "pip", *rest] | ["pip", *rest]:
            return _find_pip_flaw(rest)
        case ["python", "-m", "conformance"] | [
            "python",
            "-m",
            "conformance.maintenance.engines",
            *_,
        ]:
            return None
        case ["python", "-m", "conformance", name, *_]:
            known = {*_COMMANDS, *_OWN_PARSERS}
            return None if name in known else f"the suite has no command {name}"
    return f"{words[0]} is not a command of this project"


def _find_pip_flaw(words: list[str]) -> str | None:
    named = [word for word in words[1:] if not word.startswith("-")]
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    strangers = set(named) - {project["name"], "tox"}
    if words[0] != "install" or not named or strangers:
        return f"pip {' '.join(words)} does not install this project"
    return None


def _list_environments() -> set[str]:
    tox = configparser.ConfigParser()
    tox.read(_ROOT / "tox.ini", encoding="utf-8")
    listed = re.split(r"[\s,]+", tox["tox"]["env_list"].strip())
    sections = (name.partition(":") for name in tox.sections())
    return {*listed, *(name for kind, _, name in sections if kind == "testenv" and name)}


@pytest.fixture
def _answered_here(monkeypatch: pytest.MonkeyPatch) -> None:
    client = httpx2.Client(transport=PeerTransport())
    aclient = httpx2.AsyncClient(transport=AsyncPeerTransport())

    async def async_client(_self: Connections, _server: str) -> httpx2.AsyncClient:
        return aclient

    monkeypatch.setattr(Connections, "sync_client", lambda _self, _server: client)
    monkeypatch.setattr(Connections, "async_client", async_client)
    monkeypatch.setenv("BASETEN_API_KEY", "documentation-key")


def _run_blocks(text: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [b for b in _read_blocks(text) if b.language == "python"]
    namespace: dict[str, Any] = {"__name__": name}
    for block in blocks:
        # Moved to its own line, so that a traceback points into the page.
        code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
        exec(code, namespace)  # noqa: S102  running the page is the check
        printed = capsys.readouterr().out.strip()
        assert printed or "print(" not in block.text, f"{name}:{block.line} printed nothing"
    assert blocks


@pytest.mark.usefixtures("_answered_here")
@pytest.mark.parametrize("page", _RUN, ids=lambda page: page.name)
def test_every_block_of_a_page_runs_from_top_to_bottom(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run_blocks(page.read_text(encoding="utf-8"), str(page), capsys)


_SECTIONS = (
    *("Setup", "Key init args, completion parameters", "Key init args, client parameters"),
    *("Instantiate", "Invoke", "Stream", "Async", "Tool calling", "Structured output"),
    *("Images and audio", "Reasoning", "Token usage", "Response metadata", "Errors"),
)
"""Sections of a chat model's docstring, as LangChain's integrations have them."""


@pytest.mark.usefixtures("_answered_here")
@pytest.mark.parametrize("documented", [ChatBaseten, BasetenEmbeddings])
def test_every_block_of_a_class_docstring_runs(
    documented: type, capsys: pytest.CaptureFixture[str]
) -> None:
    # A section's text is indented below its heading.
    text = re.sub(r"(?m)^ {4}", "", inspect.getdoc(documented) or "")

    _run_blocks(text, documented.__name__, capsys)


def test_the_docstring_of_the_chat_model_has_the_usual_sections() -> None:
    text = inspect.getdoc(ChatBaseten) or ""

    assert tuple(re.findall(r"(?m)^([A-Z][a-z, ]+):$", text)) == _SECTIONS


@pytest.mark.parametrize("page", _READ, ids=lambda page: page.name)
def test_every_command_of_a_page_names_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    flaws = {shlex.join(words): _find_flaw(words) for words in _read_commands(text)}
    assert {command: flaw for command, flaw in flaws.items() if flaw} == {}


@pytest.mark.parametrize("page", _READ, ids=lambda page: page.name)
def test_every_block_of_a_page_is_closed_and_says_its_language(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert 2 * len(_read_blocks(text)) == len(re.findall(r"^\s*```", text, re.MULTILINE))
    assert {block.language for block in _read_blocks(text)} <= {"python", "bash", "text"}


def test_the_page_of_the_package_has_commands_and_blocks() -> None:
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    assert ["tox", "-e", "matrix"] in list(_read_commands(text))
    assert ["pip", "install", "-U", "langchain-baseten"] in list(_read_commands(text))
    assert len(_read_blocks(text)) > 3


@pytest.mark.parametrize(
    ("command", "flaw"),
    [
        ("tox -e matrix,py311", None),
        ("tox -e nonsense", "no environment nonsense"),
        ("pip install langchain-openai", "does not install this project"),
        ("pip install -U", "does not install this project"),
        ("pip uninstall langchain-baseten", "does not install this project"),
        ("python -m pip install tox", None),
        ("python -m conformance", None),
        ("python -m conformance list", None),
        ("python -m conformance dance", "no command dance"),
        ("make test", "make is not a command"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command: str, flaw: str | None) -> None:
    found = _find_flaw(command.split())
    assert (found is None) if flaw is None else flaw in str(found)
