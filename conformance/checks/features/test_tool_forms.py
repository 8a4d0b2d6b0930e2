"""Every form of a tool, and of the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NotRequired, Required

import pytest
from langchain_core.tools import InjectedToolArg, tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from conformance.checks.features.call_modes import every_way
from conformance.checks.features.questions import GREETING, ONE_CITY, get_weather
from conformance.checks.features.responders import mount, note_bodies, refuse_noted
from conformance.subjects.expected_errors import expect
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only(
    "which other forms are understood is for each maker to say"
)


_NAMED = {"type": "function", "function": {"name": "get_weather"}}


_ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [_NAMED]}}


@pytest.mark.claim("tools.choice.forced")
@every_way
@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "get_weather"}, _NAMED),
        ({"function": {"name": "get_weather"}}, _NAMED),
        (_ALLOWED, _ALLOWED),
    ],
    ids=["auto", "none", "any", "tool", "function", "allowed"],
)
def test_each_dict_of_a_choice_is_understood(
    lane: str, evidence: Evidence, ask: Ask, choice: Any, written: Any
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    with expect("refused"):
        ask(model.bind_tools([get_weather], tool_choice=choice), ONE_CITY)
    assert sent[0]["tool_choice"] == written


@pytest.mark.claim("tools.choice.forced")
@every_way
def test_a_tool_may_have_the_name_of_a_choice(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    names = ("auto", "any", "none", "required")
    tools = [{"title": name, "type": "object", "properties": {}} for name in names]
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    for name in names:
        with expect("refused"):
            ask(model.bind_tools(tools, tool_choice=name), ONE_CITY)
    chosen_names = [body["tool_choice"]["function"]["name"] for body in sent]
    assert chosen_names == [*names]


@pytest.mark.claim("tools.choice.forced")
@every_way
@pytest.mark.parametrize("choice", [False, None])
def test_no_choice_is_left_to_the_server(
    lane: str, evidence: Evidence, ask: Ask, choice: bool | None
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    ask(model.bind_tools([get_weather], tool_choice=choice), GREETING)
    assert "tool_choice" not in sent[0]


@pytest.mark.claim("tools.choice.forced")
@every_way
@pytest.mark.parametrize(("choice", "written"), [("any", "required"), ("get_weather", _NAMED)])
def test_a_choice_of_a_call_is_sent_as_one_that_is_bound(
    lane: str, evidence: Evidence, ask: Ask, choice: str, written: Any
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    ask(model, ONE_CITY, tools=[get_weather], tool_choice=choice)
    assert sent[0]["tool_choice"] == written


@pytest.mark.claim("tools.choice.forced")
def test_a_choice_of_no_tool_is_refused(lane: str, evidence: Evidence) -> None:
    model = mount(lane, evidence)
    for choice in ("get_time", {"type": "tool", "name": "get_time"}):
        with expect("unsendable", match="get_weather"):
            model.bind_tools([get_weather], tool_choice=choice)


@pytest.mark.claim("tools.parallel.forbidden")
@every_way
@pytest.mark.parametrize("value", [True, False, None])
def test_strict_and_parallel_calls_are_passed_on_whatever_they_are(
    lane: str, evidence: Evidence, ask: Ask, value: bool | None
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    with expect("refused"):
        tools = [get_weather, {"title": "tell", "type": "object", "properties": {}}]
        ask(model.bind_tools(tools, strict=value, parallel_tool_calls=value), ONE_CITY)
    assert [tool["function"].get("strict") for tool in sent[0]["tools"]] == [value, value]
    assert sent[0].get("parallel_tool_calls") is value
    other = {"name": "tell", "parameters": _SCHEMA, "strict": not value}
    if value is not None:
        with expect("unsendable", match="strict"):
            model.bind_tools([other], strict=value)


@pytest.mark.claim("tools.bind.schemas")
@every_way
def test_no_tools_are_sent_as_none(evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("model-apis", evidence, note_bodies(sent))
    ask(model.bind_tools([], parallel_tool_calls=False), GREETING)
    ask(model, GREETING, tools=[], tool_choice="auto")
    assert [body.keys() & {"tools", "tool_choice", "parallel_tool_calls"} for body in sent] == [
        set(),
        set(),
    ]


_CITY = {"type": "string", "description": "Its name"}


_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": _CITY}, "required": ["city"]}


_TELL = {"name": "tell", "description": "Tell."}


def tell(city: str) -> str:
    """Tell.

    Args:
        city: Its name
    """
    return city


_TOOLS: dict[str, Any] = {
    "docstring": tell,
    "bedrock": {"toolSpec": {**_TELL, "inputSchema": {"json": _SCHEMA}}},
    "mcp": {**_TELL, "inputSchema": _SCHEMA},
    "anthropic": {**_TELL, "input_schema": _SCHEMA, "cache_control": {"type": "ephemeral"}},
}


_HOSTED = {"type": "web_search", "max_uses": 3}


@pytest.mark.claim("tools.bind.schemas")
@every_way
def test_a_tool_of_another_vendor_is_one_on_the_wire(evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("model-apis", evidence, note_bodies(sent, refuse_noted))
    marked = {**_HOSTED, "cache_control": {"type": "ephemeral"}}
    bare = {**_TELL, "inputSchema": {"type": "object"}}  # as MCP servers write a tool without any
    tools = [*_TOOLS.values(), bare, marked, {"cachePoint": {"type": "default"}}]
    with expect("invalid-request"):
        ask(model.bind_tools(tools, temperature=0.3), GREETING)
    assert sent[0]["temperature"] == 0.3
    function = {"type": "function", "function": {**_TELL, "parameters": _SCHEMA}}
    empty = {"type": "object", "properties": {}}
    without = {"type": "function", "function": {**_TELL, "parameters": empty}}
    wanted = [*([function] * len(_TOOLS)), without, _HOSTED]
    names = [*_TOOLS, "bare mcp", "hosted"]
    for name, received, one in zip(names, sent[0]["tools"], wanted, strict=True):
        assert received == one, f"a tool as of {name} is sent as {received}"


class Move(BaseModel):
    """Move a boat."""

    pier: int = Field(alias="toPier")


class MoveDict(TypedDict):
    """Move a boat."""

    pier: Annotated[int, ..., "Where to"]
    note: Annotated[str, "none", "Why"]
    crew: NotRequired[list[str]]


class SailDict(TypedDict, total=False):
    """Move a boat by its sails."""

    pier: Required[int]
    note: str


async def move(pier: int, fast: bool = False) -> None:
    """Move a boat.

    Look out for swimmers.
    """


def steer(pier: int, harbour: Annotated[str, InjectedToolArg]) -> None:
    """Move a boat."""


_REQUIRED: list[tuple[Any, list[str], list[str]]] = [
    (Move, ["toPier"], ["toPier"]),
    (MoveDict, ["pier", "note", "crew"], ["pier"]),
    (SailDict, ["pier", "note"], ["pier"]),
    (move, ["pier", "fast"], ["pier"]),
    (steer, ["pier"], ["pier"]),
    (tool(move), ["pier", "fast"], ["pier"]),
    (tool(steer), ["pier"], ["pier"]),
]
"""Tools with their properties, and those of them that a call must have."""


@pytest.mark.claim("tools.bind.schemas")
@every_way
def test_a_tool_asks_for_what_the_model_has_to_give_and_for_nothing_else(
    evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("model-apis", evidence, note_bodies(sent, refuse_noted))
    tools = [given for given, _, _ in _REQUIRED]
    for bound, options in ((model.bind_tools(tools), {}), (model, {"tools": tools})):
        with expect("refused"):
            ask(bound, GREETING, **options)
    assert sent[1]["tools"] == sent[0]["tools"], "tools of a call are sent otherwise than bound"
    functions = [each["function"] for each in sent[0]["tools"]]
    reported = [(f["parameters"]["properties"], f["parameters"]["required"]) for f in functions]
    wanted = [(names, required) for _, names, required in _REQUIRED]
    assert [([*names], required) for names, required in reported] == wanted
    assert "swimmers" in functions[3]["description"]


class Stop(BaseModel):
    """A stop on the way."""

    city: str = Field(pattern="^[A-Z]", max_length=99)
    days: int = Field(default=1, ge=1, le=30, description="How many")


class Tour(BaseModel):
    """A tour."""

    stops: list[Stop]
    prices: dict[str, int]
    notes: dict[str, Any]
    rest: Stop | None = None


@pytest.mark.claim("tools.parallel.forbidden")
@every_way
def test_a_strict_tool_is_closed_to_its_innermost_object(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    with expect("invalid-request"):
        ask(model.bind_tools([Tour], strict=True), GREETING)
    outer = sent[0]["tools"][0]["function"]["parameters"]
    inner = outer["properties"]["stops"]["items"]
    rest = outer["properties"]["rest"]["anyOf"][0]
    closed = [(each["additionalProperties"], each["required"]) for each in (outer, inner, rest)]
    names = ["stops", "prices", "notes", "rest"]
    assert closed == [(False, names), *[(False, ["city", "days"])] * 2]
    values = [outer["properties"][name]["additionalProperties"] for name in ("prices", "notes")]
    assert values == [{"type": "integer"}, True]
    days = {"type": "integer", "default": 1, "minimum": 1, "maximum": 30, "description": "How many"}
    city = {"type": "string", "pattern": "^[A-Z]", "maxLength": 99}
    assert inner["properties"] == {"city": city, "days": days}
