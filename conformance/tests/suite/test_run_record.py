"""The record of a run: what is written comes back, and what was cut is never complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.verdicts.run_record import CutRecordError, RecordWriter, join, read_record
from conformance.verdicts.verdicts import Outcome, Place, Result

PLACE = Place("calls.invoke.once", "dedicated")
OUTCOME = Outcome(PLACE, "test_a", Result.FAILED, "\u2028 no call came: 无", ("reference",))


def write(path: Path, *, complete: bool = True) -> Path:
    writer = RecordWriter.open(path, {"target": "reference"})
    writer.write_binding("test_a", PLACE)
    writer.write_collected()
    writer.write_outcome(OUTCOME)
    writer.write_unbound_failure("test_b", "it broke")
    writer.write_cassette_use("a.yaml", "test_a")
    writer.close(complete=complete)
    return path


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    record = read_record(write(tmp_path / "deep" / "record.jsonl"))
    assert record.header == {"kind": "header", "format": 1, "target": "reference"}
    assert record.bindings == [("test_a", PLACE)]
    assert record.outcomes == [OUTCOME]
    assert record.unbound_failures == [("test_b", "it broke")]
    assert record.cassette_uses == [("a.yaml", "test_a")]
    assert record.collected
    assert record.complete


@pytest.mark.parametrize("cut", [0, 1])
def test_a_run_in_parts_is_complete_when_every_part_is(tmp_path: Path, cut: int) -> None:
    parts = [write(tmp_path / "0.jsonl"), write(tmp_path / "1.jsonl")]
    whole = join([read_record(part) for part in parts])
    assert whole.complete
    assert whole.collected
    assert whole.outcomes == [OUTCOME, OUTCOME]
    assert whole.unbound_failures == [("test_b", "it broke")]  # met by both, reported once
    assert whole.cassette_uses == [("a.yaml", "test_a")] * 2
    write(parts[cut], complete=False)
    assert not join([read_record(part) for part in parts]).complete


@pytest.mark.parametrize("refused", [0, 1])
def test_what_one_part_cannot_begin_is_refused(tmp_path: Path, refused: int) -> None:
    paths = [tmp_path / "0.jsonl", tmp_path / "1.jsonl"]
    for number, path in enumerate(paths):
        writer = RecordWriter.open(path, {})
        if number == refused:
            writer.write_refusal("no client")
        writer.close(complete=False)
    whole = join([read_record(path) for path in paths])
    assert (whole.refusal, whole.collected) == ("no client", False)


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    writer = RecordWriter.open(tmp_path / "record.jsonl", {})
    writer.write_outcome(OUTCOME)
    assert read_record(tmp_path / "record.jsonl").outcomes == [OUTCOME]
    writer.close(complete=False)


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
def test_a_record_that_lost_a_line_is_not_complete(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path / "record.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:lost] + lines[lost + 1 :]), encoding="utf-8")
    assert not read_record(path).complete


HEADER = '{"kind": "header", "format": 1}\n'
RESULT = '{"kind": "outcome", "place": ["a.b.c", "client"], "check": "test_a", "result": "%s"}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header of format 1"),
        ('{"kind": "outcome"}', "no header of format 1"),
        ('{"kind": "header", "format": 2}', "no header of format 1"),
        (f'{HEADER}{{"kind": "out', "the record cannot be read"),
        (f'{HEADER}{{"kind": "odd"}}', "line 2 of the record is of no known kind"),
        (f'{HEADER}{{"kind": "binding"}}', "line 2 of the record"),
        (f'{HEADER}{{"kind": "footer", "lines": 1}}\n{{"kind": "collected"}}', "line 3 of the"),
        (f"{HEADER}{RESULT % 'passed'}\n{RESULT % 'fine'}", "line 3 of the record"),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CutRecordError, match=message):
        read_record(path)
