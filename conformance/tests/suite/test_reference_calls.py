from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference.calls import choose_calls


def tool(name: str, description: str = "", **properties: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


WEATHER = tool("get_weather", "Get the weather at a location.", location="string")
TIME = tool("get_time", "Get the current time.")
ADDER = tool("my_adder_tool", "Add two integers.", a="integer", b="integer")
BOOK = tool("save_book", "Save a book.", title="string", author="string")
CAMEL = tool("sendEmail", "", to="string")
BARE = {"type": "function", "function": {"name": "ping"}}


def calls(
    text: str, *tools: dict[str, Any], choice: Any = None, answers_tool: bool = False
) -> list[tuple[str, Any]]:
    chosen = choose_calls(text, tools, choice, answers_tool=answers_tool)
    return [(call.name, json.loads(call.arguments)) for call in chosen]


@pytest.mark.parametrize(
    ("text", "tools", "expected"),
    [
        ("Hello!", [WEATHER, TIME], []),
        ("What is 1 + 2", [ADDER], []),
        ("What is the weather in Oslo?", [], []),
        (
            "What is the weather in San Francisco, CA?",
            [TIME, WEATHER],
            [("get_weather", {"location": "San Francisco, CA"})],
        ),
        (
            "What is the weather in Paris and Berlin?",
            [WEATHER],
            [("get_weather", {"location": "Paris"}), ("get_weather", {"location": "Berlin"})],
        ),
        (
            "Get the weather in Paris and the time",
            [WEATHER, TIME],
            [("get_weather", {"location": "Paris"}), ("get_time", {})],
        ),
        (
            "Tell me the weather in Paris and answer briefly",
            [WEATHER],
            [("get_weather", {"location": "Paris"})],
        ),
        ("The weather in Rome and Rome", [WEATHER], [("get_weather", {"location": "Rome"})]),
        ("my_adder_tool: add 3 and 4", [ADDER], [("my_adder_tool", {"a": 3, "b": 4})]),
        (
            "Call my_adder_tool with 1, 2 and 3, 4",
            [ADDER],
            [("my_adder_tool", {"a": 1, "b": 2}), ("my_adder_tool", {"a": 3, "b": 4})],
        ),
        (
            "Save the book 'Emma' and the author 'Jane Austen'",
            [BOOK],
            [("save_book", {"title": "Emma", "author": "Jane Austen"})],
        ),
        ("Please send an email for Ada", [CAMEL], [("sendEmail", {"to": "Ada"})]),
        ("Paris and the weather in Rome", [WEATHER], [("get_weather", {"location": "Rome"})]),
        ("ping it", [BARE], [("ping", {})]),
    ],
)
def test_a_prompt_calls_what_it_asks_for(
    text: str, tools: list[dict[str, Any]], expected: list[tuple[str, Any]]
) -> None:
    assert calls(text, *tools) == expected
    assert calls(text, *tools, choice="auto") == expected
    assert calls(text, *tools, choice="none") == []


def test_a_required_call_is_made_whatever_the_prompt() -> None:
    assert calls("Hello!", TIME, WEATHER, choice="required") == [("get_time", {})]
    assert calls("weather in Rome", TIME, WEATHER, choice="required") == [
        ("get_weather", {"location": "Rome"})
    ]


def test_a_named_call_is_made_whatever_the_prompt() -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    assert calls("Hello there!", TIME, WEATHER, choice=choice) == [
        ("get_weather", {"location": "location about there"})
    ]


def test_a_tool_result_is_not_followed_by_the_same_call() -> None:
    text = "weather in Rome"
    assert calls(text, WEATHER, answers_tool=True) == []
    assert len(calls(text, WEATHER, answers_tool=True, choice="required")) == 1


def test_arguments_keep_their_script() -> None:
    (call,) = choose_calls("named '東京'", [WEATHER], "required", answers_tool=False)
    assert call.arguments == '{"location": "東京"}'
