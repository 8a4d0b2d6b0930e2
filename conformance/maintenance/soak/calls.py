"""The calls of a soak: call modes, models, ends and cancellations, drawn from a seed.

Knows LangChain's methods, asyncio and anyio; must not know what is a fault.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio

from conformance.maintenance.soak.behaviours import BEHAVIOURS, Outcome, expect_text, expect_vector
from langchain_baseten import BasetenEmbeddings, ChatBaseten

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    Begin: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]
    RowT = TypeVar("RowT", bound=Any)

__all__ = ["ASYNC_MODES", "CANCELLATIONS", "MODES", "SYNC_MODES", "Call", "Models", "draw"]

_SHARED_KEY = "sk-soak-0000000000-of-all"
_IMPATIENT = {"timeout": 0.4, "stream_chunk_timeout": 0.4, "max_retries": 0}
"""Options of a call to a server that does not respond."""
_DELAYS = (0.0, 0.0005, 0.002, 0.005, 0.01, 0.05)
"""Seconds until a cancellation: before, inside and after a usual response."""


# --- call modes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mode:
    """One call mode.

    Attributes:
        run: Takes a model, prompts and options; returns what came back, one for each prompt.
        weight: How often it is drawn.
        prompts: How many prompts it takes.
        model: Which model it takes: `chat`, or `embeddings`, which takes no options.
        complete: Whether it reads all of the response.
        closes: Whether it ends what it began, and leaves nothing to the garbage collector.
    """

    run: Callable[..., Any]
    weight: int = 2
    prompts: int = 1
    model: str = "chat"
    complete: bool = True
    closes: bool = True


def _join(chunks: Iterable[Any]) -> tuple[str]:
    return ("".join(chunk.text for chunk in chunks),)


def _list(messages: Iterable[Any]) -> tuple[str, ...]:
    return tuple(message.text for message in messages)


def _stream(
    model: Any, prompts: list[str], options: Any, limit: int | None = None, close: bool = False
) -> tuple[str]:
    stream = model.stream(prompts[0], **options)
    with closing(stream) if close else nullcontext():
        return _join(islice(stream, limit))


def _stream_in_threads(model: Any, prompts: list[str], options: Any) -> tuple[str]:
    # Web servers take each chunk of a generator in whichever thread is free.
    chunks: list[Any] = []
    with (
        closing(model.stream(prompts[0], **options)) as stream,
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(1) as other,
    ):
        while chunk := (one, other)[len(chunks) % 2].submit(next, stream, None).result():
            chunks.append(chunk)
    return _join(chunks)


async def _ainvoke(model: Any, prompts: list[str], options: Any) -> tuple[str, ...]:
    return _list([await model.ainvoke(prompts[0], **options)])


async def _astream(
    model: Any, prompts: list[str], options: Any, limit: int | None = None, close: bool = False
) -> tuple[str]:
    stream, chunks = model.astream(prompts[0], **options), []
    async with aclosing(stream) if close else nullcontext():
        async for chunk in stream:
            chunks.append(chunk)
            if len(chunks) == limit:
                break
    return _join(chunks)


async def _abatch(model: Any, prompts: list[str], options: Any) -> tuple[str, ...]:
    return _list(await model.abatch(prompts, **options))


async def _aembed(model: Any, prompts: list[str], _: Any) -> tuple[Any, ...]:
    return tuple(await model.aembed_documents(prompts))


SYNC_MODES: dict[str, Mode] = {
    "invoke": Mode(lambda m, prompts, given: _list([m.invoke(prompts[0], **given)]), weight=6),
    "stream": Mode(_stream, weight=6),
    "stream, left": Mode(partial(_stream, limit=3), complete=False, closes=False),
    "stream, closed": Mode(partial(_stream, limit=1, close=True), complete=False),
    "stream, in threads": Mode(_stream_in_threads, weight=1),
    "batch": Mode(lambda m, prompts, given: _list(m.batch(prompts, **given)), 1, prompts=3),
    "embed_documents": Mode(
        lambda m, prompts, _: tuple(m.embed_documents(prompts)), prompts=3, model="embeddings"
    ),
}
ASYNC_MODES: dict[str, Mode] = {
    "ainvoke": Mode(_ainvoke, weight=6),
    "astream": Mode(_astream, weight=6),
    "astream, left": Mode(partial(_astream, limit=3), complete=False, closes=False),
    "astream, closed": Mode(partial(_astream, limit=1, close=True), complete=False),
    # One call that fails leaves the others of `gather` running, in langchain-core 1.8.
    "abatch": Mode(_abatch, 1, prompts=3, closes=False),
    "aembed_documents": Mode(_aembed, prompts=3, model="embeddings"),
}
MODES = SYNC_MODES | ASYNC_MODES


# --- models ---------------------------------------------------------------------------------------


class Models:
    """The models of a soak: two that all callers share, and those that a caller has for itself.

    Args:
        make_chat: Makes a chat model from keyword arguments; the other kind is always ours.
        url: Where they send to.
    """

    def __init__(self, make_chat: type[ChatBaseten], url: str) -> None:
        self._make_chat, self._url = make_chat, url
        self.shared = {kind: self.make(kind, _SHARED_KEY) for kind in ("chat", "embeddings")}

    def make(self, kind: str, key: str) -> Any:
        """Return a new model that has a key of its own."""
        settings: Any = {"model": "soaked", "api_key": key, "timeout": 20, "max_retries": 2}
        if kind == "embeddings":
            return BasetenEmbeddings(model_url=self._url, **settings)
        return self._make_chat(base_url=self._url, **settings)

    def find(self, call: Call) -> Any:
        """Return the model of a call."""
        kind = MODES[call.mode].model
        if call.source == "own":
            return self.make(kind, call.key)
        return SOURCES[call.source][0](self.shared[kind])


SOURCES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "shared": (lambda model: model, 20),
    "copy": (lambda model: model.model_copy(), 6),
    "deep copy": (copy.deepcopy, 2),
    "pickled": (lambda model: pickle.loads(pickle.dumps(model)), 4),  # noqa: S301  our own bytes
    "own": (lambda model: model, 8),
}
"""Where a caller's model comes from: what makes it from the shared one, and a weight."""


# --- cancellations --------------------------------------------------------------------------------


async def _wait(begin: Begin, _: float) -> Any:
    return await begin()


async def _cancel(begin: Begin, delay: float, times: int = 1) -> Any:
    task = asyncio.create_task(begin())
    await asyncio.sleep(delay)
    task.cancel()
    # Every further one meets the call while it cleans up after the first.
    for _ in range(times - 1):
        await asyncio.sleep(0)
        task.cancel()
    return await task


async def _time_out(begin: Begin, delay: float) -> Any:
    async with asyncio.timeout(delay):
        return await begin()


async def _leave_scope(begin: Begin, delay: float) -> Any:
    with anyio.move_on_after(delay):
        return await begin()


async def _leave_group(begin: Begin, delay: float) -> Any:
    # What Starlette does with a stream whose client has gone.
    results: list[Any] = []

    async def run() -> None:
        results.append(await begin())

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await anyio.sleep(delay)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # A group wraps the one error that it was given; it is the call's.
        raise errors.exceptions[0] from None
    return results[0] if results else None


CANCELLATIONS: dict[str, Callable[[Begin, float], Coroutine[Any, Any, Any]]] = {
    "": _wait,
    "cancelled": _cancel,
    "cancelled twice": partial(_cancel, times=2),
    "asyncio.timeout": _time_out,
    "anyio scope": _leave_scope,
    "anyio group": _leave_group,
}
"""How a caller stops waiting: gets what begins the call, and the delay. It returns what the call
returned, or None if it was cancelled before."""


# --- one call -------------------------------------------------------------------------------------


@dataclass(eq=False)
class Call:
    """One call: what was drawn, and what came of it.

    Attributes:
        mode: Its call mode.
        behaviour: What the server does.
        source: Where its model comes from.
        disposal: What becomes of the model then: "", "closed", or "with" for a block around it.
        nonces: What makes its responses its own.
        key: The API key of its model.
        cancellation: How the caller stops waiting; empty if it waits, or is sync.
        delay: Seconds after which it does.
        pool: Whose connections it may leave open.
        began: When it began, on the monotonic clock.
        result: What came back, one for each prompt; None if nothing did.
        error: What was raised.
    """

    mode: str = "invoke"
    behaviour: str = "plain"
    source: str = "shared"
    disposal: str = ""
    nonces: tuple[str, ...] = ("0123456789abcdef",)
    key: str = _SHARED_KEY
    cancellation: str = ""
    delay: float = 0.0
    pool: str = ""
    began: float = 0.0
    result: tuple[Any, ...] | None = field(default=None, repr=False)
    error: BaseException | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return how it is made, in words."""
        parts = (self.mode, self.behaviour, self.source, self.disposal, self.cancellation)
        return " / ".join(part for part in (*parts, self.pool) if part)

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the call."""
        return _IMPATIENT if BEHAVIOURS[self.behaviour].outcome is Outcome.STALLS else {}

    @property
    def expected(self) -> tuple[Any, ...]:
        """The right results, one for each prompt."""
        chats = MODES[self.mode].model == "chat"
        expect: Callable[[str, str], Any] = expect_text if chats else expect_vector
        return tuple(expect(nonce, self.key) for nonce in self.nonces)


def draw(rng: random.Random, modes: Mapping[str, Mode], behaviours: Iterable[str]) -> Call:
    """Draw a call: the same one from the same seed."""
    name = _choose(rng, modes)
    mode, source = modes[name], rng.choices(list(SOURCES), [row[1] for row in SOURCES.values()])[0]
    call = Call(name, _choose(rng, {name: BEHAVIOURS[name] for name in behaviours}), source)
    behaviour = BEHAVIOURS[call.behaviour]
    # Embedding calls take no options, so nothing can make them impatient; and the limit of memory
    # is for one attack at a time.
    if mode.model == "embeddings":
        unfit = behaviour.outcome is Outcome.STALLS
    else:
        unfit = behaviour.outcome is Outcome.FLOODS and mode.prompts > 1
    if unfit:
        call.behaviour = "plain"
    call.nonces = tuple(f"{rng.getrandbits(64):016x}" for _ in range(mode.prompts))
    if source == "own":
        call.key = f"sk-soak-{rng.getrandbits(64):016x}"
    weights = (20, 1, 0) if source == "shared" else (2, 1, 1)
    call.disposal = rng.choices(("", "closed", "with"), weights)[0]
    if name in ASYNC_MODES:
        call.cancellation = rng.choice([*CANCELLATIONS, *[""] * 6])
        call.delay = rng.choice(_DELAYS)
    return call


def _choose(rng: random.Random, table: Mapping[str, Any]) -> str:
    return rng.choices(list(table), [row.weight for row in table.values()])[0]
