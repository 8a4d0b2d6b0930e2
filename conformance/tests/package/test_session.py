"""The session header: the requests of one LangGraph thread name one session, and never its id."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.config import set_config_context

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService
from langchain_baseten import ChatBaseten
from langchain_baseten._config.session import find_thread, session_header

HEADER = "x-session-affinity"
THREAD = "customer-ada-4711"
SESSION = hashlib.sha256(THREAD.encode()).hexdigest()[:32]
CONFIG: RunnableConfig = {"configurable": {"thread_id": THREAD}}


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass


async def finish_events(model: Any, config: Any) -> None:
    stream = await model.astream_events("Hi", config, version="v3")
    await stream.output


WAYS: dict[str, Callable[..., Any]] = {
    "invoke": lambda model, config: model.invoke("Hi", config),
    "stream": lambda model, config: list(model.stream("Hi", config)),
    "batch": lambda model, config: model.batch(["Hi"], config),
    "events": lambda model, config: list(model.stream_events("Hi", config, version="v3")),
    "ainvoke": lambda model, config: asyncio.run(model.ainvoke("Hi", config)),
    "astream": lambda model, config: asyncio.run(drain(model.astream("Hi", config))),
    "abatch": lambda model, config: asyncio.run(model.abatch(["Hi"], config)),
    "aevents v2": lambda model, config: asyncio.run(
        drain(model.astream_events("Hi", config, version="v2"))
    ),
    "aevents v3": lambda model, config: asyncio.run(finish_events(model, config)),
}
each_way = in_each("ask", WAYS)
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


def sessions(service: MockService) -> list[str | None]:
    return [request.headers.get(HEADER) for request in service.requests]


@each_way
def test_a_config_given_by_hand_names_the_session(ask: Any) -> None:
    service = MockService()
    ask(service.model(), CONFIG)

    assert sessions(service) == [SESSION]


@each_way
def test_inside_a_graph_the_session_is_that_of_the_run(ask: Any) -> None:
    service = MockService()
    with set_config_context(CONFIG) as context:
        context.run(ask, service.model(), None)

    assert sessions(service) == [SESSION]


@each_way
def test_without_a_thread_there_is_no_session(ask: Any) -> None:
    service = MockService()
    for config in (None, {}, {"configurable": {"user": THREAD}}, {"tags": [THREAD]}):
        ask(service.model(), config)

    assert sessions(service) == [None] * 4


def test_a_config_given_by_hand_overrides_that_of_the_run() -> None:
    service = MockService()
    other: RunnableConfig = {"configurable": {"thread_id": "other"}}
    with set_config_context(CONFIG) as context:
        context.run(service.model().invoke, "Hi", other)
        context.run(service.model().invoke, "Hi", {"configurable": {}})
        context.run(service.model().invoke, "Hi", {"tags": ["a"]})

    assert sessions(service) == [session_header("other", {})[HEADER], None, SESSION]


def test_chains_bound_models_and_tools_name_the_session_too() -> None:
    service = MockService()
    chain = ChatPromptTemplate.from_template("{x}") | service.model().bind(stop=["a"])
    chain.invoke({"x": "Hi"}, CONFIG)
    RunnableLambda(service.model().invoke).invoke("Hi", CONFIG)
    service.model().with_config(CONFIG).invoke("Hi")

    assert sessions(service) == [SESSION] * 3


def test_the_model_that_makes_a_call_has_the_connections_of_the_one_that_was_asked() -> None:
    model = ChatBaseten(api_key="sk-session-0123456789")
    made = model._in_thread(CONFIG)

    assert made is not model
    assert made._connections is model._connections
    assert model._in_thread(None) is model._in_thread({"tags": ["a"]}) is model
    assert made._in_thread(CONFIG) is made
    assert (model._thread, made._thread) == (None, THREAD)
    assert pickle.loads(pickle.dumps(model))._thread is None  # noqa: S301  our own


@in_each(
    ("thread", "found"),
    [
        ("a", "a"),
        (7, "7"),
        (UUID(int=7), str(UUID(int=7))),
        ("", ""),
        (None, ""),
        (["a"], ""),
    ],
)
def test_a_thread_is_a_text_a_number_or_a_uuid(thread: Any, found: str) -> None:
    assert find_thread({"configurable": {"thread_id": thread}}) == found
    assert find_thread({"configurable": None}) == find_thread(None) == ""


def test_a_session_is_a_short_hash_of_any_text() -> None:
    [session] = session_header("ada \ud800 \N{SNOWMAN}", {}).values()

    assert len(session) == 32
    assert set(session) <= set("0123456789abcdef")


@pytest.mark.parametrize("ask", [WAYS["invoke"], WAYS["ainvoke"], WAYS["events"]])
def test_no_frame_of_the_package_holds_what_else_the_config_holds(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Any, _text: Any) -> Any:
        raise RuntimeError("of the user")

    monkeypatch.setattr(ChatBaseten, "_convert_input", fail)
    secret = "sk-in-the-config-0123456789"
    config: RunnableConfig = {"configurable": {"thread_id": THREAD, "api_key": secret}}
    with pytest.raises(RuntimeError) as caught:
        ask(MockService().model(), config)

    found = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    package = [frame.locals for frame in found.stack if "/langchain_baseten/" in frame.filename]
    assert package
    assert secret not in str(package)
