from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from conformance.checks.nasty_texts import KEPT, MARKUP, NASTY, find_nasty
from conformance.maintenance.drift.report import print_drift, write_json
from conformance.maintenance.release.command import print_answers
from conformance.maintenance.release.gate import Answer, Word
from conformance.media import (
    open_console,
    to_json,
    to_markdown,
    to_plain,
    to_terminal,
    to_xml,
)
from conformance.recording.inventory import print_inventory
from conformance.recording.plan import Task, print_plan
from conformance.reports.difference import compare
from conformance.reports.formats import FORMATS
from conformance.reports.report import Report
from conformance.reports.tables import (
    MATRIX_BEGINS,
    MATRIX_ENDS,
    print_difference,
    print_report,
    write_matrix,
)
from conformance.tests.package.in_each import in_each
from conformance.tests.suite.cassette_builders import ABOUT, write_cassette
from conformance.tests.suite.page_reader import Reader
from conformance.tests.suite.sample_report import CALLS, KEYS, make, outcome, verdict
from conformance.tests.suite.test_drift_report import FAILURE, found
from conformance.tests.suite.test_drift_report import make as make_drift
from conformance.verdicts.verdicts import Result, Status
from langchain_baseten._plain_text import make_plain

ALL = (*NASTY.values(), *MARKUP)
every_text = in_each("given", dict(zip([*NASTY, *map(repr, MARKUP)], ALL, strict=True)))
many_texts = pytest.mark.untraced("many texts through lines that other tests run")


def _shown(given: str) -> str:
    """Return how a text stands in one line, in a medium that shows it."""
    return " ".join(to_plain(given).split())


@pytest.mark.parametrize("text", KEPT)
def test_every_script_and_emoji_stay(text: str) -> None:
    assert to_plain(text) == to_xml(text) == text
    assert to_terminal(text).plain == text
    assert json.loads(to_json([text])) == [text]
    assert text in to_json([text])


def test_the_package_and_the_suite_agree_on_what_is_plain() -> None:
    assert [to_plain(given) for given in ALL] == [make_plain(given) for given in ALL]


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert to_xml("a\ufffeb\uffff") == "a\ufffdb\ufffd"


def test_a_string_on_the_console_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    for each in (open_console(), open_console(stderr=True)):
        each.print("[bold]:smile:[/bold]")
    assert capsys.readouterr() == ("[bold]:smile:[/bold]\n",) * 2


_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _read_markdown(text: str) -> tuple[list[str], str]:
    """Return the kinds of all that stands in a text, and its words."""
    tokens = _MARKDOWN.parse(text)
    given = [child for token in tokens for child in token.children or ()]
    kinds = [token.type for token in tokens if token.type != "inline"]
    return [*kinds, *(each.type for each in given)], "".join(each.content for each in given)


PLACES = {
    "a paragraph": "{}",
    "a sentence": "it said {} and left",
    "an item": "- **problem** {}",
    "a cell": "| a | b |\n| :--- | :--- |\n| {} | x |",
}


@many_texts
@pytest.mark.parametrize("place", PLACES)
@every_text
def test_a_text_in_markdown_is_text_wherever_it_stands(place: str, given: str) -> None:
    text = PLACES[place].format(to_markdown(given))
    found, words = _read_markdown(text)
    assert found == _read_markdown(PLACES[place].format("word"))[0]
    assert _shown(given) in words
    assert "://" not in text.replace("\\://", "")


def _list_tags(page: Reader) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in page.found]


def _report(folder: Path, given: str) -> Report:
    """Return a report in which everything that somebody else may have written is this text."""
    verdicts = (
        verdict(CALLS, "dedicated", Status.FAIL, given, given, evidence=(f"engine {given}", given)),
        verdict(CALLS, "model-apis", Status.EXPECTED_FAILURE, given),
        verdict(KEYS, "client", Status.UNTESTED, given),
    )
    outcomes = (outcome(CALLS, "dedicated", result=Result.FAILED, reason=given),)
    names: dict[str, Any] = {
        "subject": given,
        "versions": {"python": "3", given: given},
        "target": "reference",
    }
    return make(folder, verdicts, (given,), outcomes, **names)


Write: TypeAlias = "Callable[[Report, Path], str]"


def _print_report(report: Report, root: Path) -> str:
    reported = io.StringIO()
    print_report(report, Console(file=reported, width=300))
    old = {"run": report.run, "lines": [{"claim": CALLS, "lane": "dedicated", "status": "pass"}]}
    print_difference(compare(old, report), Console(file=reported, width=300))
    return reported.getvalue()


WRITERS: dict[str, Write] = {name: form.write for name, form in FORMATS.items()}
WRITERS |= {"terminal": _print_report, "README": lambda report, root: write_matrix(report)}


@many_texts
def test_a_report_holds_text_alone_in_every_medium(tmp_path: Path) -> None:
    harmless = {name: write(_report(tmp_path, "word"), tmp_path) for name, write in WRITERS.items()}
    tags = _list_tags(Reader(harmless["html"]))
    structure = {name: _read_markdown(harmless[name])[0] for name in ("markdown", "README")}

    @every_text
    def compare(given: str) -> None:
        report = _report(tmp_path, given)
        texts = {name: write(report, tmp_path) for name, write in WRITERS.items()}
        for medium, text in texts.items():
            assert find_nasty(text) == [], medium
            assert text.encode()
        top = ET.fromstring(texts["junit"])  # noqa: S314  our own
        failures = {" ".join(str(each.get("message")).split()) for each in top.iter("failure")}
        assert _shown(given) in failures
        assert json.loads(texts["json"])["problems"] == [given]
        assert to_plain(given).split("\n")[0].strip() in texts["terminal"]
        page = Reader(texts["html"])
        assert _list_tags(page) == tags
        assert _shown(given) in page.text
        for medium, shape in structure.items():
            found, words = _read_markdown(texts[medium])
            assert found == shape
            assert _shown(given) in " ".join(words.split())
            assert [texts[medium].count(mark) for mark in (MATRIX_BEGINS, MATRIX_ENDS)] == [1, 1]

    compare()


def _drift(given: str) -> Any:
    finding = found(f"dedicated/tools/{given}", FAILURE, given, given, given)
    about = replace(ABOUT, source=given, recorded=given)
    drift = make_drift(finding, uncompared=((given, given),), notes=(given,), cut=given)
    return replace(drift, where=given, compared=(about,))


@many_texts
@every_text
def test_a_drift_report_holds_text_alone(given: str) -> None:
    drift, reported = _drift(given), io.StringIO()
    print_drift(drift, Console(file=reported, width=300))
    stored = write_json(drift)
    assert find_nasty(reported.getvalue() + stored) == []
    assert to_plain(given).split("\n")[0].strip() in reported.getvalue()
    assert json.loads(stored)["notes"] == [given]


@many_texts
@every_text
def test_lists_and_answers_of_the_other_commands_hold_text_alone(
    tmp_path: Path, given: str
) -> None:
    console = Console(file=(reported := io.StringIO()), width=300)
    whole = given.encode("utf-8", "replace").decode()
    write_cassette(tmp_path / "a.yaml", about=replace(ABOUT, source=whole, model=whole))
    print_inventory(tmp_path, (), console)
    task = Task(f"dedicated/{given.replace('/', '')}/x", given, given)
    print_plan((task,), tmp_path, given, console)
    print_answers({"claims": Answer(Word.NO, given, (given,))}, console, waived=False)
    assert find_nasty(reported.getvalue()) == []
    assert to_plain(given).split("\n")[0].strip() in reported.getvalue()


CHUNKS = ("\x1b", "\x9b", "\x9d", "\x1b]", "\u200d", "\ufe0f", "\U0001f3f4", "[", "://", "1")


@many_texts
@pytest.mark.parametrize("chunk", CHUNKS)
def test_no_text_takes_long(chunk: str) -> None:
    text = chunk * (100_000 // len(chunk))
    began = time.process_time()
    to_markdown(text)
    to_json(text)
    assert time.process_time() - began < 1.5
