"""Parameters: what is given is sent, by whichever door, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from conformance.checks.features.call_modes import both_ways, every_way
from conformance.checks.features.other_makers import knowing, leave_unknown, refer
from conformance.checks.features.questions import GREETING, TALE, TWO_CITIES, get_weather
from conformance.checks.features.readings import tapped
from conformance.checks.features.responders import mount, note_bodies
from conformance.subjects.expected_errors import tolerate
from conformance.subjects.subject import chosen
from conformance.subjects.wire_answers import read_answer
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


_GIVEN: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 50,
    "stop": ["END"],
    "seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logit_bias": {"7": -1.0},
}
_ZEROS: dict[str, Any] = {"temperature": 0, "seed": 0}
_DOORS: dict[str, Callable[..., Any]] = {
    "constructor": lambda build, ask, given: ask(build(**given), GREETING),
    "bind": lambda build, ask, given: ask(build().bind(**given), GREETING),
    "call": lambda build, ask, given: ask(build(), GREETING, **given),
}
_NEARLY_ZERO = 1e-6
_EXTRAS = ("model_kwargs", "extra_body")
_OWN = {"model", "messages", "stream", "stream_options"}


@pytest.mark.claim("parameters.given.sent")
@every_way
@pytest.mark.parametrize("door", _DOORS)
def test_what_is_given_is_sent(lane: str, evidence: Evidence, ask: Ask, door: str) -> None:
    for chosen_values in (_GIVEN, _ZEROS):
        sent: list[dict[str, Any]] = []
        build = partial(mount, lane, evidence, note_bodies(sent))
        given = leave_unknown(lane, chosen_values) if door == "constructor" else chosen_values
        with knowing(evidence, *_GIVEN):
            _DOORS[door](build, ask, given)
        found = {name: find_sent(sent[0], name) for name in given}
        lost = {name: value for name, value in given.items() if not is_sent(found[name], value)}
        if lost:  # What others' constructors do not know, their calls need not know either.
            lost = leave_unknown(lane, lost)
        instead = {name: found[name] for name in lost}
        assert not lost, f"given by {door} were {lost}; sent are {instead}"


def is_sent(found: Any, given: Any) -> bool:
    """Whether a value is the one given; others may send the least above 0, as ChatGroq does."""
    if chosen().ours or given != 0 or not isinstance(found, float):
        return bool(found == given)
    return 0 <= found <= _NEARLY_ZERO


def find_sent(body: dict[str, Any], name: str) -> Any:
    """Return a parameter of a body; others may send OpenAI's present name of `max_tokens`."""
    if name == "max_tokens" and not chosen().ours:
        return body.get(name, body.get("max_completion_tokens"))
    return body.get(name)


@pytest.mark.claim("parameters.given.sent")
@pytest.mark.own_client_only(
    "which defaults of its own a client sends is for its maker to document"
)
@every_way
def test_nothing_else_is_sent(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    ask(model.bind_tools([get_weather]), GREETING, **_GIVEN)
    ask(model, GREETING)  # nor what an earlier call was given
    fields = {*sent[1]}
    assert {"model", "messages"} <= fields <= _OWN, f"sent though not given: {fields - _OWN}"


@pytest.mark.claim("parameters.given.sent")
@every_way
@pytest.mark.parametrize("extra", _EXTRAS)
def test_what_has_no_argument_is_sent_as_well(
    lane: str, evidence: Evidence, ask: Ask, extra: str
) -> None:
    if extra == "model_kwargs" and not chosen().ours:
        evidence.not_applicable("which parameters `model_kwargs` takes is for each maker to say")
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent), **{extra: {"top_k": 40}})
    with tolerate():
        ask(model, GREETING)
    if not chosen().ours and (not sent or "top_k" not in sent[0]):
        evidence.not_applicable(f"what the factory makes knows no {extra}")
    assert sent[0]["top_k"] == 40


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_a_calls_own_value_wins(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent), temperature=0.1, seed=1)
    bound = model.bind(temperature=0.2)
    with knowing(evidence, "temperature", "seed"):
        ask(bound, GREETING, temperature=0.3)
        ask(bound, GREETING)
        ask(model, GREETING)
    if not any("temperature" in body for body in sent):
        refer("parameters.given.sent", "a temperature that is given is not sent")
    received = [body.get("temperature") for body in sent]
    assert received == [0.3, 0.2, 0.1], f"0.3, 0.2 and 0.1 are the nearest; {received} are sent"
    # That others send no seed of their constructor's, `parameters.given.sent` says.
    wanted = [1, 1, 1] if chosen().ours or sent[-1].get("seed") else [None] * 3
    assert [body.get("seed") for body in sent] == wanted


@pytest.mark.claim("parameters.stop.ends")
@both_ways
def test_an_answer_ends_before_a_stop_sequence(
    lane: str, model: BaseChatModel, ask: Ask, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        ask(tapped_model, TALE)
        stopped = ask(tapped_model, TALE, stop=["harbour"])
    assert traffic.sent[1]["stop"] == ["harbour"]
    whole, cut = map(read_answer, traffic.answers)
    if "harbour" not in whole.text:
        evidence.not_applicable("the model tells a tale of a harbour without the word")
    assert "harbour" not in stopped.text, (
        f"the stop sequence 'harbour' was sent; the answer goes on with it: {stopped.text!r:.200}"
    )
    assert stopped.text == cut.text


@pytest.mark.claim("parameters.seed.sent")
@both_ways
def test_a_seed_is_sent_and_answered(
    lane: str, model: BaseChatModel, evidence: Evidence, ask: Ask
) -> None:
    with tapped(model) as (tapped_model, traffic), knowing(evidence, "seed"):
        first, second = (ask(tapped_model, GREETING, seed=seed) for seed in (0, 7))
    sent = [body.get("seed") for body in traffic.sent]
    if not any(sent) and not leave_unknown(lane, {"seed": 7}):
        evidence.not_applicable("neither constructor nor calls of another maker know a seed")
    assert sent == [0, 7], f"the seeds 0 and 7 were given; sent are {sent}"
    assert first.text
    assert second.text


@pytest.mark.claim("tools.parallel.forbidden")
@both_ways
def test_calls_side_by_side_can_be_forbidden(
    lane: str, model: BaseChatModel, evidence: Evidence, ask: Ask
) -> None:
    with tapped(model) as (tapped_model, traffic), knowing(evidence, "parallel_tool_calls"):
        both = ask(tapped_model.bind_tools([get_weather]), TWO_CITIES)
        strict = {"strict": True} if chosen().ours else {}  # Others may bind it otherwise.
        bound = tapped_model.bind_tools([get_weather], parallel_tool_calls=False, **strict)
        one = ask(bound, TWO_CITIES)
    free, forbidden = (body.get("parallel_tool_calls") for body in traffic.sent)
    lawful = (None,) if chosen().ours else (None, True)  # True is what the API does without it.
    assert free in lawful, f"two calls were left free; the parallel_tool_calls sent is {free}"
    assert forbidden is False, f"two calls were forbidden; the parallel_tool_calls is {forbidden}"
    if chosen().ours:
        assert traffic.sent[1]["tools"][0]["function"]["strict"] is True
    assert len(both.tool_calls) == 2, (
        f"the service was free to make two calls; the message holds {len(both.tool_calls)}"
    )
    assert len(one.tool_calls) == 1, (
        f"parallel_tool_calls=False was sent; {len(one.tool_calls)} calls came"
    )
