"""Numbers, sizes and forms at which a promise that holds for the simplest case may end."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest
from string import ascii_letters
from typing import Any

import pytest
from langchain_core import exceptions as core
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from conformance.checks.features.call_modes import (
    EVERY_WAY,
    ask_invoke,
    ask_stream,
    every_way,
    streamed,
)
from conformance.checks.features.other_makers import (
    NO_REPLAY,
    read_choice,
    refer_if_blind,
    refer_if_one_streams,
    skip_another_method,
)
from conformance.checks.features.questions import GREETING, ONE_CITY, get_weather
from conformance.checks.features.readings import find_replayed
from conformance.checks.features.responders import change_answers, mount, note_bodies, refuse_noted
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import encode_json, plan_json
from conformance.subjects.expected_errors import catch, catching, expect, expect_class, tolerate
from conformance.subjects.subject import chosen
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


_CITIES = (
    *("Paris", "Rome", "Oslo", "Bern", "Cairo", "Lima", "Quito", "Delhi", "Seoul", "Hanoi"),
    *("Accra", "Dakar", "Tunis", "Rabat", "Riga", "Vienna", "Prague", "Athens", "Dublin", "Berlin"),
)
_EACH_CITY = f"What is the weather in {' and in '.join(_CITIES)}?"
_BIG = b64encode(bytes(range(256)) * 9_600).decode("ascii")
_RIDDLE = "What is 3 + 4? Think first."
_MANY = 600
_IDS = ascii_letters
"""Ids of the calls of one turn, the last of which is invalid."""
_PATIENCE = 10.0


def _tool(name: str) -> dict[str, Any]:
    return {"name": name, "description": name, "parameters": {"type": "object", "properties": {}}}


@pytest.mark.claim("tools.invoke.parallel")
@every_way
def test_many_calls_in_one_answer_are_as_many_tool_calls(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    message = ask(mount(lane, evidence).bind_tools([get_weather]), _EACH_CITY)
    cities = [call["args"].get("city") for call in message.tool_calls]
    assert cities == [*_CITIES], f"the service sent a call for each of {_CITIES}, not {cities}"
    assert len({call["id"] for call in message.tool_calls}) == len(_CITIES)


@pytest.mark.claim("tools.stream.merge-by-index")
@streamed
def test_arguments_in_many_deltas_are_one_call(lane: str, evidence: Evidence, ask: Ask) -> None:
    city = " ".join(map(str, range(_MANY)))
    model = mount(lane, evidence, _respond_without_limit)
    message = ask(model.bind_tools([get_weather]), f"What is the weather in '{city}'?")
    reported = [str(call["args"].get("city")) for call in message.tool_calls]
    assert reported == [city], (
        f"of {len(city)} letters in many deltas {[*map(len, reported)]} arrived"
    )


@pytest.mark.claim("parameters.given.sent", lane="dedicated")
@pytest.mark.own_client_only("how several responses are asked for is for each maker to say")
async def test_as_many_responses_come_as_were_asked_for_but_of_a_stream(
    evidence: Evidence,
) -> None:
    def number(payload: Any) -> Any:
        for choice in payload["choices"] if len(payload["choices"]) > 1 else ():
            choice["message"]["content"] = choice["finish_reason"] = f"{choice['index']}"
        return payload

    model, requested = (
        mount("dedicated", evidence, change_answers(number)),
        [[HumanMessage(GREETING)]],
    )
    for result in (model.generate(requested, n=5), await model.agenerate(requested, n=5)):
        reported: list[Any] = [each.message for each in result.generations[0]]
        assert [each.text for each in reported] == [*"01234"]
        assert [each.response_metadata["finish_reason"] for each in reported] == [*"01234"]
    with expect("unsendable", match="n must be 1"):
        ask_stream(model, GREETING, n=2)
    with expect("unsendable", match="n must be 1"):
        _ = [chunk async for chunk in model.astream(GREETING, n=2)]
    with pytest.raises(ValueError, match="n must be 1"):
        mount("dedicated", evidence, n=2, streaming=True)


@pytest.mark.claim("tools.bind.schemas")
@every_way
def test_all_of_many_tools_are_sent(evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    names = [f"Tool_{number:0<60}" for number in range(1, 151)]
    model = mount("model-apis", evidence, note_bodies(sent))
    ask(model.bind_tools([_tool(name) for name in names]), GREETING)
    assert [tool["function"]["name"] for tool in sent[0]["tools"]] == names


@pytest.mark.claim("tools.history.round-trip")
@every_way
def test_every_result_of_a_turn_goes_back(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    called = AIMessage(
        "Let me look.",
        tool_calls=[
            {"name": "get_weather", "args": {"city": f"京都 🌧 {each}"}, "id": each}
            for each in _IDS[:-1]
        ],
        invalid_tool_calls=[{"name": "get_weather", "args": "{", "id": _IDS[-1], "error": None}],
    )
    results = [ToolMessage(f"Sunny {each}.", tool_call_id=each) for each in _IDS]
    bound = mount(lane, evidence, note_bodies(sent)).bind_tools([get_weather])
    ask(bound, [HumanMessage(ONE_CITY), called, *results])
    _, turn, *rest = sent[0]["messages"]
    if chosen().ours:  # Mistral's API takes no text beside calls, and no row promises it of others.
        assert turn.get("content") == "Let me look.", "the text beside the calls of a turn is lost"
    calls = turn.get("tool_calls") or []
    ids = [call["id"] for call in calls]
    is_whole = any(call["function"]["arguments"] == "{" for call in calls)
    lost = "" if is_whole else ", without the one whose arguments are no JSON"
    count = len({*ids})
    assert count == len(_IDS), f"of {len(_IDS)} calls with results {count} go back{lost}"
    if chosen().ours:  # Others may give ids of their own.
        assert ids == [*_IDS]
    first = json.loads(turn["tool_calls"][0]["function"]["arguments"])
    assert first == {"city": f"京都 🌧 {_IDS[0]}"}, f"the arguments of a call go back as {first}"
    reported = [(each["tool_call_id"], each["content"]) for each in rest]
    wanted = [f"Sunny {each}." for each in _IDS]
    assert reported == list(zip(ids, wanted, strict=True)), (
        f"the results that are sent are {reported}"
    )


_NAMED = {"type": "function", "function": {"name": "get_weather"}}


@pytest.mark.claim("tools.choice.forced")
@every_way
@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (_NAMED, _NAMED),
        ("get_weather", _NAMED),
        ("any", "required"),
        ("required", "required"),
        ("auto", "auto"),
        ("none", "none"),
    ],
    ids=["dict", "name", "any", "required", "auto", "none"],
)
def test_each_form_of_a_choice_is_sent_as_one(
    lane: str, evidence: Evidence, ask: Ask, choice: Any, written: Any
) -> None:
    sent: list[dict[str, Any]] = []
    tools = [get_weather, _tool("get_time")]
    bound = mount(lane, evidence, note_bodies(sent)).bind_tools(tools, tool_choice=choice)
    ask(bound, ONE_CITY)
    received = read_choice(sent[0]) or "auto"
    assert received == written, f"the tool_choice {choice} was bound; what is sent is {received}"
    assert [tool["function"]["name"] for tool in sent[0]["tools"]] == ["get_weather", "get_time"]


@pytest.mark.claim("tools.choice.forced")
@every_way
def test_true_forces_the_only_tool(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    ask(model.bind_tools([get_weather], tool_choice=True), ONE_CITY)
    received = read_choice(sent[0])
    assert received in ("required", _NAMED), (
        f"the only tool was forced; the tool_choice is {received}"
    )


@pytest.mark.claim("structured.method.json-schema")
@pytest.mark.parametrize("strict", [True, False])
def test_a_strict_schema_is_sent_as_such(lane: str, evidence: Evidence, strict: bool) -> None:
    sent: list[dict[str, Any]] = []
    schema = {
        "title": "Visit",
        "description": "A visit.",
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    model = mount(lane, evidence, note_bodies(sent))
    model.with_structured_output(schema, method="json_schema", strict=strict).invoke("Visit Paris.")
    skip_another_method(evidence, sent[0], "json_schema")
    assert "response_format" in sent[0], "method json_schema was asked for, no response_format sent"
    written = sent[0]["response_format"]
    assert "json_schema" in written, f"response_format is sent as {written}, without json_schema"
    reported = written["json_schema"].get("strict", False)
    if not chosen().ours and reported is not strict:
        evidence.not_applicable("which schemas are strict is for each maker to say")
    assert reported is strict, f"strict={strict} was asked for, strict={reported} is sent"


@pytest.mark.claim("parameters.given.sent")
@every_way
@pytest.mark.parametrize(
    "stop",
    [
        ["D", "C", "B", "A"],
        [f"{n}\n" for n in range(32)],
        ["\n\n", " ", "終わり", "e\u0301"],
        "END",
    ],
    ids=["four", "all", "blank", "text"],
)
def test_every_stop_sequence_is_sent(lane: str, evidence: Evidence, ask: Ask, stop: Any) -> None:
    sent: list[dict[str, Any]] = []
    if not chosen().ours and isinstance(stop, str):
        evidence.not_applicable("whether one stop sequence may be a text is for each maker to say")
    ask(mount(lane, evidence, note_bodies(sent), stop=stop), GREETING)
    ask(mount(lane, evidence, note_bodies(sent)), GREETING, stop=stop)
    for body in sent:
        reported = body.get("stop")
        assert reported in (stop, [stop]), (
            f"not all stop sequences that are given are sent, as {reported}"
        )


@pytest.mark.claim("parameters.given.sent")
@every_way
def test_headers_given_are_sent(lane: str, evidence: Evidence, ask: Ask) -> None:
    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        return respond(request)

    headers = {"x-team": "harbour", "x-trace": "7"}
    headers |= {"user-agent": "harbour/1"} if chosen().ours else {}
    model = mount(lane, evidence, answer, default_headers=headers)
    with tolerate():
        ask(model, GREETING)
    if not chosen().ours and (not seen or "default_headers" in seen[0].json()):
        evidence.not_applicable("what the factory makes knows no default_headers")
    if chosen().ours:  # Others may say in which encoding as well.
        headers["content-type"] = "application/json"
    lost = {*headers.items()} - {*seen[0].headers}
    assert not lost, f"default_headers were given, and not sent are {sorted(lost)}"


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_all_turns_of_a_long_conversation_are_sent(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    turns: list[Any] = [SystemMessage("Be brief.")]
    for number in range(_MANY):
        turns += [HumanMessage(f"Question {number}", name="ada"), AIMessage(f"Answer {number}")]
    ask(mount(lane, evidence, note_bodies(sent)), [*turns, HumanMessage(GREETING)])
    reported = [(each["content"], each.get("name")) for each in sent[0]["messages"]]
    requested = [*((turn.content, turn.name) for turn in turns), (GREETING, None)]
    if not chosen().ours:  # Others may leave out who said it.
        reported, requested = (
            [(content, None) for content, _ in each] for each in (reported, requested)
        )
    # One pair alone: pytest takes minutes to lay two long lists side by side.
    pairs = zip_longest(reported, requested)
    received, wanted = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    assert received == wanted, (
        f"of {len(requested)} messages {len(reported)} are sent; "
        f"the first that differs is {received}"
    )


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_a_long_prompt_is_sent_to_its_end(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    prompt = " ".join(map(str, range(80_000)))
    with catching() as errors:
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), prompt)
    assert sent, f"a long prompt was given, and nothing was sent: {errors}"
    received = sent[0]["messages"][0]["content"]
    is_same = received == prompt
    assert is_same, f"of {len(prompt)} letters {len(received)} are sent"


def _respond_without_limit(request: ReceivedRequest) -> AnswerPlan:
    if chosen().ours:
        return respond(request)
    # What others send by default, such as a limit, is for their makers to document.
    limits = ("max_tokens", "max_completion_tokens")
    body = {name: value for name, value in request.json().items() if name not in limits}
    return respond(replace(request, body=encode_json(body)))


@pytest.mark.claim("streaming.sync.adds-up")
@every_way
def test_a_long_answer_arrives_to_its_end(lane: str, evidence: Evidence, ask: Ask) -> None:
    text = " ".join(map(str, range(3_200)))
    model = mount(lane, evidence, _respond_without_limit)
    reported = ask(model, f"Repeat after me: {text}").text
    is_same = reported == text
    assert is_same, f"of {len(text)} letters {len(reported)} arrived"


@pytest.mark.claim("image.block.forms")
@every_way
def test_big_images_and_several_of_them_arrive_unchanged(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    texts = [*(b64encode(b"image %d" % number).decode() for number in range(20)), _BIG]
    types = [f"image/{('png', 'jpeg', 'webp', 'gif')[number % 4]}" for number in range(21)]
    content: list[Any] = []
    for number, (text, kind) in enumerate(zip(texts, types, strict=True)):
        content.append({"type": "text", "text": f"Image {number}:"})
        content.append({"type": "image", "base64": text, "mime_type": kind})
    responder = note_bodies(sent, refuse_noted)
    with catching() as errors:
        ask(mount(lane, evidence, responder), [HumanMessage(content)])
    assert sent, f"{len(texts)} images were given, and nothing was sent: {errors}"
    parts = sent[0]["messages"][0]["content"]
    refer_if_blind()
    assert isinstance(parts, list), f"images were given; the content is sent as {parts!r:.99}"
    kinds = sorted({str(part["type"]) for part in parts})
    assert kinds == ["image_url", "text"], f"images are sent as parts of types {kinds}"
    reported = [
        part["text"] if part["type"] == "text" else part["image_url"]["url"] for part in parts
    ]
    urls = [f"data:{kind};base64,{text}" for text, kind in zip(texts, types, strict=True)]
    wanted = [text for number, url in enumerate(urls) for text in (f"Image {number}:", url)]
    # One pair alone, as above, and of that what can be read.
    pairs = ((one or "", other or "") for one, other in zip_longest(reported, wanted))
    received, meant = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
    assert (len(received), received[:99]) == (len(meant), meant[:99])


@pytest.mark.claim("reasoning.replay.sent")
@every_way
def test_the_reasoning_of_every_turn_goes_back(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    reported_by = model.invoke(GREETING).response_metadata.get("model_provider")
    provider = "baseten" if chosen().ours else reported_by
    bound = model.bind_tools([get_weather])
    messages: list[Any] = []
    for number in range(3):
        thought = AIMessage(
            f"Answer {number}",
            additional_kwargs={"reasoning_content": f"Thought {number}"},
            response_metadata={"model_provider": provider} if provider else {},
        )
        messages += [HumanMessage(f"Question {number}"), thought]
    ask(bound, [*messages, HumanMessage(GREETING)])
    received = [find_replayed(turn) for turn in sent[-1]["messages"][1::2]]
    if not chosen().ours and not any(received):
        evidence.not_applicable(NO_REPLAY)
    assert received == ["Thought 0", "Thought 1", "Thought 2"], (
        f"each of three messages has reasoning; what goes back with them is {received}"
    )


@pytest.mark.claim("async.same.answers")
@pytest.mark.parametrize("case", ["reasoning", "image", "parameters", "logprobs"])
def test_every_way_sends_and_returns_the_same(lane: str, evidence: Evidence, case: str) -> None:
    image = {"type": "image", "base64": "QUJD", "mime_type": "image/png"}
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "reasoning": (_RIDDLE, {}),
        "image": ([HumanMessage([{"type": "text", "text": "What?"}, image])], {}),
        "parameters": (GREETING, {"temperature": 0.5, "max_tokens": 7, "seed": 3, "top_p": 0.5}),
        "logprobs": (GREETING, {"logprobs": True, "top_logprobs": 2}),
    }
    prompt, options = cases[case]
    sent: list[dict[str, Any]] = []
    settings = {"model": LANES[lane].reasoning_model} if case == "reasoning" else {}
    model = mount(lane, evidence, note_bodies(sent), **settings)
    found = [_describe(ask, model, prompt, **options) for ask in EVERY_WAY]
    if not chosen().ours and not sent:
        evidence.not_applicable(f"the client sends no such request: {found[0][0].__name__}")
    refer_if_one_streams(sent[1], sent[3])
    for number, way in enumerate(("invoked", "streamed")):
        for what, seen in (("request", sent), ("answer", found)):
            called, awaited = seen[number], seen[number + 2]
            assert called == awaited, f"{way}, the {what} is {called}; awaited it is {awaited}"
    invoked = sent[0].items()
    if not chosen().ours:  # Others may say whether they stream in either request.
        invoked = {name: sent[0][name] for name in sent[0].keys() - {"stream"}}.items()
    assert invoked <= sent[1].items()


def _describe(ask: Ask, model: Any, prompt: Any, /, **options: Any) -> Any:
    try:
        message = ask(model, prompt, **options)
    except catch("any") as error:
        return type(error), str(error) if chosen().ours else ""
    kept = {"finish_reason", "logprobs", "model_name"} & message.response_metadata.keys()
    return (
        message.content,
        message.additional_kwargs,
        message.usage_metadata,
        {name: message.response_metadata[name] for name in kept},
    )


_OVERFLOWS = {
    "vllm": "This model's maximum context length is 8192 tokens. However, you requested 64 output "
    "tokens and your prompt contains at least 8129 input tokens, for a total of at least 8193.",
    "vllm-tokens": "You passed 27905 input tokens and requested 4096 output tokens. However, the "
    "model's context length is only 32000 tokens, resulting in a maximum input length of 27904.",
    "vllm-core": "The decoder prompt (length 9) is longer than the maximum model length of 8.",
    "sglang": "The input (8010 tokens) is longer than the model's context length (2048 tokens).",
    "sglang-scheduler": "Input length (600013 tokens) exceeds the maximum allowed length (536826 "
    "tokens). Use a shorter input or enable --allow-auto-truncate.",
    "tensorrt": "The sum of prompt length (72417.0), query length (0) should not exceed "
    "max_num_tokens (69632)",
    "tensorrt-default": "`default_max_tokens` (-152) must be greater than 0, `default_max_tokens` "
    "(-152) = max_seq_len (8192) - `splited_prompt_len` (8344) - `query_token_len` (0)",
    "tensorrt-executor": "Prompt length (9) exceeds maximum input length (8).",
    "model-apis": "Input length 9 exceeds the maximum allowed input length of 8 tokens.",
    "llama.cpp": "request (300 tokens) exceeds the available context size (256 tokens), try "
    "increasing it",
    "llama.cpp-batch": "input (300 tokens) is larger than the max context size (256 tokens). "
    "skipping",
    "openai": "Your input exceeds the context window of this model.",
}


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("how engines word it is ours to know", applies=False)
@pytest.mark.parametrize("sentence", _OVERFLOWS.values(), ids=_OVERFLOWS)
def test_every_engine_s_wording_of_a_prompt_that_is_too_long_is_known(
    lane: str, evidence: Evidence, sentence: str
) -> None:
    body = {"error": {"message": sentence, "type": "BadRequestError", "code": 400}}
    with expect_class(core.ContextOverflowError, 400):
        mount(lane, evidence, lambda _: plan_json(400, body)).invoke(GREETING)


_MAX_TOKENS = (
    "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context "
    "length is 2048 tokens and your request has 5 input tokens (9000 > 2048 - 5)."
)


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("how engines word it is ours to know", applies=False)
@every_way
def test_an_answer_that_may_not_be_so_long_is_no_prompt_that_is_too_long(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    body = {"error": {"message": _MAX_TOKENS, "type": "BadRequestError", "code": 400}}
    with expect_class(core.ModelInvalidRequestError, 400) as caught:
        ask(mount(lane, evidence, lambda _: plan_json(400, body)), GREETING)
    assert not isinstance(caught.value, core.ContextOverflowError)


@pytest.mark.claim("async.many.at-once")
@pytest.mark.parametrize("ask", [ask_invoke, ask_stream])
def test_threads_wait_at_the_same_time(lane: str, evidence: Evidence, ask: Ask) -> None:
    all_here = threading.Barrier(8, timeout=_PATIENCE)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        all_here.wait()
        return respond(request)

    model = mount(lane, evidence, answer)
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda number: ask(model, f"Repeat after me: {number}"), range(8))]
    assert [each.text for each in answers] == [*map(str, range(8))]


@pytest.mark.claim("async.many.at-once")
def test_a_batch_waits_at_the_same_time(lane: str, evidence: Evidence) -> None:
    all_here = threading.Barrier(8, timeout=_PATIENCE)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        all_here.wait()
        return respond(request)

    prompts = [f"Repeat after me: {number}" for number in range(8)]
    answers = mount(lane, evidence, answer).batch(prompts, {"max_concurrency": 8})
    assert [each.text for each in answers] == [*map(str, range(8))]
