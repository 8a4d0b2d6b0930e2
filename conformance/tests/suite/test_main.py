"""The command line: exit codes above all, then what each command prints and writes."""

from __future__ import annotations

import io
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import types
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance import __main__ as command
from conformance import runner as runs
from conformance.checks.nasty_texts import NASTY, find_nasty
from conformance.cli.main import ELSEWHERE, HERE_ADDED, main
from conformance.maintenance.corpus.evidence import CorpusEvidence
from conformance.tests.suite import forked_pytest
from conformance.tests.suite.sample_suite import ONE_LESS, PASSING, write_suite
from conformance.verdicts.verdicts import Outcome, Place, Result

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("forked", "few_plugins", "without_progress")


FAILING = PASSING.replace("pass\n", "assert 0\n", 1)
GAP = """
[[failure]]
target = "replay"
claim = "keys.read.environment"
lane = "client"
reason = "not read yet"
since = 2026-11-01
expires = {expires}
link = "https://issue.example/1"
"""


# --- verify: the exit code ---


@pytest.mark.parametrize(
    ("checks", "code", "said"),
    [
        (PASSING, 0, "GREEN: 4 pass"),
        (FAILING, 1, "- features/test_checks.py::test_the_key_is_read: the key is read: assert 0"),
        (PASSING.replace("pass\n", "pytest.skip('x')\n"), 1, "? UNTESTED  keys.read.environment"),
        (PASSING.replace("read():", "read(no):"), 1, "! BROKEN  keys.read.environment"),
        (ONE_LESS, 1, "? UNTESTED  calls.invoke.once · dedicated"),
        ("", 1, "nothing ran: not one check spoke"),
        ("import nothing_of_that_name", 1, "PROBLEM  collecting features/test_checks.py: bound to"),
    ],
)
def test_only_a_whole_run_of_passes_exits_with_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], checks: str, code: int, said: str
) -> None:
    assert main([], write_suite(tmp_path, checks)) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (PASSING.replace("pass\n", "raise KeyboardInterrupt\n"), "the run was cut"),
        (PASSING.replace("pass\n", "__import__('os')._exit(0)\n"), "the run was cut"),
        (PASSING.replace("calls.invoke.once", "calls.invoke.twice"), "unknown claim"),
    ],
)
def test_a_run_that_was_cut_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], checks: str, said: str
) -> None:
    suite = write_suite(tmp_path, checks)
    assert main(["verify"], suite) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("NO REPORT: ")
    assert said in captured.err
    assert not suite.memory.exists()


def test_a_run_that_pytest_cannot_begin_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    assert main([], suite) == 3
    assert "pytest ended with 4: the record cannot be read" in capsys.readouterr().err


def test_folders_without_checks_are_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = write_suite(tmp_path)
    (tmp_path / "features" / "test_checks.py").unlink()
    (tmp_path / "features").rmdir()
    assert main([], suite) == 1
    assert "nothing ran" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("checks", "expires", "code"),
    [(FAILING, "2999-01-01", 0), (FAILING, "2026-11-02", 1), (PASSING, "2999-01-01", 1)],
)
def test_a_known_gap_is_green_while_it_fails_and_has_not_expired(
    tmp_path: Path, checks: str, expires: str, code: int
) -> None:
    assert main([], write_suite(tmp_path, checks, GAP.format(expires=expires))) == code


@pytest.mark.parametrize(
    ("expected_failures", "said"),
    [
        ("[[failure", "expected-failures.toml: cannot be read"),
        ("[[failure]]", "missing key `target`"),
    ],
)
def test_a_broken_list_of_gaps_is_an_error_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expected_failures: str, said: str
) -> None:
    assert main([], write_suite(tmp_path, expected_failures=expected_failures)) == 2
    # Where a line is broken depends on the length of the folder's name.
    assert said in " ".join(capsys.readouterr().err.split())


# --- verify: options ---


def test_options_without_a_command_are_those_of_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--target", "reference", "--lane", "dedicated", "--claim", "calls"]
    assert main(arguments, write_suite(tmp_path, ONE_LESS + PASSING)) == 0
    assert "target reference" in capsys.readouterr().out


def test_a_cassette_that_a_whole_replay_does_not_play_is_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cassettes = tmp_path / "cassettes"
    cassettes.mkdir()
    (cassettes / "stale.yaml").write_text("interactions: []", encoding="utf-8")
    suite = replace(write_suite(tmp_path), cassettes=cassettes)
    assert main([], suite) == 1
    assert "PROBLEM  stale.yaml: a cassette that no check plays" in capsys.readouterr().out
    assert main(["--target", "reference"], suite) == 0
    assert main(["--lane", "dedicated"], suite) == 0


def test_another_folder_of_cassettes_is_replayed_and_not_remembered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    other = tmp_path / "others"
    (other / "client").mkdir(parents=True)
    (other / "client" / "nobody.yaml").touch()
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--cassettes')\n"
        f"def pytest_configure(config): assert config.option.cassettes == {str(other)!r}\n"
    )
    assert main([f"--cassettes={other}"], suite) == 1
    assert "client/nobody.yaml: a cassette that no check plays" in capsys.readouterr().out
    assert not suite.memory.exists()


def test_recordings_of_others_count_as_evidence_and_are_not_remembered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [Place("calls.invoke.once", "model-apis"), Place("not.asked.for", "model-apis")]
    evidence = ("corpus someone/else@01234567",)
    outcomes = tuple(Outcome(p, "proofs", Result.PASSED, "", evidence) for p in places)
    found = CorpusEvidence(outcomes, 7, ("someone/else@01234567",))
    monkeypatch.setattr(
        "conformance.maintenance.corpus.evidence.find_evidence", lambda folder: found
    )
    stored, suite = tmp_path / "report.json", write_suite(tmp_path)
    assert main([f"--corpus={tmp_path}", f"--json={stored}"], suite) == 0

    told = json.loads(stored.read_text(encoding="utf-8"))
    by_place = {(line["claim"], line["lane"]): line["evidence"] for line in told["lines"]}
    assert evidence[0] in by_place[places[0]]
    assert evidence[0] not in by_place["calls.invoke.once", "dedicated"]
    assert told["run"]["corpus"] == {
        "exchanges": 7,
        "sources": ["someone/else@01234567"],
        "proven": ["calls.invoke.once"],
    }
    printed = " ".join(capsys.readouterr().out.split())
    assert "7 recorded exchanges (someone/else@01234567) prove 1 claims" in printed
    assert not suite.memory.exists()


@pytest.mark.parametrize("options", [["--corpus=nowhere"], ["--target=reference", "--corpus=."]])
def test_recordings_are_weighed_besides_a_replay_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(options, write_suite(tmp_path)) == 2
    assert "--corpus names recordings to weigh besides a replay" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--cassettes=nowhere"], ["--target=reference", "--cassettes=."]]
)
def test_only_a_folder_can_be_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(options, write_suite(tmp_path)) == 2
    assert "--cassettes names a folder of cassettes to replay" in capsys.readouterr().err


def test_a_failure_outside_the_selection_does_not_count(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, FAILING)
    assert main(["--claim", "calls", "--claim", "logprobs"], suite) == 0
    assert main(["--claim", "keys.read.environment"], suite) == 1


def test_the_report_is_written_to_every_file_asked_for(tmp_path: Path) -> None:
    names = ["json", "junit", "html", "markdown", "badge"]
    options = [f"--{name}={tmp_path / name}" for name in names]
    assert main(options, write_suite(tmp_path)) == 0
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in names}
    assert json.loads(texts["json"])["exit"] == 0
    assert texts["junit"].startswith('<testsuites name="conformance" tests="4"')
    assert 'features/test_checks.py" line="5"' in texts["junit"]
    assert texts["html"].startswith("<!DOCTYPE html>")
    assert "features/test_checks.py:5" in texts["html"]
    assert texts["markdown"].startswith("Conformance of ChatBaseten of langchain-baseten ")
    assert json.loads(texts["badge"])["message"] == "4/4"


def test_half_a_character_in_a_reason_loses_no_report(tmp_path: Path) -> None:
    checks = FAILING.replace("assert 0", 'raise ValueError("a\\ud800b")')
    stored = tmp_path / "out.json"
    assert main(["--json", str(stored)], write_suite(tmp_path, checks)) == 1
    (line,) = [each for each in json.loads(stored.read_text("utf-8"))["lines"] if each["reasons"]]
    assert line["findings"][0]["reason"] == "ValueError: a\ud800b"


# --- verify: the difference from an earlier run ---


def test_a_run_is_compared_with_the_very_file_it_then_replaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = str(tmp_path / "out.json")
    assert main(["--json", stored], write_suite(tmp_path)) == 0
    assert main(["--json", stored, "--diff", stored], write_suite(tmp_path, FAILING)) == 1
    assert "WORSE: 1 regressed, 0 vanished" in capsys.readouterr().out
    assert main(["--json", stored, "--diff", stored], write_suite(tmp_path)) == 0
    assert "NOT WORSE: 0 regressed, 0 vanished, 0 expired, 1 fixed" in capsys.readouterr().out


def test_a_green_run_that_judges_less_than_before_is_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "out.json"
    suite = write_suite(tmp_path)
    assert main(["--json", str(stored)], suite) == 0
    old = stored.read_text(encoding="utf-8").replace('"keys.read.environment"', '"keys.read.file"')
    stored.write_text(old, encoding="utf-8")
    assert main(["--diff", str(stored)], suite) == 1
    said = capsys.readouterr().out
    assert "GREEN: 4 pass" in said
    assert "WORSE: 0 regressed, 1 vanished, 0 expired, 0 fixed, 1 new, 3 unchanged" in said


def test_a_page_that_embeds_another_matrix_is_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, suite = tmp_path / "page.md", write_suite(tmp_path)
    assert main(["--markdown", str(page)], suite) == 0
    assert main(["--embedded", str(page)], suite) == 0
    page.write_text(page.read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert main(["--embedded", str(page)], suite) == 1  # which of them is it?
    page.write_text("none at all", encoding="utf-8")
    assert main(["--embedded", str(page)], suite) == 1
    assert f"{page}: its matrix is not this one" in capsys.readouterr().out.replace("\n", "")
    assert main(["--embedded", str(tmp_path / "missing.md")], suite) == 2


@pytest.mark.parametrize(("text", "said"), [(None, "No such file"), ("{}", "is no report: $")])
def test_an_old_report_that_cannot_be_read_stops_the_run_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    old = tmp_path / "old.json"
    if text:
        old.write_text(text, encoding="utf-8")
    suite = write_suite(tmp_path)
    assert main(["--diff", str(old)], suite) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert not suite.memory.exists()


def test_only_whole_runs_are_remembered(tmp_path: Path) -> None:
    suite = write_suite(tmp_path)
    assert main(["--claim", "keys"], suite) == 0
    assert main(["--lane", "client"], suite) == 0
    assert not suite.memory.exists()
    assert main(["--target", "reference:wrong"], suite) == 0
    assert [path.name for path in suite.memory.iterdir()] == ["last-reference-wrong.json"]


def test_what_a_client_says_is_shown_as_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = "[red]x[/red] " + " ".join(NASTY.values())
    checks = FAILING.replace("assert 0", f"print({said!a}); raise ValueError({said!a})")
    assert main(["--verbose", "--claim", "keys"], write_suite(tmp_path, checks)) == 1
    told = capfd.readouterr()
    assert find_nasty(told.out + told.err) == []
    assert "[red]x[/red]" in told.out
    assert "[red]x[/red]" in told.err
    assert "1 failed" in told.err


def signalling(number: int) -> str:
    """Return what sends a signal to this process, as a terminal does to both, and goes on."""
    return f"__import__('os').kill({os.getpid()}, {number}); __import__('time').sleep(60)"


def replace_second(what: str) -> str:
    """Return the passing checks with something else in the second of them."""
    return PASSING.replace("():\n    pass", f"():\n    {what}")


def test_a_run_that_is_interrupted_reports_what_was_judged_until_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "out.json"
    suite = write_suite(tmp_path, replace_second(signalling(signal.SIGINT)))
    assert main([f"--json={stored}"], suite) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "the run was interrupted after 2 of 4 checks" in told
    report = json.loads(stored.read_text(encoding="utf-8"))
    assert report["run"]["interrupted"] is True
    assert {(line["claim"], line["status"]) for line in report["lines"]} == {
        ("calls.invoke.once", "pass"),
        ("keys.read.environment", "untested"),
        ("logprobs.dedicated.absent", "untested"),
    }
    assert not suite.memory.exists()


def test_one_reason_for_which_much_was_not_judged_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = "@pytest.fixture(autouse=True)\ndef server(): pytest.skip('nobody answers')\n"
    suite = write_suite(tmp_path, f"{PASSING}\n{setup}")
    assert main([], suite) == 1
    told = capsys.readouterr().out
    names = "calls.invoke.once, keys.read.environment, logprobs.dedicated.absent"
    assert f"? UNTESTED  4 of 4 verdicts: nobody answers\n    {names}\n" in told
    assert told.count("nobody answers") == 1


def test_a_run_that_is_terminated_ends_its_checks(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    suite = write_suite(tmp_path, replace_second(signalling(signal.SIGTERM)))
    assert main([], suite) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_of_its_own_runs_without_signals(tmp_path: Path) -> None:
    suite, codes = write_suite(tmp_path), list[int]()
    thread = threading.Thread(target=lambda: codes.append(main([], suite)))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize("before", ["import pytest", "    assert lane in"])
def test_what_is_interrupted_before_a_check_ended_says_so_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str
) -> None:
    indent = before[: -len(before.lstrip())]
    first = f"{indent}{signalling(signal.SIGINT)}\n"
    suite = write_suite(tmp_path, PASSING.replace(before, first + before, 1))
    assert main([], suite) == 130
    assert capsys.readouterr().err == "interrupted: nothing was judged\n"


def test_what_is_interrupted_before_its_record_began_says_so_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    (tmp_path / "conftest.py").write_text(signalling(signal.SIGINT), encoding="utf-8")
    assert main([], suite) == 130
    assert capsys.readouterr().err == "interrupted: nothing was judged\n"


@pytest.mark.parametrize("patience", [0.1, None], ids=["goes on", "told twice"])
def test_a_run_that_does_not_end_when_told_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float | None
) -> None:
    forked_pytest.start_for_real(monkeypatch)
    ended: list[int] = []
    kill = subprocess.Popen.kill

    def note(child: subprocess.Popen[bytes]) -> None:
        ended.append(child.pid)
        kill(child)

    def interrupt(line: str) -> str:
        # pytest's plugins may warn before: a run that is told so early can still end by itself.
        if line == "deaf\n":
            raise KeyboardInterrupt
        return line

    def tell(child: subprocess.Popen[bytes], number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        os.kill(child.pid, number)

    monkeypatch.setattr(subprocess.Popen, "kill", note)
    monkeypatch.setattr(runs, "to_plain", interrupt)
    if patience is None:
        monkeypatch.setattr(subprocess.Popen, "send_signal", tell)
    else:
        monkeypatch.setattr(runs, "_LAST_WORDS", patience)
    deaf = 'signal.signal(2, signal.SIG_IGN); print("deaf", flush=True)'
    # Not when it is configured: the plugin has a run that cannot be interrupted listen again.
    conftest = f"import signal\n\ndef pytest_sessionstart():\n    {deaf}\n"
    (tmp_path / "conftest.py").write_text(conftest, encoding="utf-8")
    wait = "    __import__('time').sleep(60)"
    checks = PASSING.replace("    assert lane in", f"{wait}; assert lane in")
    assert main(["--verbose"], write_suite(tmp_path, checks)) in {1, 130}
    assert len(ended) == 1


def test_what_breaks_while_a_run_is_read_kills_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> str:
        raise RuntimeError("here")

    monkeypatch.setattr(runs, "to_plain", fail)
    with pytest.raises(RuntimeError, match="here"):
        main(["--verbose"], write_suite(tmp_path))


# --- other people's machines ---


def test_the_settings_of_a_user_change_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked_pytest.start_for_real(monkeypatch)
    settings = {
        "PYTHONOPTIMIZE": "2",
        "PYTEST_ADDOPTS": "-n 2 --no-such-option",
        "PYTEST_PLUGINS": "no_such_plugin",
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "LANGCHAIN_TRACING_V2": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    check = f"import os; assert not set(os.environ) & {set(settings)}"
    assert main([], write_suite(tmp_path, replace_second(check))) == 0


def test_output_that_lacks_characters_shows_their_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict")
    monkeypatch.setattr(sys, "stdout", out)
    assert main([], write_suite(tmp_path, FAILING)) == 1
    out.flush()
    assert b"\\u2717 FAIL  keys.read.environment" in out.buffer.getvalue()


def test_a_checkout_that_cannot_be_written_to_is_judged_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    suite.memory.touch()
    assert main([], suite) == 0
    told = capsys.readouterr()
    assert "GREEN" in told.out
    assert "not kept for `explain`" in told.err


def test_a_report_that_cannot_be_written_is_found_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, missing = tmp_path / "there.json", tmp_path / "no" / "such.json"
    suite = write_suite(tmp_path)
    assert main([f"--json={there}", f"--html={missing}"], suite) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "cannot begin" in told.err
    assert not there.exists()
    assert not suite.memory.exists()


def test_keys_of_other_services_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "acme-0123456789")
    raised = (
        "import os; print(os.environ['ACME_API_KEY']); raise ValueError(os.environ['ACME_API_KEY'])"
    )
    stored = tmp_path / "out.json"
    checks = FAILING.replace("assert 0", raised)
    assert main(["--verbose", f"--json={stored}"], write_suite(tmp_path, checks)) == 1
    told = capfd.readouterr()
    assert "0123456789" not in told.out + told.err + stored.read_text(encoding="utf-8")
    assert "ValueError: ***" in told.err
    assert "ValueError: ***" in told.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "moon"], "'moon' is no target"),
        (["--lane", "moon"], "invalid choice: 'moon'"),
        (["moon"], "unrecognized arguments: moon"),
        (["explain"], "required: CLAIM"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments, write_suite(tmp_path))
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--claim", "moon"], ["explain", "moon"]])
def test_a_claim_nobody_knows_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments, write_suite(tmp_path)) == 2
    assert "cannot begin: claim 'moon' is unknown" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert {*HERE_ADDED, *ELSEWHERE} < {line.split()[0] for line in lines if line.strip()}


@pytest.mark.parametrize("command", [*HERE_ADDED, *ELSEWHERE])
def test_help_says_how_a_command_is_used(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: ")
    assert "ust not know" not in said  # the boundary that closes each module's docstring


# --- the rest ---


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("cassettes", "conformance.recording.inventory"),
        ("corpus", "conformance.maintenance.corpus.command"),
        ("broken", "conformance.broken.command"),
        ("drift", "conformance.maintenance.drift.command"),
        ("record", "conformance.recording.command"),
    ],
)
def test_a_command_with_its_own_options_gets_them(
    command: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Command:
        @staticmethod
        def main(argv: list[str]) -> int:
            return 7 if argv == ["folder", "--cuts=whole"] else 8

    monkeypatch.setitem(sys.modules, module, Command)
    assert main([command, "folder", "--cuts=whole"]) == 7


def test_the_package_runs_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["conformance", "list"])
    monkeypatch.delitem(sys.modules, "conformance.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("conformance", run_name="__main__")
    assert caught.value.code == 0
    assert "tools.invoke.call " in capsys.readouterr().out


def test_output_that_is_no_file_is_written_to_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", written := io.StringIO())
    assert main(["list"], write_suite(tmp_path)) == 0
    assert "3 judged" in written.getvalue()


def test_what_is_interrupted_while_it_is_imported_says_so_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "conformance.cli.main", Interrupting("main"))
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(command.__file__)
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "interrupted: nothing was judged\n"


def test_a_missing_package_of_the_suite_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("conformance.cli.main", "conformance.media"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(command.__file__)
    assert str(stopped.value).startswith("cannot begin: the suite needs rich")
    assert "pip install -e . --group test" in str(stopped.value)
    assert "pip install -r conformance/requirements.txt" in str(stopped.value)
