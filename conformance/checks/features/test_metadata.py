"""What an answer and a trace say about themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage

from conformance.checks.features.call_modes import both_ways, every_way
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.questions import GREETING, ONE_CITY, TALE, get_weather
from conformance.checks.features.readings import read_finish, tapped
from conformance.checks.features.responders import mount
from conformance.subjects.subject import chosen
from conformance.subjects.wire_answers import read_answer
from conformance.targets import FAKE_KEY, LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


@pytest.mark.claim("metadata.finish.reason")
@both_ways
@pytest.mark.parametrize(
    ("options", "reason"),
    [({}, "stop"), ({"stop": ["harbour"]}, "stop"), ({"max_tokens": 5}, "length")],
    ids=["end", "stop", "length"],
)
def test_an_answer_says_why_it_ended(
    lane: str, model: BaseChatModel, ask: Ask, options: dict[str, Any], reason: str
) -> None:
    answer = ask(model, TALE, **options)
    reported, words = read_finish(answer), len(answer.text.split())
    requested = ", ".join(f"{name}={value}" for name, value in options.items()) or "no limit"
    assert reported == reason, (
        f"with {requested} an answer ends with finish_reason {reason!r}; it reports "
        f"{reported!r} after {words} words"
    )


@pytest.mark.claim("metadata.finish.reason")
@both_ways
def test_an_answer_that_calls_a_tool_says_so(lane: str, model: BaseChatModel, ask: Ask) -> None:
    answer = ask(model.bind_tools([get_weather]), ONE_CITY)
    assert answer.tool_calls
    reported = read_finish(answer)
    assert reported == "tool_calls", (
        f"an answer with a call ends with finish_reason 'tool_calls'; it reports {reported!r}"
    )


@pytest.mark.claim("metadata.finish.reason")
@pytest.mark.own_client_only(
    "what an answer tells beside its end is for each maker to say", applies=False
)
@both_ways
def test_an_answer_names_its_provider_its_model_and_its_id(
    lane: str, model: BaseChatModel, ask: Ask
) -> None:
    with tapped(model) as (tapped_model, traffic):
        metadata = ask(tapped_model, GREETING).response_metadata
    assert traffic.sent[0]["model"] == LANES[lane].model
    reported = read_answer(traffic.answers[0]).fields
    # Some engines answer under another name of their only model, and some give no id.
    named = LANES[lane].model if lane == "model-apis" else reported.get("model", LANES[lane].model)
    assert metadata["model_name"] == named
    assert metadata["model_provider"] == "baseten"
    assert metadata.get("id") == reported.get("id")


@pytest.mark.claim("metadata.tracing.parameters")
@pytest.mark.own_client_only("what stands beside generations is for each maker to say")
@pytest.mark.parametrize("way", ["generate", "agenerate"])
async def test_the_output_beside_generations_names_its_model_and_adds_up_tokens(
    evidence: Evidence, way: str
) -> None:
    model = mount("model-apis", evidence)
    prompts: Any = [[HumanMessage(text)] for text in (GREETING, ONE_CITY)]
    result = await model.agenerate(prompts) if way == "agenerate" else model.generate(prompts)
    output = result.llm_output or {}
    messages = [each[0].message for each in result.generations]
    assert output["model_name"] == LANES["model-apis"].model
    assert output["model_provider"] == "baseten"
    assert output["id"] == messages[-1].response_metadata["id"]
    usages = [each.usage_metadata for each in messages]
    for name, ours in (("prompt", "input"), ("completion", "output"), ("total", "total")):
        total = sum(each[f"{ours}_tokens"] for each in usages)
        assert output["token_usage"][f"{name}_tokens"] == total


def _judge_name(start: dict[str, Any], wanted: str) -> None:
    """Demand a model's name of a trace; others may put that of its provider in front."""
    name = start["metadata"].get("ls_model_name") or ""
    named = name == wanted if chosen().ours else name.endswith(wanted)
    assert named, f"the model is {wanted}; the trace's ls_model_name is {name!r}"


def _judge_reported(start: dict[str, Any], name: str, wanted: Any) -> None:
    """Demand a parameter of a trace; of others only that nothing else is told.

    langchain-core's own hook finds a model's parameters in fields of certain names alone, and its
    stop sequences nowhere.
    """
    reported = start["metadata"].get(name)
    is_reported = reported == wanted or (reported is None and not chosen().ours)
    assert is_reported, f"the parameter is {wanted}; the trace's {name} is {reported!r}"


class _Trace(BaseCallbackHandler):
    def __init__(self) -> None:
        self.starts: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: dict[str, Any], messages: Any, **about: Any) -> None:
        self.starts.append({**about, "serialized": serialized})


@pytest.mark.claim("metadata.tracing.parameters")
@every_way
def test_a_trace_names_the_provider_the_model_and_its_parameters(
    evidence: Evidence, ask: Ask
) -> None:
    trace = _Trace()
    cold = 0.0 if chosen().ours else 0.5
    model = mount("model-apis", evidence, temperature=cold, max_tokens=50, top_p=0.9, stop=["END"])
    ask(model, GREETING, config={"callbacks": [trace]})
    (start,) = trace.starts
    provider = "baseten" if chosen().ours else start["metadata"].get("ls_provider")
    assert provider
    _judge_name(start, LANES["model-apis"].model)
    kinds = tuple(start["metadata"].get(f"ls_{name}") for name in ("provider", "model_type"))
    assert kinds == (provider, "chat"), f"a trace of {provider}'s chat model says {kinds}"
    _judge_reported(start, "ls_temperature", cold)
    _judge_reported(start, "ls_max_tokens", 50)
    _judge_reported(start, "ls_stop", ["END"])
    if chosen().ours:  # LangChain has no name for others, which makers may tell or not.
        assert start["invocation_params"].items() >= {("top_p", 0.9), ("temperature", cold)}


@pytest.mark.claim("package.serialise.key")
@every_way
def test_a_trace_does_not_show_the_key(evidence: Evidence, ask: Ask) -> None:
    trace = _Trace()
    ask(mount("model-apis", evidence), GREETING, config={"callbacks": [trace]})
    assert FAKE_KEY not in str(trace.starts), "the model that a trace describes shows the key"


@pytest.mark.claim("metadata.tracing.parameters")
@pytest.mark.own_client_only("whether one stop sequence may be a text is for each maker to say")
@every_way
def test_a_trace_names_a_stop_sequence_that_is_a_text(evidence: Evidence, ask: Ask) -> None:
    trace = _Trace()
    model = mount("model-apis", evidence, stop="END")
    ask(model, GREETING, config={"callbacks": [trace]})
    assert trace.starts[0]["metadata"]["ls_stop"] == ["END"]


@pytest.mark.claim("metadata.tracing.parameters")
@every_way
def test_a_trace_names_what_the_call_changed(evidence: Evidence, ask: Ask) -> None:
    trace = _Trace()
    model = mount("model-apis", evidence, temperature=0.5)
    other = LANES["model-apis"].alternate_model
    model, named = at_model(model, other)
    changed: dict[str, Any] = {**named, "temperature": 0.1, "max_tokens": 9, "stop": ["END"]}
    ask(model, GREETING, config={"callbacks": [trace]}, **changed)
    ask(model.bind(**changed), GREETING, config={"callbacks": [trace]})
    if chosen().ours:  # It is known under either name.
        del changed["model"]
        ask(model, GREETING, config={"callbacks": [trace]}, **changed, model_name=other)
    for start in trace.starts:
        _judge_name(start, other)
        _judge_reported(start, "ls_temperature", 0.1)
        if chosen().ours:  # What else of a call is told is for others to say.
            _judge_reported(start, "ls_max_tokens", 9)
            _judge_reported(start, "ls_stop", ["END"])
    assert len(trace.starts) == (3 if chosen().ours else 2)
    ask(model.bind_tools([get_weather]), GREETING, config={"callbacks": [trace]})
    assert not chosen().ours or trace.starts[-1]["invocation_params"]["tools"]


@pytest.mark.claim("metadata.tracing.parameters")
@pytest.mark.own_client_only("others leave these events to langchain-core")
async def test_events_of_an_earlier_version_have_the_name_and_the_tags_of_the_config(
    evidence: Evidence,
) -> None:
    model = mount("model-apis", evidence)
    config: Any = {"run_name": "greeting", "tags": ["port"]}
    events = [e async for e in model.astream_events(GREETING, config, version="v2")]
    assert {(event["name"], *event["tags"]) for event in events} == {("greeting", "port")}


@pytest.mark.claim("metadata.tracing.parameters")
def test_a_trace_of_a_deployment_names_the_model_behind_the_url(evidence: Evidence) -> None:
    trace = _Trace()
    mount("dedicated", evidence, model=None).invoke(GREETING, config={"callbacks": [trace]})
    (start,) = trace.starts
    assert start["metadata"]["ls_provider"] == "baseten"
    assert start["metadata"]["ls_model_name"] == "model-abcd1234"
