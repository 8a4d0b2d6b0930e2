from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import make_request, respond
from conformance.subjects.wire_answers import WireError, find_error, find_sentence, read_answer

URL = "https://inference.baseten.co/v1/chat/completions"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def ask(**options: Any) -> str:
    question = {"role": "user", "content": "What is the weather in Paris and in Rome?"}
    body = {"model": "zai-org/GLM-5.2", "messages": [question], "tools": [TOOL], **options}
    return respond(make_request(URL, body)).body.decode()


def test_a_stream_holds_what_an_invoked_answer_holds() -> None:
    invoked = read_answer(ask())
    streamed = read_answer(ask(stream=True, stream_options={"include_usage": True}))
    for answer in (invoked, streamed):
        assert answer.reasoning
        assert [(call.name, call.value) for call in answer.calls.values()] == [
            ("get_weather", {"city": "Paris"}),
            ("get_weather", {"city": "Rome"}),
        ]
        assert answer.told["model"] == "zai-org/GLM-5.2"
        assert answer.count("completion_tokens") == answer.usage["completion_tokens"] > 0
        assert answer.count("completion_tokens", "deeper") is None
        assert answer.count("no_such_count") is None
    assert (invoked.text, invoked.reasoning) == (streamed.text, streamed.reasoning)
    assert invoked.events == 1
    assert streamed.events > 2
    assert {call.events for call in invoked.calls.values()} == {1}
    assert all(call.events > 1 for call in streamed.calls.values())


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
        ("[1]", None),
        ("<h1>No.</h1>", None),
    ],
)
def test_an_error_is_found_in_every_shape(body: str, error: WireError | None) -> None:
    assert find_error(body) == error


def test_a_body_without_an_error_speaks_for_itself() -> None:
    assert find_sentence("<h1>Not\n found</h1>") == "<h1>Not found</h1>"
    assert find_sentence('{"error": "No."}') == "No."


def test_what_is_no_json_object_is_left_out() -> None:
    body = 'data: [1]\n\ndata: "a"\n\ndata: {"choices": [{"delta": {"content": "b"}}]}\n\n'
    assert read_answer(body).text == "b"
