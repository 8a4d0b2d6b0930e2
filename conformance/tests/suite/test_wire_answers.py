from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import make_request, respond
from conformance.subjects.wire_answers import WireError, find_error, find_sentence, read_answer
from conformance.tests.suite.reference_requests import WEATHER

URL = "https://inference.baseten.co/v1/chat/completions"


def ask(**options: Any) -> str:
    question = {"role": "user", "content": "What is the weather in Paris and in Rome?"}
    body = {"model": "zai-org/GLM-5.2", "messages": [question], "tools": [WEATHER], **options}
    return respond(make_request(URL, body)).body.decode()


def test_a_stream_holds_what_an_invoked_answer_holds() -> None:
    invoked = read_answer(ask())
    streamed = read_answer(ask(stream=True, stream_options={"include_usage": True}))
    for answer in (invoked, streamed):
        assert answer.reasoning
        assert [(call.name, call.value) for call in answer.calls] == [
            ("get_weather", {"city": "Paris"}),
            ("get_weather", {"city": "Rome"}),
        ]
        assert answer.fields["model"] == "zai-org/GLM-5.2"
        assert answer.count("completion_tokens") == answer.usage["completion_tokens"] > 0
        assert answer.count("completion_tokens", "deeper") is None
        assert answer.count("no_such_count") is None
    assert (invoked.text, invoked.reasoning) == (streamed.text, streamed.reasoning)
    assert invoked.events == 1
    assert streamed.events > 2
    assert {call.events for call in invoked.calls} == {1}
    assert all(call.events > 1 for call in streamed.calls)


def test_only_the_first_choice_is_read() -> None:
    choices: list[dict[str, Any]] = [
        {"index": at, "message": {"content": word}, "logprobs": {"content": []} if at else None}
        for at, word in enumerate(("one", "two"))
    ]
    answer = read_answer(json.dumps({"choices": choices}))
    assert (answer.text, answer.logprobs) == ("one", False)
    choices[0]["logprobs"] = {"content": []}
    assert read_answer(json.dumps({"choices": choices})).logprobs
    assert read_answer('[1]\n"text"').text == ""


@pytest.mark.parametrize("arguments", ['"city": 1}', "[1]"])
def test_arguments_that_are_no_object_are_not_valid(arguments: str) -> None:
    call = {"function": {"name": "f", "arguments": arguments}}
    body = json.dumps({"choices": [{"message": {"tool_calls": [call]}}]})
    assert not read_answer(body).calls[0].is_valid


ONE, TWO = '{"a": 1}', '{"a": 2}'


def stream(*deltas: Any) -> str:
    events = [{"choices": [{"delta": {"tool_calls": [each]}}]} for each in deltas]
    return "".join(f"data: {json.dumps(each)}\n\n" for each in events)


def delta(arguments: Any, **more: Any) -> dict[str, Any]:
    name = {"name": more.pop("name")} if "name" in more else {}
    return {**more, "function": {**name, "arguments": arguments}}


@pytest.mark.parametrize(
    "deltas",
    [
        [delta('{"a":', name="f"), delta(" 1}"), delta('{"a": 2}', name="f")],
        [delta("", id="x", name="f"), delta('{"a": 1}'), delta('{"a": 2}', id="y", name="f")],
        [delta(ONE, index=0, id="x", name="f"), delta(TWO, index=0, id="y", name="f")],
        [delta({"a": 1}, index=0, name="f"), delta({"a": 2}, index=1, name="f")],
        [
            delta('{"a":', index=0, id="x", name="f"),
            delta(" 1}", index=0, id="z", name="f"),
            delta(TWO, index=1, name="f"),
        ],
    ],
    ids=["no-index", "no-index-but-ids", "one-index", "objects", "fresh-ids"],
)
def test_two_calls_are_two_however_a_service_numbers_them(deltas: list[Any]) -> None:
    found = [(call.name, call.value) for call in read_answer(stream(*deltas)).calls]
    assert found == [("f", {"a": 1}), ("f", {"a": 2})]


def test_each_call_of_a_whole_message_is_one() -> None:
    calls = [delta('{"a": 1}', id="x", name="f"), delta('{"a": 1}', id="x", name="f")]
    body = json.dumps({"choices": [{"message": {"tool_calls": calls}}]})
    assert len(read_answer(body).calls) == 2


def test_choices_are_counted() -> None:
    assert read_answer("{}").choices == 0
    assert read_answer(json.dumps({"choices": [{}, {"index": 1}, {"index": "x"}]})).choices == 2


@pytest.mark.parametrize(
    "choices",
    [
        7,
        [7, None],
        [{"message": "text"}],
        [{"delta": None}],
        [{"delta": {"content": 7, "tool_calls": 7, "reasoning": {}}}],
        [{"delta": {"tool_calls": [7, {"index": [], "function": 7, "id": 7}]}}],
        [{"delta": {"tool_calls": [{"function": {"name": 7, "arguments": 7}}]}}],
    ],
)
def test_what_no_service_should_send_is_read_as_nothing(choices: Any) -> None:
    answer = read_answer(json.dumps({"choices": choices, "usage": [1]}))
    assert (answer.text, answer.reasoning, answer.usage) == ("", "", {})
    assert [(call.name, call.arguments) for call in answer.calls] in ([], [("", "")])


def test_content_may_be_a_list_of_parts() -> None:
    parts = [{"type": "text", "text": "a"}, "b", {"type": "image"}]
    assert read_answer(json.dumps({"choices": [{"message": {"content": parts}}]})).text == "ab"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"error": "No\\n way."}', WireError("No way.")),
        ('{"error": {"message": "No.", "code": 400}}', WireError("No.", 400)),
        ('{"error": {"message": "No.", "code": "bad"}}', WireError("No.")),
        ('{"object": "error", "message": "No.", "code": 422}', WireError("No.", 422)),
        ('{"detail": "No."}', WireError("No.")),
        ('data: {"choices": [{}]}\n\ndata: {"error": "No."}\n\n', WireError("No.")),
        ('{"choices": [{}], "message": "yes"}', None),
        ('{"detail": [{"loc": ["body"]}]}', None),
        ('{"detail": [{"loc": ["body"], "msg": "No."}, {"msg": "No!"}]}', WireError("No.; No!")),
        ("[1]", None),
        ("<h1>No.</h1>", None),
    ],
)
def test_an_error_is_found_in_every_shape(body: str, error: WireError | None) -> None:
    assert find_error(body) == error


def test_a_body_without_an_error_speaks_for_itself() -> None:
    assert find_sentence("<h1>Not\n found</h1>") == "<h1>Not found</h1>"
    assert find_sentence('{"error": "No."}') == "No."


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_are_read_however_their_lines_stand(end: str) -> None:
    event = '{"choices": [{"delta": {"content": "a\u2028b"}}]}'
    lines = [": hello", f"data:{event}", "", 'data: {"choices":', "data: []}", ""]
    close = [f"data: {event}", f"data: {event}", "", "data: [DONE]", "", ""]
    assert read_answer(end.join([*lines, *close])).text == "a\u2028b" * 3


def test_what_is_no_json_object_is_left_out() -> None:
    body = 'data: [1]\n\ndata: "a"\n\ndata: {"choices": [{"delta": {"content": "b"}}]}\n\n'
    assert read_answer(body).text == "b"


def test_a_signature_of_utf_8_is_left_out() -> None:
    assert read_answer("\ufeff" + json.dumps({"choices": [{"message": {"content": "Yes."}}]})).text


@pytest.mark.parametrize(
    ("count", "read"), [(9, 9), (9.0, 9), (9.5, None), ("9", None), (None, None)]
)
def test_a_count_is_a_whole_number(count: object, read: int | None) -> None:
    answer = read_answer(json.dumps({"usage": {"prompt_tokens": count}}))
    assert answer.count("prompt_tokens") == read
