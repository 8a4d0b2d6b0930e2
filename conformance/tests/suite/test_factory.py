"""Other people's models, the whole command: who is judged, on what, and what is never a pass."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from conformance.cli.main import main
from conformance.reports.causes import find_key
from conformance.runner import HERE, Suite

Report: TypeAlias = dict[str, Any]
Judge: TypeAlias = Callable[..., Report]

pytestmark = pytest.mark.usefixtures("forked")

HOME = "conformance.tests.suite"
LANES = "model-apis client"
ELSEWHERE = "dedicated client"
SUITE = "audio connections metadata package"


def choose_files(names: str) -> Suite:
    """Return the suite of these files of checks, LangChain's own by their folder."""
    paths = (name if "/" in name else f"features/test_{name}" for name in names.split())
    return replace(HERE, checks=tuple(f"conformance/checks/{path}.py" for path in paths))


@pytest.fixture
def judge(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Judge:
    def judge(factory: str, claims: str, files: str = SUITE, lanes: str = "") -> Report:
        path = tmp_path / "report.json"
        words = ["verify", f"--factory={HOME}.{factory}", f"--json={path}"]
        words += [f"--claim={claim}" for claim in claims.split()]
        words += [f"--lane={lane}" for lane in lanes.split()]
        code = main(words, choose_files(files))
        output = " ".join(capfd.readouterr().out.split())
        return {**json.loads(path.read_text(encoding="utf-8")), "code": code, "output": output}

    return judge


def statuses(report: Report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in report["lines"]:
        found.setdefault(line["claim"], set()).add(line["status"])
    return found


MODELS = tomllib.loads(Path(__file__).with_name("judged_models.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_fails_what_it_breaks_and_nothing_else(judge: Judge, name: str) -> None:
    expected = MODELS[name]
    verdicts = {
        claim: {status}
        for status in ("pass", "fail", "not-applicable")
        for claim in expected.get(status, "").split()
    }
    requested = " ".join(verdicts), expected["files"], expected.get("lanes", "")
    found = judge(expected["factory"], *requested)
    assert statuses(found) == verdicts
    assert found["code"] == ("fail" in expected or "pass" not in expected)
    for reason in expected.get("reasons", ()):
        assert reason in str(found["lines"])


def test_a_good_third_party_client_passes_what_can_be_put_to_it(judge: Judge) -> None:
    given = "package.import.name connections.clients.own"
    found = judge("factories:of_ours", f"metadata.finish.reason audio.dedicated.data {given}")
    assert statuses(found) == {
        "metadata.finish.reason": {"pass"},
        "package.import.name": {"not-applicable"},
        "audio.dedicated.data": {"pass"},
        "connections.clients.own": {"not-applicable"},
    }
    assert found["code"] == 0
    assert found["run"]["target"] == "reference"
    assert found["run"]["subject"].endswith(f"made by {HOME}.factories:of_ours")
    assert f"made by {HOME}.factories:of_ours on target reference" in found["output"]
    evidence = {source for line in found["lines"] for source in line["evidence"]}
    assert evidence <= {"reference", "client"}
    assert "connections are watched from inside the process" in found["output"]


@pytest.mark.parametrize(
    ("factory", "files"),
    [
        ("factories:of_a_subclass", "package standard/test_unit"),
        ("another_style:make", "standard/test_integration"),  # one of them played a recording
    ],
)
def test_the_standard_suite_judges_what_is_bound_to_no_claim(
    judge: Judge, factory: str, files: str
) -> None:
    found = judge(factory, "", files, ELSEWHERE)
    assert found["problems"] == []


def test_that_streams_are_not_asked_for_their_usage_fails_one_claim(judge: Judge) -> None:
    claims = "usage.stream.once usage.stream.asked-for"
    found = judge("another_maker:make_third", claims, "usage standard/test_integration", LANES)
    assert statuses(found) == {
        "usage.stream.once": {"pass"},  # where a service counts all along, unasked
        "usage.stream.asked-for": {"fail"},
    }
    results = {f["check"]: f["result"] for line in found["lines"] for f in line["findings"]}
    standard = "standard/test_integration.py::TestModelApis::test_usage_metadata_streaming"
    assert results[f"conformance/checks/{standard}"] == "not-applicable"


def test_a_fault_that_is_overlooked_hides_no_other_and_is_one_cause(judge: Judge) -> None:
    verdicts = {
        "tools.choice.forced": {"fail"},
        "structured.method.function-calling": {"fail"},  # the tool has no description
        "structured.invoke.default": {"not-applicable"},
    }
    claims = " ".join(verdicts)
    found = judge("factories:of_anthropics_choice", claims, "structured tools", "dedicated")
    assert statuses(found) == verdicts
    reported = "the service refuses the tool_choice sent"
    assert f"{reported}, as tools.choice.forced says" in str(found["lines"])
    keys = {
        find_key(finding["reason"])
        for line in found["lines"]
        for finding in line["findings"]
        if finding["result"] == "failed" and line["claim"] == "tools.choice.forced"
    }
    assert keys == {f"{reported}; what came of it: "}


def test_one_fault_of_others_fails_one_claim(judge: Judge) -> None:
    verdicts = {
        "usage.cache.read": {"not-applicable"},
        "usage.invoke.absent": {"pass"},
        "usage.invoke.details": {"fail"},
        "usage.stream.once": {"fail"},
        "usage.stream.last": {"pass"},
        "streaming.blocks.apart": {"fail"},
        "blocks.whole.told": {"pass"},
        "streaming.sync.adds-up": {"fail"},
        "tools.invoke.unicode": {"not-applicable"},
        "messages.invoke.string": {"pass"},
    }
    files = "messages streaming texts usage"
    found = judge("plain_model:make", " ".join(verdicts), files, "model-apis")
    assert statuses(found) == verdicts
    unsent = [
        finding["result"]
        for line in found["lines"]
        for finding in line["findings"]
        if ("usage_that_did_not_come" in finding["check"] and "{}" in finding["check"])
        or ("every_form_of_an_event" in finding["check"] and "two-lines" in finding["check"])
        or ("every_form_of_an_event" in finding["check"] and "-named-" in finding["check"])
    ]
    assert unsent == ["not-applicable"] * 8  # it reads neither of them


def test_what_every_request_is_refused_for_fails_one_claim(judge: Judge) -> None:
    claims = "messages.invoke.string metadata.finish.reason credentials.key.argument"
    found = judge("factories:of_a_stranger", claims, "credentials messages metadata")
    verdicts = {(line["claim"], line["lane"]): line["status"] for line in found["lines"]}
    assert verdicts == {
        ("messages.invoke.string", "model-apis"): "fail",
        ("messages.invoke.string", "dedicated"): "pass",
        ("metadata.finish.reason", "model-apis"): "not-applicable",
        ("metadata.finish.reason", "dedicated"): "pass",
        ("credentials.key.argument", "client"): "not-applicable",
    }
    assert "the service refuses a plain question, as messages.invoke.string says" in found["output"]


@pytest.mark.traced("another maker's client is met by the process that runs the checks")
def test_a_refusal_in_another_lane_fails_no_claim_of_the_client(judge: Judge) -> None:
    claim = "credentials.key.argument"
    found = judge("factories:of_a_stranger", claim, "credentials", "client")
    assert statuses(found) == {claim: {"not-applicable"}}


def test_a_useless_third_party_client_fails(judge: Judge) -> None:
    verdicts = {"metadata.finish.reason": {"fail"}, "audio.dedicated.data": {"fail"}}
    assert statuses(judge("factories:of_canned_words", " ".join(verdicts))) == verdicts


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--factory", f"{HOME}.factories:of_nothing"], 3, "returned NoneType, no BaseChatModel"),
        (
            ["--factory", f"{HOME}.factories:of_no_detour"],
            2,
            "asks for /environments/production/predict/chat/completions, where nothing",
        ),
        (
            ["--factory", f"{HOME}.factories:of_a_memory"],
            2,
            "answers from a cache what it was asked",
        ),
        (
            ["--factory", f"{HOME}.factories:of_ours", "--target=replay"],
            2,
            "is judged on the target reference",
        ),
    ],
)
def test_what_cannot_be_judged_is_no_report(
    capfd: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    assert main(["verify", *options], choose_files(SUITE)) == code
    assert " ".join(capfd.readouterr().err.split()).count(message) == 1


def test_a_factory_that_is_written_wrongly_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["verify", "--factory", "nowhere"])
    assert refusal.value.code == 2
    assert "package.module:callable" in capfd.readouterr().err
