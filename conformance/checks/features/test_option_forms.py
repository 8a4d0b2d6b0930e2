"""Every option of a request, however it is given: none is lost, rounded, joined or overridden."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField

from conformance.checks.features.call_modes import ask_astream, ask_stream, every_way
from conformance.checks.features.questions import GREETING
from conformance.checks.features.responders import mount, note_bodies, note_requests, refuse_noted
from conformance.reference import ReceivedRequest
from conformance.subjects.expected_errors import expect
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only(
    "which options a call takes, and how, is for each maker to say"
)


_PARAMETERS: dict[str, Any] = {
    "temperature": 0.123456789,
    "top_p": 0.987654321,
    "max_tokens": 1_000_000,
    "n": 1,
    "seed": 9_007_199_254_740_993,
    "presence_penalty": -1.75,
    "frequency_penalty": 1.25,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {"7": -99.5, "100000": 1.5, "8": 0.0},
    "reasoning_effort": "minimal",
    "reasoning": {"effort": "low"},
    "service_tier": "flex",
    "verbosity": "low",
    "user": "Åda",
    "priority": 0,
    "parallel_tool_calls": True,
    "response_format": {"type": "json_object"},
    "top_k": -1,
    "top_p_min": 0.05,
    "min_p": 0.0,
    "repetition_penalty": 1.05,
    "length_penalty": 0.95,
    "dynamic_temperature": {"min": 0.1},
    "best_of": 3,
    "early_stopping": False,
    "min_tokens": 0,
    "bad": ["no", " "],
    "bad_token_ids": [1, 2],
    "stop_token_ids": [],
    "include_stop_str_in_output": True,
    "ignore_eos": False,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "truncate_prompt_tokens": 100_000,
    "echo": False,
    "add_generation_prompt": False,
    "add_special_tokens": True,
    "documents": [{"title": "a", "text": "b"}],
    "chat_template": "{{ messages }}\n",
    "chat_template_args": {"enable_thinking": True},
    "chat_template_kwargs": {"thinking": False},
    "thinking": {"type": "enabled"},
    "thinking_token_budget": 10,
    "disaggregated_params": {"request_type": "context_only"},
    "b10_cache_control": {"type": "ephemeral"},
    "baseten": {},
}


@pytest.mark.claim("parameters.given.sent")
@every_way
@pytest.mark.parametrize("door", ["constructor", "bind", "call", "model_kwargs"])
def test_every_documented_parameter_is_sent_as_it_was_given(
    lane: str, evidence: Evidence, ask: Ask, door: str
) -> None:
    sent: list[dict[str, Any]] = []
    more: Any = {"model_kwargs": {"new_parameter": {"a": [1, None]}}}
    given = {**_PARAMETERS, "logit_bias": {7: -99.5, 100_000: 1.5, 8: 0}}
    of_model = {**(given if door == "constructor" else {}), **more}
    if door == "model_kwargs":
        of_model = {"model_kwargs": {**_PARAMETERS, **more["model_kwargs"]}}
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), **of_model)
    with expect("refused"):
        ask(
            model.bind(**(given if door == "bind" else {})),
            GREETING,
            **(given if door == "call" else {}),
        )
    received = {name: sent[0].get(name) for name in _PARAMETERS}
    assert received == _PARAMETERS
    assert sent[0]["new_parameter"] == {"a": [1, None]}


@pytest.mark.claim("parameters.given.sent")
@every_way
def test_options_of_a_stream_stand_beside_ours(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    for given in ({"continuous_usage_stats": True}, {"include_usage": False}):
        with expect("refused"):
            ask(model, GREETING, stream_options=given)
        wanted = {"include_usage": True, **given}
        is_streamed = ask in (ask_stream, ask_astream)
        # Services refuse them where nothing is streamed.
        assert sent.pop().get("stream_options") == (wanted if is_streamed else None)


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_extra_body_is_sent_as_it_is_and_overrides_model_and_objects(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    extra: dict[str, Any] = {
        "model": "another",
        "chat_template_args": {"a": 1},
        "messages": [],
        "user": None,
    }
    model = mount(
        lane,
        evidence,
        note_bodies(sent, refuse_noted),
        chat_template_args={"b": 2},
        user="ada",
        extra_body=extra,
    )
    with expect("refused"):
        ask(model, GREETING)
    assert {name: sent[0][name] for name in extra} == extra


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_headers_and_query_of_a_call_override_those_of_the_model(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    seen: list[ReceivedRequest] = []
    given = {"default_headers": {"X-Team": "a", "x-b": "b"}, "default_query": {"v": "1", "w": "2"}}
    model = mount(lane, evidence, note_requests(seen), **given)
    ask(model, GREETING, extra_headers={"x-team": "c"}, extra_query={"v": "3 4&5"})
    ask(model, GREETING)
    assert [(each.header("x-team"), each.header("x-b")) for each in seen] == [
        ("c", "b"),
        ("a", "b"),
    ]
    queries = [sorted(each.target.partition("?")[2].split("&")) for each in seen]
    assert [[q.replace("%20", "+") for q in each] for each in queries] == [
        ["v=3+4%265", "w=2"],
        ["v=1", "w=2"],
    ]


@pytest.mark.claim("parameters.nearest.wins")
@every_way
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_an_authorization_of_ones_own_replaces_the_key(
    lane: str, evidence: Evidence, ask: Ask, name: str
) -> None:
    seen: list[ReceivedRequest] = []
    model = mount(lane, evidence, note_requests(seen))
    ask(model, GREETING, extra_headers={name: "Bearer of-a-call"})
    ask(model, GREETING)
    assert seen[0].header("authorization") == "Bearer of-a-call"
    assert seen[1].header("authorization") not in (None, "Bearer of-a-call")


@pytest.mark.claim("parameters.nearest.wins")
@every_way
@pytest.mark.parametrize(
    ("bound", "given"),
    [
        ({"stop_sequences": ["a"]}, {"stop": ["b"]}),
        ({"stop": ["a"]}, {"stop_sequences": ["b"]}),
        ({"max_completion_tokens": 5}, {"max_tokens": 9}),
        ({"max_tokens": 5}, {"max_completion_tokens": 9}),
        ({"model": "a"}, {"model_name": "b"}),
    ],
    ids=["stop", "stop_sequences", "max_tokens", "max_completion_tokens", "model_name"],
)
def test_a_value_of_a_call_wins_under_whichever_name(
    lane: str, evidence: Evidence, ask: Ask, bound: dict[str, Any], given: dict[str, Any]
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    with expect("refused"):
        ask(model.bind(**bound), GREETING, **given)
    received = [sent[0][name] for name in ("stop", "max_tokens", "model") if name in sent[0]]
    assert next(iter(given.values())) in received
    others = sent[0].keys() - {"messages", "stream", "stream_options"}
    assert others <= {"model", "stop", "max_tokens"}, f"sent under another name: {others}"


_LAYERS: dict[str, tuple[Any, Any, Any]] = {
    "temperature": (0.7, 0.2, 0),
    "max_tokens": (9, 7, 5),
    "seed": (1, 2, 0),
    "logprobs": (True, True, False),
    "stop": (["a"], ["b", "c"], ["d"]),
    "bad": (["a"], ["b"], []),
    "logit_bias": ({"1": 1.0}, {"2": 2.0}, {"3": 3.0}),
    "chat_template_args": ({"a": 1}, {"b": 2}, {}),
    "extra_body": ({"x": 1}, {"x": 2}, {"x": 3}),
}
"""What the constructor, `bind` and a call are given."""


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_the_whole_value_of_a_call_wins_over_that_of_bind_and_this_over_the_model_s(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model, bound, called = ({k: v[at] for k, v in _LAYERS.items()} for at in range(3))
    mounted = mount(lane, evidence, note_bodies(sent, refuse_noted), **model)
    for requested, options in (
        (mounted.bind(**bound), {}),
        (mounted.bind(**bound), called),
        (mounted, {}),
    ):
        with expect("refused"):
            ask(requested, GREETING, **options)
    for body, given in zip(sent, (bound, called, model), strict=True):
        wanted = {**given, **given["extra_body"]}
        del wanted["extra_body"]
        assert {name: body.get(name) for name in wanted} == wanted


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_a_field_wins_over_the_model_kwargs_of_a_call(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    given = {"temperature": 0.5, "model_kwargs": {"new": 1}}
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), **given)
    for of_call in ({"newer": 2}, {"temperature": 1}):
        with expect("refused"):
            ask(model, GREETING, model_kwargs=of_call)
    names = ("temperature", "new", "newer")
    assert [[body.get(name) for name in names] for body in sent] == [[0.5, 1, 2], [0.5, 1, None]]


@pytest.mark.claim("parameters.nearest.wins")
@every_way
def test_none_of_a_call_takes_back_what_was_given_before(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    given = {"temperature": 0.5, "seed": 1}
    bound = mount(lane, evidence, note_bodies(sent, refuse_noted), **given).bind(top_k=3)
    with expect("refused"):
        ask(bound, GREETING, temperature=None, top_k=None)
    assert [sent[0].get(name) for name in ("temperature", "seed", "top_k")] == [None, 1, None]


@pytest.mark.claim("parameters.given.sent")
@every_way
def test_what_is_assigned_or_copied_is_sent_from_then_on(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    seen: list[ReceivedRequest] = []
    given = {"temperature": 0.5, "extra_body": {"x": 1}, "model_kwargs": {"new": 1}}
    model = mount(lane, evidence, note_requests(seen, refuse_noted), **given)
    with expect("refused"):
        ask(model, GREETING)
    model.temperature = 0.3
    model.default_headers, model.default_query = {"x-team": "harbour"}, {"page": "9"}
    copied = model.model_copy(update={"seed": 0}, deep=True)
    model.model_kwargs["new"] = 2
    for each in (model, copied):
        with expect("refused"):
            ask(each, GREETING)
    names = ("temperature", "seed", "x", "new")
    received = [[each.json().get(name) for name in names] for each in seen]
    assert received == [[0.5, None, 1, 1], [0.3, None, 1, 2], [0.3, 0, 1, 1]]
    placed = [(each.header("x-team"), each.target.partition("?")[2]) for each in seen]
    assert placed == [(None, ""), *[("harbour", "page=9")] * 2]


class _Limiter(BaseRateLimiter):
    def __init__(self) -> None:
        self.requested = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.requested += 1
        return blocking

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire(blocking=blocking)


@pytest.mark.claim("parameters.given.sent")
@every_way
def test_a_rate_limiter_is_asked_for_each_request_of_a_model_and_its_copies(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    limiter = _Limiter()
    model = mount(lane, evidence, rate_limiter=limiter)
    copies = (model.model_copy(update={"temperature": 0.5}), copy.copy(model), copy.deepcopy(model))
    for each in (model, model.bind(seed=1), *copies):
        ask(each, GREETING)
    assert limiter.requested == 5


@pytest.mark.claim("parameters.given.sent")
@every_way
def test_configured_fields_are_sent(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    given = {"default_headers": {"x-team": "harbour"}, "seed": 7}
    model = mount(lane, evidence, note_bodies(sent), **given)
    fields = model.configurable_fields(
        temperature=ConfigurableField(id="heat"), max_tokens=ConfigurableField(id="size")
    )
    ask(fields.with_config(configurable={"heat": 0.3, "size": 9}), GREETING)
    ask(fields, GREETING)
    received = [(each.get("temperature"), each.get("max_tokens"), each["seed"]) for each in sent]
    assert received == [(0.3, 9, 7), (None, None, 7)]
    is_streamed = ask in (ask_stream, ask_astream)
    assert [each.get("stream", False) for each in sent] == [is_streamed] * 2


@pytest.mark.claim("parameters.given.sent")
@pytest.mark.parametrize(
    "given", [{"temprature": 0.5}, {"max_tokens": 1, "max_completion_tokens": 2}]
)
def test_what_cannot_be_sent_as_it_was_given_is_refused(
    lane: str, evidence: Evidence, given: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"temperature|max_tokens"):
        mount(lane, evidence, **given)


@pytest.mark.claim("drop-in.names.known")
async def test_arguments_of_the_earlier_release_have_their_effect(evidence: Evidence) -> None:
    sent: list[dict[str, Any]] = []
    disabled = {"seed": None, "top_p": [0.5], "max_completion_tokens": [3]}
    model = mount("model-apis", evidence, note_bodies(sent), disabled_params=disabled)
    model.invoke(GREETING, seed=1, top_p=0.5, temperature=0.5, max_tokens=3)
    model.invoke(GREETING, top_p=0.6, temperature=0.7, max_completion_tokens=9)
    names = ("seed", "top_p", "temperature", "max_tokens")
    assert [[body.get(name) for name in names] for body in sent] == [
        [None, None, 0.5, None],
        [None, 0.6, 0.7, 9],
    ]
    streaming = mount("model-apis", evidence, note_bodies(sent), streaming=True)
    assert streaming.invoke(GREETING).text
    assert (await streaming.ainvoke(GREETING)).text
    assert [body.get("stream") for body in sent] == [None, None, True, True]


@pytest.mark.claim("drop-in.names.known")
@every_way
def test_a_disabled_parameter_is_sent_wherever_it_was_given_in_no_way(
    evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    given = {"disabled_params": {"seed": None, "top_p": [0.5]}, "seed": 1, "top_p": 0.5}
    model = mount("model-apis", evidence, note_bodies(sent, refuse_noted), **given)
    for bound, options in ((model, {}), (model.bind(seed=2), {}), (model, {"seed": 3})):
        with expect("refused"):
            ask(bound, GREETING, **options)
    assert [body.keys() & {"seed", "top_p"} for body in sent] == [set()] * 3


_OF_OPENAI = ("organization", "openai_proxy", "use_responses_api")


@pytest.mark.claim("drop-in.names.known")
@pytest.mark.parametrize("name", _OF_OPENAI)
def test_a_setting_of_openai_is_named_with_what_to_do_instead(
    name: str, evidence: Evidence
) -> None:
    given: dict[str, Any] = {name: "mine"}
    with pytest.raises(ValueError, match=rf"{name} is not a parameter of \w+\. \w+"):
        mount("model-apis", evidence, **given)
    for unset in (None, False):
        given[name] = unset
        assert mount("model-apis", evidence, **given).invoke(GREETING).text
