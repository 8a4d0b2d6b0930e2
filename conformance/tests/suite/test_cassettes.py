from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance import SuiteFault
from conformance.recording import cassettes
from conformance.recording.redaction import REQUEST_HEADERS, RESPONSE_HEADERS
from conformance.recording.scanner import scan_folder
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette
from conformance.verdicts.costs import Cost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cassette(tmp_path / "a/one.yaml", exchange(), exchange())
    write_cassette(tmp_path / "b/two.yaml")
    return tmp_path


def test_each_cassette_says_where_it_came_from(folder: Path) -> None:
    found = cassettes.read_provenance(folder / "a/one.yaml")
    assert found is not None
    assert (found.evidence, found.model, found.requests) == ("reference", "m", ABOUT.requests)
    assert cassettes.find_provenance(folder / "a/one.yaml") == found
    assert cassettes.find_provenance(folder / "none.yaml") is None


@pytest.mark.parametrize("text", ["interactions: []\n", "", "x: 1\nprovenance:\n"])
def test_an_unlabelled_cassette_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert cassettes.read_provenance(tmp_path / "a.yaml") is None


def test_unlabelled_altered_and_unreadable_cassettes_are_flaws(folder: Path) -> None:
    (folder / "c.yaml").write_text("interactions: []", encoding="utf-8")
    (folder / "d.yaml").write_bytes(b"\xff\xfe")
    two = folder / "b/two.yaml"
    two.write_text(two.read_text(encoding="utf-8").replace("hello", "bye"), encoding="utf-8")
    assert cassettes.find_flaws(folder) == [
        "b/two.yaml: altered since it was recorded",
        "c.yaml: no provenance",
        "d.yaml: not UTF-8",
    ]


def test_a_cassette_is_a_file_and_no_link(folder: Path) -> None:
    (folder / "c.yaml").mkdir()
    (folder / "d.yaml").symlink_to(folder / "a/one.yaml")
    (folder / "e.yaml").symlink_to(folder / "nowhere")
    assert cassettes.list_cassettes(folder) == [folder / "a/one.yaml", folder / "b/two.yaml"]
    assert cassettes.find_flaws(folder) == [], "a whole set has no flaw"


def test_a_cassette_that_nobody_played_is_named(folder: Path) -> None:
    assert cassettes.find_unplayed(folder, {"a/one.yaml", "b/two.yaml"}) == []
    assert cassettes.find_unplayed(folder, {"b/two.yaml"}) == [
        "a/one.yaml: a cassette that no check plays"
    ]


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("interactions: []", "holds no interaction"),
        ("interactions: 5", "is not a cassette: TypeError"),
        ("x: [", "is not a cassette: ParserError"),
        ("[]", "is not a cassette: TypeError"),
    ],
)
def test_an_emptied_or_broken_cassette_is_the_suites_fault(
    tmp_path: Path, text: str, flaw: str
) -> None:
    path = write_cassette(tmp_path / "one.yaml", about=None, text=text)
    with pytest.raises(SuiteFault, match=rf"^one\.yaml {flaw}$"):
        cassettes.read_interactions(path)


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("features/test_tools.py::test_it", "dedicated/tools/test_it.yaml"),
        (
            "conformance/checks/standard/test_unit.py::TestIt::test_it[a::b-[c/d]]",
            "dedicated/unit/TestIt.test_it[a--b-[c-d]].yaml",
        ),
    ],
)
def test_a_cassette_is_named_after_lane_and_check(check: str, name: str) -> None:
    assert cassettes.name_cassette(check, "dedicated") == name


# --- the cassettes of this repository -------------------------------------------------------------


def test_the_cassettes_here_are_labelled_and_unaltered() -> None:
    assert cassettes.list_cassettes()
    assert cassettes.find_flaws() == []


@pytest.mark.untraced("many files through lines that other tests run")
def test_the_cassettes_here_hold_no_secret() -> None:
    assert scan_folder(cassettes.ROOT) == []


def test_the_cassettes_here_keep_allowed_headers_only() -> None:
    found = (x for path in cassettes.list_cassettes() for x in cassettes.read_interactions(path))
    kept = [(each["request"]["headers"], each["response"]["headers"]) for each in found]
    assert {name for headers, _ in kept for name in headers} <= REQUEST_HEADERS
    assert {name for _, headers in kept for name in headers} <= RESPONSE_HEADERS


def test_each_cassette_here_says_what_answered() -> None:
    for path in cassettes.list_cassettes():
        about = cassettes.read_provenance(path)
        assert about is not None
        assert about.evidence in {"reference", "engine", "live"}
        assert (about.evidence == "reference") == (about.source == "reference server"), path.name
        assert (about.evidence == "live") == about.host.endswith(".baseten.co"), path.name
        assert about.lane == path.relative_to(cassettes.ROOT).parts[0]


# --- what it costs to record them again ---


def test_requests_are_counted_and_tokens_are_what_the_answers_counted(tmp_path: Path) -> None:
    usage = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
    one = write_cassette(tmp_path / "one.yaml", exchange(usage), exchange(f"data: {usage}\n\n"))
    two = write_cassette(tmp_path / "two.yaml", exchange(usage.encode()))
    assert cassettes.estimate([one, tmp_path / "none.yaml", two]) == Cost(requests=3, tokens=21)
    assert cassettes.estimate([]) == Cost(0, 0)


@pytest.mark.parametrize("text", ["x: [", "[]", "interactions: 5", "interactions: [{}]", ""])
def test_what_is_no_cassette_costs_nobody_knows_what(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SuiteFault, match=r"a\.yaml is not a cassette"):
        cassettes.estimate([tmp_path / "a.yaml"])
