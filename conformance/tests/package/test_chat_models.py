"""LangChain's hooks, one by one, with a model that uses a mocked service."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, trim_messages
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, USAGE, MockService, calling, whole
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = "https://model-abcd1234.api.baseten.co/environments/production/sync/v1"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def join(chunks: list[AIMessageChunk]) -> AIMessage:
    first, *rest = chunks
    joined = first + rest if rest else first
    assert isinstance(joined, AIMessageChunk)
    return joined


async def gather_stream(model: Any, /, **options: Any) -> AIMessage:
    return join([chunk async for chunk in model.astream("Hi", **options)])


METHODS: dict[str, Callable[..., AIMessage]] = {
    "invoke": lambda model, /, **options: model.invoke("Hi", **options),
    "ainvoke": lambda model, /, **options: asyncio.run(model.ainvoke("Hi", **options)),
    "stream": lambda model, /, **options: join(list(model.stream("Hi", **options))),
    "astream": lambda model, /, **options: asyncio.run(gather_stream(model, **options)),
    "batch": lambda model, /, **options: model.batch(["Hi"], **options)[0],
    "abatch": lambda model, /, **options: asyncio.run(model.abatch(["Hi"], **options))[0],
}
in_beta = pytest.mark.filterwarnings(
    "ignore:.* is in beta:langchain_core._api.beta_decorator.LangChainBetaWarning"
)
every_method = in_each("run", METHODS)


@every_method
def test_every_method_returns_the_same_message(run: Callable[..., AIMessage]) -> None:
    service = MockService(whole(reasoning_content="Hm"))
    message = run(service.model())
    assert message.content == "Hello"
    assert message.additional_kwargs == {"reasoning_content": "Hm"}
    assert message.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    about = message.response_metadata
    assert about["model_provider"] == "baseten"
    assert about["model_name"] == "served"
    assert about["finish_reason"] == "stop"
    assert about["id"] == "a1"
    assert len(service.requests) == 1


@every_method
def test_options_of_an_invocation_override_the_model(run: Callable[..., AIMessage]) -> None:
    service = MockService()
    model = service.model(
        stop=["a"],
        temperature=1,
        timeout=7,
        default_headers={"x-one": "1", "x-two": "2"},
        extra_body={"top_k": 1, "min_p": 0.5},
    )
    run(
        model,
        model="other",
        stop=["b"],
        temperature=0,
        timeout=3,
        extra_headers={"x-two": "3"},
        extra_body={"top_k": 2},
        extra_query={"page": "4"},
    )
    assert service.body["model"] == "other"
    assert service.body["stop"] == ["b"]
    assert service.body["temperature"] == 0
    assert (service.body["top_k"], service.body["min_p"]) == (2, 0.5)
    request = service.requests[0]
    assert (request.headers["x-one"], request.headers["x-two"]) == ("1", "3")
    assert request.extensions["timeout"]["read"] == 3
    assert request.url.params["page"] == "4"


@every_method
def test_a_required_tool_call_causes_no_warning(run: Callable[..., AIMessage]) -> None:
    bound = MockService(calling("look", {"at": 1})).model().bind_tools([TOOL], tool_choice="any")
    message = run(bound)
    assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [
        ("look", {"at": 1}, "call-1")
    ]


@every_method
def test_the_headers_of_a_response_are_kept_on_request(run: Callable[..., AIMessage]) -> None:
    service = MockService(headers={"X-Baseten-Request-Id": "r7", "Set-Cookie": "a=b"})
    kept = run(service.model(include_response_headers=True)).response_metadata
    assert kept["headers"]["x-baseten-request-id"] == "r7"
    assert "set-cookie" not in kept["headers"]
    plain = run(service.model()).response_metadata
    assert plain["request_id"] == "r7"
    assert "headers" not in plain


@every_method
def test_content_of_version_1_is_blocks(run: Callable[..., AIMessage]) -> None:
    message = run(MockService(whole(reasoning_content="Hm")).model(output_version="v1"))
    assert [b["type"] for b in message.content if isinstance(b, dict)] == ["reasoning", "text"]
    assert message.content == message.content_blocks


@in_beta
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize(
    "response",
    [whole(reasoning_content="Hm"), calling("look", {"at": 1})],
    ids=["reasoning and text", "tool call"],
)
def test_events_of_version_3_follow_the_protocol(version: str, response: Any) -> None:
    model = MockService(response).model(output_version=version)
    events = list(model.stream_events("Hi", version="v3"))
    assert_valid_event_stream(events)
    assert events

    async def gather() -> list[Any]:
        stream = await model.astream_events("Hi", version="v3")
        return [event async for event in stream]

    assert_valid_event_stream(asyncio.run(gather()))


def test_the_tokens_of_a_batch_are_summed() -> None:
    result = MockService().model().generate([[HumanMessage("a")], [HumanMessage("b")]])
    assert result.llm_output is not None
    assert result.llm_output["token_usage"] == {k: 2 * v for k, v in USAGE.items()}
    assert result.llm_output["model_provider"] == "baseten"


@in_each(
    ("parameters", "streamed"),
    {
        "unset": ({}, [False, True]),
        "streaming": ({"streaming": True}, [True, True]),
        "disabled": ({"disable_streaming": True}, [False, False]),
        "disabled with tools": ({"disable_streaming": "tool_calling"}, [False, True]),
    },
)
def test_streaming_is_configurable(parameters: dict[str, Any], streamed: list[bool]) -> None:
    service = MockService()
    model = service.model(**parameters)
    model.invoke("Hi")
    list(model.stream("Hi"))
    assert [body.get("stream", False) for body in service.bodies] == streamed


def test_streaming_can_be_disabled_for_requests_with_tools() -> None:
    service = MockService()
    list(service.model(disable_streaming="tool_calling").bind_tools([TOOL]).stream("Hi"))
    assert not service.body.get("stream")


class Watcher(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        self.tokens.append(token)


def test_a_callback_receives_each_token_once() -> None:
    watcher = Watcher()
    list(MockService().model().stream("Hi", config={"callbacks": [watcher]}))
    assert [token for token in watcher.tokens if token] == ["Hello"]


def test_a_rate_limiter_is_respected() -> None:
    limiter = InMemoryRateLimiter(requests_per_second=10, check_every_n_seconds=0.01)
    model = MockService().model(rate_limiter=limiter)
    began = time.monotonic()
    model.invoke("Hi")
    model.invoke("Hi")
    assert time.monotonic() - began > 0.1


# --- what LangChain reads from the model ----------------------------------------------------


@in_each(
    ("parameters", "options", "named"),
    [
        ({}, {}, {"ls_model_name": "m"}),
        ({}, {"model": "x"}, {"ls_model_name": "x"}),
        ({}, {"model_name": "y"}, {"ls_model_name": "y"}),
        ({"temperature": 0.5, "max_tokens": 9}, {}, {"ls_temperature": 0.5, "ls_max_tokens": 9}),
        ({"stop": ["a", "b"]}, {}, {"ls_stop": ["a", "b"]}),
        ({"stop": "a"}, {}, {"ls_stop": ["a"]}),
        ({"stop": "a"}, {"stop": ["c"]}, {"ls_stop": ["c"]}),
    ],
)
def test_traces_name_the_provider_the_model_and_the_parameters(
    parameters: dict[str, Any], options: dict[str, Any], named: dict[str, Any]
) -> None:
    params = MockService().model(**parameters)._get_ls_params(**options)
    assert params["ls_provider"] == "baseten"
    assert params["ls_model_type"] == "chat"
    assert {key: params.get(key) for key in named} == named


def test_the_model_reports_its_type_and_identifying_parameters() -> None:
    model = ChatBaseten(model="m", api_key=KEY, model_kwargs={"top_k": 4}, temperature=0)
    assert model._llm_type == "baseten-chat"
    assert model._identifying_params["endpoint"] == "https://inference.baseten.co/v1"
    assert model._identifying_params["top_k"] == 4
    assert model._identifying_params["temperature"] == 0
    assert (model.metadata or {})["lc_versions"]["langchain-baseten"]
    assert KEY not in repr(model) + str(model) + str(model.asdict())


def test_a_known_model_has_a_profile_and_an_unknown_one_has_none() -> None:
    assert ChatBaseten(model="zai-org/GLM-5.2", api_key=KEY).profile
    assert not ChatBaseten(model="nobody/knows", api_key=KEY).profile
    own = ChatBaseten(model="m", api_key=KEY, profile={"max_input_tokens": 7})
    assert own.profile == {"max_input_tokens": 7}


@in_beta
def test_a_model_is_dumped_without_secrets_and_loaded() -> None:
    headers = {"X-Token": "hush", "x-plain": "loud"}
    model = ChatBaseten(model="m", api_key=KEY, temperature=0.5, default_headers=headers)
    written = dumps(model)
    assert KEY not in written
    assert "hush" not in written
    assert "loud" in written
    secrets = {"BASETEN_API_KEY": KEY}
    again = loads(
        written,
        secrets_map=secrets,
        valid_namespaces=["langchain_baseten"],
        allowed_objects=[ChatBaseten],
    )
    assert isinstance(again, ChatBaseten)
    assert (again.model_name, again.temperature) == ("m", 0.5)
    assert again.baseten_api_key == model.baseten_api_key


def test_a_model_without_headers_is_dumped_and_loaded() -> None:
    assert "default_headers" not in dumps(ChatBaseten(model="m", api_key=KEY))


@in_each(
    "other",
    [
        {"model": "n"},
        {"model_url": OTHER},
        {"base_url": "https://proxy.example.com/v1"},
        {"temperature": 0.5},
        {"reasoning_effort": "low"},
        {"model_kwargs": {"top_k": 4}},
        {"extra_body": {"top_k": 4}},
    ],
)
def test_a_cache_distinguishes_models_and_parameters(other: dict[str, Any]) -> None:
    cache = InMemoryCache()
    first, second = MockService(whole("one")), MockService(whole("two"))
    assert first.model(cache=cache).invoke("Hi").content == "one"
    assert first.model(cache=cache).invoke("Hi").content == "one"
    assert len(first.requests) == 1
    assert second.model(cache=cache, **other).invoke("Hi").content == "two"


# --- copies ---------------------------------------------------------------------------------


def test_fields_can_be_made_configurable() -> None:
    service = MockService()
    model = service.model(model_url=OTHER).configurable_fields(
        model_url=ConfigurableField("url"), temperature=ConfigurableField("warmth")
    )
    url = "https://model-wxyz7890.api.baseten.co/production/sync/v1"
    model.invoke("Hi", config={"configurable": {"url": url, "warmth": 0.25}})
    model.invoke("Hi")
    assert [str(request.url) for request in service.requests] == [
        f"{url}/chat/completions",
        f"{OTHER}/chat/completions",
    ]
    assert [body.get("temperature") for body in service.bodies] == [0.25, None]


# --- tokens ---------------------------------------------------------------------------------


def test_tokens_are_counted_without_a_tokenizer() -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    short, long = model.get_num_tokens("one two"), model.get_num_tokens("one two " * 50)
    assert 0 < short < long
    few = model.get_num_tokens_from_messages([HumanMessage("Hi")])
    assert 0 < few < model.get_num_tokens_from_messages([HumanMessage("Hi")], tools=[TOOL])


def test_a_custom_tokenizer_is_used_for_counts() -> None:
    model = ChatBaseten(model="m", api_key=KEY, custom_get_token_ids=lambda text: [1] * len(text))
    assert model.get_num_tokens("12345") == 5


def test_messages_are_trimmed_by_the_models_count() -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    messages = [HumanMessage("word " * 200), HumanMessage("last")]
    kept = trim_messages(messages, max_tokens=50, token_counter=model, strategy="last")
    assert [message.content for message in kept] == ["last"]
