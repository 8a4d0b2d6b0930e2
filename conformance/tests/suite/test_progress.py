"""How far a run is: on a terminal, in a log, and before there is anything to count."""

from __future__ import annotations

import io
from pathlib import Path

from conformance.cli.progress import Progress

COLLECTING = '{"kind": "header"}\n' + '{"kind": "binding"}\n' * 12
RECORD = COLLECTING + '{"kind": "collected"}\n' + '{"kind": "outcome"}\n' * 5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_every_ten_seconds(tmp_path: Path) -> None:
    out, record = io.StringIO(), tmp_path / "record.jsonl"
    seconds = iter([0.0, 9.0, 11.0, 12.0, 22.0])
    progress = Progress(out, lambda: next(seconds))
    progress.show([record])
    progress.show([record])
    record.write_text(RECORD, encoding="utf-8")
    progress.show([record])
    progress.show([record])
    progress.close()
    assert out.getvalue() == "collecting the checks\n5 of 12 checks judged\n"


def test_the_parts_of_a_run_are_counted_together(tmp_path: Path) -> None:
    records = [tmp_path / "0.jsonl", tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    for record in records[:2]:
        record.write_text(RECORD, encoding="utf-8")
    out = Terminal()
    progress = Progress(out)
    progress.show(records)
    records[2].write_text(COLLECTING, encoding="utf-8")
    progress.show(records)
    assert out.getvalue() == "\rcollecting the checks" * 2  # the number of all is not known yet
    records[2].write_text(RECORD, encoding="utf-8")
    progress.show(records)
    assert out.getvalue().endswith(f"\r{'15 of 36 checks judged':<21}")


def test_a_terminal_has_one_line_that_is_empty_in_the_end(tmp_path: Path) -> None:
    out, record = Terminal(), tmp_path / "record.jsonl"
    progress = Progress(out)
    progress.show([record])
    record.write_text(RECORD, encoding="utf-8")
    progress.show([record])
    progress.close()
    blank = " " * len("5 of 12 checks judged")
    assert out.getvalue() == f"\rcollecting the checks\r{'5 of 12 checks judged':<21}\r{blank}\r"


def test_what_shows_the_run_itself_shows_no_progress(tmp_path: Path) -> None:
    out = Terminal()
    progress = Progress(out, silent=True)
    progress.show([tmp_path])
    progress.close()
    assert out.getvalue() == ""
