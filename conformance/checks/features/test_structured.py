"""Structured output: every method as it is sent, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any, Literal, get_args

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from conformance.checks.features.call_modes import BOTH_WAYS
from conformance.checks.features.other_makers import (
    at_model,
    read_choice,
    refer,
    refer_if_known,
    refer_if_streamed,
    skip_another_method,
)
from conformance.checks.features.readings import judge_reading, opened, tapped
from conformance.checks.features.responders import (
    change_answers,
    find_wire_calls,
    find_wire_parts,
    mount,
    note_bodies,
    spoil_arguments,
)
from conformance.subjects.expected_errors import catching
from conformance.subjects.known_faults import DICTIONARY, KNOWN
from conformance.subjects.subject import chosen
from conformance.subjects.wire_answers import read_answer
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]

Method = Literal["function_calling", "json_schema", "json_mode"]

pytestmark = pytest.mark.usefixtures("lane")

PLAN = "Plan a visit of 3 days in New York City."
NAME = "Name a city and its country. Answer in JSON with the keys 'city' and 'country'."
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
_PLACE = {
    "title": "Place",
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
}
PLANNED = {"city": "New York City", "days": 3}


class Visit(BaseModel):
    """A visit to a city."""

    city: str
    days: int


class GuidedVisit(Visit):
    """A visit to a city."""

    guide: str | None = None


class VisitDict(TypedDict):
    """A visit to a city."""

    city: str
    days: int


DESCRIBED = {"description": "A visit to a city."}
SCHEMAS = {
    "pydantic": Visit,
    "typed-dict": VisitDict,
    "json-schema": {"title": "Visit", **DESCRIBED, **PARAMETERS},
    "function": {"name": "Visit", **DESCRIBED, "parameters": PARAMETERS},
}

by_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
by_method = pytest.mark.parametrize("method", ["function_calling", "json_schema"])


def leave_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its fields' titles, which say what their names say."""
    fields = schema["properties"].items()
    bare = {name: {k: v for k, v in field.items() if k != "title"} for name, field in fields}
    return {**schema, "properties": bare}


def by_calling() -> dict[str, Any]:
    """Return the options of a structured output by a tool call, which is our own default."""
    return {} if chosen().ours else {"method": "function_calling"}


def bind_raw(model: BaseChatModel, schema: Any, **options: Any) -> Any:
    """Return a chain that keeps the message; of others a schema has to be taken without that."""
    if not chosen().ours:
        model.with_structured_output(schema, **options)
    return model.with_structured_output(schema, include_raw=True, **options)


def as_dict(answer: Any) -> Any:
    return answer.model_dump() if isinstance(answer, BaseModel) else answer


@pytest.mark.claim("structured.invoke.default")
@by_schema
def test_every_schema_comes_back_filled(
    model: BaseChatModel, schema: Any, evidence: Evidence
) -> None:
    answer: Any = None
    # Of ours `structured.async.default` judges that; it refers to this of others.
    for method in ("json_schema", "json_mode") if schema is Visit and not chosen().ours else ():
        with suppress(Exception):  # Claims about the methods judge whether any comes.
            answer = model.with_structured_output(schema, method=method).invoke(PLAN)
        assert not isinstance(answer, dict), DICTIONARY
    answer = model.with_structured_output(schema).invoke(PLAN)
    if not chosen().ours and schema is SCHEMAS["function"] and answer != PLANNED:
        evidence.not_applicable("whether a function's schema is taken is for each maker to say")
    assert isinstance(answer, Visit if schema is Visit else dict), (
        f"a schema was given as {type(schema).__name__}, and {answer!r} came back"
    )
    assert as_dict(answer) == PLANNED


@pytest.mark.claim("structured.async.default")
@by_method
async def test_schemas_come_back_filled_from_the_event_loop(
    model: BaseChatModel, method: Method
) -> None:
    async with opened(model):
        answer = await model.with_structured_output(Visit, method=method).ainvoke(PLAN)
    if method == "json_schema" and isinstance(answer, dict):
        refer("structured.invoke.default", DICTIONARY)
    assert answer == Visit(city="New York City", days=3)


@pytest.mark.claim("structured.method.function-calling")
def test_function_calling_sends_the_schema_as_a_forced_tool(
    model: BaseChatModel, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        chain = tapped_model.with_structured_output(Visit, method="function_calling")
        answer = chain.invoke(PLAN)
    [body] = traffic.sent
    skip_another_method(evidence, body, "function_calling")
    function = {"name": "Visit", **DESCRIBED, "parameters": PARAMETERS}
    assert body["tools"] == [{"type": "function", "function": function}]
    named = {"type": "function", "function": {"name": "Visit"}}
    # Of the only tool, others may as well require any call.
    forced = [named] if chosen().ours else [named, "required"]
    choice = read_choice(body)
    assert choice in forced, f"the only tool is Visit; the tool_choice that is sent is {choice}"
    assert "response_format" not in body
    assert as_dict(answer) == PLANNED


@pytest.mark.claim("structured.method.json-schema")
def test_json_schema_sends_the_schema_as_response_format(
    model: BaseChatModel, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        chain = tapped_model.with_structured_output(Visit, method="json_schema")
        with catching() as errors:
            answer = chain.invoke(PLAN)
    assert traffic.sent, f"json_schema was asked for, and nothing was sent: {errors}"
    [body] = traffic.sent
    skip_another_method(evidence, body, "json_schema")
    form = body.get("response_format") or {}
    assert form.get("type") == "json_schema", (
        f"method json_schema was asked for; the response_format that is sent is of type "
        f"{form.get('type')}"
    )
    if errors:
        raise errors[0]
    assert body["response_format"]["json_schema"]["name"] == "Visit"
    sent = leave_titles(body["response_format"]["json_schema"]["schema"])
    assert {name: sent[name] for name in PARAMETERS} == PARAMETERS
    assert "tools" not in body
    assert as_dict(answer) == PLANNED


@pytest.mark.claim("structured.method.json-mode")
def test_json_mode_asks_for_any_object_and_parses_it(
    model: BaseChatModel, evidence: Evidence
) -> None:
    schema = None if chosen().ours else _PLACE  # Others may demand one, as LangChain does.
    with tapped(model) as (tapped_model, traffic):
        answer = tapped_model.with_structured_output(schema, method="json_mode").invoke(NAME)
    [body] = traffic.sent
    skip_another_method(evidence, body, "json_mode")
    assert body["response_format"] == {"type": "json_object"}
    assert "tools" not in body
    # Which object it is, the model chooses; it is the one that the service sent.
    [text] = (read_answer(each).sent_object for each in traffic.answers)
    assert answer == text
    assert text


@pytest.mark.claim("structured.schema.optional-field")
@by_method
def test_an_optional_field_may_be_left_out(model: BaseChatModel, method: Method) -> None:
    if chosen().ours:  # Others may have to ask for every field, as OpenAI's strict mode does.
        chain = model.with_structured_output(GuidedVisit, method=method, include_raw=True)
        answer: Any = chain.invoke(PLAN)
        text = answer["raw"].text or answer["raw"].tool_calls[0]["args"]
        assert "guide" not in text
        assert answer["parsed"] == GuidedVisit(city="New York City", days=3, guide=None)
        return
    parsed: Any = model.with_structured_output(GuidedVisit, method=method).invoke(PLAN)
    if method == "json_schema" and isinstance(parsed, dict):
        refer("structured.invoke.default", DICTIONARY)
    assert isinstance(parsed, GuidedVisit)
    assert parsed.model_dump(exclude={"guide"}) == PLANNED


@pytest.mark.claim("structured.raw.kept")
@by_method
def test_the_message_stays_beside_what_was_parsed(model: BaseChatModel, method: Method) -> None:
    with tapped(model) as (tapped_model, traffic):
        chain = bind_raw(tapped_model, Visit, method=method)
        answer: Any = chain.invoke(PLAN)
    assert set(answer) == {"raw", "parsed", "parsing_error"}
    assert as_dict(answer["parsed"]) == PLANNED
    assert answer["parsing_error"] is None
    judge_reading(answer["raw"], traffic.answers[0])
    counted = read_answer(traffic.answers[0]).count("total_tokens")
    kept = (answer["raw"].usage_metadata or {}).get("total_tokens")
    if kept != counted:
        refer_if_streamed(traffic.sent[0])
    assert kept == counted or counted is None, f"{counted} tokens were counted; it reports {kept}"


@pytest.mark.claim("structured.raw.kept")
@pytest.mark.parametrize("schema", [Visit, VisitDict])
def test_arguments_that_are_not_json_stay_with_their_error(
    lane: str, evidence: Evidence, schema: Any
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, change_answers(spoil_arguments)))
    answer = bind_raw(model, schema, **by_calling()).invoke(PLAN)
    skip_another_method(evidence, sent[0], "function_calling")
    [broken] = answer["raw"].invalid_tool_calls
    assert "New York City" in broken["args"]
    assert answer["parsed"] is None
    if answer["parsing_error"] is None and not chosen().ours:
        evidence.not_applicable("langchain-core's own parsers leave the error to the broken call")
    kind = OutputParserException if chosen().ours else Exception
    assert isinstance(answer["parsing_error"], kind), "no parsing_error tells of the broken call"


@pytest.mark.claim("structured.raw.kept")
def test_an_answer_that_breaks_the_schema_stays_with_its_error(
    lane: str, evidence: Evidence
) -> None:
    def misspell(payload: Any) -> Any:
        for call in find_wire_calls(payload):  # All of it at once: streams cut it anywhere.
            wrong = '{"city": "New York City", "nights": 3}'
            call["function"]["arguments"] = wrong if call["function"].get("name") else ""
        return payload

    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, change_answers(misspell)))
    answer = bind_raw(model, Visit, **by_calling()).invoke(PLAN)
    skip_another_method(evidence, sent[0], "function_calling")
    assert answer["raw"].tool_calls[0]["args"]["nights"] == 3
    assert answer["parsed"] is None
    kind = ValidationError if chosen().ours else Exception
    assert isinstance(answer["parsing_error"], kind), "no parsing_error tells of the missing field"


@pytest.mark.claim("structured.stream.grows")
@by_method
def test_a_streamed_answer_grows_into_the_invoked_one(
    model: BaseChatModel, method: Method, evidence: Evidence
) -> None:
    # Whether others take a typed dictionary is `structured.invoke.default`.
    schema: Any = VisitDict if chosen().ours else SCHEMAS["json-schema"]
    chain = model.with_structured_output(schema, method=method)
    chunks: list[Any] = list(chain.stream(PLAN))
    if len(chunks) == 1 and not chosen().ours:
        assert chunks[0] == PLANNED, f"the plan is {PLANNED}; the chain yielded {chunks[0]}"
        evidence.not_applicable("how often a chain of theirs yields is for others to say")
    assert len(chunks) > 2, (
        f"an answer that is streamed grows; the chain yielded no more than {len(chunks)} of it"
    )
    for earlier, later in pairwise(chunks):
        assert earlier.keys() <= later.keys()
        assert later.get("city", "").startswith(earlier.get("city", ""))
    assert chunks[-1] == chain.invoke(PLAN) == PLANNED


@pytest.mark.claim("structured.finish.missing")
@pytest.mark.parametrize("ask", BOTH_WAYS)
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_an_answer_without_a_finish_reason_is_complete(
    model: BaseChatModel, evidence: Evidence, ask: Ask, method: Method
) -> None:
    schema = {"title": "Visit", **PARAMETERS}
    with tapped(model) as (tapped_model, traffic):
        named, options = at_model(tapped_model, "zai-org/GLM-5")
        chain = named.with_structured_output(schema, method=method, **options)
        if chosen().ours:
            bound, *parsers = chain.steps
            parsed: Any = ask(bound, f"{PLAN} Answer in JSON.")
            assert "finish_reason" not in traffic.answers[0]
            assert parsed.response_metadata.get("finish_reason") is None
            for parser in parsers:
                parsed = parser.invoke(parsed)
        else:
            parsed = ask_chain(chain, ask)
            if "response_format" not in traffic.sent[0]:
                evidence.not_applicable(f"the client does not ask by response_format for {method}")
    assert "finish_reason" not in traffic.answers[0]
    assert parsed


def ask_chain(chain: Any, ask: Ask) -> Any:
    """Return what a chain of any make and length parses, of a whole answer or of a stream."""
    prompt = f"{PLAN} Answer in JSON."
    parsed = [chain.invoke(prompt)] if ask is BOTH_WAYS[0] else list(chain.stream(prompt))
    if not parsed:  # langchain-core's parsers of calls make nothing of an answer in the place.
        refer_if_known("streaming.sync.incremental", "the client asks for no stream")
    assert parsed, "the stream of a structured answer holds none"
    return parsed[-1]


@pytest.mark.claim("structured.bind.schemas")
@by_schema
@pytest.mark.parametrize(
    "options",
    [
        {},
        *({"method": m, "strict": s} for m in get_args(Method) for s in (None, False, True)),
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "default",
)
def test_every_schema_is_bound_before_anything_is_sent(
    schema: Any, options: dict[str, Any], evidence: Evidence
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("model-apis", evidence, note_bodies(sent))
    if not chosen().ours and options.get("method") == "json_mode":
        options = {**options, "strict": None}  # It means nothing there, and others may say so.
    raw = {"include_raw": True} if chosen().ours else {}  # `structured.raw.kept` is about that.
    chain = model.with_structured_output(schema, **options, **raw)
    assert sent == []
    with catching() as errors:
        chain.invoke(NAME)
    if chosen().ours:  # Whether others read the answer is judged elsewhere.
        assert not errors
    assert len(sent) == 1, f"requests that were sent: {len(sent)}; what was raised: {errors}"


@pytest.mark.claim("structured.refusal.raised")
def test_a_refusal_in_the_place_of_a_structured_answer_is_an_error(
    lane: str, evidence: Evidence
) -> None:
    def refuse(body: Any) -> Any:
        # Others may stream it, or ask for what the service does not answer at all.
        for part in find_wire_parts(body):
            part |= {"content": text, "refusal": "I plan no visits."}
        return body

    # Who cannot read a message without text loses calls, too: `tools.invoke.call` tells of that.
    text = "" if "tools.invoke.call" in KNOWN else None

    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, change_answers(refuse)))
    chain = model.with_structured_output(Visit, method="json_schema")
    with catching() as errors:
        chain.invoke(PLAN)
    assert sent, f"json_schema was asked for, and nothing was sent: {errors}"
    skip_another_method(evidence, sent[0], "json_schema")
    assert errors, "the service refused in the place of the answer, and nothing was raised"
    error: Any = errors[0]
    assert "I plan no visits" in str(error), (
        f"the service refused with 'I plan no visits.'; the error says {error}"
    )
    if chosen().ours:
        assert type(error).__name__ == "BasetenRefusalError"
        assert error.raw_message.additional_kwargs["refusal"] == "I plan no visits."
