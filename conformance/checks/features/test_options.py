"""Options of a model, a binding and a single call: each has an effect in every way of asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from conformance.checks.features.call_modes import (
    EVERY_WAY,
    ask_events,
    ask_events_awaited,
    every_way,
)
from conformance.checks.features.questions import GREETING, ONE_CITY, TWO_CITIES, get_weather
from conformance.checks.features.responders import (
    change_answers,
    mount,
    name_requests,
    note_bodies,
    note_requests,
    refuse_noted,
    spoil_arguments,
)
from conformance.reference import ReceivedRequest, respond
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import expect
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

_own_options = pytest.mark.own_client_only("which options a call takes is for each maker to say")


class Visit(BaseModel):
    """A visit to a city."""

    city: str
    days: int


@pytest.mark.claim("parameters.nearest.wins")
@_own_options
@every_way
def test_extra_body_overrides_everything_and_model_kwargs_nothing(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    given = {"model_kwargs": {"new": 1, "newer": 1}, "extra_body": {"seed": 2, "newer": 2}}
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), **given)
    for options in (
        {"temperature": 0.2, "extra_body": {"temperature": 0.3}},
        {"model_kwargs": {"new": 4, "newer": 4}},
    ):
        with expect("refused"):
            ask(model, GREETING, seed=5, **options)
    names = ("new", "newer", "seed", "temperature")
    assert [[body.get(name) for name in names] for body in sent] == [
        [1, 2, 2, 0.3],
        [4, 2, 2, None],
    ]


_ENGINES = {
    "top_k": 40,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "chat_template_args": {"enable_thinking": True},
    "response_format": {"type": "json_object"},
    "parallel_tool_calls": False,
    "user": "ada",
    "priority": 1,
}


@pytest.mark.claim("parameters.given.sent")
@_own_options
@every_way
@pytest.mark.parametrize("door", ["constructor", "bind", "call"])
def test_parameters_of_the_engines_are_sent(
    lane: str, evidence: Evidence, ask: Ask, door: str
) -> None:
    sent: list[dict[str, Any]] = []
    of_model, of_bind, of_call = (
        _ENGINES if door == each else {} for each in ("constructor", "bind", "call")
    )
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), **of_model)
    with expect("refused"):
        ask(model.bind(**of_bind), GREETING, **of_call)
    assert {name: sent[0].get(name) for name in _ENGINES} == _ENGINES


@pytest.mark.claim("parameters.given.sent")
@_own_options
@every_way
def test_headers_and_query_of_a_model_and_of_a_call_are_sent(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    seen: list[ReceivedRequest] = []
    given = {"default_headers": {"x-team": "harbour"}, "default_query": {"version": "7"}}
    model = mount(lane, evidence, note_requests(seen), **given)
    ask(model, GREETING, extra_headers={"x-trace": "8"}, extra_query={"page": "9"})
    assert {("x-team", "harbour"), ("x-trace", "8")} <= {*seen[0].headers}
    assert sorted(seen[0].target.partition("?")[2].split("&")) == ["page=9", "version=7"]


@pytest.mark.claim("retries.policy.transient")
@_own_options
@every_way
def test_a_call_says_how_often_it_is_tried(lane: str, evidence: Evidence, ask: Ask) -> None:
    seen: list[ReceivedRequest] = []
    responder = note_requests(seen, lambda _: plan_json(503, {"error": "Not now."}))
    model = mount(lane, evidence, responder, max_retries=1)
    with expect("any"):
        ask(model, GREETING, max_retries=0)
    assert len(seen) == 1, f"max_retries=0 was asked of the call, and {len(seen)} requests came"
    model.max_retries = 0
    with expect("any"):
        ask(model, GREETING)
    assert len(seen) == 2, f"max_retries=0 was assigned, and {len(seen) - 1} requests came"


@pytest.mark.claim("reasoning.replay.off")
@_own_options
@every_way
def test_a_call_says_whether_reasoning_goes_back(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    thought = AIMessage(
        "7",
        additional_kwargs={"reasoning_content": "Three and four."},
        response_metadata={"model_provider": "baseten"},
    )
    model = mount(lane, evidence, note_bodies(sent))
    for replayed in (True, False):
        ask(model, [HumanMessage("3 + 4?"), thought, ("human", "?")], replay_reasoning=replayed)
    assert ["reasoning_content" in body["messages"][1] for body in sent] == [True, False]


@pytest.mark.claim("metadata.finish.reason")
@_own_options
@every_way
def test_a_response_keeps_what_else_the_engine_sent(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    text: list[int] = []

    def add(payload: Any) -> Any:
        for choice in payload["choices"]:
            choice["token_ids"] = [len(text)]  # of each event by itself
            text.append(len(text))
            if choice.get("finish_reason"):
                choice["matched_stop"] = 7
                payload |= {"service_tier": "flex", "cached": False}  # in the last event alone
        return payload | {"system_fingerprint": "fp-7", "queue_ms": 0}

    model = mount(lane, evidence, name_requests("req-7", change_answers(add)))
    reported = ask(model, GREETING, include_response_headers=True).response_metadata
    names = ("matched_stop", "service_tier", "system_fingerprint", "queue_ms", "cached")
    assert [reported.get(name) for name in names] == [7, "flex", "fp-7", 0, False]
    assert reported["token_ids"] == text
    assert reported.get("request_id") == "req-7"
    assert reported["headers"]["content-type"].split(";")[0] in {
        "application/json",
        "text/event-stream",
    }
    assert "headers" not in ask(model, GREETING).response_metadata


@pytest.mark.claim("tools.choice.forced")
@pytest.mark.own_client_only("choices as in Anthropic's API are an addition of langchain-baseten")
@every_way
def test_a_choice_as_in_anthropic_s_api_is_sent_as_the_wires_own(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    for choice in ({"type": "tool", "name": "get_weather"}, {"type": "any"}):
        single = {**choice, "disable_parallel_tool_use": True}
        ask(model.bind_tools([get_weather], tool_choice=single), TWO_CITIES)
    free = {"type": "auto", "disable_parallel_tool_use": False}
    ask(model.bind_tools([get_weather], tool_choice=free), TWO_CITIES)
    named = {"type": "function", "function": {"name": "get_weather"}}
    assert [body["tool_choice"] for body in sent] == [named, "required", "auto"]
    assert [body["parallel_tool_calls"] for body in sent] == [False, False, True]


@pytest.mark.claim("tools.history.round-trip")
@pytest.mark.own_client_only("others may read calls off the content")
@every_way
def test_a_call_that_was_taken_out_of_a_message_is_not_sent(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    block = {"type": "tool_call", "name": "get_weather", "args": {"city": "Rome"}, "id": "b"}
    content: Any = [{"type": "text", "text": "Let me look."}, block]
    called = AIMessage(content, tool_calls=[{**block, "id": "a"}])
    called.tool_calls = [call for call in called.tool_calls if call["id"] == "a"]
    removed = called.model_copy(update={"tool_calls": []})
    model = mount(lane, evidence, note_bodies(sent)).bind_tools([get_weather])
    ask(model, [HumanMessage(ONE_CITY), called, ToolMessage("Sunny.", tool_call_id="a")])
    ask(model, [HumanMessage(ONE_CITY), removed, HumanMessage("Never mind.")])
    turns = [body["messages"][1] for body in sent]
    assert [call["id"] for call in turns[0]["tool_calls"]] == ["a"]
    assert turns[1] == {"role": "assistant", "content": "Let me look."}


@pytest.mark.claim("structured.raw.kept")
@pytest.mark.own_client_only("how often a chain of theirs yields is for others to say")
@every_way
def test_a_parsing_error_stays_beside_its_message_in_every_way(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    model = mount(lane, evidence, change_answers(spoil_arguments))
    answer: Any = ask(model.with_structured_output(Visit, include_raw=True), "Visit Rome.")
    assert isinstance(answer["parsing_error"], OutputParserException)
    assert answer["parsed"] is None
    assert answer["raw"].invalid_tool_calls
    with pytest.raises(OutputParserException):
        ask(model.with_structured_output(Visit), "Visit Rome.")


@pytest.mark.claim("structured.method.function-calling")
@pytest.mark.own_client_only("others may bind no tools beside a schema")
@every_way
@pytest.mark.parametrize("strict", [True, None])
def test_tools_beside_a_schema_and_strict_are_sent(
    lane: str, evidence: Evidence, ask: Ask, strict: bool | None
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    chain = model.with_structured_output(
        Visit, tools=[get_weather], strict=strict, include_raw=True
    )
    ask(chain, "Visit Rome in 3 days.")
    functions = [tool["function"] for tool in sent[0]["tools"]]
    assert [function["name"] for function in functions] == ["Visit", "get_weather"]
    assert [function.get("strict") for function in functions] == [strict, strict]
    assert sent[0]["tool_choice"] == "required"


@pytest.mark.claim("image.block.forms")
@pytest.mark.own_client_only("others may leave out how closely an image is to be looked at")
@every_way
def test_the_detail_of_an_image_is_sent(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    url = "https://example.com/a.png"
    blocks: list[Any] = [
        {"type": "image_url", "image_url": {"url": url, "detail": "high"}},
        {"type": "image", "url": url, "extras": {"detail": "low"}},
    ]
    with expect("refused"):
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), [HumanMessage(blocks)])
    images = [part["image_url"] for part in sent[0]["messages"][0]["content"]]
    assert images == [{"url": url, "detail": "high"}, {"url": url, "detail": "low"}]


@pytest.mark.claim("parameters.given.sent")
def test_a_cache_answers_an_equal_call_and_no_other(lane: str, evidence: Evidence) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent), cache=InMemoryCache(), temperature=0.5)
    invoke, _, ainvoke, _ = EVERY_WAY
    for ask in (invoke, ainvoke):
        ask(model, GREETING)
        ask(model, GREETING, temperature=0.1)
        ask(model.bind_tools([get_weather]), GREETING)
        ask(model, GREETING, stop=["END"])
    received = [
        (body.get("temperature"), bool(body.get("tools")), bool(body.get("stop"))) for body in sent
    ]
    assert received == [
        (0.5, False, False),
        (0.1, False, False),
        (0.5, True, False),
        (0.5, False, True),
    ], f"temperature, tools and stop sequences of the requests that were sent are {received}"


@pytest.mark.claim("parameters.given.sent", lane="dedicated")
@_own_options
@pytest.mark.parametrize(
    "other",
    [
        {"model_url": "https://model-efgh5678.api.baseten.co/environments/production/predict"},
        {"model_kwargs": {"new": 1}},
        {"top_k": 3},
        {"model": LANES["dedicated"].alternate_model},
    ],
    ids=["deployment", "model_kwargs", "parameter", "model"],
)
def test_a_cache_answers_no_call_of_another_model(
    evidence: Evidence, other: dict[str, Any]
) -> None:
    sent: list[dict[str, Any]] = []
    cache = InMemoryCache()
    for settings in ({}, other, {}, other):
        model = mount("dedicated", evidence, note_bodies(sent), cache=cache, **settings)
        model.invoke(GREETING)
    assert len(sent) == 2, f"two models that differ in {other} sent {len(sent)} requests"
    model.invoke(GREETING, extra_body={"seed": 3})
    assert len(sent) == 3, "a call with an extra body was answered for one without"
    model.temperature = 0.9
    model.invoke(GREETING)
    assert len(sent) == 4, "a model was answered with what it was asked before an assignment"


@pytest.mark.claim("retries.policy.transient")
@pytest.mark.own_client_only("others may report a retry in another way")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("ask", [EVERY_WAY[0], EVERY_WAY[2], ask_events, ask_events_awaited])
def test_a_callback_hears_of_a_retry(lane: str, evidence: Evidence, ask: Ask) -> None:
    observed: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_retry(self, retry_state: Any, **_: Any) -> None:
            observed.append(retry_state.outcome.exception())

    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> Any:
        seen.append(request)
        return respond(request) if len(seen) > 1 else plan_json(503, {"error": "Not now."})

    model = mount(lane, evidence, answer, max_retries=1)
    assert ask(model, GREETING, config={"callbacks": [Listener()]}).text
    assert [error.status_code for error in observed] == [503]
