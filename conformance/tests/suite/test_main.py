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
from pathlib import Path

import pytest

from conformance import __main__ as program
from conformance import runner as runs
from conformance.checks.nasty_texts import NASTY, find_nasty
from conformance.cli.main import ELSEWHERE, HERE_ADDED, main
from conformance.maintenance.corpus.evidence import CorpusEvidence
from conformance.reports.tables import find_matrix
from conformance.tests.suite import forked_pytest
from conformance.tests.suite.sample_suite import ONE_LESS, PASSING, Command, write_suite
from conformance.verdicts.verdicts import Outcome, Place, Result

pytestmark = pytest.mark.usefixtures("forked", "without_progress")


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
    ("checks", "code", "message"),
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
    command: Command, checks: str, code: int, message: str
) -> None:
    done = command(checks=checks)
    assert done.code == code
    assert message in done.out


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        (PASSING.replace("pass\n", "raise KeyboardInterrupt\n"), "the run was cut"),
        (PASSING.replace("pass\n", "__import__('os')._exit(0)\n"), "the run was cut"),
        (PASSING.replace("calls.invoke.once", "calls.invoke.twice"), "unknown claim"),
    ],
)
def test_a_run_that_was_cut_is_no_report(command: Command, checks: str, message: str) -> None:
    done = command("verify", checks=checks)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("NO REPORT: ")
    assert message in done.err
    assert not command.suite.memory.exists()


def test_a_run_that_pytest_cannot_begin_is_no_report(command: Command) -> None:
    (command.suite.root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    done = command(suite=command.suite)
    assert done.code == 3
    assert "NO REPORT: pytest ended with 4: no check had begun" in done.err
    assert "--no-such-option" in done.err


@pytest.mark.parametrize(
    ("checks", "expires", "code"),
    [(FAILING, "2999-01-01", 0), (FAILING, "2026-11-02", 1), (PASSING, "2999-01-01", 1)],
)
def test_a_known_gap_is_green_while_it_fails_and_has_not_expired(
    command: Command, checks: str, expires: str, code: int
) -> None:
    assert command(checks=checks, expected_failures=GAP.format(expires=expires)).code == code


# --- verify: options ---


def test_a_cassette_that_a_whole_replay_does_not_play_is_red(
    command: Command, tmp_path: Path
) -> None:
    cassettes = tmp_path / "cassettes"
    cassettes.mkdir()
    (cassettes / "stale.yaml").write_text("interactions: []", encoding="utf-8")
    suite = replace(command.suite, cassettes=cassettes)
    done = command(suite=suite)
    assert done.code == 1
    assert "PROBLEM  stale.yaml: a cassette that no check plays" in done.out
    assert command("--target", "reference", suite=suite).code == 0
    assert command("--lane", "dedicated", suite=suite).code == 0


def test_another_folder_of_cassettes_is_replayed_and_not_remembered(
    command: Command, tmp_path: Path
) -> None:
    other = tmp_path / "others"
    (other / "client").mkdir(parents=True)
    (other / "client" / "nobody.yaml").touch()
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--cassettes')\n"
        f"def pytest_configure(config): assert config.option.cassettes == {str(other)!r}\n"
    )
    done = command(f"--cassettes={other}")
    assert done.code == 1
    assert "client/nobody.yaml: a cassette that no check plays" in done.out
    assert not command.suite.memory.exists()


def test_recordings_of_others_count_as_evidence_and_are_not_remembered(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [Place("calls.invoke.once", "model-apis"), Place("not.asked.for", "model-apis")]
    evidence = ("corpus someone/else@01234567",)
    outcomes = tuple(Outcome(p, "proofs", Result.PASSED, "", evidence) for p in places)
    found = CorpusEvidence(outcomes, 7, ("someone/else@01234567",))
    monkeypatch.setattr(
        "conformance.maintenance.corpus.evidence.find_evidence", lambda folder: found
    )
    stored = tmp_path / "report.json"
    done = command(f"--corpus={tmp_path}", f"--json={stored}")
    assert done.code == 0
    reported = json.loads(stored.read_text(encoding="utf-8"))
    by_place = {(line["claim"], line["lane"]): line["evidence"] for line in reported["lines"]}
    assert evidence[0] in by_place[places[0]]
    assert evidence[0] not in by_place["calls.invoke.once", "dedicated"]
    weighed = {"exchanges": 7, "sources": ["someone/else@01234567"]}
    assert reported["run"]["corpus"] == {**weighed, "proven": ["calls.invoke.once"]}
    output = "7 recorded exchanges (someone/else@01234567) prove 1 claims"
    assert output in " ".join(done.out.split())
    assert not command.suite.memory.exists()


def test_the_report_is_written_to_every_file_asked_for(command: Command, tmp_path: Path) -> None:
    names = ["json", "junit", "html", "markdown", "badge"]
    assert command(*(f"--{name}={tmp_path / name}" for name in names)).code == 0
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in names}
    assert json.loads(texts["json"])["exit"] == 0
    assert texts["junit"].startswith('<testsuites name="conformance" tests="4"')
    assert 'features/test_checks.py" line="5"' in texts["junit"]
    assert texts["html"].startswith("<!DOCTYPE html>")
    assert "features/test_checks.py:5" in texts["html"]
    assert texts["markdown"].startswith("Conformance of ChatBaseten of langchain-baseten ")
    assert json.loads(texts["badge"])["message"] == "4/4"


def test_half_a_character_in_a_reason_loses_no_report(command: Command, tmp_path: Path) -> None:
    checks = FAILING.replace("assert 0", 'raise ValueError("a\\ud800b")')
    stored = tmp_path / "out.json"
    assert command("--json", str(stored), checks=checks).code == 1
    (line,) = [each for each in json.loads(stored.read_text("utf-8"))["lines"] if each["reasons"]]
    assert line["findings"][0]["reason"] == "ValueError: a\ud800b"


# --- verify: the difference from an earlier run ---


def test_a_run_is_compared_with_the_very_file_it_then_replaces(
    command: Command, tmp_path: Path
) -> None:
    stored = str(tmp_path / "out.json")
    assert command("--json", stored).code == 0
    done = command("--json", stored, "--diff", stored, checks=FAILING)
    assert done.code == 1
    assert "WORSE: 1 regressed, 0 vanished" in done.out
    done = command("--json", stored, "--diff", stored)
    assert done.code == 0
    assert "NOT WORSE: 0 regressed, 0 vanished, 0 expired, 1 fixed" in done.out


def test_a_green_run_that_judges_less_than_before_is_red(command: Command, tmp_path: Path) -> None:
    stored = tmp_path / "out.json"
    assert command("--json", str(stored)).code == 0
    old = stored.read_text(encoding="utf-8").replace('"keys.read.environment"', '"keys.read.file"')
    stored.write_text(old, encoding="utf-8")
    done = command("--diff", str(stored))
    assert done.code == 1
    assert "GREEN: 4 pass" in done.out
    assert "WORSE: 0 regressed, 1 vanished, 0 expired, 0 fixed, 1 new, 3 unchanged" in done.out


def test_a_page_that_embeds_another_matrix_is_red(command: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert command("--markdown", str(page)).code == 0
    assert command("--embedded", str(page)).code == 0
    page.write_text(page.read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert command("--embedded", str(page)).code == 1  # which of them is it?
    page.write_text("none at all", encoding="utf-8")
    done = command("--embedded", str(page))
    assert done.code == 1
    assert f"{page}: its matrix is not this one" in done.out.replace("\n", "")
    assert command("--embedded", str(tmp_path / "missing.md")).code == 2


def test_a_page_gets_the_matrix_between_its_markers_and_stays_as_it_is_beside_them(
    command: Command, tmp_path: Path
) -> None:
    page, written = tmp_path / "page.md", tmp_path / "matrix.md"
    page.write_text("Über\n<!-- matrix --><!-- /matrix -->\n\nunder\n", encoding="utf-8")
    assert command("--embed", str(page), "--markdown", str(written)).code == 0
    matrix = find_matrix(written.read_text(encoding="utf-8"))
    assert page.read_text(encoding="utf-8") == f"Über\n{matrix}\n\nunder\n"
    assert command("--embed", str(page), "--embedded", str(page)).code == 0
    page.write_text("none at all", encoding="utf-8")
    output = " ".join(command("--embed", str(page)).err.split())
    assert "has no place for the matrix: write <!-- matrix -->" in output
    assert page.read_text(encoding="utf-8") == "none at all"


def test_a_claim_that_the_lane_does_not_have_is_refused_with_the_lanes_that_do(
    command: Command,
) -> None:
    done = command("--claim", "keys", "--lane", "dedicated")
    assert (done.code, done.out) == (2, "")
    assert "cannot begin: what is asked for is judged in client alone" in done.err


def test_only_whole_runs_are_remembered(command: Command) -> None:
    assert command("--claim", "keys").code == 0
    assert command("--lane", "client").code == 0
    assert not command.suite.memory.exists()
    assert command("--target", "reference:wrong").code == 0
    assert [path.name for path in command.suite.memory.iterdir()] == ["last-reference-wrong.json"]


# --- verify: what stops a run before it begins ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus=nowhere"], "--corpus names recordings to weigh besides a replay"),
        (["--target=reference", "--corpus=."], "--corpus names recordings to weigh besides a"),
        (["--cassettes=nowhere"], "--cassettes names a folder of cassettes to replay"),
        (["--target=reference", "--cassettes=."], "--cassettes names a folder of cassettes to"),
        (["--diff=nowhere.json"], "No such file"),
        (["--diff=empty.json"], "is no report: $"),
        (["--claim", "moon"], "cannot begin: claim 'moon' is unknown"),
        (["explain", "moon"], "cannot begin: claim 'moon' is unknown"),
        (["--json=there.json", "--html=no/such.json"], "cannot begin"),
        (["--target", "engine"], "the target engine needs --engine-url"),
    ],
)
def test_a_run_that_cannot_be_as_asked_for_does_not_begin(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").write_text("{}", encoding="utf-8")
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "there.json").exists()
    assert not command.suite.memory.exists()


@pytest.mark.parametrize(
    ("expected_failures", "message"),
    [
        ("[[failure", "expected-failures.toml: cannot be read"),
        ("[[failure]]", "missing key `target`"),
    ],
)
def test_a_broken_list_of_gaps_is_an_error_of_its_own(
    command: Command, expected_failures: str, message: str
) -> None:
    done = command(expected_failures=expected_failures)
    assert done.code == 2
    # Where a line is broken depends on the length of the folder's name.
    assert message in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "moon"], "'moon' is no target"),
        (["--lane", "moon"], "invalid choice: 'moon'"),
        (["moon"], "unrecognized arguments: moon"),
        (["explain"], "required: CLAIM"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments, write_suite(tmp_path))
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


# --- verify: what is shown ---


def test_what_a_client_says_is_shown_as_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = "[red]x[/red] " + " ".join(NASTY.values())
    checks = FAILING.replace("assert 0", f"print({output!a}); raise ValueError({output!a})")
    assert main(["--verbose", "--claim", "keys"], write_suite(tmp_path, checks)) == 1
    reported = capfd.readouterr()
    assert find_nasty(reported.out + reported.err) == []
    assert "[red]x[/red]" in reported.out
    assert "[red]x[/red]" in reported.err
    assert "1 failed" in reported.err


def test_one_reason_for_which_much_was_not_judged_is_said_once(command: Command) -> None:
    setup = "@pytest.fixture(autouse=True)\ndef server(): pytest.skip('nobody answers')\n"
    done = command(checks=f"{PASSING}\n{setup}")
    assert done.code == 1
    names = "calls.invoke.once, keys.read.environment, logprobs.dedicated.absent"
    assert f"? UNTESTED  4 of 4 verdicts: nobody answers\n    {names}\n" in done.out
    assert done.out.count("nobody answers") == 1


# --- verify: signals ---


def signalling(number: int) -> str:
    """Return what sends a signal to this process, as a terminal does to both, and goes on."""
    return f"__import__('os').kill({os.getpid()}, {number}); __import__('time').sleep(60)"


def replace_second(what: str) -> str:
    """Return the passing checks with something else in the second of them."""
    return PASSING.replace("():\n    pass", f"():\n    {what}")


def test_a_run_that_is_interrupted_reports_what_was_judged_until_then(
    command: Command, tmp_path: Path
) -> None:
    stored = tmp_path / "out.json"
    done = command(f"--json={stored}", checks=replace_second(signalling(signal.SIGINT)))
    assert done.code == 1
    assert "the run was interrupted after 2 of 4 checks" in " ".join(done.out.split())
    report = json.loads(stored.read_text(encoding="utf-8"))
    assert report["run"]["interrupted"] is True
    assert {(line["claim"], line["status"]) for line in report["lines"]} == {
        ("calls.invoke.once", "pass"),
        ("keys.read.environment", "untested"),
        ("logprobs.dedicated.absent", "untested"),
    }
    assert not command.suite.memory.exists()


def test_a_run_that_is_terminated_ends_its_checks(command: Command) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert command(checks=replace_second(signalling(signal.SIGTERM))).code == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_of_its_own_runs_without_signals(tmp_path: Path) -> None:
    suite, codes = write_suite(tmp_path), list[int]()
    thread = threading.Thread(target=lambda: codes.append(main([], suite)))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize("before", ["import pytest", "    assert lane in", ""])
def test_what_is_interrupted_before_a_check_ended_says_so_without_a_traceback(
    command: Command, tmp_path: Path, before: str
) -> None:
    interrupt, checks = signalling(signal.SIGINT), PASSING
    if before:
        indent = before[: -len(before.lstrip())]
        checks = PASSING.replace(before, f"{indent}{interrupt}\n{before}", 1)
    else:  # before its record began
        (tmp_path / "conftest.py").write_text(interrupt, encoding="utf-8")
    done = command(checks=checks)
    assert done.code == 130
    assert done.err == "interrupted: nothing was judged\n"


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
    command: Command, monkeypatch: pytest.MonkeyPatch
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
    assert command(checks=replace_second(check)).code == 0


def test_output_that_lacks_characters_shows_their_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict")
    monkeypatch.setattr(sys, "stdout", out)
    assert main([], write_suite(tmp_path, FAILING)) == 1
    out.flush()
    assert b"\\u2717 FAIL  keys.read.environment" in out.buffer.getvalue()


def test_a_checkout_that_cannot_be_written_to_is_judged_all_the_same(command: Command) -> None:
    command.suite.memory.touch()
    done = command()
    assert done.code == 0
    assert "GREEN" in done.out
    assert "not kept for `explain`" in done.err


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
    reported = capfd.readouterr()
    assert "0123456789" not in reported.out + reported.err + stored.read_text(encoding="utf-8")
    assert "ValueError: ***" in reported.err
    assert "ValueError: ***" in reported.out


@pytest.mark.parametrize("name", [*HERE_ADDED, *ELSEWHERE])
def test_help_names_a_command_and_says_how_it_is_used(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--help"], [name, "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 0
    output, _, usage = capsys.readouterr().out.rpartition("usage: ")
    assert f"\n    {name}" in output
    assert usage
    assert "ust not know" not in usage  # the boundary that closes each module's docstring


# --- the rest ---


@pytest.mark.parametrize(("name", "module"), [(n, module) for n, (module, _) in ELSEWHERE.items()])
def test_a_command_with_its_own_options_gets_them(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Module:
        @staticmethod
        def main(argv: list[str]) -> int:
            return 7 if argv == ["folder", "--cuts=whole"] else 8

    monkeypatch.setitem(sys.modules, f"conformance.{module}", Module)
    assert main([name, "folder", "--cuts=whole"]) == 7


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
        runpy.run_path(program.__file__)
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "interrupted: nothing was judged\n"


def test_a_missing_package_of_the_suite_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("conformance.cli.main", "conformance.media"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(program.__file__)
    assert str(stopped.value).startswith("cannot begin: the suite needs rich")
    assert "pip install -e . --group test" in str(stopped.value)
    assert "pip install -r conformance/requirements.txt" in str(stopped.value)
