"""What is found out of another maker's client before any check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.pytest_plugin import LONGEST
from conformance.subjects import probes, silence
from conformance.subjects.subject import choose
from conformance.targets import LANES, Lane

BINDS = "structured.bind.schemas"
AWAITED = {
    "ValueError('no methods')": "structured.method.function-calling",
    "NotImplementedError('await me')": silence.CALLED,
}
NO_FORMS = {"AttributeError('no forms')": "structured.method.json-schema"}
STREAMS = {"RuntimeError('whole')": "structured.stream.grows"}
NO_SCHEMAS = "NotImplementedError('with_structured_output is not implemented for this model.')"
THREADED = "async.invoke.native"
STOPS = dict.fromkeys(("TypeError('stops')", "TypeError('astops')"), "parameters.stop.ends")
FACTORIES = "conformance.tests.suite.factories"


@pytest.fixture(autouse=True)
def _our_own_again() -> Iterator[None]:
    yield
    choose("")
    silence.SILENT.clear()


@pytest.mark.parametrize(
    ("name", "silent", "faults"),
    [
        ("of_ours", set(), {}),
        ("of_no_use_for_a_url", set(), {}),
        ("of_awaited_calls", {silence.CALLED}, AWAITED),
        ("of_synchronous_calls", {silence.AWAITED}, {}),
    ],
)
def test_a_model_without_calls_of_one_kind_is_asked_in_the_other(
    name: str, silent: set[str], faults: dict[str, str]
) -> None:
    choose(f"{FACTORIES}:{name}")
    lane = LANES["dedicated"]
    silence.SILENT.update(found := probes.find_silence(lane))
    assert found == silent
    assert probes.find_broken(lane) == set()
    assert probes.find_refusals(lane) == faults
    assert probes.find_blindness(lane) == {}


@pytest.mark.parametrize("lane", LANES.values(), ids=LANES)
@pytest.mark.parametrize("name", ["of_ours", "of_canned_words"])
def test_a_client_that_asks_where_it_is_answered_or_nowhere_may_be_judged(
    lane: Lane, name: str
) -> None:
    choose(f"{FACTORIES}:{name}")
    assert probes.find_misdirected(lane) == ""


def test_a_client_that_asks_below_predict_is_told_what_to_do() -> None:
    choose(f"{FACTORIES}:of_no_detour")
    assert probes.find_misdirected(LANES["model-apis"]) == ""
    reported = probes.find_misdirected(LANES["dedicated"])
    assert "asks for /environments/production/predict/chat/completions, where nothing" in reported
    assert "wants …/environments/production/sync/v1 as its base URL" in reported
    assert len(reported) <= LONGEST


@pytest.mark.parametrize("lane", LANES.values(), ids=LANES)
def test_a_client_of_another_protocol_is_told_so(lane: Lane) -> None:
    choose(f"{FACTORIES}:of_another_protocol")
    reported = probes.find_misdirected(lane)
    assert "/api/chat: it does not speak OpenAI's chat completions" in reported
    assert "base URL" not in reported
    assert len(reported) <= LONGEST


def test_a_service_that_refuses_each_request_of_a_client_says_why() -> None:
    choose(f"{FACTORIES}:of_a_stranger")
    assert probes.find_refusal(LANES["dedicated"]) == ""
    reported = probes.find_refusal(LANES["model-apis"])
    assert reported.startswith(
        "the service refuses a plain question, as messages.invoke.string says: "
    )
    assert "HTTP 400: Invalid request: ['reasoning_format (None)" in reported


def test_a_client_that_can_read_no_response_says_why() -> None:
    choose(f"{FACTORIES}:of_a_strict_reader")
    reported = probes.find_refusal(LANES["model-apis"])
    assert reported.startswith(
        "the client cannot read the response to a plain question, invoked or"
    )
    assert reported.endswith("says: ValueError: system_fingerprint is missing")


def test_a_client_that_asks_nobody_and_raises_says_why() -> None:
    choose(f"{FACTORIES}:of_no_calls")
    lane = LANES["model-apis"]
    assert probes.find_silence(lane) == set()
    reported = probes.find_refusal(lane)
    assert reported.startswith(
        "the client asks nobody and raises of a plain question, as messages.inv"
    )
    assert reported.endswith("says: NotImplementedError: await me")


@pytest.mark.parametrize("name", ["of_ours", "of_canned_words"])
def test_a_client_that_is_answered_or_asks_nobody_is_refused_nothing(name: str) -> None:
    choose(f"{FACTORIES}:{name}")
    assert probes.find_refusal(LANES["model-apis"]) == ""


@pytest.mark.parametrize(
    ("name", "answers"), [("of_ours", 0), ("of_no_calls", 0), ("of_a_memory", 1)]
)
def test_a_client_that_answers_from_a_cache_is_found(name: str, answers: int) -> None:
    choose(f"{FACTORIES}:{name}")
    sentence = probes.find_memory(LANES["dedicated"])
    assert sentence.count("answers from a cache what it was asked before") == answers


def test_what_has_no_end_is_left_to_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.subjects.time_limit._LIMITS", (0.1,))
    monkeypatch.setattr("conformance.subjects.time_limit._endless", [])
    choose(f"{FACTORIES}:of_endless_waits")
    lane = LANES["model-apis"]
    assert (probes.find_misdirected(lane), probes.find_refusal(lane)) == ("", "")
    assert probes.find_broken(lane) == set()


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("of_ours", set()),
        ("of_canned_words", {THREADED}),
        ("of_no_use_for_a_url", set()),
        ("of_split_calls", {"tools.stream.merge-by-index"}),
        ("of_cut_arguments", {"tools.invoke.call", "tools.invoke.call, streamed"}),
        ("of_lone_calls", {"tools.invoke.parallel"}),
        ("of_deaf_streams", {"streaming.end.error-inside"}),
        ("of_plain_answers", {THREADED, "streaming.sync.incremental", "usage.invoke.once"}),
        ("of_untyped_errors", {"errors.types.core"}),
        ("of_whole_counts", {"usage.invoke.details"}),
    ],
)
def test_what_a_client_breaks_wherever_it_is_asked_for_is_known(
    name: str, broken: set[str]
) -> None:
    choose(f"{FACTORIES}:{name}")
    assert probes.find_broken(LANES["dedicated"]) == broken


def test_a_client_that_waits_for_done_is_known() -> None:
    choose("conformance.tests.suite.another_style:make_impatient")
    assert probes.find_broken(LANES["model-apis"]) == {"streaming.end.without-done"}
    # Where each stream ends with [DONE], it breaks nothing.
    assert "streaming.end.without-done" not in probes.find_broken(LANES["dedicated"])


def test_a_client_that_raises_where_it_has_tools_returns_no_call() -> None:
    choose(f"{FACTORIES}:of_a_stranger")
    broken = {"tools.invoke.call", "tools.invoke.call, streamed"}
    assert probes.find_broken(LANES["model-apis"]) == broken


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("of_ours", {}),
        ("of_no_use_for_a_url", {}),
        ("of_plain_answers", {"NotImplementedError()": "tools.invoke.call", NO_SCHEMAS: BINDS}),
        ("of_no_response_formats", NO_FORMS),
        ("of_refusals", {"ValueError('no typed dictionaries')": BINDS, **STREAMS, **STOPS}),
    ],
)
def test_what_a_client_says_where_it_does_not_take_what_it_is_given_is_known(
    name: str, found: dict[str, str]
) -> None:
    choose(f"{FACTORIES}:{name}")
    assert probes.find_refusals(LANES["dedicated"]) == found


def test_what_a_client_says_of_images_is_known_if_it_takes_none() -> None:
    for name, found in (
        ("of_ours", {}),
        ("of_no_use_for_a_url", {}),
        ("of_a_stranger", {}),
        ("of_texts_alone", {"ValueError('texts alone')": "image.model-apis.vision-model"}),
    ):
        choose(f"{FACTORIES}:{name}")
        assert probes.find_blindness(LANES["model-apis"]) == found, name
