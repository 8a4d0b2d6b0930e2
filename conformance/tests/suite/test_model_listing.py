from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conformance.outbound import model_listing
from conformance.outbound.model_listing import (
    Served,
    ServedError,
    choose_model,
    describe_listing,
    fetch,
    list_served,
    no_longer_than,
    wait_until_awake,
)
from conformance.reference import LoopbackServer, ReceivedRequest
from conformance.reference.exchange import AnswerPlan, BodyChunk, plan_bytes, plan_json
from conformance.targets import FAKE_KEY, LANES

KEY = "k3y0000a.S3cretS3cretS3cretS3cretS3cretS3"
LANE = LANES["dedicated"]
LATE = AnswerPlan(200, (), (BodyChunk(b"{}", delay=0.5),))


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([{"id": "tiny", "owned_by": "vllm"}], (Served("tiny", "vllm"),)),
        ([{"id": "a"}, {"id": "b", "owned_by": None}], (Served("a", ""), Served("b", ""))),
        ([], ()),
        ([5, {"name": "a"}, {"id": 7}], ()),
    ],
)
def test_a_service_is_asked_for_the_models_that_it_serves(
    rows: list[Any], found: tuple[Served, ...]
) -> None:
    with LoopbackServer(lambda request: plan_json(200, {"data": rows})) as server:
        assert list_served(f"{server.url}/v1", KEY) == found
        [request] = server.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.header("authorization") == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "answer",
    [
        plan_json(404, {"error": "No."}),
        plan_json(500, {"data": []}),
        plan_json(200, {"data": {}}),
        plan_json(200, []),
        plan_bytes(200, "text/html", b"<html>"),
    ],
)
def test_a_service_need_not_have_a_list(answer: AnswerPlan) -> None:
    with LoopbackServer(lambda request: answer) as server:
        assert list_served(f"{server.url}/v1", "") is None
        [request] = server.requests
    assert request.header("authorization") is None


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(model_listing, "time", SimpleNamespace(sleep=made.append))
    return made


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_list_that_is_busy_is_requested_again(waits: list[float], status: int) -> None:
    answers = [plan_json(status, {})] * 2 + [plan_json(200, {"data": [{"id": "tiny"}]})]
    with LoopbackServer(lambda request: answers.pop(0)) as server:
        assert list_served(f"{server.url}/v1", "") == (Served("tiny", ""),)
    assert waits == [1.0, 2.0]


def test_a_list_that_stays_busy_leaves_open_whether_it_is_there(waits: list[float]) -> None:
    with LoopbackServer(lambda request: plan_json(503, {"error": "Loading."})) as server:
        assert list_served(f"{server.url}/v1", "") is None
        with pytest.raises(ServedError, match=r"v1/models responds HTTP 503 3 times: Loading\.; j"):
            list_served(f"{server.url}/v1", "", certain=True)


def test_a_service_that_is_waking_up_is_waited_for(waits: list[float]) -> None:
    asleep, awake = plan_json(503, {"error": "Waking."}), plan_json(404, {})
    left = [asleep] * 4
    with LoopbackServer(lambda request: left.pop(0) if left else awake) as server:
        wait_until_awake(f"{server.url}/v1", "")
        paths = [request.path for request in server.requests]
    assert waits == [1.0, 2.0]
    assert paths == [*["/v1/models", "/v1"] * 2, "/v1/models"]


def test_a_list_alone_that_is_busy_is_not_waited_for() -> None:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        return plan_json(503 if request.path.endswith("/models") else 404, {})

    with LoopbackServer(answer) as server:
        wait_until_awake(f"{server.url}/v1", "")
        assert len(server.requests) == 2


def test_a_service_that_does_not_wake_up_is_left_alone(waits: list[float]) -> None:
    reason = r"/v1 responds HTTP 502 for 30 s: No\.; judge the service once it is awake$"
    with (
        LoopbackServer(lambda request: plan_json(502, {"error": "No."})) as server,
        pytest.raises(ServedError, match=reason),
    ):
        wait_until_awake(f"{server.url}/v1", "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (plan_json(503, {"error": "Loading."}), "HTTP 503: Loading."),
        (plan_bytes(404, "text/plain", b""), "HTTP 404"),
        (plan_json(200, {"data": []}), "HTTP 200"),
    ],
)
def test_what_comes_in_the_place_of_a_list_is_told(answer: AnswerPlan, message: str) -> None:
    with LoopbackServer(lambda request: answer) as server:
        base = f"{server.url}/v1"
        assert describe_listing(base, "") == f"GET {base}/models responds {message}"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("key", "message"), [("", "; set CONFORMANCE_"), (FAKE_KEY, "; set CONFORMANCE_"), (KEY, "$")]
)
def test_a_refusal_is_told_without_the_key(status: int, key: str, message: str) -> None:
    with (
        LoopbackServer(lambda request: plan_json(status, {"error": KEY})) as server,
        pytest.raises(ServedError, match=f"refuses the key: HTTP {status}{message}") as refusal,
    ):
        fetch(f"{server.url}/v1/models", key)
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (AnswerPlan(200, (), (), "abort"), "gives no answer: RemoteProtocolError"),
        (LATE, r"gives no answer: ReadTimeout after 0\.2 s; with --model"),
        (None, r"cannot be reached: ConnectError \(.*refused"),
    ],
    ids=["closed", "late", "nobody there"],
)
def test_what_gives_no_answer_is_told(answer: AnswerPlan | None, why: str) -> None:
    with LoopbackServer(lambda request: answer or plan_json(200, {})) as server:
        if answer is None:
            server.close()
        patience = 0.2 if "ReadTimeout" in why else 30.0  # a busy machine closes late
        reported = f"{server.url}/version {why}"
        with no_longer_than(patience), pytest.raises(ServedError, match=reported):
            fetch(f"{server.url}/version", "")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["omni"], ""),
        (["tiny", "omni", "more"], ""),
        (["acme/coder-7b"], "acme/coder-7b"),
        ([], "derived"),
        (None, "derived"),
    ],
)
def test_the_lanes_own_model_is_asked_for_if_it_is_there_and_else_the_one_that_is(
    names: list[str] | None, chosen: str
) -> None:
    served = None if names is None else tuple(Served(name, "") for name in names)
    assert choose_model(LANE, served, "derived") == chosen


def test_of_several_unknown_models_one_has_to_be_named() -> None:
    served = tuple(Served(name, "") for name in "abcdefg")
    with pytest.raises(ServedError, match=r"serves 7 models \(a, b, c, d, e\): choose one with"):
        choose_model(LANE, served, "derived")
