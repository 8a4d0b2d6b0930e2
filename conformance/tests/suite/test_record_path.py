"""The path that needs a key, walked without one: over TLS, to a stand-in, with a throw-away CA.

What is recorded here is labelled as what it is, never as live, and the key is nowhere afterwards.
"""

from __future__ import annotations

import json
import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme

from conformance.cli.main import main
from conformance.maintenance.release import command as release
from conformance.maintenance.release.gate import Gate
from conformance.recording import rerecord
from conformance.recording.cassettes import find_flaws, list_cassettes, read_provenance
from conformance.recording.scanner import scan_folder
from conformance.reference import respond
from conformance.reference.exchange import AnswerPlan, ReceivedRequest, plan_json
from conformance.reference.server import LoopbackServer
from conformance.runner import HERE
from conformance.targets import FAKE_KEY, LANES
from conformance.tests.suite.cassette_builders import write_cassette
from conformance.tests.suite.fake_runs import KEY, aim, read
from langchain_baseten._http.clients import tls_context

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.traced("cassettes are written by the process that runs the checks"),
]
CLAIM = "parameters.seed.sent"
CHECKS = ("conformance/checks/features/test_parameters.py",)


def hear(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed, which never holds the key."""
    printed = "".join(capsys.readouterr())
    assert KEY not in printed
    return printed


@pytest.fixture
def service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LoopbackServer]:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    tls_context.cache_clear()
    with LoopbackServer(respond, tls=tls) as server:
        aim(monkeypatch, server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
    tls_context.cache_clear()
    kept = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert [text for text in (*kept, hear(capsys)) if KEY in text] == []
    assert {path.name for path in tmp_path.iterdir()} <= {"ca.pem", "cassettes", "drift.json"}


@pytest.fixture(autouse=True)
def _few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    # Collecting all of them takes longer than recording these.
    monkeypatch.setattr(rerecord, "_CHECKS", CHECKS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cassettes"


def run(command: str, root: Path, *options: str) -> int:
    given = ("--target=live", "--yes", f"--claim={CLAIM}", f"--cassettes={root}")
    return main([command, *given, *options])


def test_the_whole_path_is_walked_and_nothing_of_it_is_called_live(
    service: LoopbackServer, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers, spelt = count(1), b64encode(f"me:{KEY}".encode()).decode()

    def answer(request: ReceivedRequest) -> AnswerPlan:
        number = next(numbers) if request.method == "POST" else 0
        if number == 2:
            return plan_json(429, {}, {"retry-after": "0.2"})
        # The fifth request is that of the fourth check, after a 429.
        more = {"id": "chatcmpl-0a1b2c3d4e5f", "x": spelt if number == 5 else KEY}
        plan = respond(request).map_json(lambda body: {**body, **more})
        plan = plan.map_events(lambda body: {**body, **more})
        headers = (*plan.headers, ("set-cookie", f"k={KEY}"), ("x-request-id", "0a1b2c3d-4e5f"))
        return replace(plan, headers=headers)

    service.responder = answer
    assert run("record", root, "--partial") == 0
    assert {each.header("authorization") for each in service.requests} == {f"Bearer {KEY}"}
    reported = hear(capsys)
    assert "a secret would have been kept: a key in use" in reported
    assert "3 recorded (3 reference: a stand-in for Baseten), 1 left as they were" in reported
    assert (find_flaws(root), scan_folder(root, [KEY]), len(list_cassettes(root))) == ([], [], 3)
    for path in list_cassettes(root):
        about = read_provenance(path)
        assert about is not None
        assert (about.evidence, about.source) == ("reference", "a stand-in for Baseten")
        assert (about.host, about.lane) == ("127.0.0.1", path.parts[-3])
        text = path.read_text(encoding="utf-8")
        lane = LANES[about.lane]
        assert f"uri: https://{lane.host}{lane.base_path}/chat/completions" in text
        assert re.search(r"x-request-id:\n      - 00000000-000\d\n", text)
        assert "chatcmpl-00000000000" in text
        assert "REDACTED" in text
        assert not re.search("set-cookie|0a1b2c3d", text)
    see_drift(root, service, capsys)
    parts = replace(HERE, checks=CHECKS)
    gate = Gate(HERE.root, parts, root, datetime.now(UTC).date(), keys=(KEY,))
    assert release.main(["secrets", "evidence"], gate) == 1
    output = " ".join(hear(capsys).split())
    assert "✓ yes" in output
    row = "evidence: model-apis, reference: a stand-in for Baseten (1): parameters.seed.sent"
    assert row in output
    assert "NO RELEASE: evidence: no;" in output


def see_drift(root: Path, service: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    """See that nothing drifts until a shape changes, and that nothing is ever replaced."""
    recorded, report = read(root), root.with_name("drift.json")
    service.responder = respond
    assert run("drift", root) == 0
    reported = hear(capsys)
    assert "compared with 3 reference: a stand-in for Baseten, recorded" in reported
    assert "differences may be the stand-in's" in reported

    def change(body: Any) -> Any:
        return body | {"created": "today", "object": "poem", "harbour": 1, "choices": []}

    service.responder = lambda request: respond(request).map_json(change).map_events(change)
    assert run("drift", root, f"--json={report}") == 1
    found = {(f["severity"], f["where"].partition(" (")[0]) for f in loads(report)["findings"]}
    assert {
        ("failure", "created"),
        ("failure", "object"),
        ("failure", f"verdict of {CLAIM}"),
        ("information", "harbour"),
    } < found
    # How fast the stand-in writes is no news: what its times say is a matter of the machine's load.
    assert "token-level streaming" in {where for _, where in found}
    assert read(root) == recorded


def loads(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_key_that_is_refused_at_the_start_ends_it_after_one_request(
    service: LoopbackServer, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cassette(root / "dedicated/tools/old.yaml")
    before = read(root)
    service.responder = lambda request: plan_json(
        401, {"error": f"no such key: {request.header('authorization')}"}
    )
    assert run("record", root, "--lane=model-apis") == 1
    assert [request.method for request in service.requests] == ["POST"]
    assert read(root) == before
    assert "401" in hear(capsys)


def test_without_the_authority_nothing_is_sent(
    service: LoopbackServer, root: Path, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert run("record", root) == 1
    assert (service.requests, list_cassettes(root)) == ([], [])


def test_an_engine_is_recorded_under_its_own_name_and_replays_with_its_own_model(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        if request.path == "/version":
            return plan_json(200, {"version": "0.32.0"})
        return respond(replace(request, target=f"/environments/production/sync{request.target}"))

    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    with LoopbackServer(answer) as server:
        options = ("--target=engine", f"--model-url={server.url}", "--model=tiny")
        assert run("record", root, *options) == 0
        posts = [request for request in server.requests if request.method == "POST"]
        assert {each.header("authorization") for each in posts} == {f"Bearer {FAKE_KEY}"}
        assert not any(KEY in str(each.header("authorization")) for each in server.requests)
    for path in list_cassettes(root):
        about = read_provenance(path)
        assert about is not None
        assert (about.evidence, about.source, about.model) == ("engine", "vllm 0.32.0", "tiny")
        assert about.cast["model"] == "tiny"
