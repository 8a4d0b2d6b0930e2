from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.maintenance.drift.shapes import Change, compare_shapes, merge, read_shape
from conformance.tests.suite.response_builders import ANSWER, GOOD, call, piece, response, stream


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


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("3", "integer"),
        ("3.5", "number"),
        ("NaN", "NaN or Infinity"),
        ("-Infinity", "NaN or Infinity"),
        ("1e999", "NaN or Infinity"),
    ],
)
def test_numbers_are_told_apart_by_what_a_reader_makes_of_them(number: str, kind: str) -> None:
    assert read_shape(response(f'{{"n": {number}}}'))["n"] == {kind}


def test_a_streams_shape_is_that_of_all_its_events_and_the_end_is_a_field() -> None:
    shape = read_shape(stream(piece("a", None), piece(None, "stop")))
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
        (b'\xef\xbb\xbf{"a": 1}', "unreadable"),
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


def describe(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(str(change.severity), change.where, change.what) for change in changes]


def compare(old: Any, new: Any, *others: Any) -> list[tuple[str, str, str]]:
    """Compare two responses; the others were recorded in the same lane."""
    shapes = [read_shape(each) for each in (old, *others)]
    return describe(compare_shapes(shapes[0], read_shape(new), merge(shapes)))


TEXTS = tuple(piece(text) for text in "abcd")
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
        (5, 5.0, "failure", "integer became number"),
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


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        (
            response(ANSWER),
            response({"error": "x"}, status=503),
            "HTTP status",
            "200 became 503",
        ),
        (response(ANSWER), response("<html>"), "the body", "JSON became unreadable"),
        (response(ANSWER), response(""), "the body", "JSON became empty"),
        (stream(*GOOD), response(ANSWER), "the body", "events became JSON"),
        (stream(*GOOD), stream("{cut"), "the body", "events became unreadable"),
        (stream(*GOOD), stream(), "the body", "events became unreadable"),
        (
            response({}),
            response({}, "text/plain"),
            "header content-type",
            "application/json became text/plain",
        ),
        (response({}), response({}, ""), "header content-type", "application/json became none"),
        (response({}, ""), response({}), "header content-type", "none became application/json"),
        (
            response([{"role": "a"}]),
            response([{"role": "a"}, {"role": "b"}]),
            "[].role",
            '"a" became "a" or "b"',
        ),
    ],
)
def test_another_status_body_media_type_or_word_is_one_failure(
    old: Any, new: Any, where: str, what: str
) -> None:
    assert compare(old, new) == [("failure", where, what)]


def test_headers_that_cassettes_keep_come_and_go() -> None:
    old, new = response({}, cache_control="a"), response({}, retry_after="3")
    assert compare(old, new) == [
        ("information", "header retry-after", "new, text"),
        ("warning", "header cache-control", "missing, was text"),
    ]


def test_words_are_known_from_the_lanes_answers_of_the_same_form() -> None:
    old, new = response({"object": "a"}), response({"object": "b"})
    assert compare(old, new, response({"object": "b"})) == []
    assert compare(old, new, stream({"object": "b"}))[0][0] == "failure"


def test_the_end_of_a_stream_and_an_error_inside_are_fields() -> None:
    old = stream(*GOOD)
    assert compare(old, stream(*GOOD, done=False)) == [
        ("warning", "[DONE]", "missing, was the last event")
    ]
    assert compare(stream(*GOOD, done=False), old)[0][0] == "information"
    assert compare(old, stream(*GOOD, {"error": {"a": 1}})) == [
        ("information", "error", "new, object")
    ]
