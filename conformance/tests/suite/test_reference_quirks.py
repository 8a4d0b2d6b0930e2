from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import Any

import pytest

from conformance.reference import AnswerPlan, Responder, make_request, respond
from conformance.reference.catalogue import HOSTED
from conformance.reference.quirks import QUIRKS, Quirk
from conformance.reference.quirks.rewording import in_deltas, reword
from conformance.targets import LANES
from conformance.tests.package.call_modes import QUESTIONS, WAYS, ask, build, mount, tell
from conformance.tests.package.in_each import in_each
from conformance.tests.suite.reference_requests import WEATHER
from langchain_baseten import (
    BasetenContextOverflowError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenRateLimitError,
)

pytestmark = pytest.mark.untraced("the reference server is not measured")

LANE = LANES["dedicated"]
TOOLS = [WEATHER]
BASE = f"https://{LANE.host}/sync/v1"
CHAT = f"{BASE}/chat/completions"
HOSTED_CHAT = f"https://{LANES['model-apis'].host}/v1/chat/completions"


def choose(*ends: str) -> pytest.MarkDecorator:
    rows = [
        pytest.param(quirk, way, id=f"{name}-{way}")
        for name, quirk in QUIRKS.items()
        if quirk.ends in ends
        for way, travels in WAYS.items()
        if travels in quirk.ways
    ]
    return pytest.mark.parametrize(("quirk", "way"), rows)


def body(question: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {"model": LANE.reasoning_model, "messages": messages} | fields


def plan(responder: Responder, question: str, **fields: Any) -> AnswerPlan:
    return responder(make_request(CHAT, body(question, **fields)))


# How the client ends it.


@pytest.mark.parametrize(
    "name", [name for name, quirk in QUIRKS.items() if quirk.ends != "refused"]
)
def test_a_quirk_changes_what_is_on_the_wire(name: str) -> None:
    def ask_both(responder: Responder) -> list[AnswerPlan]:
        return [
            plan(responder, QUESTIONS["calls"], stream=way, tools=TOOLS) for way in (True, False)
        ]

    assert ask_both(QUIRKS[name].mount(respond)) != ask_both(respond)


@choose("cut")
async def test_a_stream_that_ends_early_is_cut(quirk: Quirk, way: str) -> None:
    with pytest.raises(BasetenIncompleteStreamError) as caught:
        await ask(mount(quirk.mount(respond)), QUESTIONS["text"], way)
    assert caught.value.partial is not None
    assert caught.value.partial.additional_kwargs["reasoning_content"]


@choose("unreadable")
async def test_what_is_no_answer_is_an_error_with_either_call(quirk: Quirk, way: str) -> None:
    with pytest.raises((BasetenInvalidResponseError, BasetenIncompleteStreamError)):
        await ask(mount(quirk.mount(respond)), QUESTIONS["text"], way)


@choose("refused")
async def test_a_refusal_is_raised_with_its_status_and_its_own_sentence(
    quirk: Quirk, way: str
) -> None:
    with pytest.raises(BasetenError) as caught:
        await ask(mount(quirk.mount(respond)), QUESTIONS["text"], way)
    assert quirk.says in str(caught.value)
    assert caught.value.status_code == quirk.status
    assert not isinstance(caught.value, BasetenIncompleteStreamError)


@pytest.mark.parametrize("way", [way for way, travels in WAYS.items() if travels == "streamed"])
async def test_an_answer_broken_off_says_so_and_keeps_what_came(way: str) -> None:
    with pytest.raises(BasetenError, match="finish reason 'abort'") as caught:
        await ask(mount(QUIRKS["aborted"].mount(respond)), QUESTIONS["text"], way)
    assert caught.value.partial is not None
    assert caught.value.partial.additional_kwargs["reasoning_content"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("overflow-by-type", BasetenContextOverflowError),
        ("rate-limit-raised", BasetenRateLimitError),
        ("rate-limit-passed-on", BasetenRateLimitError),
    ],
)
async def test_an_error_is_known_by_what_it_says_of_itself(name: str, kind: type) -> None:
    with pytest.raises(kind):
        await ask(mount(QUIRKS[name].mount(respond)), QUESTIONS["text"], "invoke")


@pytest.mark.parametrize("way", WAYS)
async def test_no_arguments_at_all_are_an_empty_object(way: str) -> None:
    def forget(part: dict[str, Any]) -> None:
        for call in part.get("tool_calls") or ():
            call["function"].pop("arguments", None)

    model = mount(reword(in_deltas(forget))(respond))
    message = await ask(model, QUESTIONS["calls"], way)
    assert [call["args"] for call in message.tool_calls] == [{}, {}]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_several_greedy_choices_are_a_bad_request(way: str) -> None:
    with pytest.raises(BasetenInvalidRequestError, match="n must be 1 when using greedy sampling"):
        await ask(build(respond, temperature=0, n=2), "Hello", way)


# What a quirk leaves alone.


BAD_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objekt"}}}
OTHERS = {
    "models": make_request(f"{BASE}/models", method="GET"),
    "hosted models": make_request(f"https://{LANES['model-apis'].host}/v1/models", method="GET"),
    "embeddings": make_request(f"{BASE}/embeddings", {"model": "tiny", "input": "Hello"}),
    "refusal": make_request(CHAT, body("Hello", temperature=-1)),
    "late refusal": make_request(CHAT, body("Hello", response_format=BAD_SCHEMA, stream=True)),
    "no route": make_request(f"{BASE}/nothing", body("Hello")),
    "no JSON": make_request(CHAT, b'{"messages": ['),
    "no object": make_request(CHAT, [1]),
    "bad key": make_request(
        CHAT, body("Hello", tools=TOOLS, logprobs=True, stream=True), authorization="Bearer bad"
    ),
}
ANSWERS = [name for name, quirk in QUIRKS.items() if quirk.ends in ("same", "otherwise")]


@pytest.mark.parametrize("name", ANSWERS)
@in_each("request_of", OTHERS)
def test_what_holds_no_answer_passes_unchanged(name: str, request_of: Any) -> None:
    honest, quirk = respond(request_of), QUIRKS[name].mount(respond)(request_of)
    assert quirk.status == honest.status
    if name not in ("one-read", "comments"):
        assert quirk.body == honest.body
    if name == "no-parsers":
        assert quirk == honest


@pytest.mark.parametrize("name", QUIRKS)
def test_a_quirk_can_stand_over_any_dialect(name: str) -> None:
    responder = QUIRKS[name].mount(respond)
    models = {model.family: slug for slug, model in HOSTED.items()}.values()
    forms: list[dict[str, Any]] = [{"tools": TOOLS}, {"stop": ["a"]}]
    forms.append({"response_format": {"type": "json_object"}})
    for model, form, streams in product(models, forms, (True, False)):
        fields = body(QUESTIONS["calls"], model=model, stream=streams) | form
        requested = make_request(HOSTED_CHAT, fields)
        assert respond(requested).status == 200
        assert responder(requested).status in (200, QUIRKS[name].status)


QUIET = {"chat_template_kwargs": {"enable_thinking": False}}
OTHER = ("malformed-call", "aborted", "one-read", "both-reasoning-keys", "thoughts-inline")
UNCHANGED = [name for name in ANSWERS if name not in OTHER]


def outcome(reported: AnswerPlan) -> dict[Any, str]:
    """The texts, arguments and finish reasons of a stream, by their place in it."""
    found: dict[Any, str] = defaultdict(str)
    for choice in (choice for event in reported.events for choice in event["choices"]):
        part, at = choice["delta"], choice["index"]
        for key in ("content", "reasoning", "reasoning_content"):
            found[at, "thought" if key != "content" else "text"] += part.get(key) or ""
        for call in part.get("tool_calls") or ():
            found[at, call["index"]] += call["function"].get("arguments") or ""
        found[at, "finish"] += choice.get("finish_reason") or ""
    return found


# Calls that are cut, two choices of them, and two texts.
REQUESTS: list[dict[str, Any]] = [
    *({"tools": TOOLS, "max_tokens": budget} | QUIET for budget in range(1, 20)),
    {"tools": TOOLS, "n": 2} | QUIET,
    {"n": 2},
]


@pytest.mark.parametrize("name", UNCHANGED)
def test_a_quirk_keeps_what_a_stream_says(name: str) -> None:
    for more in REQUESTS:
        requested = make_request(CHAT, body(QUESTIONS["calls"], stream=True) | more)
        assert outcome(QUIRKS[name].mount(respond)(requested)) == outcome(respond(requested))


def test_a_stream_that_does_not_say_why_it_ends_is_packed_whole() -> None:
    form = {"response_format": {"type": "json_object"}, "stream": True}
    requested = make_request(HOSTED_CHAT, body("Hello", model="zai-org/GLM-5") | form)
    packed = QUIRKS["one-delta-many-pieces"].mount(respond)(requested)
    assert outcome(packed) == outcome(respond(requested))
    assert outcome(packed)[0, "finish"] == ""
    assert len(packed.chunks) < len(respond(requested).chunks)


@pytest.mark.parametrize("way", WAYS)
async def test_thoughts_in_the_text_stay_there(way: str) -> None:
    outcome = tell(await ask(build(QUIRKS["no-parsers"].mount(respond)), "Hello", way))
    assert outcome["text"].startswith("<think>")
    assert outcome["reasoning"] is None
    assert outcome["thought"] in (None, {})


@pytest.mark.parametrize("way", WAYS)
async def test_a_malformed_call_is_text_or_an_invalid_call(way: str) -> None:
    question = "What is the weather in Paris?"
    model = mount(QUIRKS["malformed-call"].mount(respond))
    outcome = tell(await ask(model, question, way))
    assert outcome["calls"] == []
    if WAYS[way] == "whole":
        raw = '<tool_call>\n{"name": "get_weather", "arguments": {"city": Paris}}\n</tool_call>'
        assert outcome["text"].strip() == raw
        assert (outcome["finish"], outcome["invalid"]) == ("stop", [])
    else:
        assert outcome["finish"] == "tool_calls"
        assert outcome["invalid"] == [("get_weather", '{"city": Paris}}')]


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_of_an_unknown_tool_is_passed_on(way: str) -> None:
    outcome = tell(await ask(mount(QUIRKS["unknown-tool"].mount(respond)), QUESTIONS["calls"], way))
    assert outcome["calls"] == [("no_such_tool", {"city": city}) for city in ("Paris", "Rome")]
