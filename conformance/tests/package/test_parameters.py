"""The table of parameters, and the bytes of a request: what is sent and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from conformance.tests.package.in_each import in_each
from langchain_baseten import BasetenEmbeddings, ChatBaseten
from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._protocol.parameters import ParameterTable, build_body, build_parameters
from langchain_baseten.exceptions import BasetenRequestError

TABLE = ParameterTable(ChatBaseten)

# layers, weakest first -> settings
MERGED: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "the later layer wins": ([{"seed": 1, "n": 1}, {"seed": 2}], {"seed": 2, "n": 1}),
    "None is not set": ([{"seed": None}], {}),
    "a later None takes away": ([{"seed": 1}, {"seed": None}], {}),
    "zero and False are set": ([{"seed": 0, "logprobs": False}], {"seed": 0, "logprobs": False}),
    "other names": (
        [{"max_completion_tokens": 5, "model_name": "m", "stop_sequences": ["x"]}],
        {"max_tokens": 5, "model": "m", "stop": ["x"]},
    ),
    "another name in a later layer": (
        [{"max_tokens": 5}, {"max_completion_tokens": 6}],
        {"max_tokens": 6},
    ),
    "two names, one value": ([{"max_tokens": 5, "max_completion_tokens": 5}], {"max_tokens": 5}),
    "two names, one None": ([{"max_tokens": 5, "max_completion_tokens": None}], {"max_tokens": 5}),
    "two names, the first None": (
        [{"max_tokens": None, "max_completion_tokens": 5}],
        {"max_tokens": 5},
    ),
    "no tools, no choice among them": (
        [{"tools": [], "tool_choice": "any", "parallel_tool_calls": True}],
        {},
    ),
    "no tools but a mark of Bedrock's": ([{"tools": [{"cachePoint": {}}]}], {}),
    "nothing": ([], {}),
}


@in_each(("layers", "parameters"), MERGED)
def test_parameters_are_merged(layers: list[dict[str, Any]], parameters: dict[str, Any]) -> None:
    assert build_parameters([TABLE.rename(layer) for layer in layers], {}) == parameters


def test_two_values_for_one_parameter_are_refused() -> None:
    with pytest.raises(BasetenRequestError, match=r"max_completion_tokens=6.*max_tokens=5"):
        TABLE.rename({"max_tokens": 5, "max_completion_tokens": 6})


def test_every_field_of_a_model_is_in_the_table() -> None:
    for model in (ChatBaseten, BasetenEmbeddings):
        assert [row.field for row in ParameterTable(model).rows] == list(model.model_fields)


def test_the_table_names_the_fields_that_are_sent() -> None:
    sent = TABLE.sent

    assert (sent["model_name"], sent["max_tokens"], sent["top_k"]) == (
        "model",
        "max_tokens",
        "top_k",
    )
    kept = {"baseten_api_key", "model_url", "http_client", "streaming", "request_timeout", "cache"}
    assert kept & sent.keys() == set()


def test_a_subclass_inherits_marks_and_names_that_it_does_not_repeat() -> None:
    class Own(ChatBaseten):
        model_name: str = "own/model"
        temperature: float | None = 0.5
        bad: list[str] | None = Field(default_factory=lambda: ["x"])
        internal: str = "never sent"

    given: Any = {"api_key": "sk-subclass-0123456789", "model": "a/b"}
    made = Own(**given)
    assert made.model == "a/b"
    assert made._sent_fields() == {"model": "a/b", "temperature": 0.5, "bad": ["x"]}
    assert Own(api_key="sk-subclass-0123456789").model == "own/model"


def test_fields_are_sent_in_the_order_of_the_class_however_they_were_set() -> None:
    given: Any = {"top_k": 3, "api_key": "sk-order-0123456789", "temperature": 0.5, "seed": None}
    made = ChatBaseten(**given).model_copy(update={"n": 1})
    made.max_tokens = 5
    made.top_k = None

    assert list(made._sent_fields().items()) == [
        ("model", made.model),
        ("temperature", 0.5),
        ("max_tokens", 5),
        ("n", 1),
    ]


TOOL = {"type": "function", "function": {"name": "f"}}

# settings, extra body, arguments -> body besides the messages
BODIES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "plain": ({"model": "m"}, {}, {"stream": False}, {"model": "m"}),
    "a stream counts its tokens": (
        {},
        {},
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
    ),
    "a stream that does not count": (
        {},
        {},
        {"stream": True, "stream_usage": False},
        {"stream": True},
    ),
    "options of the stream": (
        {"stream_options": {"continuous_usage_stats": True}},
        {},
        {"stream": True},
        {
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        },
    ),
    "an option of the stream wins": (
        {"stream_options": {"include_usage": False}},
        {},
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": False}},
    ),
    "no options of a stream without a stream": (
        {"stream_options": {"include_usage": True}},
        {},
        {"stream": False},
        {},
    ),
    "a choice alone is the server's to judge": (
        {"tool_choice": "auto"},
        {},
        {"stream": False},
        {"tool_choice": "auto"},
    ),
    "tools": (
        {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
        {},
        {"stream": False},
        {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "an extra body wins": (
        {"seed": 1, "model": "m"},
        {"seed": 2, "chat_template_args": {"enable_thinking": True}},
        {"stream": False},
        {"model": "m", "seed": 2, "chat_template_args": {"enable_thinking": True}},
    ),
    "an extra body wins over the stream's options too": (
        {},
        {"stream_options": None},
        {"stream": True},
        {"stream": True, "stream_options": None},
    ),
}


@in_each(("parameters", "extra", "options", "body"), BODIES)
def test_a_body_is_built(
    parameters: dict[str, Any], extra: dict[str, Any], options: dict[str, Any], body: dict[str, Any]
) -> None:
    messages = [{"role": "user", "content": "ä"}]
    before = repr((parameters, extra))
    found = json.loads(build_body(messages, parameters, extra, **options))

    assert found == {"messages": messages, **body}
    assert repr((parameters, extra)) == before


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

# value -> why it is not JSON
NOT_JSON: dict[str, tuple[Any, str]] = {
    "half a surrogate pair": (
        "smile \ud83e!",
        "half of a surrogate pair, near '\"smile \\ud83e!\"'",
    ),
    "half a pair far inside": (
        "<" + "a" * 30 + "\ud83e" + "b" * 30 + ">",
        f"near '{'a' * 20}\\ud83e{'b' * 20}'.",
    ),
    "no number": (float("nan"), "Out of range float values"),
    "endless": (float("inf"), "Out of range float values"),
    "a set": ({1}, "Object of type set is not JSON serializable"),
    "bytes": (b"x", "Object of type bytes is not JSON serializable"),
    "a key that is no string": ({(1, 2): 3}, "keys must be str"),
    "a circle": (CIRCLE, "Circular reference"),
    "nested too deep": (DEEP, "recursion"),
}


@in_each(("value", "words"), NOT_JSON)
def test_a_value_that_is_not_json_is_refused_before_it_is_sent(value: Any, words: str) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        dump_json(value)

    assert str(caught.value).startswith("The request is not JSON, so nothing was sent: ")
    assert words in str(caught.value)
    assert str(caught.value).endswith(
        ". Everything in messages, tools, model_kwargs and extra_body must be strings, finite "
        "numbers, booleans, lists and dicts."
    )
    assert str(caught.value).isprintable()


PROGRAM = """
import sys
from langchain_core.messages import AIMessage, HumanMessage
from langchain_baseten._protocol.tools import write_tools
from langchain_baseten._protocol.messages import write_messages
from langchain_baseten._protocol.parameters import build_body, build_parameters

def find(place: str, kinds: list[str] | None = None) -> str:
    "Find a place."

messages = [
    HumanMessage("ä", additional_kwargs={"b": 1, "a": 2}),
    AIMessage("", tool_calls=[{"name": "find", "args": {"z": 1, "a": 2}, "id": "x"}]),
]
schema = {"title": "T", "type": "object", "properties": {"b": {}, "a": {}}}
tools = write_tools([find, schema], strict=None)
settings = build_parameters([{"top_k": 1, "seed": 2}, {"stop": ["x"], "tools": tools}], {})
body = build_body(write_messages(messages), settings, {"z": 1, "b": 2}, stream=True)
sys.stdout.buffer.write(body)
"""


@pytest.mark.once("compares bytes, and no interpreter orders what it writes otherwise")
def test_the_same_request_gives_the_same_bytes_in_every_process() -> None:
    root = Path(sys.modules["langchain_baseten"].__file__ or "").parents[1]
    seeded = [
        subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "4294967295")
    ]

    assert json.loads(seeded[0])["messages"][0]["content"] == "ä"
    assert seeded[0] == seeded[1]


def test_the_guide_names_every_setting_that_a_single_call_may_change() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "chat.md").read_text(encoding="utf-8")
    start = guide.index("A single call may also change these settings")
    listed = re.findall(r"`(\w+)`", guide[start : guide.index(". Other settings", start)])

    assert {*listed, "model_kwargs", "extra_body"} == TABLE.by_call.keys()


def test_the_guide_names_only_parameters_that_exist() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "chat.md").read_text(encoding="utf-8")
    start = guide.index("Parameters of the engines such as")
    listed = re.findall(r"`(\w+)`", guide[start : guide.index("are arguments as well", start)])

    assert len(listed) > 3
    assert set(listed) <= TABLE.sent.keys()
