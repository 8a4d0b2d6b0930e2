"""Tool calls in every shape that servers give them: one slot, one id and one name each.

Knows deltas and whole calls; events and bytes are judged in `test_stream`.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from langchain_core.language_models._compat_bridge import finalize_tool_call_chunk
from langchain_core.messages import AIMessageChunk

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.tool_calls import (
    ToolCallAssembler,
    ToolCallIds,
    read_calls,
    write_arguments,
)

Delta = dict[str, Any]
Call = tuple[str | None, str | None, Any]


def numbered() -> ToolCallIds:
    numbers = count()
    return ToolCallIds(lambda: f"fresh-{next(numbers)}")


def delta(arguments: Any = "", *, name: Any = ..., call: Any = ..., index: Any = 0) -> Delta:
    """Builds one delta; what is `...` is left out."""
    given = {"name": name, "arguments": arguments}
    function = {key: value for key, value in given.items() if value is not ...}
    outer = {"index": index, "id": call, "type": "function", "function": function}
    return {key: value for key, value in outer.items() if value is not ...}


def merge(events: list[list[Any]], *, cut: bool = False) -> AIMessageChunk:
    """Merges the chunks of a stream, its end included."""
    assembler = ToolCallAssembler(numbered())
    parts = [*map(assembler.add, events), assembler.close(cut=cut)]
    first, *rest = [AIMessageChunk(content="", tool_call_chunks=part) for part in parts]
    return first + rest


def join(events: list[list[Any]]) -> list[Call]:
    """Reads events and merges their chunks as LangChain does."""
    return [(call["name"], call["id"], call["args"]) for call in merge(events).tool_call_chunks]


# events of deltas -> (name, id, arguments) of each call
SHAPES: dict[str, tuple[list[list[Any]], list[Call]]] = {
    "the id and name come first": (
        [[delta(name="f", call="a")], [delta('{"x":')], [delta("1}")]],
        [("f", "a", '{"x":1}')],
    ),
    "fresh ids and empty names (GLM-5, MiniMax)": (
        [[delta(name="f", call="a")], [delta("{", name="", call="b")], [delta("}", call="c")]],
        [("f", "a", "{}")],
    ),
    "a fresh id behind whole arguments, no name": (
        [[delta("{}", name="f", call="a")], [delta("", name="", call="b")]],
        [("f", "a", "{}")],
    ),
    "empty ids and null names (gpt-oss)": (
        [[delta(name="f", call="a")], [delta("{}", name=None, call="")]],
        [("f", "a", "{}")],
    ),
    "null ids and names (SGLang)": (
        [[delta("", name="f", call="a")], [delta("{}", name=None, call=None)]],
        [("f", "a", "{}")],
    ),
    "the same id, empty names (Kimi)": (
        [
            [delta(name="f", call="functions.f:0")],
            [delta("{}", name="", call="functions.f:0")],
        ],
        [("f", "functions.f:0", "{}")],
    ),
    "id and name on every delta (llama-cpp-python)": (
        [[delta(part, name="f", call="a")] for part in ('{"x"', ":", "1}")],
        [("f", "a", '{"x":1}')],
    ),
    "the same id and name behind whole arguments": (
        [[delta("{}", name="f", call="a")], [delta("", name="f", call="a")]],
        [("f", "a", "{}")],
    ),
    "a whole call in one delta (DeepSeek)": (
        [[delta('{"x":1}', name="f", call="a")]],
        [("f", "a", '{"x":1}')],
    ),
    "several deltas of one index in one event (vLLM, TensorRT)": (
        [[delta(..., name="f", call="a"), delta('{"x":'), delta("1}", call="b")]],
        [("f", "a", '{"x":1}')],
    ),
    "the id behind the name in one event": (
        [[delta(..., name="f"), delta("{}", call="a")]],
        [("f", "a", "{}")],
    ),
    "the name behind the arguments": (
        [[delta("{", call="a")], [delta("}", name="f")]],
        [("f", "a", "{}")],
    ),
    "a blank name before the name": (
        [[delta("{}", name=" ")], [delta(..., name="f")]],
        [("f", "fresh-0", "{}")],
    ),
    "parallel calls, interleaved": (
        [
            [delta("{", name="f", call="a"), delta("{", name="g", call="b", index=1)],
            [delta(" }", index=1), delta("}")],
        ],
        [("f", "a", "{}"), ("g", "b", "{ }")],
    ),
    "parallel calls that share an id (Kimi-K2-Thinking)": (
        [
            [delta("{}", name="f", call="functions.f:0")],
            [delta("{}", name="f", call="functions.f:0", index=1)],
            [delta("{}", name="f", call="functions.f:0", index=2)],
        ],
        [
            ("f", "functions.f:0", "{}"),
            ("f", "functions.f:1", "{}"),
            ("f", "functions.f:2", "{}"),
        ],
    ),
    "parallel calls that share an id without a number": (
        [[delta(name="f", call="a"), delta(name="g", call="a", index=1)]],
        [("f", "a", ""), ("g", "a_1", "")],
    ),
    "a whole second call at the same index": (
        [[delta("{}", name="f", call="a")], [delta('{"y":1}', name="g", call="b")]],
        [("f", "a", "{}"), ("g", "b", '{"y":1}')],
    ),
    "another name and id at the same index, no arguments before (LMDeploy)": (
        [[delta(name="f", call="a")], [delta('{"y":1}', name="g", call="b")]],
        [("f", "a", ""), ("g", "b", '{"y":1}')],
    ),
    "another name at the same index, no id, behind whole arguments": (
        [[delta("{}", name="f", call="a")], [delta("{ }", name="g")]],
        [("f", "a", "{}"), ("g", "fresh-0", "{ }")],
    ),
    "another name at the same index, no id, no arguments before": (
        [[delta(name="f", call="a")], [delta("{}", name="g")]],
        [("f", "a", "{}")],
    ),
    "a repeated index that turned to another call": (
        [
            [delta("{}", name="f", call="a")],
            [delta("{", name="f", call="b")],
            [delta("}")],
        ],
        [("f", "a", "{}"), ("f", "b", "{}")],
    ),
    "indices that begin at one, with a gap": (
        [[delta("{}", name="f", call="a", index=1)], [delta("{ }", name="g", call="b", index=7)]],
        [("f", "a", "{}"), ("g", "b", "{ }")],
    ),
    "no index, one call": (
        [[delta("{", name="f", call="a", index=...)], [delta("}", index=...)]],
        [("f", "a", "{}")],
    ),
    "null index, ids that tell the calls apart": (
        [
            [delta("{", name="f", call="a", index=None)],
            [delta("{ ", name="g", call="b", index=None)],
            [delta("}", call="a", index=None), delta("}", call="b", index=None)],
        ],
        [("f", "a", "{}"), ("g", "b", "{ }")],
    ),
    "no index, two whole calls of one name": (
        [[delta("{}", name="f", index=...), delta("{}", name="f", index=...)]],
        [("f", "fresh-0", "{}"), ("f", "fresh-1", "{}")],
    ),
    "no index, the name on every delta": (
        [[delta("{", name="f", index=...)], [delta("}", name="f", index=...)]],
        [("f", "fresh-0", "{}")],
    ),
    "an index that is no number": (
        [[delta("{", name="f", call="a", index="0")], [delta("}", index=True)]],
        [("f", "a", "{}")],
    ),
    "no ids at all": (
        [[delta("{}", name="f", index=0)], [delta("{ }", name="g", index=1)]],
        [("f", "fresh-0", "{}"), ("g", "fresh-1", "{ }")],
    ),
    "an id of the wrong type": ([[delta("{}", name="f", call=7)]], [("f", "fresh-0", "{}")]),
    "an id that comes last": (
        [[delta("{}", name="f")], [delta("", call="a")]],
        [("f", "a", "{}")],
    ),
    "arguments absent": ([[delta(..., name="f", call="a")]], [("f", "a", "")]),
    "arguments null": ([[delta(None, name="f", call="a")]], [("f", "a", "")]),
    "arguments as an object": (
        [[delta({"x": "ä"}, name="f", call="a")]],
        [("f", "a", '{"x": "ä"}')],
    ),
    "function null or absent": (
        [
            [delta("", name="f", call="a")],
            [{"index": 0, "function": None}],
            [{"index": 0}],
            [delta("{}")],
        ],
        [("f", "a", "{}")],
    ),
    "function of the wrong type": (
        [[delta("{}", name="f", call="a")], [{"index": 0, "function": "f"}]],
        [("f", "a", "{}")],
    ),
    "entries that are no deltas": (
        [[None, "f", 3, delta("{}", name="f")]],
        [("f", "fresh-0", "{}")],
    ),
    "no deltas": ([[], []], []),
}


@in_each(("events", "calls"), SHAPES)
def test_deltas_become_calls_of_which_each_event_holds_one_chunk(
    events: list[list[Any]], calls: list[Call]
) -> None:
    assert join(events) == calls
    deltas = ToolCallAssembler(numbered())
    for event in events:
        indices = [chunk["index"] for chunk in deltas.add(event)]
        assert len(indices) == len(set(indices))
    assert len(deltas) == len(calls)


def test_what_one_event_says_of_a_call_in_two_pieces_is_one_chunk() -> None:
    other = delta("{}", name="g", call="z", index=4)
    chunks = [delta('{"x"', index=5), delta(": 1}", name="f", call="a", index=5)]
    _, chunk = ToolCallAssembler(numbered()).add([other, *chunks])

    assert (chunk["index"], chunk["id"], chunk["name"]) == (1, "a", "f")
    assert chunk["args"] == '{"x": 1}'


def test_a_name_and_an_id_are_told_once() -> None:
    deltas = ToolCallAssembler(numbered())
    chunks = [deltas.add([delta("", name="f", call=f"id-{n}")])[0] for n in range(3)]

    assert [chunk["name"] for chunk in chunks] == ["f", None, None]
    assert [chunk["id"] for chunk in chunks] == ["id-0", None, None]


def test_closing_names_only_calls_without_an_id() -> None:
    deltas = ToolCallAssembler(numbered())
    deltas.add([delta("{}", name="f", call="a"), delta("{}", name="g", index=1)])

    assert [(chunk["index"], chunk["id"]) for chunk in deltas.close()] == [(1, "fresh-0")]


# ids as the server sends them -> ids as the calls get them
SHARED: dict[str, tuple[list[str], list[str]]] = {
    "ids of their own": (["a", "b"], ["a", "b"]),
    "one id": (["a", "a", "a"], ["a", "a_1", "a_2"]),
    "no ids": (["", ""], ["fresh-0", "fresh-1"]),
    "Kimi's numbers": (["functions.f:0", "functions.f:0"], ["functions.f:0", "functions.f:1"]),
    "a number that is taken": (["f:0", "f:1", "f:0"], ["f:0", "f:1", "f:2"]),
    "a neighbour that is taken": (["a", "a_1", "a"], ["a", "a_1", "a_2"]),
    "nine and ten": (["f:9", "f:9"], ["f:9", "f:10"]),
    "a number too long to be a count": (
        ["f:1234567890", "f:1234567890"],
        ["f:1234567890", "f:1234567890_1"],
    ),
    "line breaks": (["f\n:0", "f\n:0"], ["f\n:0", "f\n:1"]),
}


@in_each(("sent", "given"), SHARED)
def test_no_two_calls_get_the_same_id(sent: list[str], given: list[str]) -> None:
    ids = numbered()

    assert [ids.claim(server_id) for server_id in sent] == given


def test_a_fresh_id_that_is_taken_is_not_given_again() -> None:
    ids = ToolCallIds(lambda: "a")

    assert [ids.claim("a"), ids.claim("")] == ["a", "a_1"]


def whole(arguments: Any, **other: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": arguments},
    } | other


OBJECTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "JSON": ('{"x": [1, null]}', {"x": [1, None]}),
    "trailing space (Kimi-K2.5)": ('{"x": 1} ', {"x": 1}),
    "raw line breaks inside a string": ('{"x": "a\nb"}', {"x": "a\nb"}),
    "braces and quotes in a string": ('{"x": "}]{\\"["}', {"x": '}]{"['}),
    "NaN in a string": ('{"x": "NaN"}', {"x": "NaN"}),
    "an emoji of two escapes": ('{"x": "\\ud83d\\ude00"}', {"x": "\U0001f600"}),
    "an object": ({"x": 1}, {"x": 1}),
    "empty": ("", {}),
    "white space": (" \n", {}),
    "null": (None, {}),
    "null in a string": ("null", {}),
    "null between spaces": (" null\n", {}),
}


@in_each(("sent", "arguments"), OBJECTS)
@in_each("size", [1, 5])
def test_a_call_is_read_whole_and_streamed(sent: Any, arguments: dict[str, Any], size: int) -> None:
    calls, invalid = read_calls([whole(sent)], numbered())
    assert calls == [{"name": "f", "args": arguments, "id": "a", "type": "tool_call"}]
    assert invalid == []

    split = isinstance(sent, str) and sent
    texts = [sent[at : at + size] for at in range(0, len(sent), size)] if split else [sent]
    merged = merge([[delta(text, name="f", call="a")] for text in texts])

    assert [(call["name"], call["args"]) for call in merged.tool_calls] == [("f", arguments)]
    assert merged.invalid_tool_calls == []


LAST: dict[str, tuple[Any, bool]] = {
    "nothing": ("", False),
    "null": (None, False),
    "white space": (" ", False),
    "an object": ('{"a": 1}', True),
}


@in_each(("arguments", "complete"), LAST)
def test_the_last_call_of_a_cut_response_is_incomplete_without_arguments(
    arguments: Any, complete: bool
) -> None:
    deltas = [delta("", name="f", call="a"), delta(arguments, name="g", call="b", index=1)]
    merged = merge([deltas], cut=True)

    for calls, invalid in (
        (merged.tool_calls, merged.invalid_tool_calls),
        read_calls(deltas, numbered(), cut=True),
    ):
        assert [call["name"] for call in calls] == (["f", "g"] if complete else ["f"])
        assert [call["name"] for call in invalid] == ([] if complete else ["g"])


BROKEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "cut off": (whole('{"x": "Par'), {"name": "f", "args": '{"x": "Par'}),
    "not JSON": (whole("x=1"), {"name": "f", "args": "x=1"}),
    "an array": (whole("[1]"), {"name": "f", "args": "[1]"}),
    "an array, decoded": (whole([1]), {"name": "f", "args": "[1]"}),
    "a number": (whole("1"), {"name": "f", "args": "1"}),
    "NaN": (whole('{"x": NaN}'), {"name": "f", "args": '{"x": NaN}'}),
    "Infinity": (whole({"x": -1e999}), {"name": "f", "args": '{"x": -Infinity}'}),
    "nulls": (whole("nullnull"), {"name": "f", "args": "nullnull"}),
    "two objects": (whole("{}{}"), {"name": "f", "args": "{}{}"}),
    "nested too deep": (whole("[" * 9999), {"name": "f", "args": "[" * 9999}),
    "no name": (whole("{}", function={"arguments": "{}"}), {"name": None, "args": "{}"}),
    "a name of the wrong type": (
        whole("", function={"name": 7, "arguments": "{}"}),
        {"name": None, "args": "{}"},
    ),
    "no function": ({"id": "a"}, {"name": None, "args": '{"id": "a"}'}),
    "function null": (
        {"id": "a", "function": None},
        {"name": None, "args": '{"id": "a", "function": null}'},
    ),
}


@in_each(("sent", "kept"), BROKEN)
def test_a_broken_call_is_kept_as_it_came(sent: Any, kept: dict[str, Any]) -> None:
    calls, (invalid,) = read_calls([sent], numbered())

    assert calls == []
    reason = "the arguments are not a JSON object" if kept["name"] else "the call has no name"
    assert invalid == {**kept, "id": "a", "type": "invalid_tool_call", "error": reason}


def test_a_call_that_is_no_object_is_kept_as_text() -> None:
    _, invalid = read_calls(["f(1)"], numbered())

    assert [(call["name"], call["args"], call["id"]) for call in invalid] == [
        (None, "f(1)", "fresh-0")
    ]


def test_valid_and_broken_calls_never_share_an_id() -> None:
    calls, invalid = read_calls([whole("{}"), whole("{"), whole("{}")], numbered())

    assert [call["id"] for call in calls] == ["a", "a_2"]
    assert [call["id"] for call in invalid] == ["a_1"]


@in_each("raw", [None, {}, "x", 3, []])
def test_what_is_no_list_of_calls_holds_none(raw: Any) -> None:
    assert read_calls(raw, numbered()) == ([], [])


@in_each(("sent", "text"), [(None, ""), ("", ""), ("x", "x"), ({"ä": 1}, '{"ä": 1}'), (0, "0")])
def test_arguments_are_written_as_text(sent: Any, text: str) -> None:
    assert write_arguments(sent) == text


# deltas of one stream -> the raw text of the call that is not valid
INVALID: dict[str, tuple[list[Delta], str]] = {
    "cut inside a string": (
        [delta('{"path": "/tmp/a", "content": "hello wor', name="f")],
        '{"path": "/tmp/a", "content": "hello wor',
    ),
    "cut behind a value": ([delta('{"a"', name="f"), delta(": 1")], '{"a": 1'),
    "cut inside an array": ([delta('{"a": [1', name="f")], '{"a": [1'),
    "cut inside a string of an array": ([delta('{"a": ["x', name="f")], '{"a": ["x'),
    "cut behind a backslash": ([delta('{"a": "x\\', name="f")], '{"a": "x\\'),
    "cut behind a backslash in an array": ([delta('{"a": ["x\\', name="f")], '{"a": ["x\\'),
    **{
        f"a text: {text}": ([delta(text, name="f")], text)
        for text in (
            *("{", '{"a', '{"a":', '{"a": 1,', '{"a": tru', '{"a": "b\\u00', '{"a": 1}{"a": 2'),
            *('{"a": 1},', '{"a": 1}}', 'args: {"a": 1}', '"{\\"a\\": 1}"', "{'a': 1}"),
            '```json\n{"a": 1}\n```',
        )
    },
    "two objects": ([delta('{"a":1}', name="f"), delta('{"b":2}')], '{"a":1}{"b":2}'),
    "text behind the object": ([delta('{"a":1} ok', name="f")], '{"a":1} ok'),
    "NaN": ([delta('{"a": NaN}', name="f")], '{"a": NaN}'),
    "Infinity": ([delta({"a": -1e999}, name="f")], '{"a": -Infinity}'),
    "an array": ([delta("[1]", name="f")], "[1]"),
    "a cut array": ([delta("[1", name="f")], "[1"),
    "a number": ([delta("1", name="f"), delta("2")], "12"),
    "a string": ([delta('"x"', name="f")], '"x"'),
    "a cut null": ([delta("nul", name="f")], "nul"),
    "text": ([delta("x=1", name="f")], "x=1"),
    "a closing brace alone": ([delta("}", name="f")], "}"),
    "nested too deep": ([delta('{"a":' * 9999, name="f")], '{"a":' * 9999),
    "no name": ([delta('{"a": 1}')], '{"a": 1}'),
    "an empty name": ([delta('{"a": 1}', name="")], '{"a": 1}'),
    "a blank name": ([delta('{"a": 1}', name="\n\t")], '{"a": 1}'),
    "a name of the wrong type": ([delta('{"a": 1}', name=5)], '{"a": 1}'),
    "no name, no arguments": ([{"index": 0}], ""),
    "no name, null": ([delta("null")], "null"),
}


@in_each(("deltas", "text"), INVALID)
def test_streamed_arguments_that_are_no_object_are_never_a_valid_call(
    deltas: list[Delta], text: str
) -> None:
    merged = merge([[one] for one in deltas])

    assert merged.tool_calls == []
    (invalid,) = merged.invalid_tool_calls
    assert (invalid["args"] or "").startswith(text)
    assert len(invalid["args"] or "") <= len(text) + 3
    assert not invalid["name"] or invalid["name"] == "f"
    if len(text) < 9999:  # langchain-core's own parser raises RecursionError there
        block = finalize_tool_call_chunk(
            raw_args=invalid["args"], id_="a", name="f", extras={}, finalized_type="tool_call"
        )
        assert block["type"] == "invalid_tool_call"


@in_each("text", ["x=1", '"city": "Paris"}', "nul", "[1", "}", "{}}"])
def test_text_that_langchain_cannot_repair_is_kept_as_it_came(text: str) -> None:
    merged = merge([[delta(text, name="f", call="a")]])

    assert [call["args"] for call in merged.invalid_tool_calls] == [text]


# arguments in deltas -> what each event hands out, and what the end does
HELD: dict[str, tuple[list[str], list[str], str]] = {
    "an object goes out as it comes": (["{", '"a": ', "1}"], ["{", '"a": ', "1}"], ""),
    "white space waits for the object": (
        [" ", "\n", ' {"a"', ":1}"],
        ["", "", ' \n {"a"', ":1}"],
        "",
    ),
    "null is no arguments": (["nu", "ll"], ["", ""], ""),
    "null between spaces is none": ([" null", " "], ["", ""], ""),
    "white space is none": ([" ", "\n"], ["", ""], ""),
    "an array waits for the end": (["[", "1]"], ["", ""], "[1]]"),
}


@in_each(("sent", "out", "end"), HELD)
def test_argument_text_is_held_back_until_it_begins_an_object(
    sent: list[str], out: list[str], end: str
) -> None:
    assembler = ToolCallAssembler(numbered())
    found = [assembler.add([delta(text, name="f", call="a")])[0]["args"] for text in sent]

    assert found == out
    assert "".join(str(chunk["args"]) for chunk in assembler.close()) == end


def test_the_state_at_a_cut_is_shown_without_ending_the_calls() -> None:
    assembler = ToolCallAssembler(numbered())
    assembler.add([delta('{"a": 1', name="f", call="a"), delta("", name="g", call="b", index=1)])

    def endings(**how: Any) -> list[tuple[Any, Any, Any]]:
        return [(c["index"], c["id"], c["args"]) for c in assembler.endings(**how)]

    assert endings(cut=True) == [(0, None, "]"), (1, None, "]")]
    assert endings() == [(0, None, "]")]
    assembler.add([delta("}")])
    assert endings() == []
    assert endings(cut=True) == [(1, None, "]")]


def test_calls_end_once() -> None:
    assembler = ToolCallAssembler(numbered())
    assembler.add([delta("[1", name="f")])

    assert [(c["id"], c["args"]) for c in assembler.close()] == [("fresh-0", "[1")]
    assert assembler.close() == []
    assert assembler.endings() == []


# argument text in deltas -> the arguments of the call
SPLIT: dict[str, tuple[list[str], dict[str, Any]]] = {
    "an emoji over two deltas": (['{"a":"\ud83d', '\ude00"}'], {"a": "\U0001f600"}),
    "an escaped emoji over two deltas": (
        ['{"a":"\\ud83d', '\\ude00"}'],
        {"a": "\U0001f600"},
    ),
    "an escaped emoji, character by character": (
        list('{"a":"\\ud83d\\ude00"}'),
        {"a": "\U0001f600"},
    ),
    "a lone half": (['{"a":"\ud83d', 'x"}'], {"a": "\ufffdx"}),
    "a lone low half": (['{"a":"', '\ude00"}'], {"a": "\ufffd"}),
    "a lone escaped half": (['{"a":"\\ud8', '3dx"}'], {"a": "\ufffdx"}),
    "a lone escaped low half": (['{"a":"\\ude00"}'], {"a": "\ufffd"}),
    "a key": (['{"\\uD83D":1}'], {"\ufffd": 1}),
    "an escaped backslash before u": (['{"a":"\\', '\\ud83d"}'], {"a": "\\ud83d"}),
    "other escapes": (list('{"a":"\\n\\u00e9\\\\"}'), {"a": "\n\u00e9\\"}),
}


@in_each(("sent", "arguments"), SPLIT)
def test_surrogates_in_arguments_are_joined_or_replaced(
    sent: list[str], arguments: dict[str, Any]
) -> None:
    (streamed,) = merge([[delta(text, name="f", call="a")] for text in sent]).tool_calls
    ((invoked,), _) = read_calls([whole("".join(sent))], numbered())

    assert streamed["args"] == invoked["args"] == arguments


def test_ids_and_names_hold_no_lone_surrogates() -> None:
    sent = delta("{}", name="f\ud83d", call="a\ude00")
    (chunk,) = ToolCallAssembler(numbered()).add([sent])
    ((call,), _) = read_calls([sent], numbered())

    assert (chunk["name"], chunk["id"]) == (call["name"], call["id"]) == ("f\ufffd", "a\ufffd")


def test_raw_line_breaks_in_streamed_strings_are_escaped() -> None:
    assembler = ToolCallAssembler(numbered())
    sent = ['{\n"a": "x', "\n", 'y"}']
    found = [assembler.add([delta(text, name="f", call="a")])[0]["args"] for text in sent]

    assert found == ['{\n"a": "x', "\\n", 'y"}']
    assert assembler.close() == []


def test_an_id_without_an_index_continues_its_call() -> None:
    events: list[list[Any]] = [
        [delta("[", name="f", call="a", index=...), delta("[", name="g", call="b", index=...)],
        [delta("1]", call="a", index=...), delta("2]", call="b", index=...)],
        [delta(name="f", call="a", index=...)],
    ]
    calls = join(events)

    assert [(name, call) for name, call, _ in calls] == [("f", "a"), ("g", "b")]
    assert [arguments[:3] for *_, arguments in calls] == ["[1]", "[2]"]
