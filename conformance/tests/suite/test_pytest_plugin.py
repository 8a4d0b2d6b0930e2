"""The pytest plugin: what becomes of a check, what is written down, and when it is silent."""

from __future__ import annotations

import signal

import pytest

from conformance import pytest_plugin as plugin
from conformance.tests.suite.plugin_runner import CALLS, KEYS, Bench, key_check, mark
from conformance.tests.suite.sample_suite import PASSING, write_suite
from conformance.verdicts.verdicts import Place, Result

pytest_plugins = ["pytester"]


def test_a_run_in_the_background_can_be_interrupted(bench: Bench) -> None:
    checks = key_check(
        "import signal; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        (outcome,) = bench.outcomes(checks)
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.result is Result.PASSED


# --- what becomes of a check ---

FAULT = "from conformance import SuiteFault\n"
TRANSLATED = """
    from conformance import SuiteFault
    try:
        raise SuiteFault("no such cassette")
    except SuiteFault as error:
        raise OSError("connection lost") {how}
"""


RESULTS = [
    (key_check("pass"), Result.PASSED, ""),
    (key_check("assert 1 == 2"), Result.FAILED, "it: assert 1 == 2"),
    (key_check("raise ValueError('no\\n  key')"), Result.FAILED, "ValueError: no key"),
    (key_check("pytest.skip('no server')"), Result.SKIPPED, "no server"),
    ("@pytest.mark.skip(reason='later')\n" + key_check("pass"), Result.SKIPPED, "later"),
    (
        "@pytest.mark.xfail(reason='known')\n" + key_check("assert 0"),
        Result.FAILED,
        "marked xfail: known; list it as an expected failure",
    ),
    (
        "@pytest.mark.xfail(strict=False)\n" + key_check("pass"),
        Result.FAILED,
        "marked xfail: no reason; list it as an expected failure",
    ),
    (
        "@pytest.mark.xfail(reason='gone', strict=True)\n" + key_check("pass"),
        Result.FAILED,
        "[XPASS(strict)] gone",
    ),
    (
        key_check("evidence.not_applicable('seen: no audio')", "evidence"),
        Result.NOT_APPLICABLE,
        "seen: no audio",
    ),
    (
        "@pytest.fixture\ndef server(): raise OSError('port')\n" + key_check("pass", "server"),
        Result.BROKEN,
        "setup: OSError: port",
    ),
    (key_check("pass", "nothing"), Result.BROKEN, "setup: "),
    (
        "@pytest.fixture\ndef server():\n    yield\n    raise OSError('port')\n"
        + key_check("pass", "server"),
        Result.BROKEN,
        "teardown: OSError: port",
    ),
    (
        "@pytest.fixture\ndef server():\n    yield\n    raise OSError('port')\n"
        + key_check("assert 0", "server"),
        Result.FAILED,
        "it: assert 0",
    ),
    (FAULT + key_check("raise SuiteFault('own')"), Result.BROKEN, "conformance.SuiteFault: own"),
    (key_check(TRANSLATED.format(how="from error")), Result.BROKEN, "OSError: connection"),
    (key_check(TRANSLATED.format(how="")), Result.BROKEN, "OSError: connection lost"),
    (key_check("pytest.fail('x' * 999)"), Result.FAILED, "Failed: xxx"),
]


def test_a_check_ends_in_one_result_with_one_line_of_reason(bench: Bench) -> None:
    found = bench.outcomes_of_each(checks for checks, _, _ in RESULTS)
    for [outcome], (checks, result, reason) in zip(found, RESULTS, strict=True):
        assert (outcome.result, bool(outcome.reason)) == (result, bool(reason)), checks
        assert outcome.reason.startswith(reason), checks
        assert "\n" not in outcome.reason
        assert len(outcome.reason) <= plugin.LONGEST


def test_no_credential_gets_into_the_record(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", "abc.secret")
    checks = key_check("raise ValueError('abc.secret; Bearer xyz; Api-Key uvw; no more')")
    (outcome,) = bench.outcomes(checks)
    assert outcome.reason == "ValueError: ***; Bearer *** Api-Key *** no more"
    assert "secret" not in bench.record_path.read_text(encoding="utf-8")


KEY = "orchard-lantern-4471-quiet"


@pytest.mark.parametrize("length", range(560, 600, 7))
def test_of_a_key_at_the_cut_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", "orchard")
    monkeypatch.setenv("CONFORMANCE_ENGINE_KEY", KEY)
    line = plugin._tidy(f"{'x' * length} {KEY} and more")
    assert not {"orch", "lant", "quie"} & {line[at : at + 4] for at in range(600)}
    assert line.startswith("x" * length)
    assert len(line) == 600 or line.endswith("*** and more")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (KEY.replace("-", "%2D"), "a key in use"),
        (KEY.upper(), "a key in use"),
        ("Set-Cookie: session=abcdef123456", "a cookie"),
        ("sk-proj-a1B2c3D4e5F6a1B2c3D4", "a key"),
    ],
)
def test_a_reason_that_holds_a_secret_is_withheld(
    monkeypatch: pytest.MonkeyPatch, message: str, kind: str
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    assert plugin._tidy(f"assert '{message}' == 1") == f"(withheld: it holds {kind})"


def test_a_fixture_states_evidence_for_the_check_that_uses_it(bench: Bench) -> None:
    fixture = (
        "from conformance.verdicts.bound_items import evidence_of\n"
        "@pytest.fixture\ndef played(request):\n"
        "    evidence_of(request.node).came_from('live', '2026-11-20')\n"
    )
    (outcome,) = bench.outcomes(fixture + key_check("pass", "played"))
    assert outcome.evidence == ("live 2026-11-20",)


def test_checks_can_ask_for_the_target(bench: Bench) -> None:
    checks = mark(f'"{CALLS}", lane="dedicated"', 'assert target == "reference:wrong"', "target")
    (outcome,) = bench.outcomes(checks, "--target=reference:wrong")
    assert (outcome.result, outcome.evidence) == (Result.PASSED, ("reference",))


# --- what belongs to no claim ---


@pytest.mark.parametrize(
    ("checks", "reason"),
    [
        ("def test_it(): assert 0", "failed: it: assert 0"),
        ("def test_it(nothing): pass", "broken: setup: "),
    ],
)
def test_a_failure_that_no_claim_covers_is_a_stray_and_a_skip_is_none(
    bench: Bench, checks: str, reason: str
) -> None:
    skips = "\ndef test_other(): pytest.skip('x')"
    record = bench.record(checks + skips, folder="unit")
    ((where, why),) = record.unbound_failures
    assert where == "unit/test_checks.py::test_it"
    assert why.startswith(reason)


# --- when a run is complete ---

TWO = key_check("assert 0") + key_check("pass").replace("test_it", "test_other")


@pytest.mark.parametrize(
    ("checks", "options", "complete"),
    [
        (PASSING, (), True),
        (TWO, (), True),
        ("", (), True),
        (TWO, ("-x",), False),
        (TWO, ("--maxfail=1",), False),
        (PASSING, ("--collect-only",), False),
        ("import nothing_of_that_name", (), False),
        (key_check("raise KeyboardInterrupt"), (), False),
        (key_check("pytest.exit('enough')"), (), False),
        (key_check("pytest.exit('enough', returncode=0)"), (), False),
    ],
)
def test_only_a_run_that_came_to_its_end_has_a_footer(
    bench: Bench, checks: str, options: tuple[str, ...], complete: bool
) -> None:
    assert bench.record(checks, *options).complete is complete


def test_collecting_alone_tells_the_bindings(bench: Bench) -> None:
    record = bench.record(PASSING, "--collect-only")
    assert len(record.bindings) == 4
    assert record.outcomes == []


def test_the_header_says_what_was_asked_for_and_what_was_there(bench: Bench) -> None:
    record = bench.record(PASSING, "--target=reference", "--lane=client", "--claim=keys")
    assert record.header["target"] == "reference"
    assert record.header["lanes"] == ["client"]
    assert record.header["claims"] == ["keys"]
    assert set(record.header["versions"]) >= {"python", "langchain-core", "langchain-baseten"}


def test_a_package_that_is_not_installed_is_named_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "_PACKAGES", ("no-such-package-at-all",))
    versions = bench.record(PASSING).header["versions"]
    assert versions["no-such-package-at-all"] == "not installed"


PLAYED = """
@pytest.fixture
def _played(request):
    from conformance.verdicts.bound_items import note_cassette_use
    note_cassette_use(request.config, "a.yaml", request.node.name)
"""


def test_a_cassette_is_played_without_a_record_as_well(bench: Bench) -> None:
    checks = f"import pytest\n{PLAYED}{key_check('pass', '_played')}"
    suite = write_suite(bench.pytester.path, checks)
    options = ("-p", "conformance.pytest_plugin", f"--claims-file={suite.claims}")
    bench.pytester.runpytest_inprocess(*options, "features").assert_outcomes(passed=1)
    assert list(bench.pytester.path.glob("*.jsonl")) == []


# --- selecting ---


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (("--lane=client",), [KEYS]),
        (("--claim=keys",), [KEYS]),
        (("--claim=calls", "--lane=dedicated"), [Place(CALLS, "dedicated")]),
        (("--claim=calls", "--lane=client"), []),
    ],
)
def test_only_checks_of_the_selection_run(
    bench: Bench, options: tuple[str, ...], places: list[Place]
) -> None:
    record = bench.record(PASSING, *options)
    assert [outcome.place for outcome in record.outcomes] == places
    assert [place for _check, place in record.bindings] == places
    assert record.complete


STANDARD = """
class TestDedicated:
    lane = "dedicated"
    def test_tool_calling(self): pass
    def test_of_no_claim(self): pass
class TestModelApis(TestDedicated):
    lane = "model-apis"
"""


@pytest.mark.parametrize(
    ("option", "ran"),
    [
        (
            "--lane=dedicated",
            ["TestDedicated::test_tool_calling", "TestDedicated::test_of_no_claim"],
        ),
        ("--claim=calls", ["TestDedicated::test_tool_calling", "TestModelApis::test_tool_calling"]),
        ("--lane=client", []),
    ],
)
def test_a_lane_alone_keeps_the_whole_of_its_standard_suite(
    bench: Bench, option: str, ran: list[str]
) -> None:
    result = bench.run(STANDARD, option, "-v", folder="standard")
    lines = [line for line in result.outlines if " PASSED" in line]
    assert [line.split(".py::")[1].split(" ")[0] for line in lines] == ran


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--target=moon", "--target: 'moon' is no target"),
        ("--lane=moon", "invalid choice: 'moon'"),
        ("--claim=moon", "claim 'moon' is unknown"),
        ("--claim=badges.count.downloads", "is not judged: a badge"),
        ("--claims-file=absent.toml", "absent.toml: cannot be read"),
    ],
)
def test_an_option_that_names_nothing_stops_the_run(
    bench: Bench, option: str, message: str
) -> None:
    assert message in bench.refusal(PASSING, option)


# --- what stands beside a failure ---

ASKING = """
    import httpx2
    from conformance.reference import LoopbackServer
    with LoopbackServer() as server:
        for word in ("first", "second"):
            headers = {"authorization": "Bearer sk-7f3k29dm4x8q1z6w", "accept": "a/b"}
            httpx2.post(f"{server.url}/v1", content=word, headers=headers)
    assert {"word": "first" * 9, "more": [1] * 9} == {"word": "second" * 9, "more": [2] * 9}
"""


def test_a_failed_check_keeps_its_first_and_last_exchange_and_all_that_pytest_says(
    bench: Bench,
) -> None:
    [outcome] = bench.outcomes(key_check(ASKING), "-o", "verbosity_assertions=2")
    assert outcome.result is Result.FAILED
    first, last = outcome.exchanges
    assert first.request.endswith("/v1\naccept: a/b\n\nfirst")
    assert last.request.endswith("/v1\naccept: a/b\n\nsecond")
    assert first.response.startswith("404\n")
    assert (first.number, last.number, last.total) == (1, 2, 2)
    assert "\n" in outcome.text
    assert "second" * 9 in outcome.text
    assert "Use -v" not in outcome.text
    assert "sk-7f3k" not in bench.record_path.read_text(encoding="utf-8")


def test_without_a_failure_nothing_is_kept_and_without_a_request_no_exchange(bench: Bench) -> None:
    checks = {
        key_check("pass"): "",
        key_check("pytest.skip('no server')"): "",
        key_check("raise ValueError('one\\n  two')"): "ValueError: one\n  two",
    }
    for [outcome], text in zip(bench.outcomes_of_each(checks), checks.values(), strict=True):
        assert outcome.text.endswith(text)
        assert bool(outcome.text) == bool(text)
        assert outcome.exchanges == ()


def test_a_run_records_its_cassettes_its_cost_and_why_it_cannot_go_on(bench: Bench) -> None:
    noted = """
    from conformance.verdicts.bound_items import note_cost, note_cassette_use
    from conformance.verdicts.bound_items import note_problem, note_refusal
    from conformance.verdicts.costs import Cost

    note_cassette_use(request.config, "client/a.yaml", "test_it")
    note_cost(request.config, Cost(3, 50))
    note_problem(request.config, "it failed at times")
    note_refusal(request.config, "the service is gone")"""
    record = bench.record(key_check(noted, "request"))
    assert record.cassette_uses == [("client/a.yaml", "test_it")]
    assert record.cost == {"requests": 3, "tokens": 50}
    assert record.refusal == "the service is gone"
    assert record.unbound_failures == [("", "it failed at times")]


def test_a_claim_fails_by_what_another_check_has_met_if_it_is_judged(bench: Bench) -> None:
    noted = """
    from conformance.verdicts.bound_items import note_accused

    note_accused(request.node, {"keys.read.environment": "seen", "calls.made": "seen"})"""
    passed, accused = bench.record(key_check(noted, "request")).outcomes
    assert (passed.result, accused.result) == (Result.PASSED, Result.FAILED)
    assert (accused.place, accused.check, accused.reason) == (passed.place, passed.check, "seen")
