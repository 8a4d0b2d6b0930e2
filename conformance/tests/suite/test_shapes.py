from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.maintenance.drift.shapes import compare_shapes, merge, read_shape
from conformance.tests.suite.response_builders import ANSWER, GOOD, call, chunk, response, stream


def test_a_shape_is_every_path_with_its_types() -> None:
    assert read_shape(response(ANSWER, "Application/JSON; charset=utf-8", retry_after="3")) == {
        "HTTP status": {"200"},
        "the body": {"JSON"},
        "header content-type": {"application/json"},
        "header retry-after": {"text"},
        "$": {"object"},
        "id": {"string"},
        "n": {"integer"},
        "f": {"number"},
        "choices": {"array"},
        "choices[]": {"object"},
        "choices[].text": {"string"},
        "choices[].stop": {"null"},
        "ok": {"boolean"},
    }


def test_numbers_are_told_apart_by_what_a_reader_makes_of_them() -> None:
    kinds = {"3": "integer", "3.5": "number"}
    kinds |= dict.fromkeys(("NaN", "-Infinity", "1e999"), "NaN or Infinity")
    for number, kind in kinds.items():
        assert read_shape(response(f'{{"n": {number}}}'))["n"] == {kind}


def test_a_streams_shape_is_that_of_all_its_events_and_the_end_is_a_field() -> None:
    shape = read_shape(stream(chunk("a", None), chunk(None, "stop")))
    assert shape["choices[].finish_reason"] == {"null", '"stop"'}
    assert shape["choices[].delta.content"] == {"string"}
    assert shape["[DONE]"] == {"the last event"}
    assert "[DONE]" not in read_shape(stream(*GOOD, done=False))
    early = response("data: [DONE]\n\ndata: {}\n\n", "text/event-stream")
    assert "[DONE]" not in read_shape(early)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"data: [DONE]\n\n", "unreadable"),
        (b"null", "JSON"),
        (b'\n {"a": "data: x"}', "JSON"),
        (b"<html>data: x</html>", "unreadable"),
        (b'{"cut": ', "unreadable"),
        (b"data: {cut\n\n", "unreadable"),
        (b"data: {}\n\ndata: {cut\n\n", "events"),
        (b'{"a": "\xe9"}', "unreadable"),
        (b'\xef\xbb\xbf{"a": 1}', "JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "unreadable"),
        (b"1" * 10_000, "unreadable"),
        ("{}", "JSON"),
    ],
)
def test_a_body_is_what_it_can_be_read_as_whatever_its_media_type(body: Any, form: str) -> None:
    shape = read_shape(response(body, ""))
    assert (shape["the body"], shape["header content-type"]) == ({form}, {"none"})
    assert ("$" in shape) == (form in {"JSON", "events"})


def test_what_is_nested_deeply_is_read_as_far_as_anybody_looks() -> None:
    shape = read_shape(response('{"a":' * 900 + "1" + "}" * 900))
    assert max(path.count(".") for path in shape) == 63


def test_words_of_small_vocabularies_are_their_own_types() -> None:
    answer = {"object": "x" * 41, "choices": [{"role": "a", "text": "t"}, {"role": "b", "type": 5}]}
    shape = read_shape(response(answer))
    assert shape["object"] == {f'"{"x" * 40}"'}
    assert shape["choices[].role"] == {'"a"', '"b"'}
    assert shape["choices[].type"] == {"integer"}


# --- two responses --------------------------------------------------------------------------------


def compare(old: Any, new: Any, *others: Any) -> list[str]:
    """Compare two responses; the others were recorded in the same lane."""
    shapes = [read_shape(each) for each in (old, *others)]
    changes = compare_shapes(shapes[0], read_shape(new), merge(shapes))
    return [f"{change.severity} {change.where}: {change.what}" for change in changes]


TEXTS = tuple(chunk(text) for text in "abcd")
TALKATIVE = (*TEXTS, *GOOD[2:])


def rewrite(answer: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    return {**answer, "body": {"string": answer["body"]["string"].replace(before, after)}}


HARMLESS = {
    "other words and numbers": (response(ANSWER), response({**ANSWER, "id": "b", "n": 9})),
    "a fraction for a fraction": (response(ANSWER), response({**ANSWER, "f": 2})),
    "a documented reason": (response({"finish_reason": "x"}), response({"finish_reason": "stop"})),
    "some noise": (stream(*GOOD), stream("{cut", *GOOD)),
    "order of keys": (response(ANSWER), response(dict(reversed(ANSWER.items())))),
    "white space": (response(ANSWER), response(json.dumps(ANSWER, indent=4))),
    "charset": (response({}), response({}, "application/json;charset=utf-8")),
    "a second tool call": (
        response({"tool_calls": [{"id": "a", "type": "function"}]}),
        response({"tool_calls": [{"id": "a", "type": "function"}] * 2}),
    ),
    "a second streamed tool call": (
        stream(call(0, "a"), call(0)),
        stream(call(0, "a"), call(0), call(1, "b"), call(1)),
    ),
    "more chunks": (stream(*GOOD), stream(*TALKATIVE)),
    "fewer chunks": (stream(*TALKATIVE), stream(*GOOD)),
    "comments": (stream(*GOOD), rewrite(stream(*GOOD), "data: [", ": x\n\ndata: [")),
    "names of events": (stream(*GOOD), rewrite(stream(*GOOD), "data: [", "id: 1\ndata: [")),
    "CRLF": (stream(*GOOD), rewrite(stream(*GOOD), "\n", "\r\n")),
    "no blank after the colon": (stream(*GOOD), rewrite(stream(*GOOD), "data: ", "data:")),
    "data: in a text": (stream(*GOOD), stream(chunk("data: x\ndata: y"), *GOOD)),
    "odd line ends in a text": (stream(*GOOD), stream(chunk("a\u2028data: \u0085"), *GOOD)),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_variation_is_silent(name: str) -> None:
    assert compare(*HARMLESS[name]) == []


LESS = {name: value for name, value in ANSWER.items() if name != "choices"}
NULLS, TEXT = response([{"a": None}, {"a": "x"}]), response([{"a": "x"}])
ROLES = response([{"role": "a"}, {"role": "b"}])
OBJECT, STREAM = response(ANSWER), stream(*GOOD)
# what changed -> old and new response, what is reported, and what else the lane recorded
CHANGES: dict[str, tuple[Any, ...]] = {
    "a new field, and not what is below": (
        OBJECT,
        response({**ANSWER, "new": {"x": [{"y": 1}]}}),
        ["information new: new, object"],
    ),
    "a missing field": (OBJECT, response(LESS), ["warning choices: missing, was array"]),
    "fields that only begin alike": (
        response({}),
        response({"a": 1, "ab": 1}),
        ["information a: new, integer", "information ab: new, integer"],
    ),
    "another top": (OBJECT, response([ANSWER]), ["failure $: object became array"]),
    "no null any more": (NULLS, TEXT, []),
    "null at times": (TEXT, NULLS, ["warning [].a: null at times now, was string"]),
    "null at times, as the lane knows": (TEXT, NULLS, [], response([{"a": None}])),
    "a status": (OBJECT, response({}, status=503), ["failure HTTP status: 200 became 503"]),
    "another word": (response([{"role": "a"}]), ROLES, ['failure [].role: "a" became "a" or "b"']),
    "a word that the lane knows": (response([{"role": "a"}]), ROLES, [], ROLES),
    "a type that only the lane's streams have": (
        response({"a": "x"}),
        response({"a": 1}),
        ["failure a: string became integer"],
        stream({"a": 1}),
    ),
    "headers": (
        response({}, cache_control="a"),
        response({}, retry_after="3"),
        [
            "information header retry-after: new, text",
            "warning header cache-control: missing, was text",
        ],
    ),
    "a media type": (
        response({}),
        response({}, ""),
        ["failure header content-type: application/json became none"],
    ),
    "no end": (STREAM, stream(*GOOD, done=False), ["warning [DONE]: missing, was the last event"]),
    "an error": (STREAM, stream(*GOOD, {"error": {"a": 1}}), ["information error: new, object"]),
    "a page": (OBJECT, response("<html>"), ["failure the body: JSON became unreadable"]),
    "nothing": (OBJECT, response(""), ["failure the body: JSON became empty"]),
    "a document": (STREAM, OBJECT, ["failure the body: events became JSON"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_change_is_reported_once_by_how_much_it_matters(what: str) -> None:
    old, new, reported, *others = CHANGES[what]
    assert compare(old, new, *others) == reported


@pytest.mark.parametrize(
    ("old", "new", "other", "reported"),
    [
        (5, "5", 7, ["failure a: integer became string"]),
        (5, True, 7, ["failure a: integer became boolean"]),
        (5, 5.0, 7, ["failure a: integer became number"]),
        (5, float("nan"), 7, ["failure a: integer became NaN or Infinity"]),
        ({"b": {"c": 1}}, None, 7, ["warning a: missing, null now, was object"]),
        ({"b": {"c": 1}}, [1], 7, ["failure a: object became array"]),
        (None, {"b": {"c": 1}}, None, ["information a: new, was null, is object"]),
        ("x", [1], [2], []),
        ("x", 1.5, 0.5, []),
        ("x", 3, 0.5, []),
        ("x", {"b": 1}, [1], ["failure a: string became object"]),
        (None, 5, "x", ["failure a: null became integer"]),
        (None, "y", "x", ["information a: new, was null, is string"]),
        ("x", None, None, ["warning a: missing, null now, was string"]),
    ],
)
def test_another_type_is_reported_once_unless_its_lane_knows_it_at_that_path(
    old: Any, new: Any, other: Any, reported: list[str]
) -> None:
    found = compare(response({"a": old}), response({"a": new}), response({"a": other}))
    assert [each for each in found if " a: " in each] == reported
