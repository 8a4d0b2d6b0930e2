"""Prompt-cache affinity: the requests of one LangGraph thread name one session."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig, RunnableLambda

from conformance.checks.features.questions import GREETING
from conformance.checks.features.responders import mount, note_requests
from conformance.reference import ReceivedRequest
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own_client_only(
    "affinity is an addition of langchain-baseten", applies=False
)

_THREAD = "customer-ada-4711"
_HEADER = "x-session-affinity"


def _config(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread}}


async def _ask_each_way(model: Any, config: RunnableConfig | None) -> None:
    model.invoke(GREETING, config)
    list(model.stream(GREETING, config))
    await model.ainvoke(GREETING, config)
    assert [chunk async for chunk in model.astream(GREETING, config)]


@pytest.mark.claim("session.thread.named")
async def test_the_requests_of_a_thread_name_one_session(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    model = mount("model-apis", evidence, note_requests(seen))
    await _ask_each_way(model, _config(_THREAD))

    async def run(_text: str) -> None:
        await _ask_each_way(model, None)

    await RunnableLambda(run).ainvoke("", _config(_THREAD))
    RunnableLambda(lambda _: model.invoke(GREETING)).invoke("", _config(_THREAD))
    named = {each.header(_HEADER) for each in seen}
    assert len(seen) == 9
    # The same in every process, since the next one of a thread may be another worker's.
    assert named == {hashlib.sha256(_THREAD.encode()).hexdigest()[:32]}


@pytest.mark.claim("session.thread.named")
async def test_another_thread_is_another_session_and_no_thread_is_none(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    model = mount("dedicated", evidence, note_requests(seen))
    configs = [_config("ada"), _config("bob"), None]
    for config in configs:
        await _ask_each_way(model, config)
    named = [each.header(_HEADER) for each in seen]
    assert len({*named[:4]}) == len({*named[4:8]}) == 1
    assert named[0] != named[4]
    assert named[8:] == [None] * 4
    seen.clear()
    model.batch([GREETING] * 2, configs[:2])
    await model.abatch([GREETING] * 2, configs[:2])
    assert sorted(str(each.header(_HEADER)) for each in seen) == sorted(map(str, named[2:6]))


@pytest.mark.claim("session.thread.named")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize(
    "thread", ["ada", 4711, 0, UUID(int=7)], ids=["text", "number", "zero", "uuid"]
)
async def test_typed_events_and_batches_name_the_session_as_well(
    evidence: Evidence, thread: Any
) -> None:
    seen: list[ReceivedRequest] = []
    model = mount("model-apis", evidence, note_requests(seen))
    config: Any = {"configurable": {"thread_id": thread}}
    list(model.stream_events(GREETING, config, version="v3"))
    awaited = await model.astream_events(GREETING, config, version="v3")
    assert [event async for event in awaited]
    model.batch([GREETING, GREETING], config)
    await model.abatch([GREETING], config)
    model.bind_tools([_look]).with_config(config).invoke(GREETING)
    await _ask_each_way(model, config)
    named = [each.header(_HEADER) for each in seen]
    assert len(named) == 10
    assert len({*named}) == 1
    assert named[0]


def _look(place: str) -> None:
    """Look at a place."""


@pytest.mark.claim("session.thread.named")
async def test_a_model_is_in_a_thread_what_it_is_elsewhere(evidence: Evidence) -> None:
    observed: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **about: Any) -> None:
            observed.append((about["tags"], about["metadata"]["team"]))

    given: dict[str, Any] = {
        "callbacks": [Listener()],
        "tags": ["port"],
        "metadata": {"team": "harbour"},
    }
    await _ask_each_way(mount("model-apis", evidence, **given), _config(_THREAD))
    assert observed == [(["port"], "harbour")] * 4


@pytest.mark.claim("session.thread.named")
def test_no_cache_key_depends_on_the_thread(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    model = mount("model-apis", evidence, note_requests(seen), cache=InMemoryCache())
    for thread in ("ada", "bob"):
        model.invoke(GREETING, _config(thread))
    assert len(seen) == 1


@pytest.mark.claim("session.thread.hidden")
async def test_the_id_of_the_thread_is_not_sent(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    await _ask_each_way(mount("model-apis", evidence, note_requests(seen)), _config(_THREAD))
    assert _THREAD not in str([(each.target, each.headers, each.body) for each in seen])


@pytest.mark.claim("session.header.own")
@pytest.mark.parametrize("name", [_HEADER, "X-Baseten-Session-Id", "x-session-id", "session-id"])
async def test_a_session_of_the_users_own_is_left_alone(evidence: Evidence, name: str) -> None:
    seen: list[ReceivedRequest] = []
    own = {"default_headers": {name: "mine"}}
    await _ask_each_way(mount("model-apis", evidence, note_requests(seen), **own), _config("ada"))
    of_call: list[ReceivedRequest] = []
    model = mount("model-apis", evidence, note_requests(of_call))
    model.invoke(GREETING, _config("ada"), extra_headers={name: "mine"})
    await model.ainvoke(GREETING, _config("ada"), extra_headers={name: "mine"})
    for each in (*seen, *of_call):
        assert each.header(name.lower()) == "mine"
        assert each.header(_HEADER) == ("mine" if name == _HEADER else None)


@pytest.mark.claim("session.header.own")
async def test_the_session_can_be_switched_off(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    model = mount("model-apis", evidence, note_requests(seen), session_affinity=False)
    await _ask_each_way(model, _config(_THREAD))
    switched = mount("model-apis", evidence, note_requests(seen)).bind(session_affinity=False)
    await _ask_each_way(switched, _config(_THREAD))
    assert {each.header(_HEADER) for each in seen} == {None}
