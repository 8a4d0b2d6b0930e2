from __future__ import annotations

from typing import Any

import pytest

from conformance.recording.documents import TooDeepError, flatten, split

# a text -> its documents, with objects as lists of pairs, and what is left of it
SPLIT: dict[str, tuple[str, list[Any], str]] = {
    "nothing": ("", [], ""),
    "words": ("two words", [], "two words"),
    "a document": ('{"a": ["b"]}', [[("a", ["b"])]], ""),
    "two pairs of one name": ('{"a": "b", "a": "c"}', [[("a", "b"), ("a", "c")]], ""),
    "a number, as it is spelt": ("[1.50, 1e3]", [["1.50", "1e3"]], ""),
    "a text": ('"a"', ["a"], ""),
    "white space around it": (' \t\r\n["a"] \r\n', [["a"]], ""),
    "a mark before it": ('\ufeff["a"]', [["a"]], ""),
    "a letter behind it": ('["a"]X', [], '["a"]X'),
    "a document that does not end": ('["a"', [], '["a"'),
    "documents in lines": ('["a"]\n["b"]\r["c"]\r\n["d"]', [["a"], ["b"], ["c"], ["d"]], ""),
    "an event": ('data: ["a"]\n\ndata:["b"]\r\n\r\n', [["a"], ["b"]], ""),
    "a line before an event's": ('["a"]\ndata: ["b"]\n\n', [["a"], ["b"]], ""),
    "an event of two lines": ('data: ["a",\ndata: "b"]', [["a", "b"]], ""),
    "an event of three lines": ('data: ["a",\ndata:\ndata: "b"]', [["a", "b"]], ""),
    "events before and behind it": (
        'data: ["a"]\n\ndata: ["b",\ndata: "c"]\n\ndata: ["d"]',
        [["a"], ["b", "c"], ["d"]],
        "",
    ),
    "the other lines of an event": ('id: 1\ndata: ["a",\ndata: "b"]\nx', [["a", "b"]], "id: 1\nx"),
    "an event of two documents": ('data: ["a"]\ndata: ["b"]', [["a"], ["b"]], ""),
    "lines that are none": ('one\n["a"]\n[\ntwo', [["a"]], "one\n[\ntwo"),
    "nothing but lines that are none": ("[\n\n{\ndata: {", [], "[\n\n{\ndata: {"),
}


@pytest.mark.parametrize(("text", "trees", "rest"), SPLIT.values(), ids=SPLIT)
def test_a_text_is_split_into_its_documents_and_the_rest(
    text: str, trees: list[Any], rest: str
) -> None:
    assert split(text) == (trees, rest)


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000])
def test_what_is_nested_without_end_is_too_deep(text: str) -> None:
    with pytest.raises(TooDeepError):
        split(text)


def _flatten(text: str) -> list[str | bytes]:
    return list(flatten(split(text)[0]))


# a text -> the lines of what is in it
LINES: dict[str, tuple[str, list[str]]] = {
    "a pair": ('{"a": "b"}', ["a: b"]),
    "a pair of which the value is no text": ('{"a": {"b": "c"}}', ["a", "b: c"]),
    "texts of a list": ('{"a": ["b"]}', ["a", "a: b"]),
    "nothing": ('{"a": null}', ["a"]),
    "truth": ('{"a": true}', ["a", "a: True"]),
    "truth twice": ('{"a": true}\n{"a": false}', ["a", "a: True", "a", "a: False"]),
    "names twice": ('{"a": {}}\n{"a": {}}', ["a", "a"]),
    "a doubled name": ('{"a": "b", "a": "c"}', ["a: b", "a: c", "a: bc"]),
    "events": ('data: {"a": "b"}\n\ndata: {"a": "c"}', ["a: b", "a: c", "a: bc"]),
    "other names": ('{"a": "b"}\n{"c": "d"}', ["a: b", "c: d"]),
    "other paths": ('{"a": {"c": "b"}}\n{"c": "d"}', ["a", "c: b", "c: d"]),
    "letters": ('["a", "b", "c"]', ["a", "b", "c", ": abc"]),
    "a list of two": ('["a", "b"]', ["a: b", "a", "b", ": ab"]),
    "lists of two": (
        '[["a", "b"], ["a", "c"]]',
        ["a: b", "a", "b", "a: c", "a", "c", ": abac"],
    ),
    "a list of two that begins with no text": ("[true, false]", ["True", "False"]),
    "a name and a value": (
        '{"key": "a", "val": "b"}',
        ["a: b", "key: a", "val: b"],
    ),
    "names and values": (
        '[{"name": "a", "value": "b"}]\n[{"name": "a", "value": "c"}]',
        [
            *("a: b", "name: a", "value: b", "a: c", "name: a", "value: c"),
            *("name: aa", "value: bc"),
        ],
    ),
    "choices by turns": (
        (
            '[{"index": 0, "a": "b"}, {"index": 1, "a": "c"}]\n'
            '[{"a": "d", "index": 1}, {"a": "e", "index": 0}]'
        ),
        [
            *("index: 0", "a: b", "index: 1", "a: c", "a: d", "index: 1", "a: e", "index: 0"),
            *("index: 00", "a: be", "index: 11", "a: cd"),
        ],
    ),
    "objects without an index": ('[{"a": "b"}, {"a": "c"}]', ["a: b", "a: c", "a: bc"]),
}


@pytest.mark.parametrize(("text", "lines"), LINES.values(), ids=LINES)
def test_what_a_text_holds_stands_in_lines(text: str, lines: list[str]) -> None:
    assert _flatten(text) == ["\n\n".join(lines)]


@pytest.mark.parametrize("said", ["{", "[", '"', "{}", " \n[]", "a data: b", "a\n{"])
def test_what_may_be_a_document_stands_alone_as_well(said: str) -> None:
    assert list(flatten([{"a": said}])) == [said, f"a: {said}"]
    assert list(flatten([{said: 1}])) == [said, f"{said}\n\n{said}: 1"]


@pytest.mark.parametrize("said", ["", "a", "a {}", "a\n[", "data"])
def test_what_is_no_document_does_not(said: str) -> None:
    assert list(flatten([{"a": said}])) == [f"a: {said}"]


def test_pieces_that_make_a_document_are_one() -> None:
    lines = ["a: [b", "a: ]", "a: [b]"]
    assert list(flatten([{"a": "[b"}, {"a": "]"}])) == ["[b", "[b]", "\n\n".join(lines)]


def test_bytes_stand_alone() -> None:
    assert list(flatten([{"a": [b"b", "c"]}])) == [b"b", "a\n\na: c"]


def test_a_node_is_read_where_it_stands_first() -> None:
    # Not in itself: without the rule that would never end, and take all memory there is.
    node = {"b": "c"}
    assert list(flatten([{"a": node, "d": node}, node])) == ["a\n\nb: c\n\nd"]
