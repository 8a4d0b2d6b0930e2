"""Laws of a request: the input is never changed, the bytes are fixed, the only error is ours.

HYPOTHESIS_EXAMPLES asks for more (and random) examples; the default is fixed and fast.
"""

from __future__ import annotations

import copy
import json
import os
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_baseten._protocol.content import write_content
from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._protocol.messages import write_messages
from langchain_baseten._protocol.parameters import build_body, build_parameters
from langchain_baseten._protocol.response import ResponseContext, read_response
from langchain_baseten.exceptions import BasetenRequestError

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
often = settings(max_examples=EXAMPLES or 40, derandomize=not EXAMPLES, deadline=None)

CONTEXT = ResponseContext(new_id=lambda: "x", requested_model="asked")
TEXTS = st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SENDABLE = st.recursive(
    SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, SENDABLE, max_size=3)

TYPES = ["text", "image_url", "image", "audio", "input_audio", "audio_url", "video_url", "video"]
MORE = ["file", "document", "text-plain", "non_standard", "reasoning", "tool_use", "tool_call"]
NAMES = ["text", "url", "base64", "data", "mime_type", "source", "id", "file", "name", "input"]
BLOCKS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    TEXTS,
    st.builds(
        lambda kind, rest: {**rest, "type": kind},
        st.sampled_from([*TYPES, *MORE, "tool_result", "hologram", "cache_point"]) | TEXTS,
        st.dictionaries(st.sampled_from([*NAMES, *TYPES, "value", "content"]), JSON, max_size=4),
    ),
)
CONTENTS = TEXTS | st.lists(BLOCKS, max_size=3)
CALLS = st.lists(
    st.builds(
        lambda name, args, call: {"name": name, "args": args, "id": call, "type": "tool_call"},
        TEXTS,
        OBJECTS,
        st.none() | TEXTS,
    ),
    max_size=2,
)
SIDES = st.dictionaries(st.sampled_from(["reasoning_content", "refusal", "name"]), TEXTS)
OWN = st.sampled_from([{}, {"model_provider": "baseten"}, {"model_provider": "anthropic"}])
MESSAGES: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(HumanMessage, CONTENTS, name=st.none() | TEXTS),
    st.builds(SystemMessage, CONTENTS),
    st.builds(ToolMessage, CONTENTS, tool_call_id=TEXTS),
    st.builds(ChatMessage, content=CONTENTS, role=TEXTS),
    st.builds(
        AIMessage, CONTENTS, tool_calls=CALLS, additional_kwargs=SIDES, response_metadata=OWN
    ),
)
CONVERSATIONS = st.lists(MESSAGES, max_size=4)


def write(conversation: list[BaseMessage], **options: Any) -> bytes | str:
    """Gives the bytes of the conversation, or the words with which it is refused."""
    try:
        return dump_json(write_messages(conversation, **options))
    except BasetenRequestError as error:
        return str(error)


@often
@given(conversation=CONVERSATIONS, replay=st.booleans())
@example(conversation=[HumanMessage("\ud83e")], replay=True)
@example(conversation=[AIMessage([{"type": "text", "text": None}])], replay=True)
def test_a_conversation_is_written_or_refused_and_never_changed(
    conversation: list[BaseMessage], replay: bool
) -> None:
    before = copy.deepcopy(conversation)
    first = write(conversation, replay_reasoning=replay)

    assert conversation == before
    assert first == write(before, replay_reasoning=replay)


@often
@given(conversation=CONVERSATIONS)
def test_every_turn_has_a_role_and_no_other_key_than_the_wire_knows(
    conversation: list[BaseMessage],
) -> None:
    written = write(conversation)
    known = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}

    for turn in json.loads(written) if isinstance(written, bytes) else []:
        assert turn.keys() - {"role"} < known
        assert "content" in turn or "tool_calls" in turn
        assert isinstance(turn["role"], str)


@often
@given(content=st.lists(BLOCKS, max_size=4))
def test_any_blocks_are_parts_with_a_type_or_refused(content: list[Any]) -> None:
    try:
        parts = write_content(content)
    except BasetenRequestError as error:
        assert "Received" in str(error)  # noqa: PT017  most are one or the other, both are judged
    else:
        assert parts == "" or all(part["type"] in part for part in parts if isinstance(part, dict))


@often
@given(value=JSON)
@example(value={"a": float("nan")})
def test_json_is_the_same_bytes_again_or_refused(value: Any) -> None:
    try:
        written = dump_json(value)
    except BasetenRequestError as error:
        assert "not JSON" in str(error)  # noqa: PT017  both are judged
    else:
        assert json.loads(written) == value
        assert dump_json(copy.deepcopy(value)) == written


@often
@given(layers=st.lists(st.dictionaries(TEXTS, SENDABLE, max_size=3), max_size=4))
def test_each_setting_has_the_value_of_the_last_layer_that_names_it(
    layers: list[dict[str, Any]],
) -> None:
    before = copy.deepcopy(layers)
    flat = {name: value for layer in layers for name, value in layer.items()}

    assert build_parameters(layers, {}) == {k: v for k, v in flat.items() if v is not None}
    assert layers == before


@often
@given(given=OBJECTS, extra=OBJECTS, stream=st.booleans())
def test_an_extra_body_is_in_the_body_as_it_is(
    given: dict[str, Any], extra: dict[str, Any], stream: bool
) -> None:
    body = json.loads(build_body([], given, extra, stream=stream))

    assert extra.items() <= body.items() or body | extra == body
    assert given.keys() - {"tools", "tool_choice", "stream_options", "messages"} <= body.keys()


@often
@given(calls=CALLS, content=TEXTS, reasoning=TEXTS)
def test_what_was_answered_goes_back_as_it_came(
    calls: list[dict[str, Any]], content: str, reasoning: str
) -> None:
    sent: list[dict[str, Any]] = [
        {
            "id": f"id-{n}",
            "type": "function",
            "function": {"name": f"f{call['name']}", "arguments": json.dumps(call["args"])},
        }
        for n, call in enumerate(calls)
    ]
    message = {"content": content, "reasoning_content": reasoning, "tool_calls": sent}
    body = json.dumps({"choices": [{"index": 0, "message": message}]})
    found = read_response(body, {}, CONTEXT).generations[0].message
    (turn,) = write_messages([found])

    assert turn.get("content", "") == content
    assert turn.get("reasoning_content", "") == reasoning
    assert [(call["id"], call["function"]["name"]) for call in turn.get("tool_calls", [])] == [
        (call["id"], call["function"]["name"]) for call in sent
    ]
    assert [json.loads(call["function"]["arguments"]) for call in turn.get("tool_calls", [])] == [
        call["args"] for call in calls
    ]
