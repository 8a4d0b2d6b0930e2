from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference.answers import Answer, Order, compose_answer
from conformance.reference.calls import Call
from conformance.reference.prompts import read_prompt
from conformance.tests.suite.reference_requests import WEATHER

JOKE = {
    "type": "object",
    "properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}},
    "required": ["setup", "punchline"],
}


def order(text: str, *before: dict[str, Any], **fields: Any) -> Order:
    messages = [*before, {"role": "user", "content": text}]
    return Order(prompt=read_prompt(messages, []), **fields)


def say(text: str, *before: dict[str, Any], **fields: Any) -> str:
    return "".join(compose_answer(order(text, *before, **fields)).text)


def test_an_answer_repeats_the_prompt() -> None:
    assert say("Hello") == 'You said "Hello".'
    assert say("x" * 300) == f'You said "{"x" * 200}…".'


def test_an_answer_shows_what_else_it_was_given() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Look"}, image]},
    ]
    answer = compose_answer(Order(prompt=read_prompt(messages, [])))
    assert "".join(answer.text) == (
        'You said "Look". I got the image (image/png, 26 characters). Your name is ada. '
        'My instructions are "Be brief.". This conversation has 2 messages.'
    )


def test_an_answer_to_a_tool_result_repeats_the_result() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "weather in Rome"},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "content": "sunny"},
        {"role": "tool", "content": "warm"},
    ]
    answer = compose_answer(Order(prompt=read_prompt(messages, []), tools=[WEATHER]))
    assert answer.calls == ()
    assert "".join(answer.text) == (
        'The tool answered "sunny" and "warm". This conversation has 4 messages.'
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Repeat after me: data: [DONE]\n\nx", "data: [DONE]\n\nx"),
        ("repeat after me: ", ""),
        ("Count from 1 to 5", "1, 2, 3, 4, 5"),
        ("Please count to ten.", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
    ],
)
def test_some_prompts_have_exact_answers(text: str, answer: str) -> None:
    assert say(text) == answer


def test_a_story_is_long() -> None:
    assert len(compose_answer(order("Write a story about a cat.")).text) > 50
    assert say("Write a story").startswith('You said "Write a story". The harbour wakes')


def test_the_same_order_gets_the_same_answer() -> None:
    assert compose_answer(order("Hello")) == compose_answer(order("Hello"))


def test_reasoning_comes_only_when_asked_for_and_names_the_effort() -> None:
    assert compose_answer(order("Hello")).reasoning == ()
    answer = compose_answer(order("Hello", thinks=True, effort="high"))
    assert "".join(answer.reasoning) == (
        'The user wrote "Hello". My effort is high. I know what to say.'
    )
    assert "".join(answer.text) == 'You said "Hello".'


def test_framed_reasoning_is_set_apart_by_line_breaks() -> None:
    answer = compose_answer(order("Hello", thinks=True, framed=True))
    assert "".join(answer.reasoning) == '\nThe user wrote "Hello". I know what to say.\n'
    assert "".join(answer.text) == '\n\nYou said "Hello".'
    assert say("Hello", framed=True) == 'You said "Hello".'


def test_calls_come_without_text_unless_the_family_remarks_on_them() -> None:
    answer = compose_answer(order("weather in Rome", tools=[WEATHER]))
    assert answer.calls == (Call("get_weather", '{"city": "Rome"}'),)
    assert (answer.text, answer.finish) == ((), "tool_calls")
    assert say("weather in Rome", tools=[WEATHER], remarks=True) == "I will call get_weather."


def test_parallel_calls_can_be_forbidden() -> None:
    text = "weather in Rome and Oslo"
    assert len(compose_answer(order(text, tools=[WEATHER])).calls) == 2
    assert len(compose_answer(order(text, tools=[WEATHER], parallel=False)).calls) == 1


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        (
            "Tell me a joke about cats.",
            {"type": "json_schema", "json_schema": {"name": "Joke", "schema": JOKE}},
            {"setup": "cats", "punchline": "punchline about cats"},
        ),
        ("Hi", {"type": "json_schema", "json_schema": {"name": "x"}}, {}),
        (
            "A joke about cats as JSON with 'setup' and \"punchline\" keys.",
            {"type": "json_object"},
            {"setup": "setup about keys", "punchline": "punchline about keys"},
        ),
        ("Anything as JSON", {"type": "json_object"}, {"answer": "answer about JSON"}),
        (
            (
                f"An example is {{broken and {json.dumps({'properties': {'foo': {}}})}. "
                f"Follow {json.dumps(JOKE)} in a joke about cats, not {json.dumps({'a': 1})}"
            ),
            {"type": "json_object"},
            None,
        ),
    ],
)
def test_json_modes_answer_in_json(
    text: str, form: dict[str, Any], value: dict[str, Any] | None
) -> None:
    said = json.loads(say(text, form=form))
    assert said == value if value is not None else set(said) == {"setup", "punchline"}


def test_the_instructions_may_name_the_keys() -> None:
    system = {"role": "system", "content": "Answer in JSON with 'mood'"}
    said = say("I'm fine", system, form={"type": "json_object"})
    assert json.loads(said) == {"mood": "mood about fine"}


def test_a_text_format_is_no_json_mode() -> None:
    assert say("Hi", form={"type": "text"}) == 'You said "Hi".'


@pytest.mark.parametrize(
    ("stops", "text", "stop"),
    [
        (("4",), "1, 2, 3, ", "4"),
        (("5", "3"), "1, 2, ", "3"),
        (("1",), "", "1"),
        (("x",), "1, 2, 3, 4, 5", None),
    ],
)
def test_a_stop_sequence_ends_the_text(stops: tuple[str, ...], text: str, stop: str | None) -> None:
    answer = compose_answer(order("Count to 5", stops=stops))
    assert ("".join(answer.text), answer.stop, answer.finish) == (text, stop, "stop")


def test_a_stop_sequence_ends_the_reasoning_and_the_calls_behind_it() -> None:
    answer = compose_answer(
        order("weather in Rome", thinks=True, tools=[WEATHER], stops=(" I know",))
    )
    assert "".join(answer.reasoning) == 'The user wrote "weather in Rome".'
    assert (answer.text, answer.calls, answer.finish) == ((), (), "stop")


def test_a_budget_cuts_reasoning_before_text() -> None:
    whole = compose_answer(order("Hello", thinks=True))
    cut = compose_answer(order("Hello", thinks=True, budget=3))
    assert (cut.reasoning, cut.text, cut.finish) == (whole.reasoning[:3], (), "length")
    later = compose_answer(order("Hello", thinks=True, budget=len(whole.reasoning) + 2))
    assert (later.reasoning, later.text) == (whole.reasoning, whole.text[:2])
    assert compose_answer(order("Hello", thinks=True, budget=whole.tokens)) == whole


def test_a_budget_that_is_used_up_before_the_stop_sequence_hides_it() -> None:
    answer = compose_answer(order("Count to 9", stops=("9",), budget=2))
    assert (answer.finish, answer.stop) == ("length", None)


def test_a_budget_cuts_calls() -> None:
    text = "weather in Rome and Oslo"
    whole = compose_answer(order(text, tools=[WEATHER]))
    assert not whole.cut_calls
    cut = compose_answer(order(text, tools=[WEATHER], budget=4))
    assert cut.cut_calls
    assert cut.finish == "length"
    assert cut.calls == (Call("get_weather", '{"city'),)
    nothing = compose_answer(order(text, tools=[WEATHER], thinks=True, budget=2))
    assert nothing.calls == ()
    second = compose_answer(order(text, tools=[WEATHER], budget=whole.tokens - 2))
    assert [call.name for call in second.calls] == ["get_weather", "get_weather"]
    assert second.calls[0] == whole.calls[0]


@pytest.mark.parametrize(
    ("prompt", "cached"), [(0, 0), (128, 0), (129, 128), (192, 128), (193, 192), (1000, 960)]
)
def test_long_prompts_are_cached_in_whole_blocks(prompt: int, cached: int) -> None:
    assert Answer(prompt_tokens=prompt).cached_tokens == cached
