"""The report: how verdicts group into the page's table, and what every reader of it is told."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from rich.console import Console

from conformance.claims import load_table
from conformance.ledger import Record
from conformance.report import Cell, Report, build_report
from conformance.tables import print_report, write_markdown
from conformance.unit.small_suite import write_suite
from conformance.verdicts import Judgement, Place, Status, Verdict

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {
    "kind": "header",
    "format": 1,
    "target": "peer",
    "started": "2026-11-22T10:00:00+00:00",
    "versions": {"python": "3.11.7", "httpx": "0.28.1"},
}
CALLS, KEYS = "calls.invoke.once", "keys.read.environment"
ABSENT = "logprobs.dedicated.absent"


def verdict(
    claim: str,
    lane: str,
    status: Status = Status.PASS,
    *reasons: str,
    evidence: tuple[str, ...] = ("reference",),
) -> Verdict:
    return Verdict(Place(claim, lane), status, reasons, evidence, checks=2)


ALL_GREEN = (
    verdict(CALLS, "model-apis"),
    verdict(CALLS, "dedicated", evidence=("engine vLLM 0.32.0",)),
    verdict(KEYS, "client", evidence=("client",)),
    verdict(ABSENT, "dedicated"),
)
MANY = tuple(f"check_{n}: assert 0" for n in range(7))
ONE_OF_EACH = (
    verdict(CALLS, "model-apis", Status.FAIL, *MANY),
    verdict(CALLS, "dedicated", Status.KNOWN_GAP, "no parser (until 2026-12-01, https://i)"),
    verdict(KEYS, "client", Status.UNTESTED, "no check ran", evidence=()),
    verdict(ABSENT, "dedicated", Status.NOT_APPLICABLE, "check: seen"),
)


def make(folder: Path, verdicts: tuple[Verdict, ...], problems: tuple[str, ...] = ()) -> Report:
    table = load_table(write_suite(folder).claims)
    return build_report(table, Judgement(verdicts, problems), Record(HEADER, complete=True))


def show(report: Report) -> str:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rows(text: str, name: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if name in line and "│" in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_column_of_the_page_is_a_feature_and_the_rest_is_one_more(tmp_path: Path) -> None:
    report = make(tmp_path, ALL_GREEN)
    assert [(f.key, f.name, f.mark) for f in report.features] == [
        ("calls", "Tool calling", "✅"),
        ("logprobs", "Logprobs", "❌"),
        ("promises", "Other promises", ""),
    ]
    assert report.lanes == ("model-apis", "dedicated", "client")


def test_a_cell_shows_the_worst_verdict_and_how_many_are_green(tmp_path: Path) -> None:
    verdicts = (
        verdict(CALLS, "dedicated", Status.KNOWN_GAP, evidence=("corpus",)),
        verdict(CALLS, "dedicated", Status.FAIL),
        verdict(CALLS, "dedicated"),
    )
    (feature,) = make(tmp_path, verdicts).features
    assert feature.cells == {
        "dedicated": Cell(Status.FAIL, green=2, claims=3, evidence=("corpus", "reference"))
    }


def test_features_and_lanes_without_a_verdict_are_left_out(tmp_path: Path) -> None:
    report = make(tmp_path, (verdict(KEYS, "client"),))
    assert [feature.key for feature in report.features] == ["promises"]
    assert report.lanes == ("client",)


def test_each_verdict_is_a_line_with_what_its_claim_says(tmp_path: Path) -> None:
    line = make(tmp_path, ONE_OF_EACH).lines[2]
    assert (line.claim, line.lane, line.status) == (KEYS, "client", Status.UNTESTED)
    assert line.english == "The key is read from the environment."
    assert (line.level, line.reasons, line.checks) == ("should", ("no check ran",), 2)


def test_the_report_holds_the_exit_code_counts_and_exclusions(tmp_path: Path) -> None:
    report = make(tmp_path, ONE_OF_EACH, ("something else",))
    assert report.exit == 1
    assert report.problems == ("something else",)
    assert report.excluded == {"badges.count.downloads": "a badge"}
    assert report.counts == {
        "pass": 0,
        "known-gap": 1,
        "not-applicable": 1,
        "untested": 1,
        "broken": 0,
        "fail": 1,
    }
    assert make(tmp_path, ALL_GREEN).exit == 0


def test_the_stored_report_says_the_same_with_its_format(tmp_path: Path) -> None:
    report = make(tmp_path, ONE_OF_EACH)
    stored = json.loads(report.to_json())
    assert stored["format"] == 1
    assert stored["run"] == {
        "target": "peer",
        "started": "2026-11-22T10:00:00+00:00",
        "versions": {"python": "3.11.7", "httpx": "0.28.1"},
    }
    assert stored["features"][0]["cells"]["model-apis"] == {
        "status": "fail",
        "green": 0,
        "claims": 1,
        "evidence": ["reference"],
    }
    assert [line["status"] for line in stored["lines"]] == [
        "fail",
        "known-gap",
        "untested",
        "not-applicable",
    ]


# --- the terminal ---


def test_the_matrix_has_a_word_a_count_and_the_evidence_in_each_cell(tmp_path: Path) -> None:
    text = show(make(tmp_path, ALL_GREEN))
    head = next(line for line in text.splitlines() if "feature" in line)
    assert [name.strip() for name in head.split("┃")[1:-1]] == [
        "feature",
        "model-apis",
        "dedicated",
        "client",
    ]
    assert rows(text, "Tool calling") == [
        "Tool calling ✅",
        "✓ pass 1/1 (reference)",
        "✓ pass 1/1 (engine vLLM 0.32.0)",
        "·",
    ]
    assert rows(text, "Logprobs") == ["Logprobs ❌", "·", "✓ pass 1/1 (reference)", "·"]
    assert rows(text, "Other promises") == ["Other promises", "·", "·", "✓ pass 1/1 (client)"]


def test_bad_statuses_are_told_apart_without_colour(tmp_path: Path) -> None:
    text = show(make(tmp_path, ONE_OF_EACH))
    assert "\x1b" not in text
    assert rows(text, "Tool calling")[1:] == [
        "✗ FAIL 0/1 (reference)",
        "~ known gap 1/1 (reference)",
        "·",
    ]
    assert rows(text, "Other promises")[3] == "? UNTESTED 0/1"
    broken = (verdict(CALLS, "dedicated", Status.BROKEN, "setup: port"),)
    assert rows(show(make(tmp_path, broken)), "Tool calling")[1] == "! BROKEN 0/1 (reference)"


def test_every_verdict_that_is_not_a_pass_stands_beneath_with_its_reasons(tmp_path: Path) -> None:
    text = show(make(tmp_path, (*ONE_OF_EACH, verdict(CALLS, "client"))))
    assert f"✗ FAIL  {CALLS} · model-apis\n    A tool is called.\n    - check_0: assert 0\n" in text
    assert "    - check_4: assert 0\n    - and 2 more; see --json\n" in text
    assert f"~ known gap  {CALLS} · dedicated\n" in text
    assert f"? UNTESTED  {KEYS} · client (should)\n" in text
    assert f"○ not applicable  {ABSENT} · dedicated\n" in text
    assert f"{CALLS} · client" not in text


def test_five_reasons_are_all_shown(tmp_path: Path) -> None:
    text = show(make(tmp_path, (verdict(CALLS, "dedicated", Status.FAIL, *MANY[:5]),)))
    assert "check_4" in text
    assert "more; see" not in text


def test_problems_stand_beneath_and_in_the_sum(tmp_path: Path) -> None:
    text = show(make(tmp_path, ALL_GREEN, ("known gap expired", "stray")))
    assert "✗ PROBLEM  known gap expired\n" in text
    assert "RED: 4 pass" in text
    assert "; problems: 2; 1 claims excluded with a reason\n" in text


def test_the_sum_counts_every_status(tmp_path: Path) -> None:
    text = show(make(tmp_path, ALL_GREEN))
    expected = "4 pass, 0 known gap, 0 not applicable, 0 untested, 0 broken, 0 fail"
    assert f"\nGREEN: {expected}; 1 claims excluded with a reason\n" in text


def test_the_legend_explains_what_is_shown_and_only_that(tmp_path: Path) -> None:
    green, mixed = show(make(tmp_path, ALL_GREEN)), show(make(tmp_path, ONE_OF_EACH))
    assert "·  the page claims nothing for this lane" in green
    assert "n/m  green of judged claims" in green
    assert "✓  pass: every check" in green
    assert "✗  fail: " not in green
    assert "✗  fail: " in mixed
    assert "~  known gap: " in mixed
    assert "✓  pass: " not in mixed


def test_the_target_the_time_and_the_versions_stand_first(tmp_path: Path) -> None:
    first = show(make(tmp_path, ALL_GREEN)).splitlines()[0]
    assert first == (
        "Conformance on target peer, 2026-11-22T10:00:00+00:00: python 3.11.7, httpx 0.28.1"
    )


# --- Markdown ---


def test_markdown_has_the_same_matrix_and_sum(tmp_path: Path) -> None:
    text = write_markdown(make(tmp_path, ALL_GREEN))
    assert text.splitlines()[2:5] == [
        "| Feature | model-apis | dedicated | client |",
        "| :--- | :--- | :--- | :--- |",
        "| Tool calling ✅ | ✓ pass 1/1 (reference) | ✓ pass 1/1 (engine vLLM 0.32.0) | · |",
    ]
    assert text.splitlines()[-1].startswith("GREEN: 4 pass")
    assert "**" not in text


def test_markdown_lists_what_is_not_a_pass(tmp_path: Path) -> None:
    text = write_markdown(make(tmp_path, (*ONE_OF_EACH, ALL_GREEN[0]), ("stray",)))
    assert f"- **? UNTESTED** `{KEYS}` (client): The key is read from the environment. " in text
    assert text.count("\n- **") == 5
    assert "- **problem** stray\n" in text
