from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace as change
from typing import TYPE_CHECKING

import pytest

from conformance.recording import rerecord
from conformance.recording.cassettes import find_flaws, read_provenance
from conformance.recording.plan import Plan, RecordRequest, Task
from conformance.recording.scanner import scan_folder
from conformance.recording.service_discovery import find_addressee
from conformance.reference import respond
from conformance.reference.exchange import AnswerPlan, ReceivedRequest, plan_json
from conformance.reference.server import LoopbackServer
from conformance.targets import FAKE_KEY
from conformance.tests.suite.cassette_builders import talk, write_cassette
from conformance.tests.suite.fake_service import CHECKS, KEY, LIVE, REAL, Service, surround
from conformance.verdicts.costs import Cost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.traced("cassettes are written by the process that runs the checks")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "cassettes"
    for task in CHECKS:
        write_cassette(folder / task.name, talk("old"))
    yield folder
    assert list(tmp_path.iterdir()) == [folder], "something was left behind"


def spell(key: str) -> str:
    """Return a key as no redaction knows it."""
    return b64encode(f"me:{key}".encode()).decode()


def test_the_live_path_records_what_a_stand_in_answers_and_no_key_in_any_form(shelf: Path) -> None:
    limited = plan_json(429, {}, {"retry-after": "0.2"})
    service = Service(2, limited)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = service(request)
        # The fourth request is that of the third check, after a 429.
        return plan.map_json(lambda body: {**body, "x": spell(KEY)}) if service.asked == 4 else plan

    with LoopbackServer(answer) as server:
        request = change(LIVE, partial=True)
        outcome = rerecord.record(request, REAL, shelf, surround(server.url))
        assert len(server.requests) == 4
        assert {each.header("authorization") for each in server.requests} == {f"Bearer {KEY}"}
    [(refused, why)] = outcome.left.items()
    assert why == "a secret would have been kept: a key in use"
    assert (refused, len(outcome.replaced)) == (CHECKS[2].name, 2)
    assert find_flaws(shelf) == []
    for path in (shelf / name for name in outcome.replaced):
        about = read_provenance(path)
        assert about is not None
        assert (about.evidence, about.source) == ("reference", "a stand-in for Baseten")
        assert (about.host, about.lane) == ("http://127.0.0.1", "model-apis")
        text = path.read_text(encoding="utf-8")
        assert "https://inference.baseten.co/v1/chat/completions" in text
        assert "x-request-id:\n      - 00000000-0001" in text
        assert re.search(r"chatcmpl-0{30}", text)
        assert not re.search(rf"{KEY}|set-cookie|0a1b2c3d", text)
    assert scan_folder(shelf, [KEY]) == []


def test_an_engine_is_recorded_under_its_own_name_and_replays_with_its_own_model(
    tmp_path: Path,
) -> None:
    task = Task(
        "dedicated/metadata/test_an_answer_names_its_provider_its_model_and_its_id"
        "[dedicated-ask_whole].yaml",
        "conformance/checks/features/test_metadata.py::"
        "test_an_answer_names_its_provider_its_model_and_its_id[dedicated-ask_whole]",
        "new",
    )

    def answer(request: ReceivedRequest) -> AnswerPlan:
        if request.path == "/version":
            return plan_json(200, {"version": "0.32.0"})
        return respond(change(request, target=f"/environments/production/sync{request.target}"))

    with LoopbackServer(answer) as server:
        found = find_addressee("engine", ("dedicated",), server.url, "", {})
        request = RecordRequest("engine", ("dedicated",), (), ("tiny",), found.url, found.engine)
        environment = surround(server.url)
        rerecord.record(request, Plan((task,), Cost(1, 0)), tmp_path / "cassettes", environment)
        keys = {request.header("authorization") for request in server.requests[-1:]}
    assert keys == {f"Bearer {FAKE_KEY}"}, "an engine got Baseten's key"
    about = read_provenance(tmp_path / "cassettes" / task.name)
    assert about is not None
    assert (about.evidence, about.source, about.model) == ("engine", "vllm 0.32.0", "tiny")
    assert about.cast["model"] == "tiny"
