"""Typed events (`stream_events(version="v3")`): which ones a stream gives, and who makes them.

Knows langchain-core's hooks for events; that the events of any stream tell what its chunks tell is
a law in `checks/properties`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage

from conformance.tests.package.mock_service import MockService, whole
from conformance.tests.package.sse_builders import DONE, STOP, begin, call, delta_event, text, usage
from langchain_baseten import BasetenIncompleteStreamError, ChatBaseten
from langchain_baseten._protocol.typed_events import IS_SUPPORTED, EventWriter

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
    pytest.mark.skipif(not IS_SUPPORTED, reason="an older langchain-core"),
]


def write_events(*chunks: bytes, **settings: Any) -> list[Any]:
    stream: Any = begin(EventWriter("run-1"), **settings)
    events = [event for chunk in chunks for event in stream.feed(chunk)]
    return events + list(stream.close())


def read_blocks(events: list[Any]) -> list[Any]:
    return [event["content"] for event in events if event["event"] == "content-block-finish"]


def read_sync(model: ChatBaseten, **options: Any) -> tuple[list[Any], Any]:
    stream = model.stream_events("Hi", version="v3", **options)
    return list(stream), stream.output


def read_async(model: ChatBaseten, **options: Any) -> tuple[list[Any], Any]:
    async def read() -> tuple[list[Any], Any]:
        stream = await model.astream_events("Hi", version="v3", **options)
        return [event async for event in stream], await stream  # as late as the last callback

    return asyncio.run(read())


both_ways = pytest.mark.parametrize("read", [read_sync, read_async], ids=["sync", "async"])


def test_the_events_of_a_text() -> None:
    assert write_events(text("Hel"), text("lo"), STOP, usage(2, model="served"), DONE) == [
        {
            "event": "message-start",
            "role": "ai",
            "id": "run-1",
            "metadata": {"provider": "baseten"},
        },
        {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}},
        _delta(0, type="text-delta", text="Hel"),
        _delta(0, type="text-delta", text="lo"),
        {
            "event": "content-block-finish",
            "index": 0,
            "content": {"type": "text", "text": "Hello", "index": "lc_txt_0"},
        },
        {
            "event": "message-finish",
            "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            "metadata": {
                "model_provider": "baseten",
                "model_name": "served",
                "finish_reason": "stop",
            },
        },
    ]


def _delta(index: int, **delta: str) -> dict[str, Any]:
    return {"event": "content-block-delta", "index": index, "delta": delta}


def test_reasoning_text_and_refusal_are_blocks_in_the_order_in_which_they_begin() -> None:
    events = write_events(
        delta_event({"reasoning_content": "h"}),
        delta_event({"reasoning_content": "m", "content": "a"}),
        delta_event({"refusal": "I "}),
        delta_event({"refusal": "won't"}),
        STOP,
    )
    assert [(b["type"], b[b["type"]]) for b in read_blocks(events)] == [
        ("reasoning", "hm"),
        ("text", "a"),
        ("refusal", "I won't"),
    ]
    assert events[-1]["additional_kwargs"] == {"reasoning_content": "hm", "refusal": "I won't"}
    kinds = [e["delta"]["type"] for e in events if e["event"] == "content-block-delta"]
    assert kinds == ["reasoning-delta", "reasoning-delta", "text-delta"]


def test_calls_are_complete_at_the_end_and_invalid_ones_keep_their_text() -> None:
    events = write_events(
        delta_event({"tool_calls": [call('{"a"', id="call-1")]}),
        delta_event({"tool_calls": [call(": 1}")]}),
        delta_event({"tool_calls": [{"index": 1, "id": "call-2", "function": {"name": "g"}}]}),
        delta_event({"tool_calls": [{"index": 2, "function": {"name": "h", "arguments": "[1"}}]}),
        delta_event({}, finish_reason="tool_calls"),
    )
    starts = [e["content"] for e in events if e["event"] == "content-block-start"]
    assert starts[0] == {
        "type": "tool_call_chunk",
        "id": "call-1",
        "name": "f",
        "args": "",
        "index": "lc_tc_0",
    }
    assert [e["delta"] for e in events if e.get("index") == 0 and "delta" in e] == [
        {"type": "tool-call-delta", "args": '{"a"'},
        {"type": "tool-call-delta", "args": ": 1}"},
    ]
    first, second, third = read_blocks(events)
    assert first == {"type": "tool_call", "id": "call-1", "name": "f", "args": {"a": 1}}
    assert second == {"type": "tool_call", "id": "call-2", "name": "g", "args": {}}
    assert (third["type"], third["id"], third["name"]) == ("invalid_tool_call", "fresh-0", "h")
    assert third["args"].startswith("[1")
    assert third["error"]


def test_log_probabilities_are_merged() -> None:
    tokens = [{"token": each, "logprob": -0.5} for each in "ab"]
    deltas = [delta_event({"content": t["token"]}, logprobs={"content": [t]}) for t in tokens]
    assert write_events(*deltas, STOP)[-1]["metadata"]["logprobs"] == {"content": tokens}


def test_a_stream_that_says_nothing_names_its_model_at_once() -> None:
    events = write_events(STOP)
    assert [event["event"] for event in events] == ["message-start", "message-finish"]
    assert events[0]["metadata"] == {"provider": "baseten", "model": "asked"}


def test_the_error_of_a_cut_stream_holds_what_had_arrived() -> None:
    stream: Any = begin(EventWriter(""))
    assert not stream.started
    assert stream.partial is None
    assert len(list(stream.feed(text("Hel")))) == 3
    with pytest.raises(BasetenIncompleteStreamError) as caught:
        list(stream.close())
    partial = stream.attach_partial(caught.value).partial
    assert partial.content == "Hel"
    assert partial.response_metadata == {"model_provider": "baseten"}


# --- who makes them ------------------------------------------------------------------------------


class Handler(BaseCallbackHandler):
    """Keeps what callbacks report."""

    def __init__(self) -> None:
        self.run_id: Any = None
        self.events: list[Any] = []
        self.info: Any = None

    def on_chat_model_start(self, *_: Any, run_id: Any, **__: Any) -> None:
        self.run_id = run_id

    def on_stream_event(self, event: Any, **_: Any) -> None:
        self.events.append(event)

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.info = response.generations[0][0].generation_info


@both_ways
def test_the_model_makes_the_events_itself(
    read: Callable[..., tuple[list[Any], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("langchain_baseten._protocol.chunks.ChunkWriter.write")
    handler = Handler()
    events, message = read(MockService().model(), config={"callbacks": [handler]})
    assert handler.events == events
    assert events[0]["id"] == message.id == f"lc_run--{handler.run_id}"
    assert message.text == "Hello"


def test_sync_and_async_events_are_equal() -> None:
    model = MockService(whole(reasoning_content="Hm", refusal="no")).model()
    (_, *first), (_, *second) = read_sync(model)[0], read_async(model)[0]
    assert first == second


@both_ways
def test_chunks_of_a_subclass_are_the_source_of_events(read: Callable[..., Any]) -> None:
    class Loud(ChatBaseten):
        def _stream(self, *given: Any, **named: Any) -> Iterator[Any]:
            for chunk in super()._stream(*given, **named):
                chunk.message.content = str(chunk.message.content).upper()
                yield chunk

        async def _astream(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
            async for chunk in super()._astream(*given, **named):
                chunk.message.content = str(chunk.message.content).upper()
                yield chunk

    model = Loud(model="m", api_key="key-0123", **MockService().clients())
    assert read(model)[1].text == "HELLO"


@both_ways
def test_traces_show_what_the_gateway_reports(read: Callable[..., Any]) -> None:
    service = MockService(headers={"x-langsmith-gateway-metadata": '{"provider": "p"}'})
    handler = Handler()
    read(
        service.model(base_url="https://gateway.example/baseten/v1"),
        config={"callbacks": [handler]},
    )
    assert handler.info == {"lc_gateway_metadata": {"provider": "p"}}


def test_the_hooks_need_no_run() -> None:
    model: Any = MockService().model()

    async def read() -> list[Any]:
        return [event async for event in model._astream_chat_model_events([HumanMessage("Hi")])]

    events = list(model._stream_chat_model_events([HumanMessage("Hi")]))
    assert events == asyncio.run(read())
    assert events[0]["id"] == ""


def test_a_stream_of_events_that_is_left_gives_its_connection_back() -> None:
    bodies = [OpenBody(), OpenBody()]
    model: Any = MockService(*(httpx2.Response(200, stream=body) for body in bodies)).model()

    async def leave() -> None:
        events = model._astream_chat_model_events([HumanMessage("Hi")])
        await anext(events)
        await events.aclose()

    stream: Any = model.stream_events("Hi", version="v3")
    next(iter(stream))
    del stream
    gc.collect()
    asyncio.run(leave())
    assert [body.is_closed for body in bodies] == [True, True]


class OpenBody(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that does not end."""

    is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield text("Hel")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield text("Hel")

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True
