"""Token usage: what the service counted, once, wherever it stood."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata

from conformance.checks.features.call_modes import (
    add_up,
    ask_stream,
    both_ways,
    every_way,
    streamed,
)
from conformance.checks.features.other_makers import (
    at_model,
    knowing,
    name_of,
    refer_if_known,
    refer_if_streamed,
)
from conformance.checks.features.questions import GREETING, TALE
from conformance.checks.features.readings import tapped
from conformance.checks.features.responders import change_answers, change_plans, mount, note_bodies
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import encode_json
from conformance.subjects.subject import chosen
from conformance.subjects.traffic import UNREQUESTED, TrafficLog, is_usage_unrequested
from conformance.subjects.wire_answers import read_answer
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


NO_USAGE = "a service counts the tokens if it is asked to; the answer reports no usage"
_RIDDLE = "What is 3 + 4? Think first."
_LONG_PROMPT = "Summarise in one word. " + "Nets are mended and boats are counted. " * 120
_COUNTS = ("prompt_tokens", "completion_tokens")
_PROMPT_TOKENS = 7
_ADDED = "counts of several events are added up, as usage.stream.once says"
_COUNTING_ALL_ALONG = {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}


def _skip_unrequested(evidence: Evidence, traffic: TrafficLog) -> None:
    """End the check if a stream of another maker's client does not ask for its usage.

    `usage.stream.asked-for` judges that.
    """
    if not chosen().ours and is_usage_unrequested(traffic.sent[-1]):
        evidence.not_applicable(UNREQUESTED)


def demand_usage(usage: UsageMetadata | None) -> UsageMetadata:
    """Return a usage that has to be there; `usage.invoke.once` tells of who reports none at all."""
    if usage is None:
        refer_if_known("usage.invoke.once", NO_USAGE)
    assert usage is not None, NO_USAGE
    return usage


def judge_counts(usage: UsageMetadata) -> None:
    """Demand tokens of prompt and answer, and a sum that is theirs."""
    reported = usage["input_tokens"], usage["output_tokens"]
    assert min(reported) > 0, (
        f"{reported[0]} tokens of a prompt and {reported[1]} of its answer are counted"
    )
    total = usage["total_tokens"]
    assert total == sum(reported), (
        f"{reported[0]} and {reported[1]} tokens are counted, and {total} in all"
    )


def _skip_unread(evidence: Evidence, usage: Any, body: dict[str, Any]) -> None:
    """End the check if another maker's client reads no usage of a stream that it asked for none."""
    if usage is None and not chosen().ours and is_usage_unrequested(body):
        evidence.not_applicable(UNREQUESTED)


@pytest.mark.claim("usage.invoke.once")
def test_an_answer_reports_prompt_answer_and_sum_once(lane: str, model: BaseChatModel) -> None:
    with get_usage_metadata_callback() as counted, tapped(model) as (tapped_model, traffic):
        answer = tapped_model.invoke(GREETING)
    usage, sent = answer.usage_metadata, read_answer(traffic.answers[0]).usage
    usage = demand_usage(usage)
    reported = usage["input_tokens"], usage["output_tokens"]
    wanted = tuple(sent.get(name) for name in _COUNTS)
    if reported != wanted:
        refer_if_streamed(traffic.sent[0])
    assert reported == wanted, f"the service counted {wanted} tokens; the answer reports {reported}"
    judge_counts(usage)
    if not chosen().ours:  # What else of it stands in the metadata is for others to say.
        return
    assert answer.response_metadata["token_usage"].items() >= {*zip(_COUNTS, reported, strict=True)}
    assert counted.usage_metadata == {answer.response_metadata["model_name"]: usage}


@pytest.mark.claim("usage.invoke.once")
@every_way
@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_the_tokens_of_several_calls_are_summed_by_model(
    lane: str, evidence: Evidence, ask: Ask, named: bool
) -> None:
    def name(payload: Any) -> Any:
        return payload if named else {k: v for k, v in payload.items() if k != "model"}

    if not chosen().ours and not named:
        evidence.not_applicable("the API has every answer name a model, and others may demand it")
    model = mount(lane, evidence, change_answers(name))
    with get_usage_metadata_callback() as counted:
        answers = [ask(model, prompt) for prompt in (GREETING, _RIDDLE)]
    if chosen().ours:
        requested: Any = [[HumanMessage(GREETING)], [HumanMessage(_RIDDLE)]]
        summed_up: Any = model.generate(requested).llm_output
        tokens = [demand_usage(answer.usage_metadata)["total_tokens"] for answer in answers]
        assert summed_up["token_usage"]["total_tokens"] == sum(tokens)
    reported = [answer.usage_metadata for answer in answers if answer.usage_metadata]
    if not chosen().ours and len(reported) < len(answers):
        evidence.not_applicable("which usage is told is for other checks to say")
    sums = {one: sum(each["total_tokens"] for each in reported) for one in [name_of(model)]}
    summed = {one: each["total_tokens"] for one, each in counted.usage_metadata.items()}
    same = summed == sums or (not chosen().ours and [*summed.values()] == [*sums.values()])
    assert same, f"the answers count {sums} tokens; LangChain's callback counted {summed}"


@pytest.mark.claim("usage.invoke.once", lane="dedicated")
def test_several_answers_to_one_question_report_their_tokens_once(
    lane: str, model: BaseChatModel, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic), knowing(evidence, "n"):
        try:
            result = tapped_model.generate([[HumanMessage(GREETING)]], n=2)
        except Exception as error:
            # Engines refuse several at the temperature 0, which others may send by default.
            if chosen().ours or 200 in traffic.statuses or isinstance(error, TypeError):
                raise
            evidence.not_applicable(f"the client asks for no two answers in one: {error!r}")
    answers: list[Any] = list(result.generations[0])
    if len(answers) == 1 and not chosen().ours:
        evidence.not_applicable("whether several answers to one question are read is theirs to say")
    assert len(answers) == 2, f"two answers were asked for with n=2, {len(answers)} came"
    first, second = (each.message for each in answers)
    assert isinstance(first, AIMessage)
    assert isinstance(second, AIMessage)
    demand_usage(first.usage_metadata)
    if chosen().ours:  # Which answers repeat what all of them cost is for each maker to say.
        assert second.usage_metadata is None


@pytest.mark.claim("usage.invoke.details")
@both_ways
def test_reasoning_tokens_are_reported(
    lane: str, model: BaseChatModel, ask: Ask, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        reasoning_model, named = at_model(tapped_model, LANES[lane].reasoning_model)
        usage = ask(reasoning_model, _RIDDLE, **named).usage_metadata
    _skip_unrequested(evidence, traffic)
    usage = demand_usage(usage)
    reasoning = (usage.get("output_token_details") or {}).get("reasoning", 0)
    assert reasoning > 0, f"the service counted tokens of reasoning; the answer reports {usage}"
    whole = usage["output_tokens"]
    assert reasoning <= whole, (
        f"{reasoning} tokens of reasoning are counted in {whole} of an answer"
    )


@pytest.mark.claim("usage.cache.read")
@both_ways
def test_cached_tokens_are_reported(
    lane: str, model: BaseChatModel, ask: Ask, evidence: Evidence
) -> None:
    model.invoke(_LONG_PROMPT)
    with tapped(model) as (tapped_model, traffic):
        usage = ask(tapped_model, _LONG_PROMPT).usage_metadata
    _skip_unrequested(evidence, traffic)
    usage = demand_usage(usage)
    cached = (usage.get("input_token_details") or {}).get("cache_read", 0)
    if not cached:
        refer_if_known("usage.invoke.details", "no details of a usage are reported")
    assert cached > 0, f"the service counted cached tokens of a prompt; the answer reports {usage}"
    whole = usage["input_tokens"]
    assert cached <= whole, f"{cached} cached tokens are counted in {whole} of a prompt"


@pytest.mark.claim("usage.invoke.absent")
@pytest.mark.parametrize("absent", [{}, {"usage": None}, {"usage": {}}], ids=["no", "null", "{}"])
@every_way
def test_usage_that_did_not_come_is_not_reported_as_zeros(
    lane: str, evidence: Evidence, absent: dict[str, Any], ask: Ask
) -> None:
    if absent == {"usage": {}} and not chosen().ours:
        evidence.not_applicable("no recorded service sends usage without counts")

    def drop(body: dict[str, Any]) -> dict[str, Any]:
        body.pop("usage", None)
        return {**body, **absent}

    with get_usage_metadata_callback() as counted:
        answer = ask(mount(lane, evidence, change_answers(drop)), GREETING)
    assert answer.text
    reported = answer.usage_metadata
    assert reported is None, f"the service sent no token counts, and the answer reports {reported}"
    assert counted.usage_metadata == {}


@pytest.mark.claim("usage.invoke.once")
@pytest.mark.own_client_only(
    "services that send no sum are few, and others may need it", applies=False
)
@every_way
def test_a_sum_that_did_not_come_is_that_of_prompt_and_answer(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def drop(body: dict[str, Any]) -> dict[str, Any]:
        counts = body.get("usage") or {}
        return body | {"usage": {k: v for k, v in counts.items() if k != "total_tokens"} or None}

    usage = ask(mount(lane, evidence, change_answers(drop)), GREETING).usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


_ZERO = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
_PARTS: dict[str, Any] = {
    "prompt_tokens": 90,
    "completion_tokens": 70,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 60},
}


@pytest.mark.claim("usage.invoke.once")
@every_way
@pytest.mark.parametrize("counts", [_ZERO, _PARTS], ids=["zero", "parts"])
def test_a_count_of_zero_is_one_and_one_of_a_part_is_within_the_whole(
    lane: str, evidence: Evidence, ask: Ask, counts: dict[str, Any]
) -> None:
    def count(body: dict[str, Any]) -> dict[str, Any]:
        return body | ({"usage": counts} if body.get("usage") else {})

    usage = ask(mount(lane, evidence, change_answers(count)), GREETING).usage_metadata
    if not chosen().ours and (usage is None or usage["input_tokens"] > counts["prompt_tokens"]):
        evidence.not_applicable(NO_USAGE if usage is None else _ADDED)
    reported = usage and (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"])
    wanted = tuple(counts[name] for name in (*_COUNTS, "total_tokens"))
    assert reported == wanted, f"the service counted {counts}; the answer reports {usage}"


@pytest.mark.claim("usage.stream.once")
def test_one_piece_carries_the_usage_of_the_whole_stream(
    lane: str, model: BaseChatModel, evidence: Evidence
) -> None:
    with get_usage_metadata_callback() as counted, tapped(model) as (tapped_model, traffic):
        chunks = list(tapped_model.stream(TALE))
    _skip_unrequested(evidence, traffic)
    usage = add_up(chunks).usage_metadata
    usage = demand_usage(usage)
    judge_counts(usage)
    if chosen().ours:  # Of others' chunks the sum counts.
        assert [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata] == [usage]
    assert list(counted.usage_metadata.values()) == [usage]


@pytest.mark.claim("usage.stream.once")
def test_a_streamed_answer_counts_as_many_tokens_as_an_invoked_one(
    lane: str, model: BaseChatModel, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        invoked = tapped_model.invoke(GREETING).usage_metadata
        streamed = add_up(tapped_model.stream(GREETING)).usage_metadata
    invoked = demand_usage(invoked)
    _skip_unrequested(evidence, traffic)
    streamed = demand_usage(streamed)
    # A model that samples says more or less the second time.
    for usage, body in zip((invoked, streamed), traffic.answers, strict=True):
        sent = tuple(read_answer(body).count(name) for name in _COUNTS)
        reported = usage["input_tokens"], usage["output_tokens"]
        assert reported == sent, (
            f"the service counted {sent[0]} and {sent[1]} tokens; the answer reports "
            f"{reported[0]} and {reported[1]}"
        )
    assert streamed["input_tokens"] == invoked["input_tokens"]


@pytest.mark.claim("usage.stream.once")
@streamed
def test_counts_that_grow_from_piece_to_piece_are_not_added_up(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    plans: list[AnswerPlan] = []
    sent: list[dict[str, Any]] = []

    def count_on(request: ReceivedRequest) -> AnswerPlan:
        """Answer as if each event's count were asked for; not every client can ask."""
        body = request.json() | _COUNTING_ALL_ALONG
        body.pop("extra_body", None)
        plans.append(respond(replace(request, body=encode_json(body))))
        return plans[-1]

    usage = ask(mount(lane, evidence, note_bodies(sent, count_on)), TALE).usage_metadata
    _skip_unread(evidence, usage, sent[-1])
    counts = [event["usage"]["completion_tokens"] for event in plans[0].events]
    assert len(set(counts)) > 10
    usage = demand_usage(usage)
    assert usage["output_tokens"] == max(counts) == counts[-1], (
        f"each event counts the tokens so far, {max(counts)} at the last; "
        f"the answer reports {usage['output_tokens']}"
    )


@pytest.mark.claim("usage.stream.last")
@pytest.mark.parametrize("last", [0, 3, -2, -1], ids=["first", "inner", "finish", "trailer"])
def test_the_last_usage_counts_on_whichever_piece_it_rides(
    lane: str, evidence: Evidence, last: int
) -> None:
    riders: list[int] = []
    sent: list[dict[str, Any]] = []

    def ride(plan: AnswerPlan) -> AnswerPlan:
        at = itertools.count()
        riders.append(last % len(plan.events))
        return plan.map_events(lambda event: event | {"usage": _count(next(at), riders[0])})

    model = mount(lane, evidence, note_bodies(sent, change_plans(ride)))
    usage = ask_stream(model, TALE).usage_metadata
    _skip_unread(evidence, usage, sent[-1])
    usage = demand_usage(usage)
    added = _PROMPT_TOKENS * (1 + riders[0])
    if riders[0] and usage["input_tokens"] == added and not chosen().ours:
        evidence.not_applicable(_ADDED)
    counted = (_PROMPT_TOKENS, 1 + riders[0])
    reported = (usage["input_tokens"], usage["output_tokens"])
    assert reported == counted, (
        f"the last usage in the stream counts {counted[0]} tokens of the prompt and {counted[1]} "
        f"of the answer; the answer reports {reported[0]} and {reported[1]}"
    )


def _count(at: int, last: int) -> dict[str, int] | None:
    total = _PROMPT_TOKENS + 1 + at
    counts = {"prompt_tokens": _PROMPT_TOKENS, "completion_tokens": 1 + at, "total_tokens": total}
    return counts if at <= last else None


_DETAILED: dict[str, Any] = {
    "prompt_tokens": 5_000_000_000,
    "completion_tokens": 70,
    "total_tokens": 5_000_000_070,
    "prompt_tokens_details": {"cached_tokens": 900_000, "audio_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 60, "audio_tokens": 5},
}
_REPORTED: dict[str, Any] = {
    "input_tokens": 5_000_000_000,
    "output_tokens": 70,
    "total_tokens": 5_000_000_070,
    "input_token_details": {"cache_read": 900_000, "audio": 30},
    "output_token_details": {"reasoning": 60, "audio": 5},
}


def _select_details(usage: Any) -> dict[str, Any]:
    """Return of a usage what the claim names: others need not tell how much of it was audio.

    What the whole is, `usage.invoke.once` judges of them.
    """
    read = (usage.get("input_token_details") or {}).get("cache_read")
    thought = (usage.get("output_token_details") or {}).get("reasoning")
    return {"cache_read": read, "reasoning": thought}


@pytest.mark.claim("usage.invoke.details")
@every_way
def test_every_count_that_was_sent_is_reported_as_it_was_sent(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def count(payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "usage": _DETAILED} if payload.get("usage") else payload

    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, change_answers(count)))
    with get_usage_metadata_callback() as counted:
        usage = ask(model, GREETING).usage_metadata
    _skip_unread(evidence, usage, sent[-1])
    usage = demand_usage(usage)
    if not chosen().ours and usage["input_tokens"] > _REPORTED["input_tokens"]:
        evidence.not_applicable(_ADDED)
    # What LangChain's callback counts of others, `usage.invoke.once` judges.
    reported = list(counted.usage_metadata.values()) if chosen().ours else []
    wanted = _REPORTED if chosen().ours else _select_details(_REPORTED)
    for returned in (usage, *reported):
        kept: Any = returned if chosen().ours else _select_details(returned)
        if kept.get("cache_read", 0) is None:  # Of others `usage.cache.read` says so.
            kept["cache_read"] = wanted["cache_read"]
        assert kept == wanted, f"the service counted {wanted}; the answer reports {returned}"
    assert len(reported) == chosen().ours


@pytest.mark.claim("usage.invoke.details")
@pytest.mark.own_client_only("how an engine of its own counts is for Baseten's client to know")
@every_way
def test_counts_of_zero_and_of_other_engines_are_reported(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def count(payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "usage": counts} if payload.get("usage") else payload

    counts: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 18}
    counts |= {"prompt_tokens_details": {"cached_tokens": 0}, "reasoning_tokens": 5}
    message = ask(mount(lane, evidence, change_answers(count)), GREETING)
    usage = message.usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == 18
    assert message.response_metadata.get("token_usage", counts) == counts
    assert usage["input_token_details"] == {"cache_read": 0}
    assert usage["output_token_details"] == {"reasoning": 5}


@pytest.mark.claim("usage.stream.asked-for")
@pytest.mark.parametrize("wanted", [None, True])
async def test_a_streamed_request_asks_for_usage(evidence: Evidence, wanted: bool | None) -> None:
    sent: list[dict[str, Any]] = []
    if wanted and not chosen().ours:
        evidence.not_applicable("how a client is told to ask for usage is for its maker to say")
    model = mount("dedicated", evidence, note_bodies(sent), stream_usage=wanted)
    answers = [ask_stream(model, GREETING)]
    answers.append(add_up([chunk async for chunk in model.astream(GREETING)]))
    if chosen().ours:  # Its argument `streaming` has an invoked answer streamed as well.
        streaming = mount("dedicated", evidence, note_bodies(sent), streaming=True)
        answers += [streaming.invoke(GREETING), await streaming.ainvoke(GREETING)]
    requested = [(each.get("stream_options") or {}).get("include_usage") for each in sent]
    assert requested == [True] * len(answers), (
        "the streamed request has no stream_options with include_usage"
    )
    for answer in answers:
        demand_usage(answer.usage_metadata)


@pytest.mark.claim("usage.stream.asked-for")
@pytest.mark.parametrize("place", ["model", "call"])
async def test_a_streamed_request_does_not_ask_when_told_not_to(
    evidence: Evidence, place: str
) -> None:
    if not chosen().ours:
        evidence.not_applicable("how a client is told not to ask is for its maker to say")
    sent: list[dict[str, Any]] = []
    off: dict[str, Any] = {"stream_usage": False}
    model = mount("dedicated", evidence, note_bodies(sent), **(off if place == "model" else {}))
    options: dict[str, Any] = off if place == "call" else {}
    assert ask_stream(model, GREETING, **options).usage_metadata is None
    assert [chunk async for chunk in model.astream(GREETING, **options)]
    assert [each.keys() & {"stream_options"} for each in sent] == [set(), set()]
