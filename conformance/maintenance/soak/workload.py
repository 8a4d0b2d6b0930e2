"""Makes the calls of a soak, in threads and in event loops that stay open, end or are closed.

Knows how a call is run; must not know what is a fault, nor when the soak is over.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.from_thread import start_blocking_portal

from conformance.maintenance.soak.behaviours import BEHAVIOURS, Outcome, write_prompt
from conformance.maintenance.soak.calls import (
    ASYNC_MODES,
    CANCELLATIONS,
    MODES,
    SYNC_MODES,
    Call,
    draw,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Iterator, Sequence

    from conformance.maintenance.soak.calls import Models
    from conformance.maintenance.soak.recorder import Recorder

    Job = Callable[[], object]

__all__ = ["ENDED", "Workload"]

_LOOPS = 2
_CONCURRENT = 8
ENDED = "loop that ended"
"""The pool of a loop's connections that ended with its calls: none of them may be left."""


class Workload:
    """Makes calls.

    Args:
        models: Their models.
        recorder: What gets the outcomes.
        behaviours: What the server may do.
    """

    def __init__(self, models: Models, recorder: Recorder, behaviours: Collection[str]) -> None:
        self._models, self._recorder, self._behaviours = models, recorder, behaviours
        self._stack = ExitStack()
        self._loops = [self._stack.enter_context(start_blocking_portal()) for _ in range(_LOOPS)]
        self._flood = threading.Lock()

    def close(self) -> None:
        """Close the shared models, and the event loops."""
        for model in self._models.shared.values():
            for loop in self._loops:
                loop.call(model.aclose)
            model.close()
        self._models.shared.clear()
        self._stack.close()

    def list_probes(self) -> Iterator[Job]:
        """Yield jobs that make one call in every mode, in a thread or in each lasting loop."""
        for name, mode in MODES.items():
            nonces = tuple(f"{number:016x}" for number in range(mode.prompts))
            if name in SYNC_MODES:
                yield partial(self._make, Call(name, nonces=nonces, pool="thread"))
                continue
            for number in range(_LOOPS):
                yield partial(self._run_in_loop, number, [Call(name, nonces=nonces)])

    def draw_jobs(self, rng: random.Random) -> Iterator[Job]:
        """Yield jobs without end: one call in a thread, or several at once in an event loop."""
        while True:
            place = rng.choice(("thread", "thread", "lasting", "asyncio.run", "closed plainly"))
            if place == "thread":
                call = draw(rng, SYNC_MODES, self._behaviours)
                call.pool = place
                yield partial(self._make, call)
                continue
            # What langchain-core itself leaves running, nothing can finish in a loop that is closed
            # at once; asyncio reports that, and is right.
            modes = {n: m for n, m in ASYNC_MODES.items() if m.closes or place != "closed plainly"}
            count = rng.randint(1, _CONCURRENT)
            calls = [draw(rng, modes, self._behaviours) for _ in range(count)]
            if place == "lasting":
                yield partial(self._run_in_loop, rng.randrange(_LOOPS), calls)
            else:
                yield partial(self._run_alone, place, calls)

    def _run_in_loop(self, number: int, calls: Sequence[Call]) -> None:
        self._loops[number].call(self._make_all, calls, f"loop {number}")

    def _run_alone(self, place: str, calls: Sequence[Call]) -> None:
        if place == "asyncio.run":
            asyncio.run(self._make_all(calls, ENDED))
            return
        with closing(asyncio.new_event_loop()) as loop:
            loop.run_until_complete(self._make_all(calls, ENDED))

    async def _make_all(self, calls: Sequence[Call], pool: str) -> None:
        for call in calls:
            call.pool = pool
        await asyncio.gather(*map(self._amake, calls))

    def _make(self, call: Call) -> None:
        with self._recorded(call) as run:
            model = self._models.find(call)
            try:
                with model if call.disposal == "with" else nullcontext():
                    call.result = run(model)
            finally:
                if call.disposal == "closed":
                    with self._disturbance(call):
                        model.close()

    async def _amake(self, call: Call) -> None:
        async def begin() -> Any:
            model = self._models.find(call)
            try:
                async with model if call.disposal == "with" else nullcontext():
                    return await run(model)
            finally:
                if call.disposal == "closed":
                    with self._disturbance(call):
                        await model.aclose()

        with self._recorded(call) as run:
            call.result = await CANCELLATIONS[call.cancellation](begin, call.delay)

    @contextmanager
    def _recorded(self, call: Call) -> Iterator[Callable[[Any], Any]]:
        """Yield what makes a call with a model; record what comes of it.

        Of floods there is one at a time; another becomes a plain one.
        """
        floods = BEHAVIOURS[call.behaviour].outcome is Outcome.FLOODS
        if floods and not (floods := self._flood.acquire(blocking=False)):
            call.behaviour = "plain"
        prompts = [write_prompt(call.behaviour, nonce) for nonce in call.nonces]
        self._recorder.begin(call)
        try:
            yield lambda model: MODES[call.mode].run(model, prompts, call.options)
        except BaseException as error:  # noqa: BLE001  whatever it is, it is checked
            call.error = error
        finally:
            if floods:
                self._flood.release()
            self._recorder.end(call)

    def _disturbance(self, call: Call) -> Any:
        """Return the context in which the model of a call is closed: others may have it, too."""
        return self._recorder.disturbance("shared") if call.source == "shared" else nullcontext()
