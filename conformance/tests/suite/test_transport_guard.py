from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from conformance.libraries import LIBRARIES
from conformance.outbound.transport_guard import read_wait
from conformance.recording import recording_guard
from conformance.recording.recording_guard import RecordingGuard, StoppedError
from conformance.reference.exchange import AnswerPlan, ReceivedRequest, plan_json
from conformance.reference.server import LoopbackServer

OK = plan_json(200, {})
REFUSED, SILENCE = plan_json(403, {}), plan_json(200, {"late": True})


class Script:
    """A responder that gives these answers in order, the last one from then on."""

    def __init__(self, *plans: AnswerPlan) -> None:
        self.plans = list(plans)
        self.requested = 0

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        self.requested += 1
        plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        if plan is SILENCE:
            time.sleep(0.3)
        return plan


def limited(seconds: str = "0.01") -> AnswerPlan:
    return plan_json(429, {}, {"retry-after": seconds})


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def guard(reports: list[str], monkeypatch: pytest.MonkeyPatch) -> RecordingGuard:
    made = RecordingGuard(reports.append)
    made.install(monkeypatch)
    return made


@pytest.fixture
def patient_guard(monkeypatch: pytest.MonkeyPatch) -> RecordingGuard:
    made = RecordingGuard(lambda _: None, patient=True, silence=0.1)
    made.install(monkeypatch)
    return made


async def ask(url: str, kind: str, **options: Any) -> int:
    way, name = kind.split()
    if way == "sync":
        with LIBRARIES[name].Client(trust_env=False, verify=False) as client:
            return int(client.post(url, json={"a": 1}, **options).status_code)
    async with LIBRARIES[name].AsyncClient(trust_env=False, verify=False) as client:
        return int((await client.post(url, json={"a": 1}, **options)).status_code)


KINDS = [f"{kind} {name}" for name in LIBRARIES for kind in ("sync", "async")]
both = pytest.mark.parametrize("kind", KINDS)


@both
async def test_an_answer_passes_and_tells_who_gave_it(guard: RecordingGuard, kind: str) -> None:
    with LoopbackServer(Script(OK)) as server:
        assert await ask(server.url, kind) == 200
    assert guard.hosts == {"http://127.0.0.1"}
    assert guard.sent == 1
    guard.begin()
    assert guard.hosts == set()


@both
async def test_a_limited_request_waits_and_goes_again_whole(
    guard: RecordingGuard, reports: list[str], kind: str
) -> None:
    script = Script(limited(), limited(), OK)
    with LoopbackServer(script) as server:
        assert await ask(server.url, kind) == 200
        assert [request.json() for request in server.requests] == [{"a": 1}] * 3
    assert [each for each in reports if "waiting" in each] == ["429: waiting 0.1 s"] * 2
    assert [each for each in reports if "out" in each] == [f"request {n} is out" for n in (1, 2, 3)]


@both
async def test_nothing_is_sent_after_a_refused_key(guard: RecordingGuard, kind: str) -> None:
    script = Script(plan_json(401, {}))
    with LoopbackServer(script) as server:
        for _ in range(2):
            with pytest.raises(StoppedError, match="request 1 was refused with 401"):
                await ask(server.url, kind)
    assert script.requested == guard.sent == 1
    assert "refused" in guard.stopped


@both
async def test_nothing_is_sent_after_the_service_was_lost(guard: RecordingGuard, kind: str) -> None:
    with LoopbackServer(Script(OK)) as server:
        url = server.url
    for _ in range(2):
        with pytest.raises(StoppedError, match="lost at request 1: ConnectError"):
            await ask(url, kind)
    assert guard.sent == 1


@pytest.mark.parametrize(
    ("seconds", "times", "why"),
    [("3600", 1, r"next try in 3600\.0 s"), ("0.01", 2, r"for the 2\. time")],
)
@both
async def test_a_service_that_asks_for_too_long_or_too_often_a_wait_is_left_alone(
    guard: RecordingGuard, kind: str, seconds: str, times: int, why: str
) -> None:
    script = Script(limited(seconds))
    with pytest.MonkeyPatch.context() as patch, LoopbackServer(script) as server:
        patch.setattr(recording_guard, "_ATTEMPTS", 2)
        with pytest.raises(StoppedError, match=why):
            await ask(server.url, kind)
    assert script.requested == times


@both
@pytest.mark.parametrize("miss", [REFUSED, SILENCE], ids=["refused", "silent"])
async def test_who_is_patient_goes_on_after_a_check_without_an_answer(
    patient_guard: RecordingGuard, kind: str, miss: AnswerPlan
) -> None:
    script = Script(OK, miss, OK, miss, miss, OK)
    with LoopbackServer(script) as server:
        for answered in (True, False, True, False, False, True):
            # A busy machine answers late: only what gets no answer has little time.
            patient_guard._silence = 30.0 if answered else 0.1
            if answered:
                assert await ask(server.url, kind) == 200
            else:
                with pytest.raises(StoppedError):
                    await ask(server.url, kind)
    assert patient_guard.stopped == ""


@both
@pytest.mark.parametrize("first", [[], [OK]], ids=["at the start", "later"])
async def test_patience_ends_where_nothing_was_answered_or_three_times_in_a_row(
    patient_guard: RecordingGuard, kind: str, first: list[AnswerPlan]
) -> None:
    script = Script(*first, REFUSED)
    with LoopbackServer(script) as server:
        for _ in first:
            assert await ask(server.url, kind) == 200
        for _ in range(4):
            with pytest.raises(StoppedError):
                await ask(server.url, kind)
    assert script.requested == (4 if first else 1)
    assert "nothing was sent after it" in patient_guard.stopped


@pytest.mark.parametrize("kind", KINDS[::2])
@pytest.mark.parametrize("read", [None, 60.0, 0.1])
async def test_a_service_may_be_silent_for_so_long_and_no_longer(
    patient_guard: RecordingGuard, read: float | None, kind: str
) -> None:
    timeout = LIBRARIES[kind.split()[1]].Timeout(5.0, read=read)
    with (
        LoopbackServer(Script(SILENCE)) as server,
        pytest.raises(StoppedError, match="silent for too long at request 1"),
    ):
        await ask(server.url, kind, timeout=timeout)
    assert patient_guard.sent == 1


def test_no_check_can_take_a_stop_for_an_answer() -> None:
    assert not issubclass(StoppedError, Exception)


def test_a_host_over_tls_goes_by_its_name() -> None:
    urls = {"https://a.baseten.co/v1": "a.baseten.co", "http://a.co/v1": "http://a.co"}
    for url, name in urls.items():
        assert recording_guard._name_host(httpx2.Request("POST", url)) == name


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
        ("soon", 2, 4.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 2, 0.1),
    ],
)
def test_the_wait_is_what_the_service_asks_for_or_doubles(
    header: str | None, attempt: int, seconds: float
) -> None:
    assert read_wait(header, attempt) == seconds


def test_a_date_is_waited_for() -> None:
    later = formatdate(time.time() + 90, usegmt=True)
    assert 80 < read_wait(later, 0) <= 90
