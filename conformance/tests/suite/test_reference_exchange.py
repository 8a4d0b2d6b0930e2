from __future__ import annotations

import pytest

from conformance.reference import AnswerPlan, BodyChunk, make_request
from conformance.reference.exchange import DONE, encode_json, plan_json, plan_stream


def test_a_request_shows_neither_its_key_nor_its_body() -> None:
    request = make_request("http://h/v1/models?x=1", {"secret": 1}, authorization="Bearer sk-1")
    assert repr(request) == "ReceivedRequest(method='POST', target='/v1/models?x=1')"


def test_a_request_is_read_by_path_host_header_and_json() -> None:
    request = make_request("https://Inference.Baseten.co:443/v1/models?x=1", {"a": 1}, method="GET")
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.host == "inference.baseten.co"
    assert request.header("Authorization") == "Bearer key"
    assert request.header("x-absent") is None
    assert request.json() == {"a": 1}


def test_json_is_compact_utf8_and_survives_a_lone_surrogate() -> None:
    assert encode_json({"a": "é\ud83d"}) == '{"a":"é?"}'.encode()


def test_another_body_keeps_the_content_length_true() -> None:
    plan = plan_json(200, {"a": 1}).with_body(b"ab", b"c")
    assert dict(plan.headers)["content-length"] == "3"
    assert [chunk.data for chunk in plan.chunks] == [b"ab", b"c"]
    assert plan_stream([DONE], "text/event-stream").with_body(b"x").headers == (
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
    )


def stream() -> AnswerPlan:
    one, two = BodyChunk(b'data: {"a":1}\n\n', 0.5), BodyChunk(b'data: {"a":2}\n\n')
    return AnswerPlan(200, (("content-type", "text/event-stream"),), (one, two, BodyChunk(DONE)))


def test_events_are_mapped_one_by_one_and_keep_their_delay() -> None:
    plan = stream().map_events(lambda event: {"b": event["a"]} if event["a"] == 1 else None)
    assert plan.chunks == (BodyChunk(b'data: {"b":1}\n\n', 0.5), BodyChunk(DONE))
    assert plan.events == [{"b": 1}]


def test_mapping_json_changes_json_and_leaves_streams_alone() -> None:
    plan = plan_json(200, {"a": 1}).map_json(lambda body: body | {"b": 2})
    assert plan.body == b'{"a":1,"b":2}'
    assert dict(plan.headers)["content-length"] == "13"
    assert stream().map_json(lambda _: None) == stream()


def test_a_stream_knows_whether_it_says_done() -> None:
    assert stream().says_done
    assert not stream().with_body(b"data: {}\n\n").says_done
    assert not AnswerPlan(200, ()).says_done
    assert stream().is_stream
    assert not plan_json(200, {}).is_stream


@pytest.mark.parametrize(
    ("data", "event"),
    [(b'data: {"a": 1}\n\n', {"a": 1}), (b"data: [DONE]\n\n", None), (b":\n\n", None), (b"", None)],
)
def test_a_piece_knows_the_event_that_it_carries(data: bytes, event: object) -> None:
    assert BodyChunk(data).event == event
