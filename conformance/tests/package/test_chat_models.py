"""LangChain's hooks, one by one, with a model that uses a mocked service."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers._streaming import _V2StreamingCallbackHandler

from conformance.tests.package.call_modes import WAYS, ask
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY, USAGE, MockService, whole
from conformance.tests.package.schema_samples import Sum, find
from langchain_baseten import ChatBaseten

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@in_each("way", WAYS.keys())
async def test_content_of_version_1_is_blocks(way: str) -> None:
    model = MockService(whole(reasoning_content="Hm")).model(output_version="v1")
    message = await ask(model, "Hi", way)
    assert [b["type"] for b in message.content if isinstance(b, dict)] == ["reasoning", "text"]
    assert message.content == message.content_blocks


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


class TypedListener(BaseCallbackHandler, _V2StreamingCallbackHandler):
    """Asks for typed events, as a graph's `stream_events(version="v3")` does."""


async def test_a_call_of_several_responses_is_not_made_a_stream_by_what_listens_to_it() -> None:
    for own, of_call in (({"n": 2}, {}), ({}, {"n": 2})):
        service = MockService()
        bound = service.model(**own).bind(**of_call)
        chain = RunnableLambda(bound.invoke, bound.ainvoke)
        assert [event async for event in chain.astream_events("Hi", version="v2")]
        bound.invoke("Hi", {"callbacks": [TypedListener()]})
        await bound.ainvoke("Hi", {"callbacks": [TypedListener()]})
        assert [(body["n"], "stream" in body) for body in service.bodies] == [(2, False)] * 3


# --- what LangChain reads from the model ----------------------------------------------------


def test_the_model_reports_its_type_and_identifying_parameters() -> None:
    model = ChatBaseten(model="m", api_key=KEY, model_kwargs={"top_k": 4}, temperature=0)
    assert model._llm_type == "baseten-chat"
    assert model._identifying_params["endpoint"] == "https://inference.baseten.co/v1"
    assert model._identifying_params["top_k"] == 4
    assert model._identifying_params["temperature"] == 0
    assert (model.metadata or {})["lc_versions"]["langchain-baseten"]
    assert KEY not in repr(model) + str(model) + str(model.asdict())


def test_a_model_without_headers_is_dumped_and_loaded() -> None:
    assert "default_headers" not in dumps(ChatBaseten(model="m", api_key=KEY))


# --- tokens ---------------------------------------------------------------------------------


def test_tokens_are_counted_without_a_tokenizer() -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    short, long = model.get_num_tokens("one two"), model.get_num_tokens("one two " * 50)
    assert 0 < short < long
    few = model.get_num_tokens_from_messages([HumanMessage("Hi")])
    for given in (TOOL, find, Sum):
        assert 0 < few < model.get_num_tokens_from_messages([HumanMessage("Hi")], tools=[given])


def test_a_custom_tokenizer_is_used_for_counts() -> None:
    model = ChatBaseten(model="m", api_key=KEY, custom_get_token_ids=lambda text: [1] * len(text))
    assert model.get_num_tokens("12345") == 5
