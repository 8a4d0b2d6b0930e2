"""Structured output in every way of asking: how each method asks, and what is no answer to it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, Required

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as OldBaseModel
from pydantic.v1 import Field as OldField
from typing_extensions import TypedDict

from conformance.checks.features.call_modes import TAKES, ask_astream, ask_stream, every_way
from conformance.checks.features.responders import (
    change_answers,
    find_wire_calls,
    find_wire_parts,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.subjects.expected_errors import expect
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

Method = Literal["function_calling", "json_schema", "json_mode"]
_SENDING: tuple[Method, ...] = ("function_calling", "json_schema")
"""Methods that send the schema."""

pytestmark = [
    pytest.mark.own_client_only("how often a chain of theirs yields is for others to say"),
    pytest.mark.filterwarnings("ignore:A tool call was required"),
]

_PLAN = "Plan a visit of 3 days in New York City. Answer in JSON."
_RAW = {"include_raw": True}
"""Such a chain yields once, so its answer is the same in every way of asking."""


class Visit(BaseModel):
    """A visit to a city."""

    city: str
    days: int


def _nest(depth: int) -> dict[str, Any]:
    inner = _nest(depth - 1) if depth else {"$ref": "#/$defs/Guide"}
    return {"type": "array", "items": inner, "description": f"Überebene {depth}"}


_TOUR: dict[str, Any] = {
    "title": "Tour",
    "description": "A tour of a city.",
    "type": "object",
    "properties": {
        "guides": {**_nest(12), "minItems": 1},
        "days": {"type": "integer", "default": 2, "minimum": 1, "maximum": 30},
        "street": {"type": "string", "enum": [f"Straße {number}" for number in range(300)]},
        "title": {"type": "string", "format": "date", "title": "Its title"},
        "description": {"anyOf": [{"type": "null"}, {"type": "string"}, {"type": "integer"}]},
        "kind": {"const": "tour"},
        "prices": {"type": "object", "additionalProperties": {"type": "number"}},
        "stops": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["guides", "title"],
    "additionalProperties": False,
    "$defs": {
        "Guide": {
            "type": "object",
            "description": "Who shows the city.",
            "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}},
            "required": ["name"],
        }
    },
}
_PARTS = ("properties", "required", "additionalProperties", "$defs")


class Sketch(BaseModel):
    """A visit to a city of which nothing has to be known."""

    city: str = ""
    days: int = 0


class Stop(BaseModel):
    """A stop on the way."""

    name: str


class Trip(BaseModel):
    """A trip whose fields are named otherwise outside of Python."""

    city: str = Field(alias="cityName")
    days: int | str
    stops: list[Stop] = Field(default_factory=list)


class HaltDict(TypedDict, total=False):
    """A stop on the way."""

    name: Required[str]
    days: int


class TripDict(TypedDict):
    """A trip."""

    city: Annotated[str, ..., "Its name"]
    note: Annotated[str, "none", "What else"]
    stops: NotRequired[Annotated[list[HaltDict], ..., "Where else"]]


class Branch(BaseModel):
    """A branch of a family, whose schema refers to itself."""

    name: str
    children: list[Branch] = Field(default_factory=list, description="Überall weitere")


@pytest.mark.claim("structured.method.function-calling")
@every_way
def test_a_schema_is_forced_as_a_tool(lane: str, evidence: Evidence, ask: Ask) -> None:
    body = _ask_for(lane, evidence, ask, "function_calling")
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Visit"}}
    assert [tool["function"]["name"] for tool in body["tools"]] == ["Visit"]
    assert (body["parallel_tool_calls"], body["temperature"]) == (False, 0.1)


@pytest.mark.claim("structured.method.json-schema")
@every_way
@pytest.mark.parametrize("strict", [True, False, None])
def test_a_schema_is_sent_as_the_format(
    lane: str, evidence: Evidence, ask: Ask, strict: bool | None
) -> None:
    body = _ask_for(lane, evidence, ask, "json_schema", strict=strict)
    assert body["response_format"]["json_schema"]["name"] == "Visit"
    assert body["response_format"]["json_schema"].get("strict", False) is bool(strict)
    assert body["temperature"] == 0.1


@pytest.mark.claim("structured.method.json-mode")
@every_way
def test_any_object_is_asked_for(lane: str, evidence: Evidence, ask: Ask) -> None:
    body = _ask_for(lane, evidence, ask, "json_mode")
    assert (body["response_format"], body["temperature"]) == ({"type": "json_object"}, 0.1)


def _ask_for(
    lane: str, evidence: Evidence, ask: Ask, method: Method, **options: Any
) -> dict[str, Any]:
    """Return the body of a question for a visit, whose answer is parsed if it is one."""
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    options = {"method": method, "temperature": 0.1, **options}
    answer = ask(model.with_structured_output(Visit, **options, **_RAW), _PLAN)
    if method != "json_mode":
        assert answer["parsed"] == Visit(city="New York City", days=3)
    return sent[0]


@pytest.mark.claim("structured.method.json-schema")
@every_way
def test_a_format_keeps_its_definitions_descriptions_and_limits(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    with expect("refused"):
        ask(model.with_structured_output(_TOUR, method="json_schema", **_RAW), _PLAN)
    written = sent[0]["response_format"]["json_schema"]["schema"]
    assert {name: written.get(name) for name in _PARTS} == {name: _TOUR[name] for name in _PARTS}


@pytest.mark.claim("structured.method.function-calling")
@every_way
def test_a_tool_keeps_its_definitions_descriptions_and_limits(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    for bound in (model.with_structured_output(_TOUR, **_RAW), model.bind_tools([_TOUR])):
        with expect("refused"):
            ask(bound, _PLAN)
    for body in sent:
        written = body["tools"][0]["function"]["parameters"]
        reported = {name: written.get(name) for name in _PARTS}
        assert reported == {name: _TOUR[name] for name in _PARTS}


class OldBranch(OldBaseModel):
    """A branch of a family, as pydantic wrote it before its second version."""

    name: str
    children: list[OldBranch] = OldField(default_factory=list, description="Überall weitere")


OldBranch.update_forward_refs(OldBranch=OldBranch)


@pytest.mark.claim("structured.method.function-calling", "structured.method.json-schema")
@every_way
@pytest.mark.parametrize(("kind", "place"), [(Branch, "$defs"), (OldBranch, "definitions")])
def test_a_class_that_refers_to_itself_keeps_its_references(
    lane: str, evidence: Evidence, ask: Ask, kind: Any, place: str
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    chains = [model.with_structured_output(kind, method=way, **_RAW) for way in _SENDING]
    for bound in (model.bind_tools([kind]), *chains):
        with expect("refused"):
            ask(bound, _PLAN)
    for body in sent:
        within = body["tools"][0]["function"]["parameters"] if "tools" in body else None
        schema = within or body["response_format"]["json_schema"]["schema"]
        child = schema.get(place, {})[kind.__name__]["properties"]["children"]
        assert child["items"] == {"$ref": f"#/{place}/{kind.__name__}"}, f"of {schema}"
        assert child["description"] == "Überall weitere"


@pytest.mark.claim("structured.method.function-calling", "structured.method.json-schema")
@every_way
@pytest.mark.parametrize("method", _SENDING)
def test_fields_are_asked_for_and_read_as_they_are_written(
    lane: str, evidence: Evidence, ask: Ask, method: Method
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    own = {"name": "Tour", "parameters": copy.deepcopy(_TOUR)}
    for schema, strict in ((Trip, None), (Trip, True), (TripDict, None), (own, True)):
        with expect("refused"):
            ask(model.with_structured_output(schema, method=method, strict=strict, **_RAW), _PLAN)
    assert own == {"name": "Tour", "parameters": _TOUR}, "a schema of the user's was changed"
    plain, closed, typed, _ = map(_read_schema, sent)
    assert plain["required"] == ["cityName", "days"]
    assert [kind["type"] for kind in plain["properties"]["days"]["anyOf"]] == ["integer", "string"]
    assert closed["required"] == ["cityName", "days", "stops"]
    stops = closed["properties"]["stops"]["items"]
    stop = closed["$defs"]["Stop"] if "$ref" in stops else stops
    assert (closed["additionalProperties"], stop["additionalProperties"]) == (False, False)
    assert typed["properties"]["city"]["description"] == "Its name"
    assert typed["required"] == ["city"], "what is NotRequired is asked for"
    assert typed["properties"]["stops"]["description"] == "Where else"
    halt = typed["properties"]["stops"]["items"]
    assert ([*halt["properties"]], halt["required"]) == (["name", "days"], ["name"])


def _read_schema(body: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that a request sends, as a tool or as the format of its response."""
    if "tools" in body:
        return dict(body["tools"][0]["function"]["parameters"])
    return dict(body["response_format"]["json_schema"]["schema"])


def _answer(text: str, method: Method) -> Callable[[Any], Any]:
    """Return a change that gives an answer a JSON text, as a call of `Trip` or as its text."""
    if method == "json_schema":
        return _say(text)
    calls = iter([[{"index": 0, "id": "a", "function": {"name": "Trip", "arguments": text}}]])

    def call(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part["tool_calls"] = next(calls, [])
        return payload

    return call


@pytest.mark.claim("structured.invoke.default")
@every_way
@pytest.mark.parametrize("method", _SENDING)
@pytest.mark.parametrize("raw", [{}, _RAW], ids=["plain", "raw"])
def test_an_object_is_made_of_classes_all_the_way_down_or_not_at_all(
    lane: str, evidence: Evidence, ask: Ask, method: Method, raw: dict[str, Any]
) -> None:
    def plan(text: str, schema: Any = Trip) -> Any:
        model = mount(lane, evidence, change_answers(_answer(text, method)))
        bound = model.with_structured_output(schema, method=method, **raw)
        # A chain that streams yields what has arrived so far, which cannot be added up.
        return _take_last(ask, bound)

    whole = plan('{"cityName": "Rome", "days": "3", "stops": [{"name": "Forum"}]}')
    reported = whole["parsed"] if raw else whole
    assert reported == Trip(cityName="Rome", days="3", stops=[Stop(name="Forum")])
    assert isinstance(reported.stops[0], Stop)
    empty = plan("{}", {"title": "Trip", "type": "object", "properties": {}})
    assert (empty["parsed"] if raw else empty) == {}
    nothing: dict[str, Any] = {
        "near": None,
        "days": 0,
        "name": "",
        "open": False,
        "stops": [],
        "about": {},
    }
    null = plan(json.dumps(nothing), {"title": "Trip", "type": "object", "properties": {}})
    assert (null["parsed"] if raw else null) == nothing
    if raw:
        assert isinstance(plan('{"cityName": "Rome"}')["parsing_error"], ValueError)
        return
    with pytest.raises(ValueError, match="days"):
        plan('{"cityName": "Rome"}')


def _take_last(ask: Ask, chain: Any) -> Any:
    """Return what a chain gives at last, asked in a way of asking."""
    taken: list[Any] = []
    if ask in _STREAMED:
        _STREAMED[ask](chain, _PLAN, taken)
    return taken[-1] if taken else ask(chain, _PLAN)


_STREAMED = dict(zip((ask_stream, ask_astream), TAKES, strict=True))


def _say(text: str) -> Callable[[Any], Any]:
    """Return a change that gives an answer another text and no calls."""
    texts = iter([text])

    def say(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part.pop("tool_calls", None)
            part["content"] = next(texts, "")
        return payload

    return say


_NO_JSON = {
    "cut": '{"city": "New York City", "days": 3',
    "cut in a text": '{"city": "New York C',
    "prose": "Three days in New York City.",
    "an object in prose": 'Plan {"city": "New York City", "days": 3} or another.',
    "nothing": "",
    "a list": '[{"city": "New York City", "days": 3}]',
}


@pytest.mark.claim("structured.raw.kept")
@every_way
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("text", _NO_JSON.values(), ids=_NO_JSON)
def test_a_text_that_is_no_whole_object_is_an_error(
    lane: str, evidence: Evidence, ask: Ask, method: Any, text: str
) -> None:
    _judge_failure(lane, evidence, ask, partial(_say, text), method)


@pytest.mark.claim("structured.raw.kept")
@every_way
def test_an_answer_without_the_call_is_an_error(lane: str, evidence: Evidence, ask: Ask) -> None:
    _judge_failure(lane, evidence, ask, partial(_say, "Three days."), "function_calling")


@pytest.mark.claim("structured.raw.kept")
@every_way
def test_a_call_of_another_tool_is_an_error(lane: str, evidence: Evidence, ask: Ask) -> None:
    def rename(payload: Any) -> Any:
        for call in find_wire_calls(payload):
            if call["function"].get("name"):
                call["function"]["name"] = "Journey"
        return payload

    _judge_failure(lane, evidence, ask, lambda: rename, "function_calling")


def _judge_failure(
    lane: str, evidence: Evidence, ask: Ask, change: Callable[[], Callable[[Any], Any]], method: Any
) -> None:
    """Demand that an answer is raised as an error of parsing, or stands beside its message."""
    schema = {"title": "Visit", **Visit.model_json_schema()}
    for wanted in (Visit, schema, *([None] if method == "json_mode" else ())):
        chain, raw = (
            mount(lane, evidence, change_answers(change())).with_structured_output(
                wanted, method=method, **options
            )
            for options in ({}, _RAW)
        )
        with pytest.raises(OutputParserException):
            ask(chain, _PLAN)
        answer = ask(raw, _PLAN)
        assert isinstance(answer["parsing_error"], OutputParserException)
        assert answer["parsed"] is None
        assert answer["raw"].response_metadata["model_name"]


@pytest.mark.claim("structured.refusal.raised")
@every_way
@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_a_refusal_is_raised_or_stands_beside_its_message(
    lane: str, evidence: Evidence, ask: Ask, method: Any
) -> None:
    def refuse(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part.pop("tool_calls", None)
            part |= {"content": None, "refusal": "No. "}
        return payload

    model = mount(lane, evidence, change_answers(refuse))
    with expect("any", match="No") as caught:
        ask(model.with_structured_output(Visit, method=method), _PLAN)
    assert caught.value.raw_message.additional_kwargs["refusal"].startswith("No.")
    answer = ask(model.with_structured_output(Visit, method=method, **_RAW), _PLAN)
    assert "Refusal" in type(answer["parsing_error"]).__name__
    assert answer["parsed"] is None


@pytest.mark.claim("structured.invoke.default")
@every_way
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_the_texts_of_an_answer_are_parsed_letter_by_letter(
    lane: str, evidence: Evidence, ask: Ask, method: Any
) -> None:
    city = "  e\\u0301 \u00e9 \u212b \ufb01 京都 🌧\\r\\n\ufeff "
    change = _say(f'{{"city": "{city}", "days": 12345678901234567890}}')
    model = mount(lane, evidence, change_answers(change))
    answer = ask(model.with_structured_output(Visit, method=method, **_RAW), _PLAN)
    sentence = "  e\u0301 \u00e9 \u212b \ufb01 京都 🌧\r\n\ufeff "
    assert answer["parsed"] == Visit(city=sentence, days=12_345_678_901_234_567_890)


@pytest.mark.claim("structured.method.json-schema")
@every_way
@pytest.mark.parametrize("door", ["constructor", "call", "bind_tools"])
def test_a_class_may_be_the_format_of_a_response(
    lane: str, evidence: Evidence, ask: Ask, door: str
) -> None:
    sent: list[dict[str, Any]] = []
    given = {"response_format": Visit}
    settings = given if door == "constructor" else {}
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), **settings)
    bound = model.bind_tools([_TOUR], strict=True, **given) if door == "bind_tools" else model
    with expect("refused"):
        ask(bound, _PLAN, **(given if door == "call" else {}))
    written = sent[0]["response_format"]["json_schema"]
    assert (written["name"], written.get("strict", False)) == ("Visit", door == "bind_tools")
    assert written["schema"]["properties"].keys() == {"city", "days"}


@pytest.mark.claim("structured.invoke.default")
@every_way
def test_a_schema_of_a_list_gives_a_list(lane: str, evidence: Evidence, ask: Ask) -> None:
    cities = {"title": "Cities", "type": "array", "items": {"type": "string"}}
    for text in ('["Paris", "Rome"]', '```json\n["Paris", "Rome"]\n```'):  # as many models write it
        model = mount(lane, evidence, change_answers(_say(text)))
        answer = ask(model.with_structured_output(cities, method="json_schema", **_RAW), _PLAN)
        assert (answer["parsed"], answer["parsing_error"]) == (["Paris", "Rome"], None)


@pytest.mark.claim("structured.method.function-calling")
@every_way
@pytest.mark.parametrize("names", [("Visit", "tell"), ("tell", "Visit")], ids=["first", "last"])
def test_the_call_of_the_schema_is_parsed_and_none_beside_it(
    lane: str, evidence: Evidence, ask: Ask, names: tuple[str, ...]
) -> None:
    texts = {"Visit": '{"city": "Rome", "days": 3}', "tell": '{"city": "Oslo", "days": 7}'}
    calls = [
        {"index": at, "id": name, "function": {"name": name, "arguments": texts[name]}}
        for at, name in enumerate(names)
    ]
    answers = iter([calls])

    def call(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part["tool_calls"] = next(answers, [])
        return payload

    def tell(city: str, days: int) -> str:
        """Tell of a visit."""
        return f"{days} days in {city}"

    model = mount(lane, evidence, change_answers(call))
    answer = ask(model.with_structured_output(Visit, tools=[tell], **_RAW), _PLAN)
    assert answer["parsed"] == Visit(city="Rome", days=3)


@pytest.mark.claim("structured.stream.grows")
@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("method", _SENDING)
def test_a_streamed_object_grows_in_both_colours(
    lane: str, evidence: Evidence, take: Callable[..., None], method: Method
) -> None:
    chunks: list[Any] = []
    schema = Visit.model_json_schema()
    take(mount(lane, evidence).with_structured_output(schema, method=method), _PLAN, chunks)
    assert len(chunks) > 2, f"of a streamed object {chunks} were yielded"
    assert chunks[-1] == {"city": "New York City", "days": 3}
    take(mount(lane, evidence).with_structured_output(Sketch, method=method), _PLAN, chunks := [])
    assert len(chunks) > 2, f"of a streamed object of a class {chunks} were yielded"
    assert chunks[-1] == Sketch(city="New York City", days=3)
