"""`python -m conformance soak`: everything at once, at random, and what is left afterwards.

Knows the command line and prints; must not judge (`rules`).
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
from dataclasses import fields
from typing import TYPE_CHECKING

from conformance.maintenance.soak.client import load_client
from conformance.maintenance.soak.conducts import CONDUCTS
from conformance.maintenance.soak.soaking import Plan, Soak, SoakError
from conformance.subjects.subject import SubjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.maintenance.soak.soaking import Soaked

__all__ = ["main", "write_report"]

_USAGE = 2
_MEGABYTE = 1_000_000


def main(argv: Sequence[str]) -> int:
    """Run `soak`; return 0 if nothing was wrong, 1 if anything was, 2 for wrong arguments."""
    options = _parse(argv)
    try:
        return _soak(options)
    except (SubjectError, SoakError) as error:
        print(f"cannot begin: {error}", file=sys.stderr)
        return _USAGE


def _soak(options: argparse.Namespace) -> int:
    client = load_client(options.client)
    again = _write_again(options)
    print(f"soak {again}", flush=True)
    plan = Plan(**{field.name: getattr(options, field.name) for field in fields(Plan)})
    soaked = Soak(client, plan, lambda line: print(line, flush=True)).run()
    print("\n".join(write_report(soaked)))
    red = bool(soaked.ledger.faults)
    print(f"{'RED' if red else 'GREEN'}; again: python -m conformance soak {again}", flush=True)
    if soaked.end is None:
        faulthandler.dump_traceback(all_threads=True)
        # Threads that hang would keep the process.
        os._exit(1)
    return int(red)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance soak", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--minutes", type=float, default=1.0, metavar="N", help="default: 1")
    add("--seed", type=int, metavar="S", help="default: another each time")
    add("--threads", type=int, default=12, metavar="T", help="default: 12")
    add("--deeds", type=int, default=0, metavar="N", help="rest after so many each")
    about = "let the server do this only; may be repeated"
    add("--conduct", action="append", default=[], choices=tuple(CONDUCTS), help=about)
    add("--patience", type=float, default=5.0, help="seconds to wait for what goes")
    add("--bound", type=float, default=45.0, help="most seconds a call may take")
    add("--client", default="", metavar="MODULE:CLASS", help="one that breaks ours")
    options = parser.parse_args(argv)
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3))
    return options


def _write_again(options: argparse.Namespace) -> str:
    again = f"--seed {options.seed} --threads {options.threads} --minutes {options.minutes:g}"
    again += f" --deeds {options.deeds}" if options.deeds else ""
    again += "".join(f" --conduct {name}" for name in options.conduct)
    return again + (f" --client {options.client}" if options.client else "")


def write_report(soaked: Soaked) -> Iterator[str]:
    """Yield the lines of the report."""
    ledger = soaked.ledger
    requests, connections = (soaked.counts.get(name, 0) for name in ("requests", "connections"))
    calls = f"{ledger.ended.total()} calls in {soaked.seconds:.0f} s, {requests} requests on"
    yield f"{calls} {connections} connections; {soaked.restarts} restarts of the server"
    for how, number in ledger.ended.most_common():
        yield f"  {number:>8} {how}"
    yield f"{'':12}{'start':>10}{'end':>10}"
    for name in ("sockets", "files", "tasks", "threads", "memory", "peak"):
        pair = (_write(name, getattr(at, name, None)) for at in (soaked.start, soaked.end))
        yield f"{name:12}" + "".join(f"{value:>10}" for value in pair)
    for kind, number in ledger.faults.most_common():
        fault = ledger.samples[kind]
        yield f"FAULT {number:>6} x {fault.rule}: {fault.what}"
        yield from (f"        {line}" for line in fault.detail.splitlines())


def _write(name: str, value: int | None) -> str:
    if value is None:
        return "-"
    return f"{value / _MEGABYTE:.0f} MB" if name in {"memory", "peak"} else str(value)
