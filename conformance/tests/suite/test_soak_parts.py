"""The soak's smaller parts: its books, its census, and what its report says."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydantic import SecretStr

from conformance.cli.main import main
from conformance.maintenance.soak.census import Census, listen, take_census
from conformance.maintenance.soak.client import HOLDERS, SHARED_KEY, Holder, is_typed, load_client
from conformance.maintenance.soak.command import write_report
from conformance.maintenance.soak.crew import Crew, draw
from conformance.maintenance.soak.ledger import Ledger
from conformance.maintenance.soak.rules import Fault
from conformance.maintenance.soak.soaking import Soaked, settle
from conformance.maintenance.soak.ways import ASYNC_ASKS, SYNC_ASKS
from conformance.subjects.subject import SubjectError
from conformance.tests.suite.broken_clients import Mixing
from langchain_baseten import BasetenError

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_the_ledger_knows_who_is_under_way_and_how_many_at_once() -> None:
    ledger = Ledger()
    first, second = ledger.begin("one", "threads"), ledger.begin("two", "threads", size=3)
    assert sorted(deed for deed, _ in ledger.waits()) == ["one", "two"]
    ledger.end(first, "answered")
    ledger.end(second, "answered")
    ledger.end(ledger.begin("three", "loop 0"), "left")
    assert ledger.waits() == []
    assert ledger.peaks == {"threads": 4, "loop 0": 1}
    assert ledger.ended == {"answered": 2, "left": 1}


def test_an_upheaval_disturbs_the_calls_of_its_scope_that_it_meets() -> None:
    ledger = Ledger()
    before, other = ledger.begin("a", "p", "shared"), ledger.begin("b", "p")
    with ledger.upheaval("shared"):
        inside = ledger.begin("c", "p", "shared")
    after = ledger.begin("d", "p", "shared")
    assert [ledger.end(t, "") for t in (before, inside, after, other)] == [True, True, False, False]


def test_an_upheaval_of_everybody_disturbs_every_call() -> None:
    ledger = Ledger()
    met = ledger.begin("a", "p"), ledger.begin("b", "p", "shared")
    with ledger.upheaval():
        assert [ledger.end(ticket, "") for ticket in met] == [True, True]


def test_faults_of_one_kind_are_counted_and_the_first_is_kept() -> None:
    ledger = Ledger()
    ledger.blame([Fault("r", "w", "first"), Fault("r", "w", "second"), Fault("r", "v")])
    assert ledger.faults == {("r", "w"): 2, ("r", "v"): 1}
    assert ledger.samples["r", "w"].detail == "first"


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only /proc tells")  # noqa: PTH110  the path is Linux's
async def test_a_census_counts_each_kind_of_thing_that_is_held() -> None:
    before = take_census()
    task = asyncio.create_task(asyncio.sleep(60))
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    filler = b"x" * 50_000_000
    with socket.socket(), open(os.devnull), open(os.devnull):  # noqa: ASYNC230, PTH123  what is counted
        held = take_census()
    stop.set()
    thread.join()
    task.cancel()
    assert held.sockets - before.sockets == 1
    assert held.files - before.files == 2
    assert held.tasks - before.tasks == 1
    assert held.threads - before.threads == 1
    assert held.memory - before.memory > len(filler) // 2
    assert held.peak >= held.memory


def test_what_is_said_behind_our_back_is_overheard() -> None:
    with listen() as said:
        logging.getLogger("asyncio").error("gone", exc_info=ValueError("lost"))
        logging.getLogger("asyncio").warning("slow")
        dying = threading.Thread(target=[].pop)
        dying.start()
        dying.join()
        sys.unraisablehook(cast("Any", SimpleNamespace(exc_value=KeyError("x"), object=None)))
    assert [(who, what.splitlines()[0][:9]) for who, what in said] == [
        ("asyncio", "gone"),
        ("thread", "IndexErro"),
        ("finalizer", "KeyError("),
    ]
    assert "ValueError: lost" in said[0][1]


def test_settling_ends_as_soon_as_nothing_is_wrong() -> None:
    seen = iter([2, 1, 0])

    def judge(left: int) -> Iterator[Fault]:
        yield from [Fault("left", "something")] * left

    assert settle(lambda: next(seen), judge, 60) == (0, [])
    assert settle(lambda: 1, judge, 0) == (1, [Fault("left", "something")])


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_model_is_come_by_in_every_way_and_has_the_key_that_is_expected(holder: Holder) -> None:
    client = load_client("conformance.tests.suite.broken_clients:Mixing")
    client.aim("http://127.0.0.1:9/v1")
    model: Any = holder.take(client, "chat", "own")
    assert isinstance(model, Mixing)
    key = "own" if holder.own_key else SHARED_KEY
    assert isinstance(model.baseten_api_key, SecretStr)
    assert model.baseten_api_key.get_secret_value() == key
    assert (model is client.shared["chat"]) is holder.shared


def test_only_errors_of_the_package_are_typed() -> None:
    assert is_typed(BasetenError("x"))
    assert not is_typed(OSError("x"))


@pytest.mark.parametrize(
    "spec",
    ["nonsense", "conformance.nowhere:make", "conformance.tests.suite.factories:of_canned_words"],
)
def test_a_client_that_cannot_be_found_ends_the_command(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SubjectError):
        load_client(spec)
    assert main(["soak", "--client", spec]) == 2
    assert "cannot begin" in capsys.readouterr().err


def test_the_same_chance_draws_the_same_deeds() -> None:
    client = load_client("")
    crew = Crew(client, Ledger(), [])
    for asks in (SYNC_ASKS, ASYNC_ASKS):
        one, two = (
            [str(draw(random.Random(7), crew, asks)) for _ in range(5)]  # noqa: S311  no secret
            for _ in range(2)
        )
        assert one == two
    drawn = [draw(random.Random(seed), crew, ASYNC_ASKS) for seed in range(200)]  # noqa: S311  same
    assert len({str(deed) for deed in drawn}) > 100
    assert len({deed.nonces for deed in drawn}) == 200


def test_the_report_names_calls_errors_things_and_faults() -> None:
    soaked = Soaked(start=Census(sockets=1, memory=5_000_000))
    soaked.ledger.end(soaked.ledger.begin("invoke", "threads"), "answered")
    soaked.ledger.blame([Fault("hangs", "invoke", "for ever")])
    text = "\n".join(write_report(soaked))
    for part in ("1 calls", "1 answered", "5 MB", "hangs: invoke"):
        assert part in text
