"""The report: how verdicts group into the page's table, and what every reader of it is told."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from rich.console import Console

from conformance.reports.report import Cell, Correction, Finding, list_corrections
from conformance.reports.tables import print_report, write_markdown, write_matrix, write_proposal
from conformance.tests.suite.sample_report import (
    ABSENT,
    ALL_GREEN,
    CALLS,
    CHECK,
    KEYS,
    MANY,
    ONE_OF_EACH,
    make,
    outcome,
    verdict,
)
from conformance.tests.suite.sample_suite import CORRECTED, load_small
from conformance.verdicts.verdicts import Result, Status

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.reports.report import Report


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


def test_a_cell_counts_what_does_not_apply_apart(tmp_path: Path) -> None:
    apart = verdict(CALLS, "dedicated", Status.NOT_APPLICABLE, "check: seen")
    report = make(tmp_path, (verdict(CALLS, "dedicated"), apart))
    assert rows(show(report), "Tool calling")[1] == "✓ pass 1/1, 1 not applicable (reference)"
    report = make(tmp_path, (apart,))
    assert rows(show(report), "Tool calling")[1] == "○ not applicable 1/1 (reference)"


def test_a_cell_shows_the_worst_verdict_and_how_many_are_green(tmp_path: Path) -> None:
    verdicts = (
        verdict(CALLS, "dedicated", Status.EXPECTED_FAILURE, evidence=("corpus",)),
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
    assert line.statement == "The key is read from the environment."
    assert (line.level, line.reasons) == ("should", ("no check ran",))
    assert (line.page, line.evidence) == ("Chat", ())
    assert (line.feature, line.sentence, line.language) == ("promises", "set the variable", "en")
    assert (line.scope, line.basis, line.source) == (
        "client",
        "observed",
        "https://traffic.example",
    )
    assert line.absence == ""


def test_an_absence_says_what_had_to_be_observed(tmp_path: Path) -> None:
    line = make(tmp_path).lines[3]
    assert line.absence == "at the service, once logprobs was in the body"
    assert line.feature == "logprobs"


def test_each_line_holds_what_its_own_checks_found_in_order(tmp_path: Path) -> None:
    found = (
        outcome(CALLS, "dedicated", "z.py::test_z", Result.FAILED, "assert 0"),
        outcome(CALLS, "dedicated"),
        outcome(CALLS, "model-apis", "a.py::test_a"),
    )
    lines = make(tmp_path, outcomes=found).lines
    assert lines[1].findings == (
        Finding(CHECK, Result.PASSED, "", ("reference",)),
        Finding("z.py::test_z", Result.FAILED, "assert 0", ("reference",)),
    )
    assert [finding.check for finding in lines[0].findings] == ["a.py::test_a"]
    assert lines[2].findings == ()


def test_the_report_holds_the_exit_code_counts_and_exclusions(tmp_path: Path) -> None:
    report = make(tmp_path, ONE_OF_EACH, ("something else",))
    assert report.exit == 1
    assert report.problems == ("something else",)
    assert report.excluded == {"badges.count.downloads": "a badge"}
    assert report.counts == {
        "pass": 0,
        "expected-failure": 1,
        "not-applicable": 1,
        "untested": 1,
        "broken": 0,
        "fail": 1,
    }
    assert make(tmp_path, ALL_GREEN).exit == 0


def test_the_stored_report_reads_well_and_spells_letters_out(tmp_path: Path) -> None:
    text = make(tmp_path, (), ("größer",)).to_json()
    assert text.startswith('{\n  "format": 1,\n  "run": {\n    "target": "reference",\n')
    assert '"größer"' in text


def test_the_stored_report_says_the_same_with_its_format(tmp_path: Path) -> None:
    report = make(tmp_path, ONE_OF_EACH)
    stored = json.loads(report.to_json())
    assert stored["format"] == 1
    assert stored["run"] == {
        "target": "reference",
        "claims": [],
        "lanes": [],
        "started": "2026-11-22T10:00:00+00:00",
        "versions": {"python": "3.11.7", "httpx": "0.28.1"},
    }
    assert stored["features"][0]["cells"]["model-apis"] == {
        "status": "fail",
        "green": 0,
        "claims": 1,
        "evidence": ["reference"],
        "inapplicable": 0,
    }
    assert [line["status"] for line in stored["lines"]] == [
        "fail",
        "expected-failure",
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
        "~ expected failure 1/1 (reference)",
        "·",
    ]
    assert rows(text, "Other promises")[3] == "? UNTESTED 0/1"
    broken = (verdict(CALLS, "dedicated", Status.BROKEN, "setup: port"),)
    assert rows(show(make(tmp_path, broken)), "Tool calling")[1] == "! BROKEN 0/1 (reference)"


def test_every_verdict_that_is_not_a_pass_stands_beneath_with_its_reasons(tmp_path: Path) -> None:
    text = show(make(tmp_path, (*ONE_OF_EACH, verdict(CALLS, "client"))))
    assert f"✗ FAIL  {CALLS} · model-apis\n    A tool is called.\n    - check_0: assert 0\n" in text
    assert "    - check_4: assert 0\n    - and 2 more; see --json\n" in text
    assert f"~ expected failure  {CALLS} · dedicated\n" in text
    assert f"? UNTESTED  {KEYS} · client (should)\n" in text
    assert f"○ not applicable  {ABSENT} · dedicated\n" in text
    assert f"{CALLS} · client" not in text


def test_five_reasons_are_all_shown(tmp_path: Path) -> None:
    text = show(make(tmp_path, (verdict(CALLS, "dedicated", Status.FAIL, *MANY[:5]),)))
    assert "check_4" in text
    assert "more; see" not in text


def test_problems_stand_beneath_and_in_the_sum(tmp_path: Path) -> None:
    text = show(make(tmp_path, ALL_GREEN, ("expected failure expired", "stray")))
    assert "✗ PROBLEM  expected failure expired\n" in text
    assert "RED: 4 pass" in text
    assert "; problems: 2; 1 claims excluded with a reason\n" in text


def test_the_sum_counts_every_status(tmp_path: Path) -> None:
    text = show(make(tmp_path, ALL_GREEN))
    expected = "4 pass, 0 expected failure, 0 not applicable, 0 untested, 0 broken, 0 fail"
    assert f"\nGREEN: {expected}; 1 claims excluded with a reason\n" in text


def test_the_legend_explains_what_is_shown_and_only_that(tmp_path: Path) -> None:
    green, mixed = show(make(tmp_path, ALL_GREEN)), show(make(tmp_path, ONE_OF_EACH))
    assert "·  the page claims nothing for this lane" in green
    assert "n/m  green of judged claims" in green
    assert "✓  pass: every check" in green
    assert "✗  fail: " not in green
    assert "✗  fail: " in mixed
    assert "~  expected failure: " in mixed
    assert "✓  pass: " not in mixed


def test_the_target_the_time_and_the_versions_stand_first(tmp_path: Path) -> None:
    first = show(make(tmp_path, ALL_GREEN)).splitlines()[0]
    assert first == (
        "Conformance on target reference, 2026-11-22T10:00:00+00:00: python 3.11.7, httpx 0.28.1"
    )


# --- Markdown ---

MATRIX = """<!-- matrix -->

| Feature | The page | model-apis | dedicated | client |
| :--- | :--- | :--- | :--- | :--- |
| Tool calling | ✅ | ✓ pass 1/1 (reference) | ✓ pass 1/1 (engine vLLM 0.32.0) | · |
| Logprobs | ❌ | · | ✓ pass 1/1 (reference) | · |
| Other promises | · | · | · | ✓ pass 1/1 (client) |

<!-- /matrix -->"""


def test_the_matrix_to_embed_holds_nothing_that_changes_from_run_to_run(tmp_path: Path) -> None:
    assert write_matrix(make(tmp_path)) == MATRIX


def test_markdown_holds_the_matrix_and_the_sum(tmp_path: Path) -> None:
    text = write_markdown(make(tmp_path, ALL_GREEN))
    assert f"\n\n{MATRIX}\n\nGREEN: 4 pass" in text
    assert text.startswith("Conformance on target reference")
    assert "**" not in text


def test_markdown_lists_what_is_not_a_pass(tmp_path: Path) -> None:
    text = write_markdown(make(tmp_path, (*ONE_OF_EACH, ALL_GREEN[0]), ("stray",)))
    assert f"- **? UNTESTED** `{KEYS}` (client): The key is read from the environment. " in text
    assert text.count("\n- **") == 5
    assert "- **problem** stray\n" in text


# --- corrections of the page ---


def test_a_correction_names_what_the_page_says_and_what_each_lane_should_say(
    tmp_path: Path,
) -> None:
    assert list_corrections(load_small(tmp_path, CORRECTED)) == (
        Correction("logprobs", "Logprobs", "❌", {"dedicated": "✅ some"}, "Engines differ."),
        Correction("", "Serialisable", "beta", {"client": "✅"}, "It is whole."),
    )
    assert make(tmp_path).corrections == ()


def test_the_proposed_table_keeps_the_mark_of_a_cell_that_is_right(tmp_path: Path) -> None:
    assert write_proposal(load_small(tmp_path, CORRECTED)).splitlines() == [
        "| Feature | The page | model-apis | dedicated | client |",
        "| :--- | :--- | :--- | :--- | :--- |",
        "| Tool calling | ✅ | ✅ | ✅ | · |",
        "| Logprobs | ❌ | · | ✅ some | · |",
        "| Serialisable | beta | · | · | ✅ |",
        "",
        "- **Logprobs**, ❌ on the page: dedicated ✅ some. Engines differ.",
        "- **Serialisable**, beta on the page: client ✅. It is whole.",
    ]


def test_the_matrix_to_embed_says_where_the_page_is_too_coarse(tmp_path: Path) -> None:
    text = write_matrix(make(tmp_path, text=CORRECTED))
    assert "\n\n- **Logprobs**, ❌ on the page: dedicated ✅ some. Engines differ.\n- **Ser" in text
    assert text.endswith("It is whole.\n\n<!-- /matrix -->")
