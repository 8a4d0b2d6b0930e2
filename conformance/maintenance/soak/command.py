"""`python -m conformance soak`: random load for minutes; what is lost, mixed up or left open.

Knows the command line, the order of things and the clock; must not know what is a fault.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import math
import os
import pkgutil
import random
import shlex
import sys
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING

from conformance.maintenance.soak.behaviours import BEHAVIOURS
from conformance.maintenance.soak.calls import Models
from conformance.maintenance.soak.checks import (
    AT_END,
    check_background,
    check_durations,
    check_growth,
    check_server,
)
from conformance.maintenance.soak.recorder import Recorder
from conformance.maintenance.soak.resources import (
    Resources,
    background_errors,
    count_resources,
    return_freed_memory,
)
from conformance.maintenance.soak.server import ServerProcess
from conformance.maintenance.soak.workload import ENDED, Workload
from conformance.subjects.subject import SubjectError
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.maintenance.soak.checks import Fault
    from conformance.maintenance.soak.workload import Job

__all__ = ["load_client", "main"]

_USAGE = 2
_SHIFT = 60.0
"""Seconds of work until a rest, in which what is left is counted while the models live."""
_TICK = 0.1
_PROGRESS = 5.0
"""Seconds between two lines of progress."""
_BETWEEN_RESTARTS = (2.0, 5.0)
_RESTART = (0.02, 0.3)
"""Seconds for which a server that restarts accepts no connection."""


class _HangError(Exception):
    """A call takes longer than any may; nothing can be closed under it."""


def main(argv: Sequence[str]) -> int:
    """Run `soak`; return 0 if nothing was wrong, 1 if anything was, 2 for wrong arguments."""
    options = _build_parser().parse_args(argv)
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3))
        argv = [*argv, f"--seed={options.seed}"]
    command = f"python -m conformance soak {shlex.join(argv)}"
    try:
        soak = Soak(load_client(options.client), options)
        print(command, flush=True)
        soak.run()
    except SubjectError as error:
        print(f"cannot begin: {error}", file=sys.stderr)
        return _USAGE
    print("\n".join(soak.report()))
    red = bool(soak.recorder.faults)
    print(f"{'RED' if red else 'GREEN'}; again: {command}", flush=True)
    if soak.end is None:
        faulthandler.dump_traceback(all_threads=True)
        # Threads that hang would keep the process.
        os._exit(1)
    return int(red)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conformance soak", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--minutes", type=float, default=1.0, metavar="N", help="default: 1")
    add("--seed", type=int, metavar="S", help="default: another each time")
    add("--threads", type=int, default=12, metavar="T", help="default: 12")
    add("--jobs", type=int, metavar="N", help="end after so many of each thread")
    help_text = "let the server do this only; may be repeated"
    add("--behaviour", action="append", default=[], choices=tuple(BEHAVIOURS), help=help_text)
    add("--patience", type=float, default=5.0, help="seconds in which what is left may go")
    add("--steady", action="store_true", help="never restart the server, which drops connections")
    add("--limit", type=float, default=45.0, help="maximum of seconds for a call")
    ours = "langchain_baseten:ChatBaseten"
    add("--client", default=ours, metavar="MODULE:CLASS", help=f"default: {ours}")
    return parser


def load_client(spec: str) -> type[ChatBaseten]:
    """Return the class of the client to soak.

    Args:
        spec: A class derived from `ChatBaseten`, as `package.module:class`.

    Raises:
        SubjectError: It cannot be imported, or is something else.
    """
    try:
        client = pkgutil.resolve_name(spec)
    except (ImportError, AttributeError, ValueError) as error:
        raise SubjectError(f"{spec} cannot be imported: {error}") from error
    if not isinstance(client, type) or not issubclass(client, ChatBaseten):
        raise SubjectError(f"{spec} is no ChatBaseten, and only that is soaked")
    return client


class Soak:
    """One soak, from its warm-up to its report.

    Attributes:
        recorder: Outcomes and faults.
        start: What was held before the work.
        end: What was held when everything was closed; None if a call hung.

    Args:
        client: The class of the client.
        options: The options of the command.
    """

    def __init__(self, client: type[ChatBaseten], options: argparse.Namespace) -> None:
        self.recorder = Recorder()
        self.start = Resources()
        self.end: Resources | None = None
        self._client, self._options = client, options
        self._behaviours = options.behaviour or tuple(BEHAVIOURS)
        self._rng = random.Random(f"{options.seed}:server")  # noqa: S311  to be repeated
        self._restarts = 0
        self._counts: Counter[str]
        self._began = time.monotonic()
        self._reported = self._began

    def run(self) -> None:
        """Warm up, work in shifts with a rest after each, close everything, and look again.

        Raises:
            SubjectError: The client fails while nothing is wrong.
        """
        return_freed_memory()
        # What was imported stays: to look through it each time would take most of the time.
        gc.collect()
        gc.freeze()
        try:
            with ServerProcess() as server, background_errors() as errors:
                self._run(server)
                self.recorder.add(check_background(errors))
        finally:
            gc.unfreeze()

    def _run(self, server: ServerProcess) -> None:
        self._warm_up(server.url)
        self.start = count_resources()
        try:
            self._work(server)
        except _HangError:
            return
        finally:
            self._counts = server.count()
        self.end = self._settle(lambda now: check_growth(self.start, now, AT_END, "at the end"))

    def _warm_up(self, url: str) -> None:
        """Do once what allocates once: imports, caches, state of threads."""
        workload = Workload(Models(self._client, url), self.recorder, self._behaviours)
        self._run_jobs([workload.list_probes()], math.inf)
        if faults := self.recorder.examples.values():
            first = next(iter(faults))
            raise SubjectError(f"the client fails though the server does not: {first}")
        workload.close()

    def _work(self, server: ServerProcess) -> None:
        options = self._options
        workload = Workload(Models(self._client, server.url), self.recorder, self._behaviours)
        start, shifts = count_resources(), math.ceil(options.minutes * 60 / _SHIFT)
        for shift in range(shifts):
            seeds = (f"{options.seed}:{shift}:{thread}" for thread in range(options.threads))
            jobs = [workload.draw_jobs(random.Random(seed)) for seed in seeds]  # noqa: S311
            seconds = options.minutes * 60 / shifts
            limited = [islice(each, options.jobs) for each in jobs]
            self._run_jobs(limited, seconds, None if options.steady else server)
            self._run_jobs([workload.list_probes()], math.inf)
            self._settle(lambda now: self._check_rest(start, now, server.count()))
        workload.close()

    def _check_rest(
        self, start: Resources, now: Resources, counts: Counter[str]
    ) -> Iterator[Fault]:
        """Yield what is left of calls that have ended; each pool may keep what it once used."""
        kept = sum(peak for pool, peak in self.recorder.peaks.items() if pool != ENDED)
        yield from check_growth(start, now, {"sockets": kept, "tasks": 0}, "at rest")
        yield from check_server(counts)

    def _run_jobs(
        self, jobs: Sequence[Iterable[Job]], seconds: float, server: ServerProcess | None = None
    ) -> None:
        """Work in a thread for each list of jobs; restart the server at times, if one is given.

        Raises:
            _HangError: A call takes too long.
        """
        stop = threading.Event()

        def work(jobs: Iterable[Job]) -> None:
            for job in jobs:
                if stop.is_set():
                    return
                job()

        workers = [threading.Thread(target=work, args=(each,), daemon=True) for each in jobs]
        for worker in workers:
            worker.start()
        end = time.monotonic() + seconds
        # Once at least, however short the work is.
        restart = time.monotonic() + min(self._rng.uniform(*_BETWEEN_RESTARTS), seconds / 2)
        while any(worker.is_alive() for worker in workers):
            time.sleep(_TICK)
            limit, now = self._options.limit, time.monotonic()
            if faults := list(check_durations(self.recorder.measure(), limit)):
                self.recorder.add(faults)
                raise _HangError
            if now > end:
                stop.set()
            elif server and now > restart:
                with self.recorder.disturbance():
                    server.restart(self._rng.uniform(*_RESTART))
                self._restarts += 1
                restart = now + self._rng.uniform(*_BETWEEN_RESTARTS)
            if now > self._reported + _PROGRESS:
                self._reported = now
                print(f"  {self._describe_calls()}", flush=True)

    def _settle(self, check: Callable[[Resources], Iterable[Fault]]) -> Resources:
        """Look until nothing is wrong, or for as long as patience lasts; record what still is."""
        until = time.monotonic() + self._options.patience
        while faults := list(check(now := count_resources())):
            if time.monotonic() > until:
                self.recorder.add(faults)
                break
            time.sleep(_TICK)
        return now

    def _describe_calls(self) -> str:
        outcomes, faults = self.recorder.outcomes, self.recorder.faults
        seconds = time.monotonic() - self._began
        return (
            f"{outcomes.total()} calls in {seconds:.0f} s, {outcomes['response']} responses, "
            f"{faults.total()} faults"
        )

    def report(self) -> Iterator[str]:
        """Yield the lines of the report."""
        recorder, counts = self.recorder, self._counts
        yield f"{self._describe_calls()}; {self._restarts} restarts of the server"
        yield f"{counts['requests']} requests on {counts['connections']} connections"
        yield from (
            f"{number:>10} {outcome}" for outcome, number in recorder.outcomes.most_common()
        )
        yield f"{'':12}{'start':>16}{'end':>16}"
        for name in AT_END:
            values = (
                f"{getattr(each, name):,}" if each else "-" for each in (self.start, self.end)
            )
            yield f"{name:12}" + "".join(f"{value:>16}" for value in values)
        for kind, number in recorder.faults.most_common():
            fault = recorder.examples[kind]
            yield f"FAULT {number:>6} x {fault.rule}: {fault.what}"
            yield from (f"        {line}" for line in fault.detail.splitlines())
