"""Other people's models, the whole command: who is judged, on what, and what is never a pass."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cli.main import main
from conformance.reports.causes import find_key
from conformance.runner import HERE, Suite

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("forked")


HOME = "conformance.tests.suite.factories"
MAKERS = "conformance.tests.suite.another_maker"
STRANGER = "conformance.tests.suite.stranger"
PLAIN = "conformance.tests.suite.plain_model"
LANES = ("--lane=model-apis", "--lane=client")
FOUR = ("metadata", "package", "audio", "connections")


def choose_files(*names: str) -> Suite:
    """Return the suite of these files of checks."""
    return replace(HERE, checks=tuple(f"conformance/checks/features/test_{n}.py" for n in names))


SUITE = choose_files(*FOUR)
CLAIMS = (
    "metadata.finish.reason",
    "package.import.name",
    "audio.dedicated.data",
    "connections.clients.own",
)


@pytest.fixture
def report(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def judge(
        factory: str, suite: Suite = SUITE, names: tuple[str, ...] = CLAIMS, *options: str
    ) -> dict[str, Any]:
        path = tmp_path / "report.json"
        claims = [f"--claim={claim}" for claim in names]
        words = ["verify", "--factory", factory, *claims, *options, "--json", str(path)]
        code = main(words, suite)
        said = " ".join(capfd.readouterr().out.split())
        return {**json.loads(path.read_text(encoding="utf-8")), "code": code, "said": said}

    return judge


def statuses(report: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in report["lines"]:
        found.setdefault(line["claim"], set()).add(line["status"])
    return found


def test_a_good_third_party_client_passes_what_can_be_put_to_it(report: Any) -> None:
    found = report(f"{HOME}:of_ours")
    assert statuses(found) == {
        "metadata.finish.reason": {"pass"},
        "package.import.name": {"not-applicable"},
        "audio.dedicated.data": {"pass"},
        "connections.clients.own": {"not-applicable"},
    }
    assert found["code"] == 0
    assert found["run"]["target"] == "reference"
    assert found["run"]["subject"].endswith(f"made by {HOME}:of_ours")
    assert f"made by {HOME}:of_ours on target reference" in found["said"]
    assert {source for line in found["lines"] for source in line["evidence"]} <= {
        "reference",
        "client",
    }
    assert "connections are watched from inside the process" in found["said"]


OWN_CLAIMS = ("package.serialise.key", "package.serialise.round-trip", "metadata.finish.reason")


@pytest.mark.parametrize(
    ("name", "key", "code"),
    [
        ("of_a_subclass", {"pass"}, 0),
        ("of_a_subclass_that_shows_its_key", {"fail"}, 1),
        ("of_a_subclass_with_its_own_clients", {"not-applicable"}, 0),
    ],
)
def test_a_class_that_derives_from_ours_is_held_to_all_that_ours_promises(
    report: Any, name: str, key: set[str], code: int
) -> None:
    found = report(f"{HOME}:{name}", SUITE, OWN_CLAIMS)
    rest = {"not-applicable"} if "clients" in name else {"pass"}
    assert statuses(found) == {
        "package.serialise.key": key,
        "package.serialise.round-trip": rest,
        "metadata.finish.reason": {"pass"},
    }
    assert found["code"] == code


def test_what_a_class_that_derives_from_ours_sends_by_default_is_its_own(report: Any) -> None:
    claims = ("parameters.given.sent", "parameters.nearest.wins", "drop-in.names.known")
    files = choose_files("compatibility", "forms", "options", "parameters")
    found = report(f"{HOME}:of_a_subclass_with_defaults", files, claims, *LANES)
    assert statuses(found) == {claim: {"pass"} for claim in claims}


def test_the_standard_unit_suite_judges_a_class_that_derives_from_ours(report: Any) -> None:
    files = choose_files("package").checks
    suite = replace(HERE, checks=(*files, "conformance/checks/standard/test_unit.py"))
    found = report(f"{HOME}:of_a_subclass", suite, (), "--lane=dedicated", "--lane=client")
    assert found["problems"] == []


def test_a_client_that_warns_is_judged(report: Any) -> None:
    found = report(f"{HOME}:of_warnings", SUITE, ("metadata.finish.reason",))
    assert statuses(found) == {"metadata.finish.reason": {"pass"}}
    assert found["code"] == 0


LAWFUL = (
    "errors.sentence.kept",
    "metadata.finish.reason",
    "structured.raw.kept",
    "structured.async.default",
    "structured.finish.missing",
    "tools.choice.forced",
    "parameters.given.sent",
    "credentials.key.argument",
)


def test_what_is_for_each_maker_to_choose_fails_nobody(report: Any) -> None:
    files = choose_files("credentials", "errors", "metadata", "parameters", "structured", "tools")
    found = report(f"{MAKERS}:make", files, LAWFUL, *LANES)
    assert statuses(found) == {claim: {"pass"} for claim in LAWFUL}
    assert found["code"] == 0


OFFERED = {
    "structured.method.json-schema": "not-applicable",
    "reasoning.replay.sent": "pass",
    "usage.invoke.once": "pass",
    "usage.invoke.details": "pass",
    "errors.key.hidden": "pass",
    "endpoint.refuse.other": "not-applicable",
    "parameters.nearest.wins": "not-applicable",
}


def test_what_a_maker_does_not_offer_is_not_held_against_it(report: Any) -> None:
    files = choose_files("endpoint", "errors", "parameters", "reasoning", "structured", "usage")
    lanes = ("--lane=dedicated", "--lane=client")
    found = report(f"{MAKERS}:make_third", files, (*OFFERED,), *lanes)
    assert statuses(found) == {claim: {status} for claim, status in OFFERED.items()}
    assert found["code"] == 0
    for reason in (
        "for json_schema the client asks by function_calling instead",
        "what the factory makes takes no argument seed",
        "the client sends no reasoning back",
        "the streamed request does not ask for usage",
    ):
        assert reason in str(found["lines"])


OTHERWISE = {
    "async.same.answers": "pass",
    "audio.model-apis.text-model": "pass",
    "errors.sentence.kept": "pass",
    "image.block.forms": "pass",
    "image.model-apis.text-model": "pass",
    "image.model-apis.vision-model": "pass",
    "image.tool.message": "pass",
    "instantiation.model.slug": "pass",
    "logprobs.model-apis.absent": "pass",
    "metadata.tracing.parameters": "pass",
    "parameters.stop.ends": "pass",
    "reasoning.effort.sent": "not-applicable",
    "retries.after.honoured": "pass",
    "retries.policy.final": "pass",
    "streaming.end.error-inside": "pass",
    "structured.method.function-calling": "pass",
    "structured.bind.schemas": "pass",
    "structured.invoke.default": "pass",
    "structured.refusal.raised": "pass",
    "structured.schema.optional-field": "pass",
    "tools.choice.forced": "pass",
    "tools.history.round-trip": "pass",
    "tools.parallel.forbidden": "not-applicable",
    "tools.stream.cut-off": "pass",
    "usage.invoke.once": "pass",
    "video.part.refused": "pass",
}


def test_what_neither_langchain_nor_the_api_settles_fails_nobody(report: Any) -> None:
    files = choose_files(
        *("asynchrony", "audio", "boundaries", "errors", "images", "instantiation", "logprobs"),
        *("metadata", "parameters", "reasoning", "retries", "streaming", "structured", "texts"),
        *("tools", "usage", "video"),
    )
    found = report(f"{MAKERS}:make_fourth", files, (*OTHERWISE,), *LANES)
    assert statuses(found) == {claim: {status} for claim, status in OTHERWISE.items()}
    for reason in (
        "are for each maker to know: ValueError",
        "calls of what the factory makes know no option parallel_tool_calls",
    ):
        assert reason in str(found["lines"])


TOLD_LESS = {
    "metadata.finish.reason": "pass",
    "reasoning.replay.sent": "pass",
    "structured.invoke.default": "pass",
    "streaming.reasoning.chunks": "not-applicable",
    "structured.method.json-schema": "pass",
    "usage.invoke.details": "pass",
}


def test_what_no_claim_promises_of_others_is_not_held_against_them(report: Any) -> None:
    files = choose_files(
        *("boundaries", "events", "metadata", "reasoning", "streaming", "structured", "usage")
    )
    standard = "conformance/checks/standard/test_integration.py"
    suite = replace(files, checks=(*files.checks, standard))
    found = report(f"{MAKERS}:make_fifth", suite, (*TOLD_LESS,), "--lane=model-apis")
    assert statuses(found) == {claim: {status} for claim, status in TOLD_LESS.items()}
    for reason in (
        "which of two names an answer carries is for each maker to say",
        "which engines' names for a stop are kept is for each maker to say",
        "which schemas are strict is for each maker to say",
        "whose reasoning goes back to a service is for each maker to say",
        "what a trace is told of a schema is for each maker to say",
        "a stream hands out no reasoning, as reasoning.answer.kept says",
    ):
        assert reason in str(found["lines"])


def test_that_streams_are_not_asked_for_their_usage_fails_one_claim(report: Any) -> None:
    files = choose_files("usage").checks
    suite = replace(HERE, checks=(*files, "conformance/checks/standard/test_integration.py"))
    claims = ("usage.stream.once", "usage.stream.asked-for")
    found = report(f"{MAKERS}:make_third", suite, claims, *LANES)
    assert statuses(found) == {
        "usage.stream.once": {"pass"},  # where a service counts all along, unasked
        "usage.stream.asked-for": {"fail"},
    }
    results = {f["check"]: f["result"] for line in found["lines"] for f in line["findings"]}
    standard = "standard/test_integration.py::TestModelApis::test_usage_metadata_streaming"
    assert results[f"conformance/checks/{standard}"] == "not-applicable"


def test_others_may_keep_of_a_token_what_the_api_demands(report: Any) -> None:
    claim = "logprobs.dedicated.kept"
    found = report(f"{MAKERS}:make_fourth", choose_files("logprobs"), (claim,))
    assert statuses(found) == {claim: {"pass"}}


HANDED_OUT = {
    "errors.sentence.kept": "pass",
    "streaming.end.once": "pass",
    "streaming.events.typed": "not-applicable",
    "structured.stream.grows": "not-applicable",
    "usage.stream.once": "pass",
}


def test_how_others_hand_an_answer_out_is_theirs_to_choose(report: Any) -> None:
    files = choose_files("errors", "streaming", "structured", "usage")
    found = report(f"{MAKERS}:make_sixth", files, (*HANDED_OUT,), "--lane=model-apis")
    assert statuses(found) == {claim: {status} for claim, status in HANDED_OUT.items()}
    assert found["code"] == 0


SPELT = {
    "async.same.answers": "pass",
    "logprobs.dedicated.kept": "pass",
    "messages.invoke.string": "pass",
    "metadata.tracing.parameters": "pass",
    "reasoning.answer.kept": "pass",
    "reasoning.replay.sent": "pass",
    "retries.after.honoured": "pass",
    "streaming.sync.adds-up": "pass",
    "structured.method.function-calling": "not-applicable",
    "structured.raw.kept": "pass",
    "structured.method.json-mode": "not-applicable",
    "tools.history.round-trip": "pass",
    "usage.invoke.once": "pass",
    "video.block.refused": "pass",
}


def test_how_others_spell_what_they_say_is_theirs_to_choose(report: Any) -> None:
    files = choose_files(
        *("asynchrony", "boundaries", "logprobs", "messages", "metadata", "reasoning"),
        *("retries", "structured", "usage", "video"),
    )
    lanes = ("--lane=dedicated", "--lane=client")
    found = report(f"{STRANGER}:make", files, (*SPELT,), *lanes)
    assert statuses(found) == {claim: {status} for claim, status in SPELT.items()}
    for reason in (
        "for json_mode the client asks by json_schema instead",
        "whose reasoning goes back to a service is for each maker to say",
        "the client writes a video as the wire has it",
        "the page promises log probabilities of nobody",
        "whether several answers to one question are read is theirs to say",
    ):
        assert reason in str(found["lines"])


ONE_CAUSE = {
    "usage.cache.read": "not-applicable",
    "usage.invoke.absent": "pass",
    "usage.invoke.details": "fail",
    "usage.stream.once": "fail",
    "usage.stream.last": "pass",
    "streaming.blocks.apart": "fail",
    "blocks.whole.told": "pass",
    "streaming.sync.adds-up": "fail",
    "tools.invoke.unicode": "not-applicable",
    "messages.invoke.string": "pass",
}


def test_calls_of_a_stream_that_are_not_put_together_fail_one_claim(report: Any) -> None:
    claims = ("tools.stream.merge-by-index", "tools.invoke.call")
    found = report(f"{HOME}:of_split_calls", choose_files("tools"), claims, "--lane=dedicated")
    assert statuses(found) == dict(zip(claims, ({"fail"}, {"pass"}), strict=True))
    assert "as tools.stream.merge-by-index says" in str(found["lines"])


@pytest.mark.parametrize(
    ("name", "verdicts", "told", "lane"),
    [
        (
            "of_cut_arguments",
            {"tools.invoke.call": "fail", "tools.invoke.parallel": "not-applicable"},
            "as tools.invoke.call says",
            "dedicated",
        ),
        (
            "of_untyped_errors",
            {"image.model-apis.text-model": "not-applicable"},
            "as errors.types.core says",
            "model-apis",
        ),
    ],
    ids=["calls", "errors"],
)
def test_what_a_client_does_wherever_it_is_asked_fails_the_claim_that_is_about_it(
    report: Any, name: str, verdicts: dict[str, str], told: str, lane: str
) -> None:
    files = choose_files("images", "tools")
    found = report(f"{HOME}:{name}", files, (*verdicts,), f"--lane={lane}")
    assert statuses(found) == {claim: {status} for claim, status in verdicts.items()}
    assert told in str(found["lines"])


TOLD_APART = {
    "blocks.whole.told": "fail",
    "image.block.forms": "fail",
    "image.model-apis.text-model": "not-applicable",
    "image.model-apis.vision-model": "pass",
    "streaming.blocks.apart": "pass",
    "structured.invoke.default": "fail",
    "structured.method.json-mode": "pass",
    "structured.refusal.raised": "pass",
    "tools.history.round-trip": "pass",
    "tools.invoke.call": "fail",
    "usage.invoke.details": "pass",
    "usage.invoke.once": "fail",
}


def test_one_fault_among_others_fails_the_claim_that_is_about_it(report: Any) -> None:
    names = ("boundaries", "images", "streaming", "structured", "tools", "usage")
    files = choose_files(*names).checks
    suite = replace(HERE, checks=(*files, "conformance/checks/standard/test_integration.py"))
    found = report(f"{HOME}:of_five_faults", suite, (*TOLD_APART,), "--lane=model-apis")
    assert statuses(found) == {claim: {status} for claim, status in TOLD_APART.items()}
    assert "block of an image is not sent, as image.block.forms says" in str(found["lines"])


LACKING = {
    "messages.invoke.objects": "pass",
    "streaming.end.cut": "not-applicable",
    "streaming.end.without-done": "not-applicable",
    "streaming.sync.incremental": "fail",
    "structured.bind.schemas": "fail",
    "structured.method.json-schema": "not-applicable",
    "structured.refusal.raised": "not-applicable",
    "tools.history.round-trip": "not-applicable",
    "tools.invoke.call": "fail",
    "tools.invoke.parallel": "not-applicable",
    "usage.cache.read": "not-applicable",
    "usage.invoke.details": "not-applicable",
    "usage.invoke.once": "fail",
    "usage.stream.once": "not-applicable",
}


def test_what_a_client_lacks_altogether_fails_the_claim_that_is_about_it(report: Any) -> None:
    names = ("boundaries", "messages", "streaming", "structured", "texts", "tools", "usage")
    files = choose_files(*names).checks
    suite = replace(HERE, checks=(*files, "conformance/checks/standard/test_integration.py"))
    found = report(f"{HOME}:of_plain_answers", suite, (*LACKING,), *LANES)
    assert statuses(found) == {claim: {status} for claim, status in LACKING.items()}
    told = "the client asks for no stream, as streaming.sync.incremental says"
    assert told in str(found["lines"])


OVERLOOKED = {
    "tools.choice.forced": "fail",
    "structured.method.function-calling": "fail",  # the tool has no description
    "structured.invoke.default": "not-applicable",
}


def test_a_fault_that_is_overlooked_hides_no_other_and_is_one_cause(report: Any) -> None:
    files = choose_files("structured", "tools")
    found = report(f"{HOME}:of_anthropics_choice", files, (*OVERLOOKED,), "--lane=dedicated")
    assert statuses(found) == {claim: {status} for claim, status in OVERLOOKED.items()}
    told = "the service refuses the tool_choice sent"
    assert f"{told}, as tools.choice.forced says" in str(found["lines"])
    keys = {
        find_key(finding["reason"])
        for line in found["lines"]
        for finding in line["findings"]
        if finding["result"] == "failed" and line["claim"] == "tools.choice.forced"
    }
    assert keys == {f"{told}; what came of it: "}


def test_one_fault_of_others_fails_one_claim(report: Any) -> None:
    files = choose_files("messages", "streaming", "texts", "usage")
    found = report(f"{PLAIN}:make", files, (*ONE_CAUSE,), "--lane=model-apis")
    assert statuses(found) == {claim: {status} for claim, status in ONE_CAUSE.items()}
    unsent = [
        finding["result"]
        for line in found["lines"]
        for finding in line["findings"]
        if ("usage_that_did_not_come" in finding["check"] and "{}" in finding["check"])
        or ("every_form_of_an_event" in finding["check"] and "two-lines" in finding["check"])
        or ("every_form_of_an_event" in finding["check"] and "-named-" in finding["check"])
    ]
    assert {*unsent} == {"not-applicable"}  # it reads neither of them
    assert len(unsent) == 8


def test_what_every_request_is_refused_for_fails_one_claim(report: Any) -> None:
    claims = ("messages.invoke.string", "metadata.finish.reason", "credentials.key.argument")
    files = choose_files("credentials", "messages", "metadata")
    found = report(f"{HOME}:of_a_stranger", files, claims)
    verdicts = {(line["claim"], line["lane"]): line["status"] for line in found["lines"]}
    assert verdicts == {
        ("messages.invoke.string", "model-apis"): "fail",
        ("messages.invoke.string", "dedicated"): "pass",
        ("metadata.finish.reason", "model-apis"): "not-applicable",
        ("metadata.finish.reason", "dedicated"): "pass",
        ("credentials.key.argument", "client"): "not-applicable",
    }
    assert "the service refuses a plain question, as messages.invoke.string says" in found["said"]


def test_a_refusal_in_another_lane_fails_no_claim_of_the_client(report: Any) -> None:
    claim = "credentials.key.argument"
    found = report(f"{HOME}:of_a_stranger", choose_files("credentials"), (claim,), "--lane=client")
    assert statuses(found) == {claim: {"not-applicable"}}


@pytest.mark.traced("another maker's client is met by the process that runs the checks")
def test_a_useless_third_party_client_fails(report: Any) -> None:
    found = report(f"{HOME}:of_canned_words")
    assert statuses(found)["metadata.finish.reason"] == {"fail"}
    assert statuses(found)["audio.dedicated.data"] == {"fail"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--factory", f"{HOME}:of_nothing"], 3, "returned NoneType, no BaseChatModel"),
        (
            ["--factory", f"{HOME}:of_no_detour"],
            2,
            "asks for /environments/production/predict/chat/completions, where nothing",
        ),
        (
            ["--factory", f"{HOME}:of_ours", "--target=replay"],
            2,
            "is judged on the target reference",
        ),
    ],
)
def test_what_cannot_be_judged_is_no_report(
    capfd: pytest.CaptureFixture[str], options: list[str], code: int, said: str
) -> None:
    assert main(["verify", *options], SUITE) == code
    assert " ".join(capfd.readouterr().err.split()).count(said) == 1


def test_a_factory_that_is_written_wrongly_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["verify", "--factory", "nowhere"])
    assert refusal.value.code == 2
    assert "package.module:callable" in capfd.readouterr().err
