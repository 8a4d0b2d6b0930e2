"""Laws of a stream: cuts change nothing, neighbours do not mix, and garbage fails as it should.

HYPOTHESIS_EXAMPLES asks for more (and random) examples; the default is fixed and fast.
"""

from __future__ import annotations

import json
import os
from itertools import accumulate, count, pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.language_models._compat_bridge import chunks_to_events, finalize_tool_call_chunk
from langchain_core.load import dumpd, dumps
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.utils.json import parse_partial_json

from langchain_baseten._protocol.chunks import ChunkWriter
from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._protocol.messages import write_messages
from langchain_baseten._protocol.response import ResponseContext, combine_outputs, read_response
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import _closing_suffix
from langchain_baseten.exceptions import BasetenError

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
often = settings(max_examples=EXAMPLES or 40, derandomize=not EXAMPLES, deadline=None)

CONTEXT = ResponseContext(new_id=lambda: "x", requested_model="asked")
TEXTS = st.text(max_size=12)
SEEDS = st.randoms(use_true_random=False)


def values(*, allow_infinity: bool) -> st.SearchStrategy[Any]:
    floats = st.floats(allow_nan=False, allow_infinity=allow_infinity)
    return st.recursive(
        st.none() | st.booleans() | st.integers() | floats | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    )


VALUES = values(allow_infinity=True)
# A call whose arguments hold `Infinity` is none: they are not JSON.
ARGUMENT_VALUES = values(allow_infinity=False)


def begin(writer: Any = None) -> StreamReader[Any]:
    numbers = count()
    return StreamReader(
        ResponseContext(new_id=lambda: f"fresh-{next(numbers)}", requested_model="asked"),
        writer or ChunkWriter(),
    )


def merge(chunks: list[Any]) -> AIMessage:
    first, *rest = [chunk.message for chunk in chunks]
    whole = message_chunk_to_message(first + rest)
    assert isinstance(whole, AIMessage)
    return whole


def read(parts: list[bytes]) -> AIMessage:
    stream = begin()
    chunks = [chunk for part in parts for chunk in stream.feed(part)]
    return merge(chunks + list(stream.close()))


def outcome(parts: list[bytes]) -> tuple[Any, ...]:
    """Gives all that a user gets of a body: the message, or the error with its part."""
    stream = begin()
    chunks: list[Any] = []
    try:
        for chunk in parts:
            chunks += stream.feed(chunk)
        chunks += stream.close()
    except BasetenError as error:
        return type(error), str(error), stream.attach_partial(error).partial
    return merge(chunks), stream.events, stream.done


def frame(payload: Any) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def say(delta: Any, **choice: Any) -> bytes:
    return frame({"choices": [{"index": 0, "delta": delta, **choice}]})


def cut(body: Any, places: list[int]) -> list[Any]:
    at = sorted({place % (len(body) + 1) for place in places} | {0, len(body)})
    return [body[a:b] for a, b in pairwise(at)]


PLACES = st.lists(st.integers(0, 10_000), max_size=12)
CALLS = st.lists(
    st.tuples(
        st.text("abc", min_size=1, max_size=3),
        st.dictionaries(TEXTS, ARGUMENT_VALUES, max_size=2),
    ),
    max_size=3,
)
FINISHES = st.sampled_from(["stop", "length", "tool_calls"])
USAGES = st.none() | st.builds(
    lambda a, b: {"prompt_tokens": a, "completion_tokens": b, "total_tokens": a + b},
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)


@st.composite
def answers(draw: Any) -> dict[str, Any]:
    """What a model says, before any server has cut it into deltas."""
    return {
        "content": draw(TEXTS),
        "reasoning": draw(TEXTS),
        "calls": [(name, json.dumps(args)) for name, args in draw(CALLS)],
        "finish": draw(FINISHES),
        "usage": draw(USAGES),
    }


def deltas_of(answer: dict[str, Any], places: list[int]) -> list[dict[str, Any]]:
    found = [{"reasoning_content": part} for part in cut(answer["reasoning"], places)]
    found += [{"content": part} for part in cut(answer["content"], places)]
    for index, (name, arguments) in enumerate(answer["calls"]):
        opening = {"index": index, "id": f"id-{index}", "function": {"name": name}}
        found.append({"tool_calls": [opening]})
        found += [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
            for part in cut(arguments, places)
        ]
    return found


def stream_of(answer: dict[str, Any], places: list[int]) -> list[bytes]:
    events = [say(delta) for delta in deltas_of(answer, places)]
    end = {"choices": [{"delta": {}, "finish_reason": answer["finish"]}], "usage": answer["usage"]}
    return [*events, frame(end), b"data: [DONE]\n\n"]


@often
@given(answer=answers(), deltas=PLACES, other=PLACES, chunks=PLACES)
def test_cutting_deltas_or_the_body_elsewhere_gives_the_same_message(
    answer: dict[str, Any], deltas: list[int], other: list[int], chunks: list[int]
) -> None:
    found = read(stream_of(answer, deltas))
    body = b"".join(stream_of(answer, other))

    assert found == read([body]) == read(cut(body, chunks))
    assert found.content == answer["content"]
    assert found.additional_kwargs.get("reasoning_content", "") == answer["reasoning"]
    assert [call["id"] for call in found.tool_calls] == [
        f"id-{n}" for n, _ in enumerate(answer["calls"])
    ]
    assert [repr(call["args"]) for call in found.tool_calls] == [
        repr(json.loads(arguments)) for _, arguments in answer["calls"]
    ]


@often
@given(answer=answers(), deltas=PLACES)
def test_a_stream_says_what_the_whole_answer_says(
    answer: dict[str, Any], deltas: list[int]
) -> None:
    calls = [
        {"id": f"id-{n}", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(answer["calls"])
    ]
    message = {
        "content": answer["content"],
        "reasoning_content": answer["reasoning"],
        "tool_calls": calls,
    }
    choice = {"index": 0, "message": message, "finish_reason": answer["finish"]}
    body = json.dumps({"choices": [choice], "usage": answer["usage"]})
    whole = read_response(body, {}, CONTEXT).generations[0].message
    streamed = read(stream_of(answer, deltas))

    assert isinstance(whole, AIMessage)
    assert streamed.content == whole.content
    assert streamed.additional_kwargs == whole.additional_kwargs
    assert repr(streamed.tool_calls) == repr(whole.tool_calls)
    assert streamed.usage_metadata == whole.usage_metadata
    assert streamed.response_metadata["finish_reason"] == whole.response_metadata["finish_reason"]


@often
@given(first=answers(), second=answers(), deltas=PLACES, order=SEEDS)
def test_two_streams_read_in_turns_do_not_mix(
    first: dict[str, Any], second: dict[str, Any], deltas: list[int], order: Any
) -> None:
    bodies = [stream_of(first, deltas), stream_of(second, deltas)]
    turns = [0] * len(bodies[0]) + [1] * len(bodies[1])
    order.shuffle(turns)
    streams = [begin(), begin()]
    chunks: list[list[Any]] = [[], []]
    waiting = [iter(body) for body in bodies]
    for turn in turns:
        chunks[turn] += streams[turn].feed(next(waiting[turn]))
    for turn in (0, 1):
        chunks[turn] += streams[turn].close()

    assert [merge(chunks[0]), merge(chunks[1])] == [read(body) for body in bodies]


@often
@given(answer=answers(), neighbour=answers(), deltas=PLACES, order=SEEDS)
def test_a_second_choice_leaves_no_trace(
    answer: dict[str, Any], neighbour: dict[str, Any], deltas: list[int], order: Any
) -> None:
    own = stream_of(answer, deltas)
    foreign = [say(delta, index=1) for delta in deltas_of(neighbour, deltas)]
    mixed = [*own[:-2]]
    for event in foreign:
        mixed.insert(order.randint(0, len(mixed)), event)

    assert read([*mixed, *own[-2:]]) == read(own)


@often
@given(answer=answers(), deltas=PLACES, at=st.integers(0, 10_000))
def test_a_stream_cut_short_keeps_a_prefix_and_never_passes_for_whole(
    answer: dict[str, Any], deltas: list[int], at: int
) -> None:
    body = b"".join(stream_of(answer, deltas)[:-2])  # neither a finish nor [DONE]
    found = outcome([body[: at % (len(body) + 1)]])

    assert issubclass(found[0], BasetenError)
    partial = found[2]
    assert partial is None or answer["content"].startswith(partial.content)


# Event streams as servers write them, and chunks that no server should.
LINES = st.sampled_from(
    [b"data: ", b"data:", b"data", b"event: error", b"event:", b": x", b"id: 1", b"retry: 1", b"x"]
)
WORDS = st.sampled_from(
    [b"[DONE]", b"{}", b'{"choices":[{}]}', b'{"error":"x"}', b"[1", b"\xff", b" "]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b""])
GARBAGE = st.lists(st.one_of(LINES, WORDS, ENDS, st.binary(max_size=4)), max_size=30).map(b"".join)
BODIES = st.one_of(
    st.binary(max_size=200), GARBAGE, GARBAGE.map(b"\xef\xbb\xbf".__add__), answers().map(
        lambda answer: b"".join(stream_of(answer, []))
    )
)  # fmt: skip


@often
@given(body=BODIES, places=PLACES)
@example(body=b"\xef\xbb\xbfdata: a\r\rdata: b\r\n\r", places=[1, 2, 11, 12, 13])
def test_any_partition_of_any_bytes_gives_the_same_events(body: bytes, places: list[int]) -> None:
    def decode(chunks: list[bytes]) -> list[Any]:
        decoder = EventDecoder()
        return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.close()

    assert decode(cut(body, places)) == decode([body]) == decode(cut(body, list(range(len(body)))))


@often
@given(body=BODIES, places=PLACES)
@example(body=b"data: " + b"[" * 99_999 + b"\n\n", places=[])
@example(body=b'{"error":' * 900 + b"1" + b"}" * 900, places=[])
@example(body=b'data: {"error":{"code":"' + b"4" * 5000 + b'"}}\n\n', places=[])
@example(body=b"data\n\n!", places=[6])
def test_any_bytes_end_in_a_message_or_an_error_of_ours(body: bytes, places: list[int]) -> None:
    assert outcome(cut(body, places)) == outcome([body])


KEYS = [
    ["choices", "usage", "error", "object", "model", "id", "message", "code", "detail", "type"],
    ["index", "delta", "message", "finish_reason", "logprobs", "model_provider", "stop_reason"],
    ["content", "reasoning", "reasoning_content", "refusal", "tool_calls", "function_call"],
    ["index", "id", "function", "type"],
    ["name", "arguments"],
]
COUNTERS = ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"]


def shaped(depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON that has an answer's keys and any values, wrong types included."""
    names = KEYS[depth]
    inner = shaped(depth + 1) if depth + 1 < len(KEYS) else VALUES
    counted = st.dictionaries(st.sampled_from(COUNTERS), VALUES, max_size=3)
    value = st.one_of(inner, st.lists(inner, max_size=3), VALUES, counted)
    return st.dictionaries(st.sampled_from(names), value, max_size=4) | VALUES


EVENTS = st.lists(shaped(), max_size=5)


@often
@given(payloads=EVENTS, name=st.sampled_from([b"", b"event: error\n", b"event: x\n"]))
@example(payloads=[{"choices": 5}], name=b"")
@example(
    payloads=[{"choices": [{"delta": {"content": "a"}, "logprobs": x}]} for x in (1, "x")], name=b""
)
def test_any_json_as_events_ends_in_a_message_or_an_error_of_ours(
    payloads: list[Any], name: bytes
) -> None:
    found = outcome([name + frame(payload) for payload in payloads])

    assert len(found) == 3


@often
@given(payload=shaped())
@example(payload={"choices": [{"message": {"content": "a"}}], "usage": "x"})
def test_any_json_as_an_answer_ends_in_a_message_or_an_error_of_ours(payload: Any) -> None:
    try:
        found = read_response(json.dumps(payload), {}, CONTEXT)
    except BasetenError as error:
        assert str(error)  # noqa: PT017  most payloads parse or fail, both are judged
    else:
        assert combine_outputs([found.llm_output])["model_provider"] == "baseten"


@often
@given(answer=answers(), deltas=PLACES)
def test_each_prefix_of_the_chunks_adds_up_to_a_prefix_of_the_text(
    answer: dict[str, Any], deltas: list[int]
) -> None:
    stream = begin()
    body = b"".join(stream_of(answer, deltas))
    chunks = [chunk.message for chunk in [*stream.feed(body), *stream.close()]]
    sums = list(accumulate(chunks, lambda a, b: a + b))

    assert all(isinstance(one, AIMessageChunk) for one in sums)
    assert all(answer["content"].startswith(str(one.content)) for one in sums)
    assert sums[-1].content == answer["content"]


# Text as a broken model or server writes it: halves of surrogate pairs, quotes, brackets, escapes.
DIRTY = st.text(
    st.sampled_from('\ud83d\ude00\\"{}[]:,nu1 \n') | st.characters(exclude_categories=()),
    max_size=12,
)
ESCAPES = st.sampled_from([r"\ud83d", r"\ude00", r"\n", r"\\", r"\u00e9", r"\u00"])
OBJECTS = st.dictionaries(DIRTY, VALUES | DIRTY | ESCAPES, max_size=2)
ARGUMENTS = st.one_of(
    OBJECTS.map(json.dumps),
    OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.builds(lambda value, at: json.dumps(value)[: at % 40], OBJECTS, st.integers(0, 40)),
    st.lists(DIRTY | ESCAPES | st.sampled_from(["{", '{"a":"', '"}', "null", "NaN", " "])).map(
        "".join
    ),
)


@often
@given(text=ARGUMENTS)
@example(text='{"path": "/tmp/a", "content": "hello wor')
@example(text='{"a": ["b\\')
@example(text='{"a": 1}{"b": 2}')
@example(text="[1")
def test_every_text_can_be_ended_so_that_langchain_takes_it_for_no_object(text: str) -> None:
    ended = text + _closing_suffix(text)

    assert not isinstance(parse_partial_json(ended), dict) if _repairs(ended) else True
    block = finalize_tool_call_chunk(
        raw_args=ended, id_="a", name="f", extras={}, finalized_type="tool_call"
    )
    assert block["type"] == "invalid_tool_call"


def _repairs(text: str) -> bool:
    try:
        parse_partial_json(text)
    except ValueError:
        return False
    return True


@st.composite
def dirty_messages(draw: Any) -> dict[str, Any]:
    """A message with texts that no encoding takes, and calls that are no calls."""
    names = st.sampled_from(["f", "g", ""]) | DIRTY
    calls = draw(st.lists(st.tuples(names, ARGUMENTS), max_size=2))
    message: dict[str, Any] = {
        key: draw(DIRTY | ESCAPES) for key in ("content", "reasoning_content", "refusal")
    }
    message["tool_calls"] = [
        {"id": f"id-{n}", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return message


def dirty_stream(message: dict[str, Any], places: list[int]) -> list[bytes]:
    texts = ("content", "reasoning_content", "refusal")
    found = [say({key: part}) for key in texts for part in cut(message[key], places)]
    for index, call in enumerate(message["tool_calls"]):
        function = call["function"]
        opening = {"index": index, "id": call["id"], "function": {"name": function["name"]}}
        found.append(say({"tool_calls": [opening]}))
        found += [
            say({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
            for part in cut(function["arguments"], places)
        ]
    return found


def survive(message: AIMessage) -> None:
    """Prints and dumps a message, and sends it back in the next turn."""
    for text in (str(message), repr(message), message.pretty_repr(), dumps(message)):
        text.encode()
    message.model_dump_json()
    json.dumps(dumpd(message), ensure_ascii=False).encode()
    (turn,) = json.loads(dump_json(write_messages([message])))
    for call in turn.get("tool_calls", []):
        assert isinstance(json.loads(call["function"]["arguments"]), dict)
        assert call["function"]["name"]


@often
@given(message=dirty_messages(), places=PLACES, at=st.integers(0, 100))
@example(
    message={
        "content": "\ud83d\ude00\ud83d",
        "reasoning_content": "\ude00",
        "refusal": "",
        "tool_calls": [{"id": "id-0", "function": {"name": "f", "arguments": r'{"a":"\ud83d\n"}'}}],
    },
    places=[1, 8, 9, 10],
    at=9,
)
def test_what_a_server_sends_can_be_shown_kept_and_sent_back(
    message: dict[str, Any], places: list[int], at: int
) -> None:
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]})
    invoked = read_response(body, {}, CONTEXT).generations[0].message
    events = dirty_stream(message, places)
    streamed = read([*events, say({}, finish_reason="stop")])
    assert isinstance(invoked, AIMessage)

    assert streamed.content == invoked.content
    assert streamed.additional_kwargs == invoked.additional_kwargs
    assert repr(streamed.tool_calls) == repr(invoked.tool_calls)
    assert [(c["id"], c["name"]) for c in streamed.invalid_tool_calls] == [
        (c["id"], c["name"]) for c in invoked.invalid_tool_calls
    ]
    survive(invoked)
    survive(streamed)
    partial = outcome([b"".join(events[: at % (len(events) + 1)])])[2]
    if partial is not None:
        survive(partial)
        whole = {call["id"]: call for call in invoked.tool_calls}
        for call in partial.tool_calls:
            assert call["id"] in whole
            assert isinstance(call["args"], dict)


@often
@given(message=dirty_messages(), places=PLACES)
@example(
    message={
        "content": "",
        "reasoning_content": "",
        "refusal": "",
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{\n"a":"\n\t"}'}}],
    },
    places=[3, 7],
)
def test_events_of_version_3_hold_the_same_calls(
    message: dict[str, Any], places: list[int]
) -> None:
    stream = begin()
    body = b"".join([*dirty_stream(message, places), say({}, finish_reason="stop")])
    chunks = [*stream.feed(body), *stream.close()]
    events = list(chunks_to_events(iter(chunks)))
    blocks: list[Any] = [e["content"] for e in events if e["event"] == "content-block-finish"]
    merged = merge(chunks)

    assert [repr(b["args"]) for b in blocks if b["type"] == "tool_call"] == [
        repr(call["args"]) for call in merged.tool_calls
    ]
    assert [b["id"] for b in blocks if b["type"] == "invalid_tool_call"] == [
        call["id"] for call in merged.invalid_tool_calls
    ]
