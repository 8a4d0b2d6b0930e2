"""The LangSmith gateway, by its context manager: URL, key, headers, metadata."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import httpx2
import pytest
from langchain_core.load import dumps
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.utils import _gateway
from pydantic import SecretStr

from conformance.tests.package.call_modes import WAYS, ask
from conformance.tests.package.exposed import Exposed
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService
from langchain_baseten import BasetenAuthenticationError, ChatBaseten

GATEWAY_KEY = "ls-gateway-0123456789"
METADATA = {"provider": "baseten", "model": "m"}
REQUESTED: list[BaseMessage] = [HumanMessage("a")]

langsmith_gateway: Any = getattr(_gateway, "langsmith_gateway", None)
pytestmark = pytest.mark.skipif(
    langsmith_gateway is None, reason="this langchain-core has no context manager for the gateway"
)


def build(mocked: MockService, **settings: Any) -> ChatBaseten:
    headers = {"X-Service-Key": "gateway-service-key", "X-Team": "harbour"}
    with langsmith_gateway(api_key=GATEWAY_KEY, base_url="https://g.example/", headers=headers):
        return mocked.model(**settings)


@in_each("way", WAYS.keys())
async def test_requests_go_through_the_gateway_with_its_key_and_headers(way: str) -> None:
    mocked = MockService()
    mine = {"base_url": "https://elsewhere.example/v1", "default_headers": {"x-team": "mine"}}
    await ask(build(mocked, **mine), "Hello", way)
    request = mocked.requests[0]

    assert str(request.url) == "https://g.example/baseten/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {GATEWAY_KEY}"
    assert request.headers["x-service-key"] == "gateway-service-key"
    assert request.headers.get_list("x-team") == ["harbour"]


def test_headers_of_the_gateway_are_written_nowhere() -> None:
    made = build(MockService())
    bare = made.model_copy(update={"http_client": None, "http_async_client": None})
    pickled = pickle.dumps(bare)
    written = f"{made!r}{dumps(made)}{made.model_dump()}{pickled!r}{vars(made)}"

    assert "gateway-service-key" not in written
    copied = pickle.loads(pickled)  # noqa: S301  our own bytes
    request, _ = copied._build_request(REQUESTED, None, {}, None, stream=False)
    assert request.headers["X-Service-Key"] == SecretStr("gateway-service-key")


@in_each("way", WAYS.keys())
@in_each(
    "make",
    {"copied": copy.copy, "copied deep": copy.deepcopy, "model_copy": ChatBaseten.model_copy},
)
async def test_copies_go_through_the_gateway_outside_of_its_context(make: Any, way: str) -> None:
    mocked = MockService()
    copied = make(build(mocked))
    await ask(copied, "Hello", way)
    request = mocked.requests[0]

    assert str(request.url) == "https://g.example/baseten/v1/chat/completions"
    assert request.headers["x-service-key"] == "gateway-service-key"
    assert request.headers["authorization"] == f"Bearer {GATEWAY_KEY}"
    assert "gateway-service-key" not in f"{copied!r}{dumps(copied)}{vars(copied)}"


@in_each("way", WAYS.keys())
async def test_credentials_of_the_gateway_that_a_server_repeats_are_not_shown(way: str) -> None:
    echo = httpx2.Response(401, text=f"bad {GATEWAY_KEY} and gateway-service-key")
    with pytest.raises(BasetenAuthenticationError) as caught:
        await ask(build(MockService(echo)), "Hello", way)

    assert str(caught.value).startswith("bad [redacted] and [redacted] ")
    shown = Exposed()
    shown.look_at(caught.value, "the error")
    assert shown.where(GATEWAY_KEY) + shown.where("gateway-service-key") == []


@in_each("way", WAYS.keys())
async def test_metadata_of_the_gateway_is_kept(way: str) -> None:
    header = {"X-LangSmith-Gateway-Metadata": json.dumps(METADATA)}
    model = build(MockService(headers=header))
    found: list[Any] = []
    if way == "invoke":
        found = model.generate([REQUESTED]).generations[0]
    elif way == "ainvoke":
        found = (await model.agenerate([REQUESTED])).generations[0]
    elif way == "stream":
        found = list(model._stream(REQUESTED))
    else:
        found = [chunk async for chunk in model._astream(REQUESTED)]
    infos = [one.generation_info or {} for one in found]

    assert [i["lc_gateway_metadata"] for i in infos if "lc_gateway_metadata" in i] == [METADATA]


@in_each("value", ["", "no JSON", "[1]"])
def test_metadata_that_cannot_be_read_is_left_out(value: str) -> None:
    model = build(MockService(headers={"X-LangSmith-Gateway-Metadata": value}))
    found = model._generate(REQUESTED).generations[0]

    assert "lc_gateway_metadata" not in (found.generation_info or {})
