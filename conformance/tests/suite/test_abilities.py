from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.services.abilities import find_inability
from conformance.services.observed import Observed, list_features
from conformance.services.reported_defects import STREAMS_FAIL, find_accused

IMAGE = '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}'
IMAGE_BY_URL = '{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://a/b"}}]}]}'
SOUND = '{"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}'
NO_REASONING = "the model answers without reasoning"
NO_REASONING_TOKENS = "the service counts no reasoning tokens"
NO_CACHED_TOKENS = "the service counts no cached tokens"
REASONED = {"completion_tokens_details": {"reasoning_tokens": 7}}
UNREASONED = {"completion_tokens_details": {"reasoning_tokens": 0}}
COUNTED = UNREASONED | {"prompt_tokens_details": {"cached_tokens": 0}}


def hear(*messages: dict[str, Any], usage: dict[str, Any] | None = None, **choice: Any) -> Observed:
    """Return an exchange whose answer came in as many events as there are messages."""
    events = [{"choices": [{"delta": each, **choice}]} for each in messages]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    last: dict[str, Any] = {"choices": [], "usage": usage}
    reported = [*map(json.dumps, [*events, end, last]), "[DONE]"]
    return Observed(200, '{"stream": true}', "".join(f"data: {each}\n\n" for each in reported))


def refuse(requested: str, status: int = 400, sentence: str = "No.") -> Observed:
    return Observed(status, requested, json.dumps({"error": sentence}))


def call(at: int, arguments: str = "{}") -> dict[str, Any]:
    return {"index": at, "function": {"name": "f", "arguments": arguments}}


def call_for(city: str) -> dict[str, Any]:
    return call(0, json.dumps({"city": city}))


def name_city(city: str) -> Observed:
    return hear({"tool_calls": [call_for(city)]})


GUIDED: dict[str, Any] = {"tool_calls": [call(0, '{"guide": null}')]}
THOUGHT, TEXT = {"reasoning_content": "Hm."}, {"content": "Yes."}
MORE: dict[str, Any] = {"tool_calls": [{"index": 0, "function": {"arguments": " "}}]}
CALL: dict[str, Any] = {"tool_calls": [call(0)]}
CALLS = {"tool_calls": [call(0), call(1, '{"b": 1}')]}
APART = {"tool_calls": [call(0, '{"a": '), call(1, "1}")]}
NO_CALLS = "the model calls no tool, as tools.invoke.call says"
MERGING = "tools.stream.merge-by-index"
IN_CHUNKS = f"the service streams calls in pieces that are no call together, as {MERGING} says"
AGENT = "test_an_agent_calls_both_tools_reads_the_results_and_answers[dedicated]"
SEVERAL = "test_several_answers_to_one_question_report_their_tokens_once[dedicated]"


@pytest.mark.parametrize(
    ("judged", "observed", "why"),
    [
        ("reasoning.answer.kept", hear(TEXT), NO_REASONING),
        ("reasoning.answer.kept", hear({"reasoning": "\n", **TEXT}), NO_REASONING),
        ("reasoning.answer.kept", hear({"reasoning": "Hm."}, TEXT), ""),
        ("reasoning.replay.sent", hear(TEXT), NO_REASONING),
        ("streaming.reasoning.chunks", hear(TEXT, TEXT, TEXT), NO_REASONING),
        ("streaming.reasoning.chunks", hear(THOUGHT | TEXT), "sends what it answers in one event"),
        ("streaming.reasoning.chunks", hear(THOUGHT, THOUGHT, TEXT), ""),
        ("streaming.blocks.apart", hear(TEXT, CALLS), NO_REASONING),
        ("streaming.blocks.apart", hear(THOUGHT, CALLS), "does not reason, write and call two"),
        ("streaming.blocks.apart", hear(THOUGHT, TEXT), "does not reason, write and call two"),
        ("streaming.blocks.apart", hear(THOUGHT, TEXT, CALLS), ""),
        ("blocks.whole.told", hear(THOUGHT, TEXT), "does not reason and call"),
        ("blocks.whole.told", hear(THOUGHT, CALLS), ""),
        ("usage.invoke.details", hear(TEXT, usage=COUNTED), NO_REASONING_TOKENS),
        ("usage.invoke.details", hear(TEXT, usage=REASONED), ""),
        ("usage.cache.read", hear(TEXT, usage=COUNTED), NO_CACHED_TOKENS),
        ("usage.cache.read", hear(TEXT, usage={"prompt_tokens_details": None}), NO_CACHED_TOKENS),
        ("usage.cache.read", hear(TEXT, usage={"prompt_tokens_details": {"cached_tokens": 1}}), ""),
        ("test_usage_metadata", hear(TEXT, usage={}), NO_REASONING_TOKENS),
        ("test_usage_metadata", hear(TEXT, usage=COUNTED), ""),
        ("test_usage_metadata_streaming", hear(TEXT, usage=UNREASONED), NO_CACHED_TOKENS),
        ("logprobs.dedicated.kept", hear(TEXT), "gives no log probabilities"),
        ("logprobs.dedicated.kept", hear(TEXT, logprobs={"content": []}), ""),
        ("logprobs.dedicated.kept", refuse('{"logprobs":true}'), "no log probabilities: HTTP 400"),
        ("structured.stream.grows", hear(TEXT, TEXT), "in one event"),
        ("structured.stream.grows", hear(TEXT, TEXT, TEXT), ""),
        ("tools.invoke.call", name_city("Paris, France"), "names a place in words of its own"),
        ("structured.invoke.default", name_city("New York"), "names a place in words of its own"),
        ("structured.method.json-schema", hear({"content": '{"city": "New York"}'}), "names a pl"),
        ("tools.invoke.call", name_city("paris"), "names a place in words of its own"),
        ("tools.invoke.call", name_city("ParisParis"), ""),
        ("tools.invoke.call", name_city("Paris"), ""),
        ("tools.invoke.call", hear({"content": "[1]"}), ""),
        ("usage.invoke.once", name_city("Paris, France"), ""),
        ("structured.schema.optional-field", hear(GUIDED), "fills a field that it may leave"),
        ("structured.schema.optional-field", hear(TEXT), ""),
        ("streaming.end.once", hear(TEXT), "in one event"),
        ("streaming.sync.adds-up", hear(TEXT), ""),
        ("tools.stream.merge-by-index", hear(CALLS), "sends each call in one event"),
        ("tools.stream.merge-by-index", hear(CALLS, {"tool_calls": [call(0, "")]}), ""),
        ("tools.stream.merge-by-index", hear(APART), ""),
        ("tools.stream.merge-by-index", hear({"tool_calls": [call(0), {"index": 1}]}), ""),
        ("image.dedicated.data", refuse(IMAGE), "takes no images: HTTP 400: No."),
        ("image.dedicated.url", refuse(IMAGE_BY_URL), "takes no images by URL: HTTP 400: No."),
        ("image.tool.message", refuse(IMAGE, 500, "No vision."), "in a tool's result: HTTP 500"),
        ("image.dedicated.data", refuse(IMAGE, 500, "CUDA out of memory."), ""),
        ("image.dedicated.data", refuse("{}"), ""),
        ("image.dedicated.data", refuse(SOUND), "refuses every request with audio: HTTP 400"),
        ("image.dedicated.data", Observed(200, IMAGE, '{"choices": [{"message": {}}]}'), ""),
        ("image.model-apis.text-model", refuse(IMAGE), ""),
        ("audio.dedicated.format", refuse(SOUND), "takes no audio: HTTP 400: No."),
        ("audio.model-apis.text-model", refuse(SOUND), ""),
        ("test_several_answers[dedicated]", refuse('{"n":2}'), "one answer to a request: HTTP 400"),
        ("reasoning.answer.kept", refuse("{}"), ""),
        ("tools.invoke.call", hear(TEXT), ""),
        ("tools.stream.merge-by-index", hear(CALL, MORE), "makes one call where"),
        ("tools.stream.merge-by-index", hear(TEXT, TEXT), ""),
        ("tools.invoke.parallel", hear(CALL), "makes one call where"),
        ("tools.invoke.parallel", hear({"tool_calls": [call(0, "{}{}")]}), IN_CHUNKS),
        ("tools.invoke.parallel", hear(TEXT), ""),
        ("tools.invoke.parallel", hear(CALLS), ""),
        ("tools.parallel.forbidden", hear(CALL), "makes one call where"),
        ("tools.parallel.forbidden", hear(TEXT), NO_CALLS),
        ("tools.parallel.forbidden", hear(APART), IN_CHUNKS),
        ("streaming.blocks.apart", hear(THOUGHT, TEXT, APART), IN_CHUNKS),
        ("blocks.whole.told", hear(THOUGHT, APART), IN_CHUNKS),
        ("reasoning.replay.sent", hear(THOUGHT, APART), IN_CHUNKS),
        (AGENT, hear(CALL), "makes one call where"),
        (AGENT, hear(CALLS), ""),
        ("test_an_answer_that_calls_a_tool_says_so[dedicated]", hear(TEXT), NO_CALLS),
        ("test_an_answer_that_calls_a_tool_says_so[dedicated]", hear(APART), IN_CHUNKS),
        ("test_calls_and_their_results_go_back_to_the_service[error]", hear(TEXT), NO_CALLS),
        ("test_structured_few_shot_examples", hear(TEXT), NO_CALLS),
        ("test_structured_few_shot_examples", hear(CALL), ""),
        ("reasoning.replay.sent", hear(THOUGHT, TEXT), NO_CALLS),
        ("structured.stream.grows", hear(THOUGHT, THOUGHT, CALL), "each call in one event"),
        (SEVERAL, hear(TEXT), "gives one answer to a request"),
        (SEVERAL, hear(TEXT, index=1), ""),
    ],
)
def test_a_check_is_excused_by_what_the_responses_lack_alone(
    judged: str, observed: Observed, why: str
) -> None:
    found = find_inability([judged], [observed])
    assert why in found
    assert bool(why) == bool(found)


def test_one_response_that_shows_the_ability_is_enough() -> None:
    observed = [hear(TEXT), hear(THOUGHT, TEXT)]
    assert find_inability(["reasoning.answer.kept"], observed) == ""
    assert find_inability(["reasoning.replay.sent"], observed) == NO_REASONING
    assert find_inability(["reasoning.answer.kept"], []) == ""
    assert find_inability(["x.y", "reasoning.answer.kept"], observed[:1]) == NO_REASONING


def test_cached_tokens_are_those_of_the_last_response() -> None:
    observed = [hear(TEXT, usage={"prompt_tokens_details": {"cached_tokens": 1}}), hear(TEXT)]
    assert find_inability(["usage.cache.read"], observed) == NO_CACHED_TOKENS
    assert find_inability(["usage.cache.read"], observed[::-1]) == ""


def test_an_error_in_the_place_of_an_answer_shows_no_lack() -> None:
    broken = Observed(200, "{}", json.dumps({"error": {"message": "It crashed.", "code": 500}}))
    assert find_inability(["reasoning.answer.kept"], [broken]) == ""
    assert find_inability(["reasoning.answer.kept"], [broken, hear(TEXT)]) == NO_REASONING


def ask(**body: Any) -> str:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body})


TOOLED, ONE_CALL = ask(tools=[{}]), ask(tools=[{}], parallel_tool_calls=False)
STREAMED = ask(stream=True, stream_options={"include_usage": True})


@pytest.mark.parametrize(
    ("requested", "features"),
    [
        ("", set()),
        (ask(), set()),
        (TOOLED, {"tools"}),
        (ask(tools=[{}], tool_choice="auto"), {"tools", "tool_choice 'auto'"}),
        (ask(tools=[{}], tool_choice={"type": "function"}), {"tools", "tool_choice 'function'"}),
        (ask(response_format={"type": "json_schema"}), {"response_format 'json_schema'"}),
        (STREAMED, {"stream", "stream_options"}),
        (ask(tools=[{}], stream=True), {"tools", "stream", "tools in a stream"}),
        (ask(stream=False, seed=0), {"seed"}),
        (ONE_CALL, {"tools", "parallel_tool_calls"}),
        (ask(messages=[{"role": "system", "content": "Be brief."}]), {"a system message"}),
        (ask(messages=[{"role": "user", "name": "ada"}]), {"a name in a message"}),
        (ask(messages=[{"role": "tool", "name": "get_weather"}]), {"a tool's result"}),
        (ask(tools=[{"function": {"strict": True}}]), {"tools", "a strict tool"}),
        (ask(messages=[{"reasoning_content": "Hm."}]), {"reasoning of an earlier turn"}),
    ],
)
def test_what_a_request_asks_for_beyond_a_plain_answer_is_told(
    requested: str, features: set[str]
) -> None:
    assert list_features(requested) == features


REFUSED = "the service refuses every request with"


ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
IDS = "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."
IN_RESULT = ask(tools=[{}], messages=[{"role": "tool", "content": [{"type": "image_url"}]}])
RESULT, RESULTS = ask(messages=json.loads(IN_RESULT)["messages"]), ["a tool's result"]
LONGER, OF_USER = ask(user="x" * 3_000), ["user"]
TOO_LONG = "the prompt is longer than the model takes: HTTP 400: "
LIMIT = "This model's maximum context length is 512 tokens."


@pytest.mark.parametrize(
    ("judged", "observed", "accepted", "why"),
    [
        ("tools.invoke.call", refuse(TOOLED), (), f"{REFUSED} tools: HTTP 400: No."),
        ("tools.invoke.call", refuse(TOOLED, 422), ["seed"], f"{REFUSED} tools: HTTP 422: No."),
        ("tools.invoke.call", refuse(TOOLED, 501), (), f"{REFUSED} tools: HTTP 501: No."),
        ("tools.invoke.call", refuse(TOOLED, 500), (), ""),
        ("tools.invoke.call", refuse(TOOLED, 429), (), ""),
        ("tools.invoke.call", refuse(TOOLED), ["tools"], ""),
        ("messages.invoke.string", refuse(ask()), (), ""),
        ("parameters.seed.sent", refuse(ask(seed=7)), (), f"{REFUSED} seed: HTTP 400: No."),
        ("structured.raw.kept", refuse(ONE_CALL), ["tools"], f"{REFUSED} parallel_tool_calls: "),
        ("messages.invoke.string", refuse(STREAMED), (), f"{REFUSED} stream, stream_options: "),
        ("streaming.sync.adds-up", refuse(STREAMED), (), ""),
        ("streaming.sync.adds-up", refuse(ask(tools=[{}], stream=True)), ["stream"], "tools in a"),
        ("errors.sentence.kept", refuse(TOOLED), (), ""),
        ("streaming.end.error-inside", refuse(TOOLED), (), ""),
        ("image.tool.message", refuse(ask(tools=[{}])), ["seed"], f"{REFUSED} tools: "),
        ("image.tool.message", refuse(IMAGE), ["tools"], "takes no image in a tool's result"),
        ("image.tool.message", refuse(IN_RESULT), ["seed"], f"{REFUSED} a tool's result, tools: "),
        (
            *("image.tool.message", refuse(IN_RESULT), ["tools", *RESULTS]),
            "the model takes no image in a tool's result: HTTP 400: No.",
        ),
        ("usage.cache.read", refuse(LONGER, 400, LIMIT), OF_USER, f"{TOO_LONG}{LIMIT}"),
        ("usage.cache.read", refuse(LONGER, 400, "Input is too long."), OF_USER, TOO_LONG),
        ("usage.cache.read", refuse(LONGER), OF_USER, ""),
        ("usage.cache.read", refuse(ask(user="x" * 30), 400, LIMIT), OF_USER, ""),
        ("errors.types.core", refuse(LONGER, 400, "Input is too long."), OF_USER, ""),
        ("messages.invoke.objects", refuse(RESULT, 400, ALTERNATE), RESULTS, "in a row: HTTP 400"),
        ("tools.history.round-trip", refuse(RESULT, 422, IDS), RESULTS, "form alone: HTTP 422: T"),
        ("image.tool.message", refuse(RESULT, 400, IDS), RESULTS, "own form alone: HTTP 400"),
        ("messages.invoke.objects", refuse(RESULT, 500, ALTERNATE), RESULTS, ""),
        ("messages.invoke.objects", refuse(RESULT, 400, "The roles are wrong."), RESULTS, ""),
        ("errors.sentence.kept", refuse(RESULT, 400, ALTERNATE), RESULTS, ""),
    ],
)
def test_what_is_refused_fails_no_check_of_more_than_that(
    judged: str, observed: Observed, accepted: list[str], why: str
) -> None:
    found = find_inability([judged], [observed], accepted)
    assert why in found
    assert bool(why) == bool(found)


BEGUN = 'data: {"choices": [{"delta": {"content": "Yes"}, "finish_reason": null}]}\n\n'
FAILED = 'data: {"error": {"message": "Out of memory.", "code": 500}}\n\n'
ENDED = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
NO_STREAM_HOLDS = "the service does not stream as it answers, as streaming.sync.adds-up says"
BREAKS_OFF = "every streamed answer breaks off, as streaming.sync.adds-up says"


@pytest.mark.parametrize(
    ("judged", "text", "accepted", "why"),
    [
        ("tools.invoke.call", BEGUN + FAILED, (), BREAKS_OFF),
        ("tools.invoke.call", BEGUN, ["tools"], BREAKS_OFF),
        ("tools.invoke.call", BEGUN + FAILED, ["stream"], ""),
        ("tools.invoke.call", BEGUN + ENDED, (), ""),
        ("tools.invoke.call", f"{BEGUN}data:[DONE]\n\n", (), ""),
        ("streaming.sync.adds-up", BEGUN + FAILED, (), ""),
        ("messages.invoke.string", BEGUN + FAILED, (), BREAKS_OFF),
        ("messages.invoke.string", BEGUN + ENDED, [STREAMS_FAIL], NO_STREAM_HOLDS),
        ("streaming.sync.adds-up", BEGUN + ENDED, [STREAMS_FAIL], ""),
    ],
)
def test_a_service_whose_streams_all_break_off_fails_at_streaming_alone(
    judged: str, text: str, accepted: list[str], why: str
) -> None:
    assert find_inability([judged], [Observed(200, STREAMED, text)], accepted) == why


DONE = "data: [DONE]\n\n"


def say(reason: str = "stop", **message: Any) -> str:
    return json.dumps({"choices": [{"message": message, "finish_reason": reason}]})


def count(prompt: int, completion: int, cached: int = 0, thought: int = 0, **more: int) -> str:
    """Return an answer of a word with counts."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion} | more
    parts = {
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    return json.dumps({**json.loads(say(content="Yes.")), "usage": usage | parts})


NOUGHT = {"prompt_tokens": 0, "completion_tokens": 0}
CUT = say("length", content="Yes.")
CALLED, WORDS, OBJECT = say(**CALL), say(content="Yes."), say(content=' {"a": 1}')
SCHEMA = ask(response_format={"type": "json_schema"})
AT_A_LIMIT = "the service ends answers at a limit of its own, as metadata.finish.reason says"
NO_REASON = "the service gives no finish reason in streams, as metadata.finish.reason says"
THINKS = "the model thinks in its text, as reasoning.answer.kept says"
CALLING = "tools.invoke.call"
BAD_CALL = (
    "the service calls what is no tool, or twice alike, or not with what the tool takes, as "
    f"{CALLING} says"
)
NAMED, OTHER = (ask(tools=[{"function": {"name": name}}]) for name in ("f", "g"))
IN_STREAM = ask(tools=[{}], stream=True)
NEEDY = ask(tools=[{"function": {"name": "f", "parameters": {"required": ["city"]}}}])
REQUIRED = ask(tools=[{}], tool_choice="required")
FORCED = ask(tools=[{}], tool_choice={"type": "function", "function": {"name": "g"}})
UNFORCED = "the service makes no call that is forced, as tools.choice.forced says"
UNSTREAMED = f"the service streams no call, as {MERGING} says"
MUTE = "the service ends answers without a text, as messages.invoke.string says"
LONG = ask(messages=[{"role": "user", "content": "Nets are mended. " * 100}])
MISCOUNTED = "counts other tokens than those of question and answer, or another sum, as usage"
IN_BODIES = f"the service {MISCOUNTED}.invoke.once says"
IN_STREAMS = f"in streams the service {MISCOUNTED}.stream.once says"
MORE_CACHED = "the service counts more cached tokens than the prompt has, as usage.cache.read says"
MORE_THOUGHT = (
    "the service counts more tokens of reasoning than the answer has, as usage.invoke.details says"
)
NAMED_STREAM = json.dumps({**json.loads(NAMED), "stream": True})
LIMITED = json.dumps({**json.loads(NAMED), "max_tokens": 9})
UNCLOSED: dict[str, Any] = {"tool_calls": [call(0, "{")]}
COUNTER = {"properties": {"n": {"type": "integer"}}, "additionalProperties": False}
COUNTING = ask(tools=[{"function": {"name": "f", "parameters": COUNTER}}])
TEXTS = {"schema": {"additionalProperties": {"type": "string"}}}
OF_TEXTS = ask(response_format={"type": "json_schema", "json_schema": TEXTS})
OTHER_SCHEMA = (
    "the service answers with an object of another schema, as structured.method.json-schema says"
)
NO_STREAM = "a streamed request is answered with JSON and no events, as streaming.sync.adds-up says"
UNASKED = "a request for one body is answered with events, as messages.invoke.string says"
OWN_ARGUMENTS = "the model calls with arguments of its own, which no check can expect"
OWN_ORDER = "the model makes its calls in an order of its own"
JSON_MODE = "structured.method.json-mode"
ESCAPED = "the service escapes its text, as structured.method.json-schema says"
PLACES = ("Paris", "Rome")
NO_SCHEMA = "the service answers with no JSON object, as structured.method.json-schema says"


@pytest.mark.parametrize(
    ("judged", "requested", "text", "accepted", "why"),
    [
        ("messages.invoke.string", STREAMED, WORDS, (), NO_STREAM),
        ("streaming.sync.adds-up", STREAMED, WORDS, (), ""),
        ("messages.invoke.string", ask(), WORDS, (), ""),
        ("messages.invoke.string", STREAMED, "OK", (), ""),
        ("tools.agent.loop", TOOLED, CUT, (), AT_A_LIMIT),
        ("messages.invoke.string", ask(max_tokens=5), CUT, (), ""),
        ("messages.invoke.string", ask(max_completion_tokens=5), CUT, (), ""),
        ("metadata.finish.reason", ask(), CUT, (), ""),
        ("streaming.sync.adds-up", TOOLED, BEGUN + ENDED, (), UNASKED),
        ("messages.invoke.string", ask(), BEGUN + ENDED, (), ""),
        ("streaming.end.once", STREAMED, BEGUN + DONE, (), NO_REASON),
        ("streaming.sync.adds-up", STREAMED, BEGUN + DONE, (), NO_REASON),
        ("streaming.sync.adds-up", STREAMED, BEGUN + ENDED, (), ""),
        ("streaming.sync.adds-up", STREAMED, BEGUN, (), ""),
        ("metadata.finish.reason", STREAMED, BEGUN + DONE, ["stream"], ""),
        ("tools.agent.loop", TOOLED, WORDS, (), NO_CALLS),
        ("streaming.sync.adds-up", TOOLED, WORDS, (), ""),
        ("tools.agent.loop", TOOLED, WORDS, ["tools", "a call"], ""),
        ("tools.agent.loop", NAMED, CALLED, (), ""),
        ("tools.agent.loop", OTHER, CALLED, (), BAD_CALL),
        ("tools.agent.loop", TOOLED, CALLED, (), ""),
        ("tools.agent.loop", NAMED, say(**UNCLOSED), (), BAD_CALL),
        ("tools.agent.loop", NAMED, say(tool_calls=[{"function": {}}]), (), BAD_CALL),
        ("tools.invoke.call", NAMED, say(**UNCLOSED), (), ""),
        ("tools.agent.loop", LIMITED, say("length", **UNCLOSED), (), ""),
        (MERGING, NAMED_STREAM, hear(APART).response, (), ""),
        (MERGING, NAMED_STREAM, hear(APART).response, ["a bad call in one body"], BAD_CALL),
        ("tools.agent.loop", NAMED_STREAM, hear(APART).response, (), IN_CHUNKS),
        ("tools.agent.loop", IN_STREAM, hear(TEXT).response, ["a call"], UNSTREAMED),
        ("tools.agent.loop", NEEDY, CALLED, (), BAD_CALL),
        ("tools.agent.loop", NAMED, say("tool_calls", content="Now."), (), BAD_CALL),
        ("tools.agent.loop", NAMED, say(tool_calls=[call(0)] * 2), (), BAD_CALL),
        ("tools.agent.loop", COUNTING, say(tool_calls=[call(0, '{"n": "3"}')]), (), BAD_CALL),
        ("tools.agent.loop", COUNTING, say(tool_calls=[call(0, '{"n": 3}')]), (), ""),
        ("tools.agent.loop", COUNTING, say(tool_calls=[call(0, '{"m": 3}')]), (), OWN_ARGUMENTS),
        ("usage.invoke.once", COUNTING, say(tool_calls=[call(0, '{"m": 3}')]), (), ""),
        ("tools.agent.loop", NAMED, say(tool_calls=[*map(call_for, PLACES)]), (), ""),
        ("tools.agent.loop", NAMED, say(tool_calls=[*map(call_for, PLACES[::-1])]), (), OWN_ORDER),
        ("structured.raw.kept", FORCED, WORDS, ["a call"], UNFORCED),
        ("structured.raw.kept", REQUIRED, WORDS, ["a call"], UNFORCED),
        ("structured.raw.kept", REQUIRED, CALLED, ["a call"], ""),
        ("structured.raw.kept", FORCED, WORDS, (), NO_CALLS),
        ("tools.choice.none", ask(tools=[{}], tool_choice="none"), say(), ["a call"], MUTE),
        ("usage.cache.read", LONG, count(9, 400), (), IN_BODIES),
        ("usage.cache.read", ask(), count(0, 4), (), IN_BODIES),
        ("usage.cache.read", ask(), count(9, 4, total_tokens=14), (), IN_BODIES),
        ("usage.cache.read", STREAMED, hear(TEXT, usage=NOUGHT).response, (), IN_STREAMS),
        (
            "usage.cache.read",
            STREAMED,
            hear(TEXT).response,
            ["a wrong count in one body"],
            IN_BODIES,
        ),
        ("usage.invoke.once", ask(), count(0, 4), (), ""),
        ("tools.agent.loop", LONG, count(400, 9), (), ""),
        ("usage.cache.read", ask(), count(9, 400, cached=1), (), ""),
        ("usage.invoke.once", ask(), count(9, 3, cached=10), (), MORE_CACHED),
        ("usage.cache.read", ask(), count(9, 3, cached=10), (), ""),
        ("usage.invoke.once", ask(), count(9, 3, thought=4), (), MORE_THOUGHT),
        ("structured.raw.kept", ask(), say(content="Hm.</think>{}"), (), THINKS),
        ("reasoning.answer.kept", ask(), say(content="Hm.</think>{}"), (), ""),
        ("tools.agent.loop", ask(), WORDS, (), ""),
        ("tools.invoke.call", TOOLED, WORDS, (), ""),
        ("structured.raw.kept", SCHEMA, WORDS, (), NO_SCHEMA),
        ("structured.raw.kept", SCHEMA, WORDS, ["an object"], ""),
        ("structured.raw.kept", SCHEMA, OBJECT, (), ""),
        ("structured.raw.kept", OF_TEXTS, OBJECT, (), OTHER_SCHEMA),
        ("structured.raw.kept", OF_TEXTS, say(content='{"a": "1"}'), (), ""),
        ("structured.method.json-schema", OF_TEXTS, OBJECT, (), ""),
        (JSON_MODE, SCHEMA, say(content='{\\"a\\": 1}'), ["an object"], ESCAPED),
        ("structured.raw.kept", SCHEMA, say(content="{&quot;a&quot;: 1}"), (), ESCAPED),
        (JSON_MODE, SCHEMA, say(content='{"a": "&lt;"}'), (), ""),
        (JSON_MODE, SCHEMA, WORDS, ["an object in escapes", "an object"], ESCAPED),
        ("parameters.stop.ends", SCHEMA, say(content="{&quot;a&quot;: 1}"), ["an object"], ""),
        ("structured.raw.kept", SCHEMA, say(content="{}<|im_end|>"), (), NO_SCHEMA),
        ("structured.method.json-schema", SCHEMA, WORDS, (), ""),
    ],
)
def test_a_defect_of_a_service_fails_the_claim_that_tells_of_it_alone(
    judged: str, requested: str, text: str, accepted: list[str], why: str
) -> None:
    assert find_inability([judged], [Observed(200, requested, text)], accepted) == why


def test_a_claim_fails_by_what_was_seen_anywhere_unless_it_may_be_lawful() -> None:
    observed = [Observed(200, NAMED, say(**UNCLOSED)), Observed(200, TOOLED, CUT)]
    assert find_accused(observed, ()) == {CALLING: BAD_CALL.partition(", as")[0]}
    assert find_accused(observed[1:], ()) == {}
    lost = [Observed(200, NAMED, say("tool_calls"))]
    assert [*find_accused(lost, ())] == [CALLING]
