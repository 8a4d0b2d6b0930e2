from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.drift.shapes import Change, Severity, Shape, compare_shapes, read_shape

ANSWER = {"id": "a", "n": 1, "f": 0.5, "choices": [{"text": "x", "stop": None}], "ok": True}


def response(body: Any, kind: str = "application/json", status: int = 200) -> dict[str, Any]:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return {
        "status": {"code": status, "message": ""},
        "headers": {"content-type": [kind]} if kind else {},
        "body": {"string": text},
    }


def stream(*events: Any, done: bool = True) -> dict[str, Any]:
    said = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return response(said + "data: [DONE]\n\n" * done, "text/event-stream; charset=utf-8")


def piece(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    return {"choices": [{"delta": delta, "finish_reason": finish}], **more}


USAGE = {"total_tokens": 3}
GOOD = (piece("a"), piece("b"), piece(None, "stop"), {"choices": [], "usage": USAGE})


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    changes = compare_shapes(read_shape(old), read_shape(new))
    return [(str(change.severity), change.where, change.what) for change in changes]


def test_a_shape_is_every_path_with_its_types() -> None:
    shape = read_shape(response(ANSWER, "Application/JSON; charset=utf-8"))
    assert (shape.status, shape.kind, shape.order) == (200, "application/json", {})
    assert {path: set(types) for path, types in shape.fields.items()} == {
        "$": {"object"},
        "id": {"string"},
        "n": {"number"},
        "f": {"number"},
        "choices": {"array"},
        "choices[]": {"object"},
        "choices[].text": {"string"},
        "choices[].stop": {"null"},
        "ok": {"boolean"},
    }


def test_a_streams_shape_is_that_of_all_its_events() -> None:
    shape = read_shape(stream(piece("a", None), piece(None, "stop")))
    assert shape.fields["choices[].finish_reason"] == {"null", "string"}
    assert shape.fields["choices[].delta.content"] == {"string"}


@pytest.mark.parametrize("body", [b"\xff\xfe", "<html>", "", "data: {cut"])
def test_what_is_no_json_has_no_fields(body: Any) -> None:
    assert read_shape(response(body, "")).fields == {}
    assert read_shape(response(body, "")).kind == ""


def test_equal_shapes_do_not_differ_whatever_they_say() -> None:
    assert compare(response(ANSWER), response({**ANSWER, "id": "b", "n": 2.5})) == []
    assert compare(stream(*GOOD), stream(piece("x"), *GOOD)) == []


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
    ("value", "what"),
    [
        ("5", "number became string"),
        (None, "number became null"),
        ([1], "number became array"),
        (True, "number became boolean"),
    ],
)
def test_another_type_fails(value: Any, what: str) -> None:
    found = compare(response({"n": 1}), response({"n": value}))
    assert found[-1] == ("failure", "n", what)


def test_a_type_that_does_not_come_any_more_is_no_change() -> None:
    old, new = response([{"a": None}, {"a": "x"}]), response([{"a": "x"}])
    assert compare(old, new) == []
    assert compare(new, old) == [("failure", "[].a", "string became null or string")]


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
    ("new", "fact", "what"),
    [
        (stream(*GOOD, done=False), "ends with [DONE]", "yes became no"),
        (stream(*GOOD[:2], GOOD[3]), "finish reason", "once became never"),
        (stream(*GOOD[:3], GOOD[2], GOOD[3]), "finish reason", "once became repeated"),
        (
            stream(*GOOD[:3], piece("late"), GOOD[3]),
            "text after the finish reason",
            "no became yes",
        ),
        (stream(*GOOD[:3]), "usage", "on the last event became never"),
        (
            stream(piece("a", usage=USAGE), *GOOD[1:]),
            "usage",
            "on the last event became on several events",
        ),
        (
            stream(*GOOD[:2], piece(None, "stop", usage=USAGE)),
            "usage without choices",
            "yes became no",
        ),
        (stream(*GOOD, {"error": {"message": "x"}}), "error inside", "no became yes"),
        (stream(piece("ab", "stop", usage=USAGE)), "events", "several became one"),
    ],
)
def test_another_order_of_events_warns(new: dict[str, Any], fact: str, what: str) -> None:
    assert ("warning", f"stream: {fact}", what) in compare(stream(*GOOD), new)


def test_text_beside_the_finish_reason_is_not_after_it() -> None:
    order = read_shape(stream(piece("a"), piece("b", "stop"))).order
    assert order["text after the finish reason"] == "no"


@pytest.mark.parametrize(
    "event", [5, [], {"choices": None}, {"choices": [5]}, {"choices": [{"delta": 5}]}]
)
def test_odd_events_are_read_as_well(event: Any) -> None:
    order = read_shape(stream(event)).order
    assert (order["finish reason"], order["usage"]) == ("never", "never")


def test_a_stream_is_not_compared_in_order_with_what_is_none() -> None:
    whole, pieces = read_shape(response({})), read_shape(stream(*GOOD))
    changes = compare_shapes(pieces, whole)
    assert not any(change.where.startswith("stream") for change in changes)
    assert compare_shapes(Shape(200, "a"), Shape(200, "a")) == []
    assert Change(Severity.WARNING, "a", "b").severity == "warning"
