from __future__ import annotations

from typing import Any

import pytest

from conformance.maintenance.drift.shapes import Form, read_shape
from conformance.tests.suite.response_builders import (
    ANSWER,
    GOOD,
    piece,
    response,
    stream,
)


def types(shape: Any) -> dict[str, set[str]]:
    return {path: set(found) for path, found in shape.fields.items()}


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


def test_the_end_of_a_stream_is_a_field_if_it_is_the_last_event() -> None:
    assert types(read_shape(stream(*GOOD)))["[DONE]"] == {"the last event"}
    assert "[DONE]" not in read_shape(stream(*GOOD, done=False)).fields
    early = response("data: [DONE]\n\ndata: {}\n\n", "text/event-stream")
    assert "[DONE]" not in read_shape(early).fields
