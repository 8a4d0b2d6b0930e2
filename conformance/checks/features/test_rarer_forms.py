"""Rarer forms of what is asked: tools of other vendors, settings in a call, unusual turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as OldBaseModel

from conformance.checks.features.questions import (
    GREETING,
    change_answers,
    every_way,
    find_wire_parts,
    get_weather,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.subjects.expected_errors import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.verdicts.evidence import Evidence

    Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only(
    "which other forms are understood is for each maker to say"
)

_CITY = {"type": "string", "description": "Its name"}
_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": _CITY}, "required": ["city"]}
_NAMED = {"name": "tell", "description": "Tell."}


def tell(city: str) -> str:
    """Tell.

    Args:
        city: Its name
    """
    return city


_TOOLS: dict[str, Any] = {
    "docstring": tell,
    "bedrock": {"toolSpec": {**_NAMED, "inputSchema": {"json": _SCHEMA}}},
    "mcp": {**_NAMED, "inputSchema": _SCHEMA},
    "anthropic": {**_NAMED, "input_schema": _SCHEMA, "cache_control": {"type": "ephemeral"}},
}
_HOSTED = {"type": "web_search", "max_uses": 3}


@pytest.mark.claim("tools.bind.schemas")
@every_way
def test_a_tool_of_another_vendor_is_one_on_the_wire(evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("model-apis", evidence, note_bodies(sent, refuse_noted))
    marked = {**_HOSTED, "cache_control": {"type": "ephemeral"}}
    tools = [*_TOOLS.values(), marked, {"cachePoint": {"type": "default"}}]
    with expect("invalid-request"):
        ask(model.bind_tools(tools, temperature=0.3), GREETING)
    assert sent[0]["temperature"] == 0.3
    function = {"type": "function", "function": {**_NAMED, "parameters": _SCHEMA}}
    wanted = [function] * len(_TOOLS) + [_HOSTED]
    for name, told, one in zip([*_TOOLS, "hosted"], sent[0]["tools"], wanted, strict=True):
        assert told == one, f"a tool as of {name} is sent as {told}"


class Stop(BaseModel):
    """A stop on the way."""

    city: str = Field(pattern="^[A-Z]", max_length=99)
    days: int = Field(default=1, ge=1, le=30, description="How many")


class Tour(BaseModel):
    """A tour."""

    stops: list[Stop]
    prices: dict[str, int]


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
    closed = [(each["additionalProperties"], each["required"]) for each in (outer, inner)]
    assert closed == [(False, ["stops", "prices"]), (False, ["city", "days"])]
    assert outer["properties"]["prices"]["additionalProperties"] == {"type": "integer"}
    days = {"type": "integer", "default": 1, "minimum": 1, "maximum": 30, "description": "How many"}
    city = {"type": "string", "pattern": "^[A-Z]", "maxLength": 99}
    assert inner["properties"] == {"city": city, "days": days}


@pytest.mark.claim("tools.choice.forced")
def test_a_choice_of_no_tool_is_refused(lane: str, evidence: Evidence) -> None:
    model = mount(lane, evidence)
    for choice in ("get_time", {"type": "tool", "name": "get_time"}):
        with expect("unsendable", match="get_weather"):
            model.bind_tools([get_weather], tool_choice=choice)


_FORMAT = {"name": "Stop", "description": "A stop.", "schema": _SCHEMA}
_WHOLE = {"type": "json_schema", "json_schema": _FORMAT}
_FORMATS: dict[str, Any] = {"whole": _WHOLE, "named": _FORMAT, "untitled": _SCHEMA}


@pytest.mark.claim("structured.method.json-schema")
@every_way
@pytest.mark.parametrize("form", _FORMATS)
def test_a_format_that_is_one_already_is_sent_as_it_is(
    lane: str, evidence: Evidence, ask: Ask, form: str
) -> None:
    sent: list[dict[str, Any]] = []
    before = str(_FORMATS[form])
    chain = mount(lane, evidence, note_bodies(sent, refuse_noted)).with_structured_output(
        _FORMATS[form], method="json_schema", include_raw=True, tools=[get_weather]
    )
    with expect("invalid-request"):
        ask(chain, GREETING)
    bare = {"type": "json_schema", "json_schema": {"name": "response", "schema": _SCHEMA}}
    assert sent[0]["response_format"] == (bare if form == "untitled" else _WHOLE)
    assert [tool["function"]["name"] for tool in sent[0]["tools"]] == ["get_weather"]
    called = mount(lane, evidence, note_bodies(sent, refuse_noted)).with_structured_output(
        _FORMATS[form], include_raw=True
    )
    with expect("invalid-request"):
        ask(called, GREETING)
    assert [tool["function"]["name"] for tool in sent[1]["tools"]] == [
        "response" if form == "untitled" else "Stop"
    ]
    assert str(_FORMATS[form]) == before


@pytest.mark.claim("structured.bind.schemas")
def test_a_method_that_there_is_not_or_that_lacks_its_schema_is_refused(
    evidence: Evidence,
) -> None:
    model = mount("model-apis", evidence)
    wrong: list[tuple[Any, Any]] = [
        (Stop, "xml"),
        (None, "json_schema"),
        (None, "function_calling"),
    ]
    for schema, method in wrong:
        with pytest.raises(ValueError, match=r"method="):
            model.with_structured_output(schema, method=method)


class OldStop(OldBaseModel):
    """A stop, as pydantic wrote it before its second version."""

    city: str


@pytest.mark.claim("structured.schema.optional-field")
@every_way
def test_an_answer_that_breaks_an_older_class_is_an_error_of_parsing(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    for text, wanted in (('{"city": "Rome"}', OldStop(city="Rome")), ('{"town": 1}', None)):
        texts = iter([text])

        def say(payload: Any, texts: Any = texts) -> Any:
            for part in find_wire_parts(payload):
                part["content"] = next(texts, "")
            return payload

        model = mount(lane, evidence, change_answers(say))
        chain = model.with_structured_output(OldStop, method="json_schema", include_raw=True)
        answer = ask(chain, GREETING)
        assert answer["parsed"] == wanted
        assert isinstance(answer["parsing_error"], OutputParserException) is (wanted is None)


_UNSENDABLE: dict[str, Any] = {
    "unknown": {"type": "hologram", "data": "QUJD"},
    "no kind of sound": {"type": "audio", "base64": "QUJD"},
}


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_a_block_that_cannot_be_sent_is_an_error_and_left_out_of_nothing(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    for block in _UNSENDABLE.values():
        with expect("unsendable", match="content block"):
            ask(model, [HumanMessage([{"type": "text", "text": "?"}, block])])
    assert sent == []


_OF_OPENAI = ("organization", "openai_proxy", "use_responses_api")


@pytest.mark.claim("drop-in.names.known")
@pytest.mark.parametrize("name", _OF_OPENAI)
def test_a_setting_of_openai_is_named_with_what_to_do_instead(
    name: str, evidence: Evidence
) -> None:
    given: dict[str, Any] = {name: "mine"}
    with pytest.raises(ValueError, match=f"{name} is not a parameter"):
        mount("model-apis", evidence, **given)
    for unset in (None, False):
        given[name] = unset
        assert mount("model-apis", evidence, **given).invoke(GREETING).text


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_each_turn_is_sent_in_its_place(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    call = {"id": "a", "type": "function", "function": {"name": "tell", "arguments": "{}"}}
    kept = {"tool_calls": [call]}
    blocks: Any = [{"type": "text", "text": ""}, {"type": "refusal", "refusal": "No."}]
    turns = [
        HumanMessage(""),
        AIMessage("One.", additional_kwargs=kept).model_copy(update={"tool_calls": []}),
        SystemMessage("Be brief."),
        HumanMessage("Two."),
        HumanMessage("Two."),
        AIMessage(blocks),
        SystemMessage("Be kind."),
    ]
    with expect("invalid-request"):
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), turns)
    told = [(turn["role"], turn["content"], turn.get("tool_calls")) for turn in sent[0]["messages"]]
    assert told == [
        ("user", "", None),
        ("assistant", "One.", None),
        ("system", "Be brief.", None),
        ("user", "Two.", None),
        ("user", "Two.", None),
        ("assistant", "No.", None),
        ("system", "Be kind.", None),
    ]
