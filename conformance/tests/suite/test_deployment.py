from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.claims.table import CLAIMS_FILE
from conformance.cli.main import main
from conformance.outbound.model_listing import ServedError
from conformance.recording.cassettes import ROOT, estimate
from conformance.reference import LoopbackServer, ReceivedRequest
from conformance.reference.exchange import AnswerPlan, BodyChunk, plan_json
from conformance.runner import HERE
from conformance.services import deployment
from conformance.services.budget import Limits, Meter
from conformance.services.deployment import (
    Service,
    ServiceError,
    aim,
    choose_limits,
    estimate_check,
    estimate_item,
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    state_source,
)
from conformance.targets import ENGINE_KEY
from conformance.verdicts.costs import Cost, add_up
from conformance.verdicts.evidence import Evidence
from conformance.verdicts.verdicts import Place

pytestmark = pytest.mark.usefixtures("forked")
traced = pytest.mark.traced("a deployment is met by the process that runs the checks")

KEY = "k3y0000a.S3cretS3cretS3cretS3cretS3cretS3"
WITH_KEY = {"BASETEN_API_KEY": KEY}
CHECK = "conformance/checks/features/test_metadata.py::test_an_answer_that_calls_a_tool_says_so"
# One file of checks is collected in a second.
SUITE = replace(HERE, checks=("conformance/checks/features/test_metadata.py",))
ELSEWHERE = "https://baseten.co.elsewhere.example/v1"
DEPLOYED = "https://model-x.api.baseten.co/environments/production/predict"
NOWHERE = "http://127.0.0.1:9/v1"
ONE = ["--claim", "metadata.finish.reason"]


# --- where it is ---


def test_a_list_of_models_without_an_end_is_given_up() -> None:
    with pytest.raises(ServedError, match="without an end: name the model with --model"):
        deployment._give_up()


@pytest.mark.parametrize(
    ("url", "model", "found"),
    [
        ("", "zai-org/GLM-5.2", Service("live", "model-apis", "", "zai-org/GLM-5.2")),
        ("https://inference.baseten.co/v1", "m", Service("live", "model-apis", "", "m")),
        (f" {DEPLOYED} ", "", Service("live", "dedicated", DEPLOYED, "")),
        (NOWHERE, "m", Service("engine", "dedicated", NOWHERE, "m")),
        (ELSEWHERE, "", Service("engine", "dedicated", ELSEWHERE, "")),
    ],
)
def test_only_basetens_own_hosts_are_live(url: str, model: str, found: Service) -> None:
    assert aim(url, model, WITH_KEY) == found


@pytest.mark.parametrize(
    ("url", "model", "environment", "message"),
    [
        ("", "", WITH_KEY, "model SLUG"),
        ("https://inference.baseten.co/v1", "", WITH_KEY, "model SLUG"),
        ("abcd1234", "m", WITH_KEY, "no http URL"),
        ("wss://model-x.api.baseten.co/production/websocket", "", WITH_KEY, "wss is no http URL"),
        (f"https://{KEY}@elsewhere.example/v1", "m", WITH_KEY, "leave out of the URL"),
        (f"https://elsewhere.example/v1?key={KEY}", "m", WITH_KEY, "leave out of the URL"),
        ("", "m", {}, "set BASETEN_API_KEY"),
        ("https://model-x.api.baseten.co/predict", "", {"BASETEN_API_KEY": " "}, "the key is"),
    ],
)
def test_what_is_missing_is_said_without_the_key(
    url: str, model: str, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ServiceError) as refusal:
        aim(url, model, environment)
    assert message in str(refusal.value)
    assert "S3cret" not in str(refusal.value)


# --- what it costs ---


def test_a_check_costs_what_its_cassette_cost() -> None:
    whole = f"{CHECK}[dedicated-ask_invoke]"
    cost = estimate_check(whole, "dedicated")
    assert cost.requests == 1
    assert cost.tokens > 10
    assert estimate_check(f"{CHECK}[no-such]", "dedicated") == Cost(0, 0)


@pytest.mark.parametrize("lane", ["dedicated", "model-apis"])
def test_default_limits_cover_what_every_check_of_a_lane_is_estimated_to_cost(lane: str) -> None:
    # Every cassette of the lane is more than any target's checks ask for.
    cost = estimate((ROOT / lane).rglob("*.yaml"))
    limits = choose_limits(cost, None, None)
    assert 200 < cost.requests <= limits.requests * 2 / 3 + 1
    assert cost.tokens <= limits.tokens / 2
    assert choose_limits(cost, 7, None) == Limits(7, limits.tokens)
    assert choose_limits(cost, None, 0) == Limits(limits.requests, 0)


def test_a_small_run_has_room_for_a_talkative_model() -> None:
    assert choose_limits(Cost(1, 9), None, None) == Limits(200, 50_000)


def test_a_run_has_the_limits_that_its_own_checks_need(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = estimate_check(f"{CHECK}[dedicated-ask_invoke]", "dedicated")
    lane = SimpleNamespace(params={"lane": "dedicated"})
    item: Any = SimpleNamespace(nodeid=f"{CHECK}[dedicated-ask_invoke]", callspec=lane, name="")
    client: Any = SimpleNamespace(nodeid=f"{CHECK}[x]")
    assert estimate_item(item, ROOT) == cost
    assert estimate_item(client, ROOT) == Cost(0, 0)
    assert add_up([cost, cost]) == Cost(2 * cost.requests, 2 * cost.tokens)
    monkeypatch.setattr(deployment, "_is_requested", lambda _: True)
    monkeypatch.setattr(deployment, "places_of", lambda _: (Place(ONE[1], "dedicated"),))
    limits = {"max_requests": None, "max_tokens": 8}
    option = SimpleNamespace(cassettes=ROOT, claims_file=CLAIMS_FILE, **limits)
    hook = SimpleNamespace(pytest_deselected=lambda items: None)
    config: Any = SimpleNamespace(option=option, hook=hook, stash=pytest.Stash())
    config.stash[deployment._METER] = Meter(Limits())
    pytest_collection_modifyitems(config, [item] * 201)
    assert config.stash[deployment._METER].limits == Limits(301, 8)


# --- what it rests on ---


def test_an_engine_is_named_and_what_is_live_gets_its_date() -> None:
    engine, live = Evidence(), Evidence()
    state_source(engine, "engine", "127.0.0.1:8000")
    state_source(live, "live", "model-x.api.baseten.co")
    assert engine.settle("engine", "dedicated", "2026-11-22") == ("engine at 127.0.0.1:8000",)
    assert live.settle("live", "dedicated", "2026-11-22") == ("live 2026-11-22",)


def test_a_session_that_never_started_has_cost_nothing() -> None:
    session: Any = SimpleNamespace(config=SimpleNamespace(stash=pytest.Stash()))
    pytest_sessionfinish(session)
    assert len(session.config.stash) == 0


# --- the rehearsal: the whole command over loopback ---


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    monkeypatch.setenv(ENGINE_KEY, f"{KEY}-engine")


def judge(
    capfd: pytest.CaptureFixture[str], url: str, *options: str, report: Path | None = None
) -> tuple[int, str]:
    stored = [f"--json={report}"] if report else []
    code = main(["deployment", url, *ONE, *options, *stored], SUITE)
    out, err = capfd.readouterr()
    assert "S3cret" not in out + err
    assert report is None or "S3cret" not in report.read_text(encoding="utf-8")
    return code, out + err


def test_a_service_that_does_it_all_is_green_and_what_it_cost_is_said(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    with LoopbackServer() as server:
        url = f"{server.url}/environments/production/predict"
        code, output = judge(capfd, url, "--model=omni", "--verbose", report=path)
        keys = {each.header("authorization") for each in server.requests}
        assert keys == {f"Bearer {KEY}-engine"}
        sent = len(server.requests)
    assert code == 0, output
    report = json.loads(path.read_text(encoding="utf-8"))
    [line] = report["lines"]
    assert (line["claim"], line["lane"], line["status"]) == (ONE[1], "dedicated", "pass")
    assert line["evidence"] == [f"engine at {server.url.removeprefix('http://')}"]
    assert report["run"]["cost"]["requests"] == sent > 5
    assert f"asked for: {sent} requests, about " in output


def test_a_failing_service_fails_without_showing_the_key(capfd: pytest.CaptureFixture[str]) -> None:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        return plan_json(400, {"error": f"Bad header {request.header('authorization')}"})

    with LoopbackServer(answer) as server:
        code, output = judge(capfd, server.url, "--model=omni", "--verbose")
    assert code == 1
    assert "✗ FAIL  metadata.finish.reason" in output


@traced
def test_a_dead_service_is_untested_not_failed(capfd: pytest.CaptureFixture[str]) -> None:
    with LoopbackServer() as server:
        url = server.url
    code, output = judge(capfd, f"{url}/v1")
    assert code == 1
    assert "? UNTESTED  metadata.finish.reason" in output
    assert "cannot be reached" in " ".join(output.split())
    assert "FAIL" not in output


def test_a_list_that_does_not_come_is_waited_for_no_longer_than_an_answer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    late = AnswerPlan(200, (), (BodyChunk(b"{}", delay=1),))
    with LoopbackServer(lambda request: late) as server:
        code, output = judge(capfd, f"{server.url}/v1", "--max-silence=0.3")
    assert code == 1
    assert "no answer: ReadTimeout after 0.3 s; with --model" in " ".join(output.split())


@traced
def test_a_dry_run_says_what_it_would_cost_and_sends_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with LoopbackServer() as server:
        code, output = judge(capfd, f"{server.url}/v1", "--dry-run", "--max-tokens=7")
        assert server.requests == []
    assert code == 0
    assert f"{CHECK}[dedicated-ask_invoke]" in output
    output = " ".join(output.split())
    assert "evidence engine: about" in output
    assert "requests (limit 200)" in output
    assert "tokens (limit 7); nothing was sent" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deployment", ""], "is the variable that it comes from set?"),
        (["deployment", NOWHERE, "--model= "], "is the variable that it comes"),
        (["model", ""], "is the variable that it comes from set?"),
        (["deployment"], "required: URL"),
        (["deployment", NOWHERE, "--max-silence=0"], "'0' is no number of seconds"),
        (["deployment", NOWHERE, "--max-requests=0"], "with 0 nothing can be asked"),
        (["model", "a/b", "--max-tokens=-1"], "with -1 nothing can be asked"),
        (["deployment", NOWHERE, "--target=reference"], "unrecognized arguments"),
        (["verify", "--model-url="], "use `python -m conformance deployment URL`"),
        (["verify", "--model", "m"], "use `python -m conformance model SLUG`"),
    ],
)
def test_a_service_that_is_not_named_is_refused_and_never_replaced_by_our_own_client(
    capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(arguments, SUITE)
    assert refusal.value.code == 2
    assert message in " ".join(capfd.readouterr().err.split())


def test_a_claim_that_no_check_asks_a_service_about_is_refused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    suite = replace(HERE, checks=("conformance/checks/features/test_retries.py",))
    with LoopbackServer() as server:
        line = ["deployment", f"{server.url}/v1", "--model=m", "--claim=retries.policy.final"]
        assert main(line, suite) == 2
    output = "no check of retries.policy.final asks a service: `verify --claim` judges it"
    assert output in capfd.readouterr().err


def test_a_service_that_cannot_be_one_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["deployment", "abcd1234"], HERE) == 2
    assert "no http URL" in capfd.readouterr().err


def test_a_model_of_model_apis_is_estimated_in_its_lane(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "zai-org/GLM-5.2", "--dry-run", *ONE], SUITE) == 0
    assert "checks in model-apis, evidence live: about" in " ".join(capfd.readouterr().out.split())
