"""Token-level streaming: when chunks come, what they add up to, and how a stream ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable

from conformance.checks.features.call_modes import BOTH_WAYS, TAKES, add_up
from conformance.checks.features.other_makers import at_model, refer
from conformance.checks.features.questions import ONE_CITY, TALE, TWO_CITIES, get_weather
from conformance.checks.features.readings import judge_reading, read_reasoning, tapped
from conformance.checks.features.responders import change_plans, count_chunks, mount
from conformance.reference import AnswerPlan, BodyChunk
from conformance.reference.exchange import DONE, Ending, encode_event
from conformance.subjects.expected_errors import catching, expect_status, says
from conformance.subjects.subject import chosen
from conformance.subjects.wire_answers import find_error, read_answer
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]
Take = Callable[[Any, Any, list[Any]], None]

pytestmark = pytest.mark.usefixtures("lane")

_REFUSED = 400
STREAM_ONLY = {"token_usage", "request_id", "id", "logprobs"}
"""Metadata that differs between an invoked and a streamed answer: two requests, two ids, and the
log probabilities of other tokens, where a service sends them unasked."""
COUNTS = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "total_tokens": "total_tokens",
}


_CHANCE = 5
"""As many tokens in a row may begin with the ones before them by chance."""
MERGED = "calls are lost in the content blocks of a stream, as streaming.blocks.apart says"
MERGED_BY_INDEX = ", and hold the calls: langchain-core merges blocks and calls of one index"
EMPTIED = "calls have no arguments in the content blocks of a stream"

COMMON = {"finish_reason", "model_name"}
"""Metadata that invoked and streamed answers of every provider have."""


def stream(model: Runnable[Any, AIMessage], prompt: str, /, **options: Any) -> list[AIMessageChunk]:
    return cast("list[AIMessageChunk]", list(model.stream(prompt, **options)))


def called(message: AIMessage) -> list[tuple[str, dict[str, Any]]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


def loses_calls(message: AIMessage) -> bool:
    """Whether another maker's content blocks lack calls that it has beside."""
    blocks: list[Any] = list(message.content_blocks)
    reported = [block["name"] for block in blocks if block["type"] == "tool_call"]
    names = [name for name, _ in called(message)]
    return not chosen().ours and bool(names) and reported != names


def breaks_calls(chunks: list[AIMessageChunk]) -> bool:
    """Whether another maker's chunks hold chunks of calls that their own content blocks lack."""
    blocks: list[list[Any]] = [list(c.content_blocks) for c in chunks if c.tool_call_chunks]
    kinds = [{block["type"] for block in each} for each in blocks]
    return not chosen().ours and any("tool_call_chunk" not in each for each in kinds)


@pytest.mark.claim("streaming.sync.incremental")
def test_each_piece_is_handed_out_before_the_next_is_sent(lane: str, evidence: Evidence) -> None:
    taken: list[BodyChunk] = []
    model = mount(lane, evidence, count_chunks(taken))
    counts = [len(taken) for chunk in model.stream(TALE) if chunk.text]
    assert len(counts) > 10, (
        f"pieces of the response: {len(taken)}; chunks with a text that came of them: {len(counts)}"
    )
    if not chosen().ours:
        # Over a socket the next chunk may be under way; a client that waits for all of them shows.
        assert counts[0] < len(taken) / 2
        assert counts == sorted(counts)
        return
    assert counts[0] <= 2
    assert all(later == earlier + 1 for earlier, later in pairwise(counts))
    assert counts[-1] < len(taken)


@pytest.mark.claim("streaming.sync.incremental")
@pytest.mark.own_client_only("over a socket the next piece may be under way")
@pytest.mark.parametrize("take", TAKES)
def test_each_piece_of_a_long_call_is_handed_out_before_the_next_is_sent(
    lane: str, evidence: Evidence, take: Take
) -> None:
    taken: list[BodyChunk] = []
    counts: list[int] = []
    model = mount(lane, evidence, count_chunks(taken)).bind_tools([get_weather])

    class Noting(list[Any]):
        def append(self, chunk: Any) -> None:
            counts.extend([len(taken)] if chunk.tool_call_chunks else [])

        def extend(self, chunks: Any) -> None:
            for chunk in chunks:
                self.append(chunk)

    city = " ".join(map(str, range(60)))
    take(model, f"What is the weather in '{city}'?", Noting())
    assert len(counts) > 40
    assert all(later <= earlier + 1 for earlier, later in pairwise(counts)), counts


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.parametrize("prompt", [TALE, TWO_CITIES], ids=["text", "calls"])
def test_the_sum_of_the_pieces_is_the_invoked_answer(model: BaseChatModel, prompt: str) -> None:
    with tapped(model) as (tapped_model, traffic):
        bound = tapped_model.bind_tools([get_weather])
        chunks = stream(bound, prompt)
        streamed, invoked = add_up(chunks), bound.invoke(prompt)
    # Others may join what arrives at once: `streaming.sync.incremental` judges that chunks flow.
    # A service may send calls in one event, as `tools.stream.merge-by-index` says.
    assert len(chunks) > 2 or streamed.tool_calls or not chosen().ours, (
        f"the service streams an answer in {len(chunks)} chunks, not token by token"
    )
    assert streamed.text or streamed.tool_calls
    streams = read_answer(traffic.answers[0]).texts != 1 or len(streamed.text.split()) < _CHANCE
    assert streams, "the service streams a text in one event, not token by token"
    texts = [chunk.text for chunk in chunks if chunk.text]
    grown = [later.startswith(earlier) and later != earlier for earlier, later in pairwise(texts)]
    assert len(grown) < _CHANCE or not all(grown), "each chunk repeats all of the text before it"
    for message, body in zip((streamed, invoked), traffic.answers, strict=True):
        judge_reading(message, body)
    reported, sent = invoked.response_metadata, read_answer(traffic.answers[0]).fields
    # What a service says in whole answers only is lacking in streams; what it says of a single
    # answer, such as its timings, differs. What others make of it is theirs to say.
    more = {k for k in reported.keys() - STREAM_ONLY if f'"{k}"' in traffic.answers[0]}
    names = COMMON | {"model_provider"} | more if chosen().ours else COMMON
    kept = {k: sent.get(k, v) for k, v in reported.items() if k in names and v is not None}
    found = {k: streamed.response_metadata.get(k) for k in kept}
    assert found == kept, f"the metadata of the invoked answer are {kept}; of the stream {found}"


@pytest.mark.claim("streaming.reasoning.chunks")
def test_reasoning_streams_in_chunks_apart_from_the_text(
    model: BaseChatModel, lane: str, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        reasoning_model, named = at_model(tapped_model, LANES[lane].reasoning_model)
        chunks = stream(reasoning_model, TALE, **named)
        invoked = reasoning_model.invoke(TALE, **named)
    thoughts = [chunk for chunk in chunks if read_reasoning(chunk)]
    words = [chunk for chunk in chunks if chunk.text]
    if not chosen().ours and not thoughts:
        evidence.not_applicable("a stream hands out no reasoning, as reasoning.answer.kept says")
    is_whole = min(len(thoughts), len(words)) > 2
    assert is_whole or not chosen().ours, (
        f"the service streams reasoning and text token by token; {len(thoughts)} chunks with "
        f"reasoning and {len(words)} with text were handed out"
    )
    if is_whole:  # Others may join what arrives at once.
        assert not any(chunk.text for chunk in thoughts)
        assert chunks.index(thoughts[-1]) < chunks.index(words[0])
    for message, body in zip((add_up(chunks), invoked), traffic.answers, strict=True):
        judge_reading(message, body)
        assert read_reasoning(message) == read_answer(body).reasoning


@pytest.mark.claim("streaming.blocks.apart")
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_text_reasoning_and_calls_never_merge(
    model: BaseChatModel, lane: str, version: str
) -> None:
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    reasoning_model = reasoning_model.model_copy(update={"output_version": version})
    bound = reasoning_model.bind_tools([get_weather], **named)
    chunks = stream(bound, TWO_CITIES)
    blocks: list[Any] = list(add_up(chunks).content_blocks)
    reported = [block["type"] for block in blocks]
    if not chosen().ours and "reasoning" not in reported:  # `reasoning.answer.kept` judges that.
        blocks.insert(0, {"type": "reasoning", "reasoning": ""})
    wanted = ["reasoning", "text", "tool_call", "tool_call"]
    is_merged = any("args" in block for block in blocks if block["type"] != "tool_call")
    assert [block["type"] for block in blocks] == wanted, (
        f"the service sent reasoning, text and two calls; the content blocks are {reported}"
        f"{MERGED_BY_INDEX if is_merged else ''}"
    )
    parts: list[Any] = [block for chunk in chunks[:-1] for block in chunk.content_blocks]
    for kind, whole in zip(("reasoning", "text"), blocks, strict=False):
        assert "".join(part.get(kind, "") for part in parts) == whole[kind]
    arguments = [block["args"] for block in blocks[2:]]
    if not any(arguments):
        refer("blocks.whole.told", EMPTIED)
    assert arguments == [{"city": "Paris"}, {"city": "Rome"}], (
        f"the service sent calls for Paris and Rome; the content blocks hold {arguments}"
    )


@pytest.mark.claim("blocks.whole.told")
@pytest.mark.parametrize("ask", BOTH_WAYS)
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_standard_blocks_tell_the_whole_answer(
    model: BaseChatModel, lane: str, version: str, ask: Ask, evidence: Evidence
) -> None:
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    reasoning_model = reasoning_model.model_copy(update={"output_version": version})
    answer = ask(reasoning_model.bind_tools([get_weather], **named), ONE_CITY)
    if version == "v1" and ask is BOTH_WAYS[1] and loses_calls(answer):
        evidence.not_applicable(MERGED)
    reported: list[Any] = list(answer.content_blocks)
    by_kind = {block["type"]: block for block in reported}
    kinds = {*by_kind, "text"}
    if chosen().ours or "reasoning" in kinds:  # `reasoning.answer.kept` judges others' without.
        assert "reasoning" in kinds, "the content blocks hold no reasoning, which the service sent"
        assert by_kind["reasoning"]["reasoning"].strip()
    expected = {"text", "tool_call"}
    assert kinds - {"reasoning"} == expected, (
        f"the service sent text and a call; the content blocks are {sorted(kinds)}"
    )
    assert by_kind["tool_call"]["name"] == "get_weather"
    reported_args = by_kind["tool_call"]["args"]
    assert reported_args == {"city": "Paris"}, (
        f"a call for Paris came; its block holds {reported_args}"
    )
    assert "".join(block["text"] for block in reported if block["type"] == "text") == answer.text
    if chosen().ours:  # Others may keep blocks in the content, in either version.
        order = ("reasoning", "text", "tool_call")  # An engine may send no text beside a call.
        assert [block["type"] for block in reported] == [kind for kind in order if kind in by_kind]
        assert answer.content == (reported if version == "v1" else answer.text)


@pytest.mark.claim("streaming.events.typed")
def test_typed_events_tell_the_same_story(
    model: BaseChatModel, lane: str, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        reasoning_model, named = at_model(tapped_model, LANES[lane].reasoning_model)
        bound: Any = reasoning_model.bind_tools([get_weather], **named)
        reported = _open_events(bound, evidence)
        deltas = [event["delta"] for event in reported if event["event"] == "content-block-delta"]
        chunks = stream(bound, TWO_CITIES)
    whole = add_up(chunks)
    # langchain-core makes the events of the blocks of each chunk, if a client does not.
    if called(reported.output) != called(whole) and breaks_calls(chunks):
        refer("blocks.whole.told", EMPTIED)
    for message, body in zip((reported.output, whole), traffic.answers, strict=True):
        judge_reading(message, body)
    answer = read_answer(traffic.answers[0])
    # Others may keep reasoning where no content block is made of it, of which events are made.
    in_blocks = any(block["type"] == "reasoning" for block in whole.content_blocks)
    kept = read_reasoning(whole) if chosen().ours else in_blocks
    thoughts = answer.reasoning if kept else ""
    for kind, text in (("reasoning", thoughts), ("text", answer.text)):
        reported_text = "".join(d[kind] for d in deltas if d["type"] == f"{kind}-delta")
        assert reported_text == text, (
            f"the service sent the {kind} {text!r}; the events tell {reported_text!r}"
        )
    # Two requests: their ids differ, and the second may find more of its prompt in a cache.
    for name, spelt in COUNTS.items():
        # Whether a stream of others reports usage, and how it adds it up, is another claim.
        counted, added = ((m.usage_metadata or {}).get(name) for m in (reported.output, whole))
        sent = answer.count(spelt)
        counted_alike = not chosen().ours and (not counted or counted == added)
        assert sent is None or counted == sent or counted_alike, (
            f"the service sent {spelt} {sent}; the typed events tell of {name} {counted}"
        )
    for name in ("finish_reason", "model_name"):
        assert reported.output.response_metadata.get(name) == whole.response_metadata.get(name)
    if chosen().ours:
        assert reported.output.response_metadata.get("id") == answer.fields.get("id")
    assert reported.output.id


def _open_events(bound: Any, evidence: Evidence) -> Any:
    try:
        return bound.stream_events(TWO_CITIES, version="v3")
    except NotImplementedError:
        if chosen().ours:
            raise
        evidence.not_applicable("what bind_tools returns is no chat model, and has no typed events")


@pytest.mark.claim("streaming.text.after-finish")
@pytest.mark.parametrize("slug", ["zai-org/GLM-5.2", "deepseek-ai/DeepSeek-V4-Pro"], ids=str.lower)
def test_text_after_the_finish_reason_is_kept(model: BaseChatModel, slug: str) -> None:
    with tapped(model) as (tapped_model, traffic):
        named, options = at_model(tapped_model, slug)
        whole = add_up(named.stream("Repeat after me: Yes", **options))
    finish, text = (traffic.answers[0].index(mark) for mark in ('"finish_reason":"stop"', '"Yes"'))
    assert finish < text
    assert whole.text == "Yes"
    assert whole.response_metadata["finish_reason"] == "stop"


@pytest.mark.claim("streaming.end.once")
@pytest.mark.parametrize("prompt", [TALE, ONE_CITY], ids=["text", "call"])
def test_exactly_one_piece_is_the_last_and_it_alone_carries_the_end(
    model: BaseChatModel, prompt: str
) -> None:
    with tapped(model) as (tapped_model, traffic):
        *earlier, last = stream(tapped_model.bind_tools([get_weather]), prompt)
    assert len(earlier) > 2 or not chosen().ours
    if not chosen().ours:
        judge_end([*earlier, last])
        return
    assert last.chunk_position == "last"
    reason = last.response_metadata.get("finish_reason")
    # Which reason it is, `metadata.finish.reason` judges.
    assert reason, f"the last chunk of a stream reports why it ended; it has no reason, {reason!r}"
    assert last.response_metadata["model_name"]
    # Whether a service counts at all is another claim.
    sent = read_answer(traffic.answers[0])
    if any(sent.count(name) is not None for name in COUNTS.values()):
        assert last.usage_metadata, "the last chunk of a stream reports no usage, and one was sent"
    for chunk in earlier:
        assert chunk.chunk_position is None
        assert chunk.usage_metadata is None
        assert chunk.response_metadata.keys() <= {"model_provider", "logprobs"}


def judge_end(chunks: list[AIMessageChunk]) -> None:
    """Judge a stream of somebody else's: each part of the end stands once, in chunks of its own.

    Usage may be reported in several chunks: what they add up to is `usage.stream.once`.
    """
    ends = {
        "finish reasons": [c for c in chunks if c.response_metadata.get("finish_reason")],
        "last chunks": [c for c in chunks if c.chunk_position == "last"],
    }
    for name, found in ends.items():
        assert len(found) == 1, f"expected one of the {name} in a stream, received {len(found)}"
    assert chunks[-1].chunk_position == "last", "chunks follow the one that is marked as the last"


@pytest.mark.claim("streaming.end.without-done")
@pytest.mark.parametrize(
    "slug",
    [
        pytest.param("moonshotai/Kimi-K2.6", id="with-usage-event"),
        pytest.param("zai-org/GLM-5.1", id="ends-with-its-finish"),
    ],
)
def test_a_stream_without_done_ended_well(model: BaseChatModel, slug: str) -> None:
    with tapped(model) as (tapped_model, traffic):
        named, options = at_model(tapped_model, slug)
        whole = add_up(named.stream("Count from 1 to 9.", stop=["5"], **options))
    assert "[DONE]" not in traffic.answers[0]
    assert whole.text == "1, 2, 3, 4, "
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.chunk_position == "last"


def cut(plan: AnswerPlan, ending: Ending, length: int = 8) -> AnswerPlan:
    """Return a stream that ends, somehow, in the middle of its text or behind some chunk."""
    # Others may ask for no stream, which `streaming.sync.incremental` tells.
    assert b"[DONE]" in plan.chunks[-1].data or not (chosen().ours or plan.is_stream)
    return replace(plan, chunks=plan.chunks[:length], ending=ending)


def collect(model: Any, kind: str, take: Take) -> tuple[str, Exception]:
    """Return what a failing stream hands out, and its failure."""
    chunks: list[Any] = []
    with catching(kind) as errors:
        take(model, TALE, chunks)
    assert errors, "the stream failed on its way, and nothing was raised"
    return "".join(chunk.text for chunk in chunks), errors[0]


@pytest.mark.claim("streaming.end.cut")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize(
    ("ending", "length"), [("complete", 1), ("complete", 8), ("abort", 8), ("reset", 8)]
)
def test_a_stream_without_finish_and_done_is_an_error_that_holds_what_arrived(
    lane: str, evidence: Evidence, ending: Ending, take: Take, length: int
) -> None:
    model = mount(lane, evidence, change_plans(lambda plan: cut(plan, ending, length)))
    text, error = collect(model, "stream-cut", take)
    sentence = "You said" if length > 1 else ""
    assert text.startswith(sentence), f"{sentence!r} was sent, and {text!r} handed out"
    if text:
        judge_partial(error, text)


SENTENCE = "The replica was drained."
ERRORS: dict[str, dict[str, Any] | str] = {
    "number": {"error": {"message": SENTENCE, "code": 500}},
    "number-as-text": {"error": {"message": SENTENCE, "code": "500"}},
    "type-only": {"error": {"message": SENTENCE, "type": "internal_server_error"}},
    "label": {
        "error": {
            "message": SENTENCE,
            "type": "api_error",
            "param": None,
            "code": "upstream_error",
        }
    },
    "engine": {"object": "error", "message": SENTENCE, "type": "ServerError", "code": 500},
    "text": {"error": SENTENCE},
    "flat": {"message": SENTENCE, "code": 500},
    "framework": {"detail": SENTENCE},
    "named": f"event: error\ndata: {SENTENCE}\n\n",
}
"""The data of an event that is an error, or the whole of one that only its name tells apart."""


def judge_partial(error: Any, text: str) -> None:
    """Another client has handed out what arrived, and no agreed place to keep it as well."""
    if chosen().ours:
        assert error.partial.text == text


def fail_with(event: dict[str, Any] | str, at: int = 8) -> Callable[[AnswerPlan], AnswerPlan]:
    data = event.encode() if isinstance(event, str) else encode_event(event)
    chunks = BodyChunk(data), BodyChunk(DONE)
    return lambda plan: replace(plan, chunks=plan.chunks[:at] + chunks)


@pytest.mark.claim("streaming.end.error-inside")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("at", [8, -1], ids=["inside", "behind the finish reason"])
@pytest.mark.parametrize("event", ERRORS.values(), ids=ERRORS)
def test_an_error_inside_a_stream_is_raised_with_the_services_own_sentence(
    lane: str, evidence: Evidence, event: dict[str, Any] | str, take: Take, at: int
) -> None:
    if at < 0 and not chosen().ours:
        evidence.not_applicable("whether a stream is read on behind its end is for each maker")
    if (isinstance(event, str) or "error" not in event) and not chosen().ours:
        evidence.not_applicable("which bare forms are errors is for each maker to say")
    model = mount(lane, evidence, change_plans(fail_with(event, at)))
    text, error = collect(model, "any", take)
    assert says(error, SENTENCE), (
        f"the service said {SENTENCE!r} inside the stream; the error says {error}"
    )
    assert "StreamCut" not in type(error).__name__
    # That others hand out what had arrived `streaming.end.cut` judges.
    assert text.startswith("You said") or not chosen().ours
    judge_partial(error, text)


@pytest.mark.claim("streaming.end.error-inside", lane="dedicated")
def test_a_request_refused_after_the_200_is_an_error(
    model: BaseChatModel, evidence: Evidence
) -> None:
    schema = {"name": "place", "schema": {"type": "city"}}
    form = {"type": "json_schema", "json_schema": schema}
    with tapped(model) as (tapped_model, traffic), catching() as refusals:
        add_up(tapped_model.stream(TALE, response_format=form))
    if refusals and not traffic.statuses and not chosen().ours:
        evidence.not_applicable("the client itself refuses a schema, before anything is sent")
    [status], error = traffic.statuses, find_error(traffic.answers[0])
    refused = status >= _REFUSED
    if not (error or refused):
        assert not refusals
        evidence.not_applicable("the service answers as if there were no such schema")
    # Each engine says in words of its own what it cannot follow, before or after the 200.
    sentence, code = error or (f"HTTP {status}", 0)
    assert len(refusals) == 1, (
        f"the service refused inside the stream: {sentence}; nothing was raised"
    )
    refusal = refusals[0]
    reported = " ".join(str(refusal).split())
    assert sentence[:100] in reported or says(refusal, sentence[:100]), (
        f"the service said {sentence!r} inside the stream; the error says {reported}"
    )
    if chosen().ours or refused:  # The HTTP status was 200, and others may have one for that.
        expect_status(refusal, status if refused else code or _REFUSED)
