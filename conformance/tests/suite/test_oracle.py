from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.maintenance.corpus import oracle

JSON = "application/json"
SSE = "text/event-stream"


def event(delta: dict[str, Any] | None = None, **rest: Any) -> str:
    """Write one event with one choice; keyword arguments beside the delta go to the choice."""
    choice = {"index": 0, "delta": delta or {}} | rest
    head = {"id": "c1", "model": "m"}
    return f"data: {json.dumps(head | {'choices': [choice]})}\n\n"


def fragment(index: int, arguments: str | None, **rest: Any) -> dict[str, Any]:
    """Write the delta of one tool-call fragment."""
    function = {"arguments": arguments} | ({"name": rest.pop("name")} if "name" in rest else {})
    return {"tool_calls": [{"index": index, "function": function} | rest]}


FINISH = event(finish_reason="stop")
DONE = "data: [DONE]\n\n"


def stream(*events: str, complete: bool = True) -> oracle.Content:
    return oracle.read(200, SSE, "".join(events), complete=complete, streamed=True)


def test_text_after_the_finish_reason_counts() -> None:
    expected = stream(event({"content": "a"}), FINISH, event({"content": "b"}), DONE)
    assert expected.text == "ab"
    assert expected.metadata == {"model_name": "m", "id": "c1", "finish_reason": "stop"}


TEXT, HALF = event({"content": "a"}), event({"content": "half"})


@pytest.mark.parametrize(
    ("events", "complete", "text"),
    [
        ((TEXT, FINISH), True, "a"),
        ((TEXT, DONE), True, "a"),
        ((TEXT, DONE), False, "a"),
        ((HALF,), True, None),
        ((HALF, FINISH), False, None),
        ((HALF, 'data: {"cho'), True, None),
        ((HALF, "data: 5\n\n", DONE), True, None),
        ((DONE,), True, None),
        ((), True, None),
    ],
)
def test_a_stream_ends_by_a_finish_reason_or_done_and_fails_if_it_is_cut(
    events: tuple[str, ...], text: str | None, *, complete: bool
) -> None:
    expected = stream(*events, complete=complete)
    assert expected.failure == (None if text else oracle.Failure("ModelError"))
    assert expected.text == (text or ("half" if HALF in events else ""))
    assert ("finish_reason" in expected.metadata) == (FINISH in events)


def test_the_last_usage_counts_and_a_null_does_not() -> None:
    usages: list[Any] = [{"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}, None]
    usages.insert(1, {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})
    events = [f'data: {{"choices": [], "usage": {json.dumps(usage)}}}\n\n' for usage in usages]
    assert stream(event({"content": "a"}), FINISH, *events, DONE).usage == {
        "input_tokens": 5,
        "output_tokens": 2,
        "total_tokens": 7,
    }


def test_usage_details_are_counted_where_they_are_sent() -> None:
    usage = {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": None}
    assert oracle.count_usage(usage) == {"cache_read": 0}
    assert oracle.count_usage({"completion_tokens_details": {"reasoning_tokens": 4}}) == {
        "reasoning": 4
    }


def test_fragments_of_a_call_join_by_index_whatever_their_ids() -> None:
    expected = stream(
        event(fragment(1, '{"x": ', id="a", name="g")),
        event(fragment(0, "", id="b", name="f")),
        event(fragment(1, "1}", id="c", name="")),
        event(fragment(0, None, id="", name=None)),
        event(finish_reason="tool_calls"),
        DONE,
    )
    assert expected.calls == (
        oracle.Call(("b",), "f", "", {}),
        oracle.Call(("a", "c"), "g", '{"x": 1}', {"x": 1}),
    )


@pytest.mark.parametrize(
    ("text", "args"),
    [('{"x": ', None), ("[1]", None), ("nonsense", None), ('{"x": "a\nb"} ', {"x": "a\nb"})],
)
def test_arguments_are_an_object_or_stay_text(text: str, args: Any) -> None:
    assert oracle.parse_args(text) == args


def test_reasoning_is_read_once_under_either_name() -> None:
    both = {"reasoning_content": "a", "reasoning": "a"}
    events = [event(both), event({"reasoning": "b"}), event({"reasoning_content": None}), FINISH]
    assert stream(*events).reasoning == "ab"


def test_only_choice_zero_is_read() -> None:
    other = f"data: {json.dumps({'choices': [{'index': 1, 'delta': {'content': 'no'}}]})}\n\n"
    assert stream(other, event({"content": "yes"}), FINISH, DONE).text == "yes"


def test_refusal_logprobs_and_later_facts_are_kept() -> None:
    token = {"token": "a"}
    expected = stream(
        event({"refusal": "I will "}, logprobs={"content": [token]}),
        event({"refusal": "not"}, logprobs={"content": [token]}, stop_reason=7),
        'data: {"choices": [], "service_tier": "flex", "system_fingerprint": null}\n\n',
        FINISH,
    )
    assert expected.refusal == "I will not"
    assert expected.metadata["logprobs"] == [token, token]
    assert expected.metadata["stop_reason"] == 7
    assert expected.metadata["service_tier"] == "flex"
    assert "system_fingerprint" not in expected.metadata


@pytest.mark.parametrize(
    ("frame", "name", "sentence"),
    [
        ({"error": {"message": "boom", "code": 500}}, "ModelAPIError", "boom"),
        ({"error": {"message": "bad", "code": "400"}}, "ModelInvalidRequestError", "bad"),
        ({"error": {"message": "odd", "code": "upstream_error"}}, "ModelError", "odd"),
        ({"error": {"message": oracle.CUTOFF, "code": 400}}, "ModelError", oracle.CUTOFF),
        ({"error": "plain"}, "ModelError", "plain"),
        ({"message": "flat", "code": 429}, "ModelRateLimitError", "flat"),
    ],
)
def test_an_error_frame_fails_the_answer(frame: Any, name: str, sentence: str) -> None:
    in_stream = stream(event({"content": "so far"}), f"data: {json.dumps(frame)}\n\n", DONE)
    assert in_stream.failure == oracle.Failure(name, sentence)
    assert in_stream.text == "so far"
    assert oracle.read(200, JSON, json.dumps(frame)).failure == in_stream.failure


@pytest.mark.parametrize(
    ("status", "body", "name", "sentence"),
    [
        (400, '{"error": {"message": "a  b", "code": 400}}', "ModelInvalidRequestError", "a b"),
        (400, '{"message": "flat", "type": "Bad Request"}', "ModelInvalidRequestError", "flat"),
        (403, '{"error": "key"}', "ModelPermissionDeniedError", "key"),
        (401, "No header\n", "ModelAuthenticationError", "No header"),
        (404, '{"detail": "Not Found"}', "ModelNotFoundError", "Not Found"),
        (413, "", "ContextOverflowError", ""),
        (500, "{}", "ModelAPIError", ""),
        (422, '{"detail": [{"msg": "x"}]}', "ModelError", ""),
        (502, "<html>\n<b>oh</b>", "ModelAPIError", ""),
        (400, '{"error": "maximum context length is 8"}', "ContextOverflowError", "maximum"),
    ],
)
def test_an_error_answer_is_read_in_every_dialect(
    status: int, body: str, name: str, sentence: str
) -> None:
    failure = oracle.read(status, JSON, body).failure
    assert failure is not None
    assert (failure.name, failure.status) == (name, status)
    assert failure.sentence.startswith(sentence)
    assert bool(failure.sentence) == bool(sentence)


def test_a_document_is_read_like_a_stream() -> None:
    message = {
        "reasoning": "r",
        "content": [{"type": "text", "text": "t"}],
        "tool_calls": [
            {"id": "same", "index": 0, "function": {"name": "f", "arguments": "{}"}},
            {"id": "same", "index": 0, "function": {"name": "f", "arguments": "{"}},
        ],
    }
    answer = {"id": "c", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {}}
    expected = oracle.read(200, JSON, "\n  " + json.dumps(answer))
    assert (expected.text, expected.reasoning, expected.usage) == ("t", "r", None)
    assert [call.args for call in expected.calls] == [{}, None]


@pytest.mark.parametrize("body", ["", "[1]", '{"choices": []}', "<html>", '{"object": "x"}'])
def test_a_document_that_is_no_answer_is_a_failure(body: str) -> None:
    assert oracle.read(200, JSON, body).failure == oracle.Failure("ModelError")


def test_half_a_document_is_a_failure_and_one_without_content_an_empty_answer() -> None:
    empty = '{"choices": [{"message": {}}]}'
    assert oracle.read(200, JSON, empty) == oracle.Content()
    assert oracle.read(200, JSON, empty, complete=False).failure is not None


def test_a_stream_under_another_content_type_is_still_a_stream() -> None:
    body = event({"content": "a"}) + FINISH
    assert oracle.read(200, "application/octet-stream", body, streamed=True).text == "a"


def test_comments_and_line_ends_of_any_kind_separate_events() -> None:
    body = "\ufeffdata:zero\n\n: hello\r\rdata:one\r\n\r\nevent: x\n\ndata: two\ndata: lines\n\n"
    assert oracle.payloads(body) == ["zero", "one", "two\nlines"]
