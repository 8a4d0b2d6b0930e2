"""Other people's models, the whole command: who is judged, on what, and what is never a pass."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pytest

from conformance.cli.main import main
from conformance.reports.causes import find_key
from conformance.runner import HERE, Suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
        said = " ".join(capfd.readouterr().out.split())
        return {**json.loads(path.read_text(encoding="utf-8")), "code": code, "said": said}

    return judge


def statuses(report: Report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in report["lines"]:
        found.setdefault(line["claim"], set()).add(line["status"])
    return found


class Expected(NamedTuple):
    """What a model is asked in which lanes and by which checks, and what its claims come to.

    Names stand in one text, with blanks between them; no lanes are all.
    """

    factory: str
    lanes: str
    files: str
    passes: str = ""
    fails: str = ""
    inapplicable: str = ""
    reasons: tuple[str, ...] = ()


OF_OUR_CLASS = {
    "a subclass": Expected(
        "factories:of_a_subclass",
        "",
        SUITE,
        passes="package.serialise.key package.serialise.round-trip metadata.finish.reason",
    ),
    "a subclass that shows its key": Expected(
        "factories:of_a_subclass_that_shows_its_key",
        "",
        SUITE,
        passes="package.serialise.round-trip metadata.finish.reason",
        fails="package.serialise.key",
    ),
    "a subclass that no check can connect": Expected(
        "factories:of_a_subclass_with_its_own_clients",
        "",
        SUITE,
        passes="metadata.finish.reason",
        inapplicable="package.serialise.key package.serialise.round-trip",
    ),
    "a subclass that sends what it likes by default": Expected(
        "factories:of_a_subclass_with_defaults",
        LANES,
        "compatibility forms options parameters",
        passes="parameters.given.sent parameters.nearest.wins drop-in.names.known",
    ),
}
LAWFUL = {
    "warnings": Expected("factories:of_warnings", "", SUITE, passes="metadata.finish.reason"),
    "what is for each maker to choose": Expected(
        "another_maker:make",
        LANES,
        "credentials errors metadata parameters structured tools",
        passes="errors.sentence.kept metadata.finish.reason structured.raw.kept "
        "structured.async.default structured.finish.missing tools.choice.forced "
        "parameters.given.sent credentials.key.argument",
    ),
    "what is not offered": Expected(
        "another_maker:make_third",
        ELSEWHERE,
        "endpoint errors parameters reasoning retries structured usage",
        passes="retries.after.honoured usage.invoke.once usage.invoke.details errors.key.hidden",
        inapplicable="reasoning.replay.sent structured.method.json-schema endpoint.refuse.other "
        "parameters.nearest.wins",
        reasons=(
            "for json_schema the client asks by function_calling instead",
            "what the factory makes takes no argument seed",
            "the client sends no reasoning back",
            "the streamed request does not ask for usage",
            "others may know a wait in seconds alone",
        ),
    ),
    "what neither LangChain nor the API settles": Expected(
        "another_maker:make_fourth",
        LANES,
        "asynchrony audio boundaries errors images instantiation logprobs metadata parameters "
        "reasoning retries streaming structured texts tools usage video",
        passes="async.same.answers audio.model-apis.text-model errors.sentence.kept "
        "image.block.forms image.model-apis.text-model image.model-apis.vision-model "
        "image.tool.message instantiation.model.slug logprobs.model-apis.absent "
        "metadata.tracing.parameters parameters.stop.ends retries.after.honoured "
        "retries.policy.final streaming.end.error-inside structured.method.function-calling "
        "structured.bind.schemas structured.invoke.default structured.refusal.raised "
        "structured.schema.optional-field tools.choice.forced tools.history.round-trip "
        "tools.stream.cut-off usage.invoke.once video.part.refused",
        inapplicable="reasoning.effort.sent tools.parallel.forbidden",
        reasons=(
            "are for each maker to know: ValueError",
            "calls of what the factory makes know no option parallel_tool_calls",
        ),
    ),
    "less of a token than the API demands": Expected(
        "another_maker:make_fourth", "", "logprobs", passes="logprobs.dedicated.kept"
    ),
    "what no claim promises of others": Expected(
        "another_maker:make_fifth",
        "model-apis",
        "boundaries events logprobs metadata reasoning streaming structured usage "
        "standard/test_integration",
        passes="metadata.finish.reason reasoning.replay.sent structured.invoke.default "
        "structured.method.json-schema structured.schema.optional-field usage.invoke.details",
        fails="reasoning.answer.kept",
        inapplicable="streaming.reasoning.chunks logprobs.model-apis.absent",
        reasons=(
            "the client sends no logprobs",
            "which of two names an answer carries is for each maker to say",
            "which engines' names for a stop are kept is for each maker to say",
            "which schemas are strict is for each maker to say",
            "classes of pydantic 1 are for each maker to know",
            "whose reasoning goes back to a service is for each maker to say",
            "what a trace is told of a schema is for each maker to say",
            "a stream hands out no reasoning, as reasoning.answer.kept says",
        ),
    ),
    "how an answer is handed out": Expected(
        "another_maker:make_sixth",
        LANES,
        "asynchrony errors messages metadata streaming structured tools usage video",
        passes="async.same.answers errors.sentence.kept messages.invoke.objects "
        "metadata.tracing.parameters streaming.end.error-inside streaming.end.once "
        "streaming.reasoning.chunks streaming.sync.adds-up structured.raw.kept tools.bind.schemas "
        "tools.stream.merge-by-index tools.stream.whole-call usage.stream.once",
        inapplicable="streaming.events.typed structured.stream.grows video.part.refused",
    ),
    "which names of a format are known": Expected(
        "another_maker:make_sixth", "dedicated", "audio", passes="audio.dedicated.format"
    ),
    "how things are spelt": Expected(
        "stranger:make",
        ELSEWHERE,
        "asynchrony boundaries logprobs messages metadata reasoning retries structured usage video",
        passes="async.same.answers logprobs.dedicated.kept messages.invoke.string "
        "metadata.tracing.parameters reasoning.answer.kept reasoning.replay.sent "
        "retries.after.honoured streaming.sync.adds-up structured.raw.kept "
        "tools.history.round-trip usage.invoke.once video.block.refused",
        inapplicable="structured.method.function-calling structured.method.json-mode",
        reasons=(
            "for json_mode the client asks by json_schema instead",
            "whose reasoning goes back to a service is for each maker to say",
            "the client writes a video as the wire has it",
            "the page promises log probabilities of nobody",
            "whether several answers to one question are read is theirs to say",
        ),
    ),
}
FAULTY = {
    "no streams": Expected(
        "factories:of_no_streams",
        "model-apis",
        "structured streaming standard/test_integration",
        passes="structured.invoke.default structured.async.default "
        "structured.schema.optional-field structured.method.function-calling",
        fails="streaming.sync.incremental",
        inapplicable="structured.method.json-mode structured.stream.grows "
        "structured.finish.missing",
        reasons=("the client asks for no stream, as streaming.sync.incremental says",),
    ),
    "no synchronous calls": Expected(
        "factories:of_awaited_calls",
        ELSEWHERE,
        "asynchrony images messages structured",
        passes="async.invoke.native async.many.at-once",
        fails="messages.invoke.string structured.method.function-calling",
        inapplicable="async.same.answers image.dedicated.data structured.bind.schemas "
        "structured.invoke.default structured.method.json-mode",
        reasons=(
            "the client answers no synchronous call, as messages.invoke.string says",
            "is given, as structured.method.function-calling says: no methods",
        ),
    ),
    "a stream's calls that are not put together": Expected(
        "factories:of_split_calls",
        "dedicated",
        "tools",
        passes="tools.invoke.call",
        fails="tools.stream.merge-by-index",
        reasons=("as tools.stream.merge-by-index says",),
    ),
    "calls of which one arrives": Expected(
        "factories:of_lone_calls",
        "dedicated",
        "boundaries streaming tools standard/test_integration",
        passes="streaming.sync.adds-up tools.invoke.call tools.stream.merge-by-index",
        fails="tools.invoke.parallel",
        inapplicable="tools.stream.whole-call",
        reasons=("as tools.invoke.parallel says",),
    ),
    "arguments that are cut": Expected(
        "factories:of_cut_arguments",
        "dedicated",
        "images tools",
        fails="tools.invoke.call",
        inapplicable="tools.invoke.parallel",
        reasons=("as tools.invoke.call says",),
    ),
    "errors without a type": Expected(
        "factories:of_untyped_errors",
        LANES,
        "errors images tools",
        fails="errors.key.hidden",
        inapplicable="image.model-apis.text-model",
        reasons=("as errors.types.core says",),
    ),
    "one fault among others": Expected(
        "factories:of_five_faults",
        "model-apis",
        "boundaries images streaming structured tools usage standard/test_integration",
        passes="image.model-apis.vision-model streaming.blocks.apart structured.method.json-mode "
        "structured.refusal.raised tools.history.round-trip usage.invoke.details",
        fails="blocks.whole.told image.block.forms structured.invoke.default tools.invoke.call "
        "usage.invoke.once",
        inapplicable="image.model-apis.text-model",
        reasons=("block of an image is not sent, as image.block.forms says",),
    ),
    "images that are not taken": Expected(
        "factories:of_texts_alone",
        "",
        "boundaries images messages streaming",
        passes="messages.invoke.objects streaming.end.error-inside",
        fails="image.dedicated.data image.model-apis.vision-model",
        inapplicable="image.block.forms image.dedicated.url image.model-apis.text-model",
        reasons=(
            "as image.dedicated.data says: texts alone",
            "raises ValueError('texts alone'), as image.dedicated.data says",
            "the client itself refuses a schema",
        ),
    ),
    "what is lacking altogether": Expected(
        "factories:of_plain_answers",
        LANES,
        "boundaries messages retries streaming structured texts tools usage "
        "standard/test_integration",
        passes="messages.invoke.objects retries.policy.final retries.stream.handed-out",
        fails="streaming.sync.incremental structured.bind.schemas tools.invoke.call "
        "usage.invoke.once",
        inapplicable="retries.policy.transient streaming.end.cut streaming.end.without-done "
        "structured.method.json-schema structured.refusal.raised tools.history.round-trip "
        "tools.invoke.parallel usage.cache.read usage.invoke.details usage.stream.once",
        reasons=("the client asks for no stream, as streaming.sync.incremental says",),
    ),
}


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(expected, id=name)
        for group in (OF_OUR_CLASS, LAWFUL, FAULTY)
        for name, expected in group.items()
    ],
)
def test_a_model_fails_what_it_breaks_and_nothing_else(judge: Judge, expected: Expected) -> None:
    factory, lanes, files, *claims, reasons = expected
    names = ("pass", "fail", "not-applicable")
    verdicts = {
        claim: {name} for name, each in zip(names, claims, strict=True) for claim in each.split()
    }
    found = judge(factory, " ".join(verdicts), files, lanes)
    assert statuses(found) == verdicts
    nothing_spoke = not expected.passes
    assert found["code"] == bool(expected.fails or nothing_spoke)
    for reason in reasons:
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
    assert f"made by {HOME}.factories:of_ours on target reference" in found["said"]
    evidence = {source for line in found["lines"] for source in line["evidence"]}
    assert evidence <= {"reference", "client"}
    assert "connections are watched from inside the process" in found["said"]


def test_the_standard_unit_suite_judges_a_class_that_derives_from_ours(judge: Judge) -> None:
    found = judge("factories:of_a_subclass", "", "package standard/test_unit", ELSEWHERE)
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
    told = "the service refuses the tool_choice sent"
    assert f"{told}, as tools.choice.forced says" in str(found["lines"])
    keys = {
        find_key(finding["reason"])
        for line in found["lines"]
        for finding in line["findings"]
        if finding["result"] == "failed" and line["claim"] == "tools.choice.forced"
    }
    assert keys == {f"{told}; what came of it: "}


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
    assert "the service refuses a plain question, as messages.invoke.string says" in found["said"]


@pytest.mark.traced("another maker's client is met by the process that runs the checks")
def test_a_refusal_in_another_lane_fails_no_claim_of_the_client(judge: Judge) -> None:
    claim = "credentials.key.argument"
    found = judge("factories:of_a_stranger", claim, "credentials", "client")
    assert statuses(found) == {claim: {"not-applicable"}}


def test_a_useless_third_party_client_fails(judge: Judge) -> None:
    verdicts = {"metadata.finish.reason": {"fail"}, "audio.dedicated.data": {"fail"}}
    assert statuses(judge("factories:of_canned_words", " ".join(verdicts))) == verdicts


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--factory", f"{HOME}.factories:of_nothing"], 3, "returned NoneType, no BaseChatModel"),
        (
            ["--factory", f"{HOME}.factories:of_no_detour"],
            2,
            "asks for /environments/production/predict/chat/completions, where nothing",
        ),
        (
            ["--factory", f"{HOME}.factories:of_ours", "--target=replay"],
            2,
            "is judged on the target reference",
        ),
    ],
)
def test_what_cannot_be_judged_is_no_report(
    capfd: pytest.CaptureFixture[str], options: list[str], code: int, said: str
) -> None:
    assert main(["verify", *options], choose_files(SUITE)) == code
    assert " ".join(capfd.readouterr().err.split()).count(said) == 1


def test_a_factory_that_is_written_wrongly_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["verify", "--factory", "nowhere"])
    assert refusal.value.code == 2
    assert "package.module:callable" in capfd.readouterr().err
