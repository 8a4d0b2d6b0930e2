from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from conformance.peers.exchange import AnswerPlan, PeerRequest, plan_json
from conformance.peers.server import PeerServer
from conformance.recording import outbound
from conformance.recording.outbound import Outbound, StoppedError, read_wait

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = plan_json(200, {})


class Script:
    """A peer that gives these answers in order, the last one from then on."""

    def __init__(self, *plans: AnswerPlan) -> None:
        self.plans = list(plans)
        self.asked = 0

    def __call__(self, request: PeerRequest) -> AnswerPlan:
        self.asked += 1
        return self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]


def limited(seconds: str = "0.01") -> AnswerPlan:
    return plan_json(429, {}, {"retry-after": seconds})


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def way(heard: list[str]) -> Iterator[Outbound]:
    with pytest.MonkeyPatch.context() as patch:
        out = Outbound(heard.append)
        out.install(patch)
        yield out


def ask_in_turn(url: str) -> int:
    with httpx.Client(trust_env=False) as client:
        return client.post(url, json={"a": 1}).status_code


async def ask(url: str, colour: str) -> int:
    if colour == "sync":
        return ask_in_turn(url)
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(url, json={"a": 1})).status_code


both = pytest.mark.parametrize("colour", ["sync", "async"])


@both
async def test_an_answer_passes_and_tells_who_gave_it(way: Outbound, colour: str) -> None:
    with PeerServer(Script(OK)) as server:
        assert await ask(server.url, colour) == 200
    assert way.hosts == {"http://127.0.0.1"}
    assert way.sent == 1
    way.begin()
    assert way.hosts == set()


@both
async def test_a_limited_request_waits_and_goes_again_whole(
    way: Outbound, heard: list[str], colour: str
) -> None:
    script = Script(limited(), limited(), OK)
    with PeerServer(script) as server:
        assert await ask(server.url, colour) == 200
        assert [request.json() for request in server.requests] == [{"a": 1}] * 3
    assert heard == ["429: waiting 0.1 s"] * 2


@both
async def test_a_service_that_asks_for_too_long_a_wait_is_left_alone(
    way: Outbound, colour: str
) -> None:
    script = Script(limited("3600"))
    with PeerServer(script) as server, pytest.raises(StoppedError, match="wait 3600 s"):
        await ask(server.url, colour)
    assert script.asked == 1


async def test_patience_ends(way: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "_ATTEMPTS", 2)
    script = Script(limited())
    with PeerServer(script) as server, pytest.raises(StoppedError, match=r"for the 2\. time"):
        await ask(server.url, "sync")
    assert script.asked == 2


@both
@pytest.mark.parametrize("status", [401, 403])
async def test_nothing_is_sent_after_a_refused_key(way: Outbound, colour: str, status: int) -> None:
    script = Script(plan_json(status, {}))
    with PeerServer(script) as server:
        with pytest.raises(StoppedError, match=f"request 1 was refused with {status}"):
            await ask(server.url, colour)
        with pytest.raises(StoppedError, match="request 1 was refused"):
            await ask(server.url, colour)
    assert script.asked == way.sent == 1
    assert "refused" in way.stopped


@both
async def test_nothing_is_sent_after_the_service_was_lost(way: Outbound, colour: str) -> None:
    with PeerServer(Script(OK)) as server:
        url = server.url
    with pytest.raises(StoppedError, match="lost at request 1: ConnectError"):
        await ask(url, colour)
    with pytest.raises(StoppedError, match="lost at request 1"):
        await ask(url, colour)
    assert way.sent == 1


def test_no_check_can_take_a_stop_for_an_answer() -> None:
    assert not issubclass(StoppedError, Exception)


def test_a_host_over_tls_goes_by_its_name() -> None:
    assert outbound._name_host(httpx.URL("https://a.baseten.co/v1")) == "a.baseten.co"
    assert outbound._name_host(httpx.URL("http://a.baseten.co/v1")) == "http://a.baseten.co"


@pytest.mark.parametrize(
    ("header", "attempt", "seconds"),
    [
        ("3", 0, 3.0),
        (" 2.5 ", 4, 2.5),
        ("0", 0, 0.1),
        ("-5", 0, 0.1),
        (None, 0, 1.0),
        ("", 3, 8.0),
        ("nan", 1, 2.0),
        ("soon", 0, 1.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0.1),
        ("Wed, 21 Oct 2015 07:28:00", 0, 1.0),
    ],
)
def test_the_wait_is_what_the_service_asks_for_or_doubles(
    header: str | None, attempt: int, seconds: float
) -> None:
    assert read_wait(header, attempt) == seconds


def test_a_date_is_waited_for() -> None:
    later: Any = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < read_wait(later, 0) < 61
