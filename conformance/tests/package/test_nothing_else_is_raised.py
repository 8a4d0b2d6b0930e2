"""Whatever a server sends, nothing is raised but errors of the package, which pickle and copy."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import pickle
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.tests.package.call_modes import WAYS, ask
from conformance.tests.package.mock_service import KEY, MockService, whole
from langchain_baseten import BasetenEmbeddings, BasetenError, BasetenInvalidRequestError

pytestmark = pytest.mark.untraced("many values, depths and bytes through lines of other tests")

URL = "https://model-abcd1234.api.baseten.co/environments/production/sync/v1"


class Server(MockService):
    """Sends one text to every request, to models that are made once: most of a call's cost."""

    def __init__(self) -> None:
        super().__init__()
        own: dict[str, Any] = {"api_key": KEY, "max_retries": 0}
        self.text, self.status = b"", 200
        self.chat = self.model()
        self.vectors = BasetenEmbeddings(model_url=URL, **own, **self.clients())

    def _answer(self, request: Any) -> Any:
        return httpx2.Response(self.status, content=self.text)

    async def read(self, way: str, text: str | bytes, status: int = 200) -> BasetenError | None:
        """Return the error that a text ends in, if any, and check that it travels."""
        self.text, self.status = text if isinstance(text, bytes) else text.encode(), status
        try:
            read: Any = await self._ask(way)
        except BasetenError as error:
            check_travels(error)
            return error
        repr(read)
        if way in WAYS:
            assert read.content_blocks is not None
        return None

    async def _ask(self, way: str) -> Any:
        if way in WAYS:
            return await ask(self.chat, "Hello", way)
        return (
            self.vectors.embed_query("a")
            if way == "embed_query"
            else await self.vectors.aembed_query("a")
        )


def check_travels(error: BasetenError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  our own bytes
        assert type(other) is type(error)
        assert str(other) == str(error)
        # as text: a NaN in a body is equal to nothing
        assert repr({**vars(other), "partial": None}) == repr({**vars(error), "partial": None})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.chat.close()


def as_stream(*payloads: Any) -> str:
    events = [p if isinstance(p, str) else json.dumps(p) for p in payloads]
    return "".join(f"data: {one}\n\n" for one in [*events, "[DONE]"])


# --- values of a wrong type -----------------------------------------------------------------------

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**400, 1e308, "", "x", "1", "\ud83d"),
    *([], [1], ["a"], [None], [[]], [{}], [{"index": 0}], {}, {"a": 1}, {"index": 0}),
]
FUNCTION = {"name": "f", "arguments": "{}"}
CALL = {"index": 0, "id": "c1", "type": "function", "function": FUNCTION}
MESSAGE = {"role": "assistant", "content": "Hello", "tool_calls": [CALL]}
CHOICE = {"index": 0, "message": MESSAGE, "delta": MESSAGE, "finish_reason": "stop"}
COMPLETION = {
    "id": "a",
    "model": "m",
    "choices": [{**CHOICE, "logprobs": {"content": [{"token": "a", "index": 0}]}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
VECTORS = {"data": [{"index": 0, "embedding": [0.5]}]}
TOP = ("id", "object", "created", "model", "choices", "usage", "error", "detail", "message", "code")
IN_CALL = (("id",), ("index",), ("type",), ("function",), ("function", "name"))
PLACES: tuple[tuple[Any, ...], ...] = (
    *((k,) for k in (*TOP, "system_fingerprint", "service_tier", "new")),
    *(("choices", 0, k) for k in ("index", "message", "delta", "finish_reason", "logprobs", "new")),
    ("choices", 0, "logprobs", "content"),
    *(
        ("choices", 0, kind, *place)
        for kind in ("message", "delta")
        for place in (
            *((k,) for k in ("role", "content", "tool_calls", "function_call")),
            *((k,) for k in ("reasoning", "refusal", "new")),
            *(("tool_calls", 0, *k) for k in (*IN_CALL, ("function", "arguments"))),
        )
    ),
    *(("usage", f"{k}_tokens") for k in ("prompt", "completion", "total", "reasoning")),
    *(("usage", f"{k}_tokens_details") for k in ("prompt", "completion")),
    ("usage", "prompt_tokens_details", "cached_tokens"),
)
IN_VECTORS: tuple[tuple[Any, ...], ...] = (
    *(("data",), ("error",), ("object",), ("data", 0, "index"), ("data", 0, "embedding")),
    ("data", 0, "embedding", 0),
)


def put(payload: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a payload with one value replaced."""
    changed = json.loads(json.dumps(payload))
    at = changed
    for key in place[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    at[place[-1]] = value
    return changed


@pytest.mark.once("plain values in JSON, which no interpreter reads otherwise")
@pytest.mark.parametrize(("number", "place"), list(enumerate(PLACES)), ids=str)
async def test_value_of_a_wrong_type(server: Server, number: int, place: tuple[Any, ...]) -> None:
    # Each place and each value meets all four ways; of sync and async, which read alike, one after
    # the other has its turn. In the stream the value stands before and behind a good one.
    for odd, sync in zip(ODD, itertools.cycle((number % 2, 1 - number % 2)), strict=False):
        payload = put(COMPLETION, place, odd)
        await server.read("invoke" if sync else "ainvoke", json.dumps(payload))
        text = as_stream(payload, COMPLETION, payload)
        await server.read("stream" if sync else "astream", text)


@pytest.mark.parametrize("way", ["embed_query", "aembed_query"])
async def test_value_of_a_wrong_type_in_vectors(server: Server, way: str) -> None:
    for place, odd in itertools.product(IN_VECTORS, ODD):
        await server.read(way, json.dumps(put(VECTORS, place, odd)))


# --- nesting --------------------------------------------------------------------------------------

NESTING = {
    "errors": ('{"error":', "}"),
    "lists": ("[", "]"),
    "choices": ('{"choices":[', "]}"),
    "unknown fields": ('{"x":', "}"),
    "in a completion": ('{"choices":[{"message":{"content":"a"},"delta":{}}],"x":', "}"),
    "details": ('{"detail":[', "]}"),
}
DEPTHS = (50, 99, 100, 101, 600, 980, 20_000)


@pytest.mark.parametrize(("number", "status"), list(enumerate((200, 400, 500))), ids=str)
@pytest.mark.parametrize("brackets", NESTING.values(), ids=NESTING)
async def test_nesting_of_any_depth(
    server: Server, brackets: tuple[str, str], number: int, status: int
) -> None:
    # Each depth meets whole responses, streams and embeddings with each status, the dearest depth
    # one of them; of sync and async one after the other has its turn.
    opening, closing = brackets
    for turn, depth in enumerate(DEPTHS, number):
        text = opening * depth + r'"\ud83d"' + closing * depth
        on_loop = ("ainvoke", "astream", "aembed_query")
        ways = on_loop if turn % 2 else ("invoke", "stream", "embed_query")
        for way in ways if depth < 1000 else ways[number : number + 1]:
            await server.read(way, text, status)
            if "stream" in way:
                await server.read(way, as_stream(text), status)


async def test_nesting_that_can_be_walked_is_still_an_error_with_its_sentence(
    server: Server,
) -> None:
    text = '{"error":' * 30 + '"too much"' + "}" * 30
    error = await server.read("invoke", text, 400)

    assert isinstance(error, BasetenInvalidRequestError)
    assert "too much" in str(error)
    assert isinstance(error.body, dict)


@pytest.mark.traced("other tests do not get to some line that it runs")
def test_many_shallow_brackets_are_no_nesting() -> None:
    answer = whole("Hello") | {"extra": [[{}] for _ in range(500)]}

    assert len(MockService(answer).model().invoke("Hello").response_metadata["extra"]) == 500


# --- anything -------------------------------------------------------------------------------------

KEYS = (
    *("choices", "message", "delta", "content", "index", "error", "usage", "tool_calls"),
    *("function", "name", "arguments", "id", "code", "type", "data", "embedding", "text"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.sampled_from(PLACES), VALUES, st.booleans(), st.sampled_from([200, 400]))
def test_fuzzed_body(
    server: Server, place: tuple[Any, ...], value: Any, whole_body: bool, status: int
) -> None:
    payload = value if whole_body else put(COMPLETION, place, value)

    async def work() -> None:
        await server.read("invoke", json.dumps(payload), status)
        await server.read("astream", as_stream(payload), status)
        await server.read("embed_query", json.dumps(payload), status)

    asyncio.run(work())
