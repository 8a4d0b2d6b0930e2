from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.maintenance.drift.shapes import Form, read_shape
from conformance.maintenance.drift.streams import says_text
from conformance.tests.suite.response_builders import (
    ANSWER,
    GOOD,
    USAGE,
    call,
    piece,
    response,
    stream,
)


def types(shape: Any) -> dict[str, set[str]]:
    return {path: set(found) for path, found in shape.fields.items()}


def test_a_shape_is_every_path_with_its_types() -> None:
    shape = read_shape(response(ANSWER, "Application/JSON; charset=utf-8"))
    assert (shape.status, shape.kind, shape.form) == (200, "application/json", "JSON")
    assert shape.facts == {}
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
    assert shape.form is Form.EVENTS
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
    assert read_shape(response(answer)).words == {"object": {"x"}, "choices[].role": {"a", "b"}}


def test_headers_are_names_beside_the_media_type() -> None:
    assert read_shape(response({}, cache_control="x", retry_after="3")).headers == {
        "cache-control",
        "retry-after",
    }


def test_a_field_stands_on_every_event_or_on_some() -> None:
    events = ({"id": 1, **piece("a")}, {"id": 2, "x": 1, **piece("b")}, {"error": {"message": "x"}})
    shape = read_shape(stream(*events))
    assert {"id", "choices", "choices[].delta", "choices[].finish_reason"} == shape.constant
    assert shape.broken == {"x"}


def test_what_comes_with_the_text_is_neither_regular_nor_is_what_comes_once() -> None:
    shape = read_shape(stream({"id": 1, **piece("a")}))
    assert shape.constant == set()
    shape = read_shape(stream(piece("a"), piece(None, "stop")))
    assert not any("delta." in path for path in shape.constant | shape.broken)
    assert read_shape(response({"choices": [{"a": 1}, {}]})).broken == set()


# --- the order of a stream ------------------------------------------------------------------------


BASE = {
    "ends with [DONE]": "yes",
    "events": "several",
    "unreadable events": "none",
    "finish reason": "once",
    "text after the finish reason": "no",
    "events with text": "two",
    "events with reasoning": "none",
    "ids of one tool call": "one",
    "usage": "on the last event",
    "usage without choices": "yes",
    "error inside": "no",
}


@pytest.mark.parametrize(
    ("events", "facts"),
    [
        (GOOD, {}),
        ((*GOOD[:3], GOOD[2], GOOD[3]), {"finish reason": "repeated"}),
        ((*GOOD[:2], GOOD[3]), {"finish reason": "never"}),
        ((*GOOD[:2], piece("c", "stop"), GOOD[3]), {"events with text": "several"}),
        (
            (*GOOD[:3], piece("late"), GOOD[3]),
            {"text after the finish reason": "yes", "events with text": "several"},
        ),
        (GOOD[:3], {"usage": "never", "usage without choices": "no"}),
        ((GOOD[3], *GOOD[:3]), {"usage": "on one event before the last"}),
        ((GOOD[0] | {"usage": USAGE}, *GOOD[1:]), {"usage": "on several events"}),
        (
            (*GOOD[:2], piece(None, "stop", usage=USAGE)),
            {"usage without choices": "no"},
        ),
        ((GOOD[0], *GOOD[2:]), {"events with text": "one"}),
        ((*GOOD[:3], {"error": {"message": "x"}}, GOOD[3]), {"error inside": "yes"}),
        ((*GOOD[:3], {"error": None}, GOOD[3]), {}),
        (("{cut", *GOOD), {"unreadable events": "some"}),
        (("ping", "ping", "ping", "ping", *GOOD), {"unreadable events": "some"}),
        (("ping", "ping", "ping", "ping", "ping", *GOOD), {"unreadable events": "most"}),
        ((call(0, "a"), call(0, "b"), *GOOD), {"ids of one tool call": "several"}),
        ((call(0, "a"), call(0, "a"), call(0, ""), call(1, "b"), *GOOD), {}),
        ((call(0, "a"), call(0, "b", choice=1), *GOOD), {}),
        ((call(None, "a"), call(None, "b"), *GOOD), {}),
        (
            ({"choices": [{"delta": {"reasoning": "a", "content": ""}}]}, *GOOD),
            {"events with reasoning": "one"},
        ),
        (
            ({"choices": [{"delta": {"reasoning_content": "a"}}]}, *GOOD),
            {"events with reasoning": "one"},
        ),
    ],
)
def test_the_order_of_events_is_facts(events: Any, facts: dict[str, str]) -> None:
    assert read_shape(stream(*events)).facts == {**BASE, **facts}


def test_a_stream_of_one_event_and_one_without_an_end() -> None:
    facts = read_shape(stream(piece("ab", "stop"), done=False)).facts
    assert (facts["events"], facts["ends with [DONE]"]) == ("one", "no")
    early = response("data: [DONE]\n\ndata: {}\n\n", "text/event-stream")
    assert read_shape(early).facts["ends with [DONE]"] == "no"


@pytest.mark.parametrize(
    "event",
    [
        5,
        [],
        {"choices": None},
        {"choices": 5},
        {"choices": {"a": 1}},
        {"choices": [5]},
        {"choices": [{"delta": 5}]},
        {"choices": [{"delta": {"tool_calls": 5}}]},
        {"choices": [{"delta": {"tool_calls": [5, {}]}}]},
    ],
)
def test_odd_events_are_read_as_well(event: Any) -> None:
    facts = read_shape(stream(event, event)).facts
    assert (facts["finish reason"], facts["usage"]) == ("never", "never")
    assert not says_text(event)
    assert says_text(json.loads(json.dumps(piece("x"))))
