from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.maintenance.drift.shapes import Change, compare_shapes, merge, read_shape
from conformance.tests.suite.response_builders import ANSWER, GOOD, call, piece, response, stream


def types(shape: Any) -> dict[str, set[str]]:
    return {path: found for path, found in shape.fields.items() if not path.startswith("=")}


def test_a_shape_is_every_path_with_its_types() -> None:
    shape = read_shape(response(ANSWER, "Application/JSON; charset=utf-8"))
    assert (shape.status, shape.kind, shape.form) == (200, "application/json", "JSON")
    assert types(shape) == {
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


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("3", "integer"),
        ("3.0", "whole number"),
        ("3.5", "number"),
        ("NaN", "NaN or Infinity"),
        ("-Infinity", "NaN or Infinity"),
        ("1e999", "NaN or Infinity"),
    ],
)
def test_numbers_are_told_apart_by_what_a_reader_makes_of_them(number: str, kind: str) -> None:
    assert types(read_shape(response(f'{{"n": {number}}}')))["n"] == {kind}


def test_a_streams_shape_is_that_of_all_its_events() -> None:
    shape = read_shape(stream(piece("a", None), piece(None, "stop")))
    assert shape.form == "events"
    assert types(shape)["choices[].finish_reason"] == {"null", "string"}
    assert types(shape)["choices[].delta.content"] == {"string"}


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"data: [DONE]\n\n", "empty"),
        (b"null", "JSON"),
        (b'\n {"a": "data: x"}', "JSON"),
        (b"<html>data: x</html>", "unreadable"),
        (b'{"cut": ', "unreadable"),
        (b"data: {cut\n\n", "unreadable"),
        (b"data: {}\n\ndata: {cut\n\n", "events"),
        (b'{"a": "\xe9"}', "unreadable"),
        (b'\xef\xbb\xbf{"a": 1}', "unreadable"),
        (b"[" * 100_000 + b"]" * 100_000, "unreadable"),
        (b"1" * 10_000, "unreadable"),
        ("{}", "JSON"),
    ],
)
def test_a_body_is_what_it_can_be_read_as_whatever_its_media_type(body: Any, form: str) -> None:
    shape = read_shape(response(body, ""))
    assert (shape.form, shape.kind) == (form, "")
    assert bool(shape.fields) == (form in {"JSON", "events"})


def test_what_is_nested_deeply_is_read_as_far_as_anybody_looks() -> None:
    shape = read_shape(response('{"a":' * 900 + "1" + "}" * 900))
    assert max(path.count(".") for path in shape.fields) == 63


def test_small_vocabularies_are_read_and_other_texts_are_not() -> None:
    answer = {"object": "x", "choices": [{"role": "a", "text": "t"}, {"role": "b", "type": 5}]}
    fields = read_shape(response(answer)).fields
    words = {path: values for path, values in fields.items() if path.startswith("=")}
    assert words == {"=object": {"x"}, "=choices[].role": {"a", "b"}}


def test_headers_are_names_beside_the_media_type() -> None:
    assert types(read_shape(response({}, cache_control="x", retry_after="3"))) == {
        "$": {"object"},
        "header cache-control": {"text"},
        "header retry-after": {"text"},
    }


def test_the_end_of_a_stream_is_a_field_if_it_is_the_last_event() -> None:
    assert types(read_shape(stream(*GOOD)))["[DONE]"] == {"the last event"}
    assert "[DONE]" not in read_shape(stream(*GOOD, done=False)).fields
    early = response("data: [DONE]\n\ndata: {}\n\n", "text/event-stream")
    assert "[DONE]" not in read_shape(early).fields


# --- two responses --------------------------------------------------------------------------------


def describe(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(str(change.severity), change.where, change.what) for change in changes]


def compare(old: Any, new: Any, *others: Any) -> list[tuple[str, str, str]]:
    """Compare two responses; the others were recorded in the same lane."""
    shapes = [read_shape(each) for each in (old, *others)]
    baseline = merge(shapes) if others else None
    return describe(compare_shapes(shapes[0], read_shape(new), baseline))


TEXTS = tuple(piece(text) for text in "abcd")
TALKATIVE = (*TEXTS, *GOOD[2:])


def rewrite(answer: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    return {**answer, "body": {"string": answer["body"]["string"].replace(before, after)}}


HARMLESS = {
    "other words and numbers": (response(ANSWER), response({**ANSWER, "id": "b", "n": 9})),
    "a fraction for a fraction": (response(ANSWER), response({**ANSWER, "f": 2})),
    "a whole number with a point": (response(ANSWER), response({**ANSWER, "n": 2.0})),
    "a fraction where a point was": (response({"n": 0.0}), response({"n": -0.25})),
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
    "data: in a text": (stream(*GOOD), stream(piece("data: x\ndata: y"), *GOOD)),
    "odd line ends in a text": (stream(*GOOD), stream(piece("a\u2028data: \u0085"), *GOOD)),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_variation_is_silent(name: str) -> None:
    assert compare(*HARMLESS[name]) == []


def test_a_new_field_informs_once_and_not_about_what_is_below() -> None:
    found = compare(response(ANSWER), response({**ANSWER, "new": {"x": [{"y": 1}]}}))
    assert found == [("information", "new", "new, object")]


def test_a_missing_field_warns_once_and_not_about_what_was_below() -> None:
    less = {name: value for name, value in ANSWER.items() if name != "choices"}
    assert compare(response(ANSWER), response(less)) == [
        ("warning", "choices", "missing, was array")
    ]


def test_paths_that_only_begin_alike_are_told_apart() -> None:
    assert [where for _, where, _ in compare(response({}), response({"a": 1, "ab": 1}))] == [
        "a",
        "ab",
    ]


@pytest.mark.parametrize(
    ("old", "new", "severity", "what"),
    [
        (5, "5", "failure", "integer became string"),
        (5, [{"a": 1}], "failure", "integer became array"),
        (5, True, "failure", "integer became boolean"),
        (5, 5.5, "failure", "integer became number"),
        (5, float("nan"), "failure", "integer became NaN or Infinity"),
        (5, None, "warning", "missing, null now, was integer"),
        ({"a": {"b": 1}}, None, "warning", "missing, null now, was object"),
        ({"a": {"b": 1}}, [1], "failure", "object became array"),
        (None, "x", "information", "new, was null, is string"),
        (None, {"a": {"b": 1}}, "information", "new, was null, is object"),
    ],
)
def test_another_type_is_told_once_by_how_much_it_matters(
    old: Any, new: Any, severity: str, what: str
) -> None:
    assert compare(response({"n": old}), response({"n": new})) == [(severity, "n", what)]


def test_another_type_at_the_top_is_all_there_is_to_tell() -> None:
    found = compare(response(ANSWER), response([ANSWER]))
    assert found == [("failure", "$", "object became array")]


def test_a_type_that_does_not_come_any_more_is_no_change() -> None:
    old, new = response([{"a": None}, {"a": "x"}]), response([{"a": "x"}])
    assert compare(old, new) == []
    assert compare(new, old) == [("warning", "[].a", "null at times now, was string")]


@pytest.mark.parametrize(
    ("old", "new", "other", "told"),
    [
        ("x", [1], [2], []),
        ("x", 1.5, 0.5, []),
        ("x", 3, 0.5, []),
        ("x", {"b": 1}, [1], [("failure", "a", "string became object")]),
        (None, 5, "x", [("failure", "a", "null became integer")]),
        (None, "y", "x", [("information", "a", "new, was null, is string")]),
        ("x", None, None, [("warning", "a", "missing, null now, was string")]),
    ],
)
def test_a_type_that_its_lane_knows_at_that_path_is_no_change(
    old: Any, new: Any, other: Any, told: Any
) -> None:
    found = compare(response({"a": old}), response({"a": new}), response({"a": other}))
    assert [each for each in found if each[1] == "a"] == told


def test_null_at_times_is_known_from_the_lane_too() -> None:
    old, new = response([{"a": "x"}]), response([{"a": None}, {"a": "x"}])
    assert compare(old, new, response([{"a": None}])) == []


def test_what_a_stream_shows_is_not_known_of_whole_answers() -> None:
    found = compare(response({"a": "x"}), response({"a": 1}), stream({"a": 1}))
    assert found == [("failure", "a", "string became integer")]


def test_another_status_fails_and_says_nothing_else() -> None:
    assert compare(response(ANSWER), response({"error": "x"}, status=503)) == [
        ("failure", "status", "200 became 503")
    ]


@pytest.mark.parametrize(
    ("new", "what"), [("text/plain", "became text/plain"), ("", "became none")]
)
def test_another_media_type_fails(new: str, what: str) -> None:
    [(severity, where, told)] = compare(response({}), response({}, new))
    assert (severity, where, told) == ("failure", "content-type", f"application/json {what}")
    assert compare(response({}, ""), response({}))[0][2] == "none became application/json"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (response(ANSWER), response("<html>", "text/html"), "JSON became unreadable (text/html)"),
        (response(ANSWER), response("", ""), "JSON became empty (no content-type)"),
        (stream(*GOOD), response(ANSWER), "events became JSON (application/json)"),
        (stream(*GOOD), stream("{cut"), "events became unreadable (text/event-stream)"),
        (stream(*GOOD), stream(), "events became empty (text/event-stream)"),
    ],
)
def test_a_body_that_is_something_else_is_one_failure(old: Any, new: Any, what: str) -> None:
    assert compare(old, new) == [("failure", "body", what)]


def test_a_body_nested_too_deeply_is_told_as_unreadable() -> None:
    deep = response("[" * 100_000 + "]" * 100_000)
    assert compare(response(ANSWER), deep) == [
        ("failure", "body", "JSON became unreadable (application/json)")
    ]


def test_headers_that_cassettes_keep_come_and_go() -> None:
    old, new = response({}, cache_control="a"), response({}, retry_after="3")
    assert compare(old, new) == [
        ("information", "header retry-after", "new, text"),
        ("warning", "header cache-control", "missing, was text"),
    ]


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["object", "role", "type", "finish_reason"])
def test_a_word_that_was_never_recorded_fails(name: str) -> None:
    found = compare(response([{name: "a"}]), response([{name: "a"}, {name: "b"}]))
    assert found == [("failure", f"[].{name}", '"b" was never recorded')]


@pytest.mark.parametrize(
    "reason", ["stop", "length", "tool_calls", "content_filter", "function_call"]
)
def test_a_documented_finish_reason_informs(reason: str) -> None:
    old, new = response({"finish_reason": "x"}), response({"finish_reason": reason})
    [(severity, *_)] = compare(old, new)
    assert severity == "information"
    [(severity, *_)] = compare(response({"role": "x"}), response({"role": reason}))
    assert severity == "failure"


def test_words_are_known_from_the_lanes_answers_of_the_same_form() -> None:
    old, new = response({"object": "a"}), response({"object": "b"})
    assert compare(old, new, response({"choices": [{"object": "b"}]})) == []
    assert compare(old, new, stream({"object": "b"}))[0][0] == "failure"


def test_a_word_of_a_new_field_is_told_with_it_and_a_long_one_is_cut() -> None:
    assert compare(response({}), response({"type": "b"})) == [
        ("information", "type", "new, string")
    ]
    [(_, _, what)] = compare(response({"type": "a"}), response({"type": "b" * 41}))
    assert what == f'"{"b" * 39}…" was never recorded'
    assert compare(response({"type": "a"}), response({"type": "b" * 40}))[0][2].startswith(
        f'"{"b" * 40}"'
    )


# --- a stream ------------------------------------------------------------------------------------


def test_the_end_of_a_stream_and_an_error_inside_are_fields() -> None:
    old = stream(*GOOD)
    assert compare(old, stream(*GOOD, done=False)) == [
        ("warning", "[DONE]", "missing, was the last event")
    ]
    assert compare(stream(*GOOD, done=False), old)[0][0] == "information"
    assert compare(old, stream(*GOOD, {"error": {"a": 1}})) == [
        ("information", "error", "new, object")
    ]


def test_a_stream_most_of_which_is_unreadable_is_a_failure() -> None:
    assert compare(stream(*GOOD), stream(*["{cut"] * 4, *GOOD)) == []
    [(severity, where, what)] = compare(stream(*GOOD), stream(*["{cut"] * 5, *GOOD))
    assert (severity, where) == ("failure", "body")
    assert what == "events became unreadable (text/event-stream)"
