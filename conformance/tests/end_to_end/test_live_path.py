"""The path that needs a key, walked without one: over TLS, to a stand-in, with a throw-away CA.

What is recorded here is labelled as what it is, never as live, and the key is nowhere afterwards.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from conformance.maintenance.release import command as release
from conformance.maintenance.release.gate import Gate
from conformance.recording.cassettes import list_cassettes, read_provenance
from conformance.reference import LoopbackServer, respond
from conformance.reference.exchange import plan_json
from conformance.runner import HERE
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conformance.reference import AnswerPlan, ReceivedRequest, Responder

KEY = "Rehearse.0123456789abcdefghijklmnopqrstuv"
CLAIM = ("--claim", "parameters.seed.sent")
OLD = "dedicated/tools/old.yaml"


class StandInService:
    """A stand-in for Baseten behind TLS, and the commands that are run against it.

    Attributes:
        responder: What answers; may be changed at any time.
        seen: Every request, in order of arrival.
        root: Folder of the cassettes.
        printed: Everything that any command printed.
    """

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.responder: Responder = respond
        self.seen: list[ReceivedRequest] = []
        self.root = folder / "cassettes"
        self.printed = ""
        self._folder = folder
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.tls)
        old = self.root / OLD
        old.parent.mkdir(parents=True)
        old.write_text("interactions: []\n")

    def answer(self, request: ReceivedRequest) -> AnswerPlan:
        self.seen.append(request)
        return self.responder(request)

    def run(self, url: str, *arguments: str) -> int:
        """Run a command as a maintainer would; return its exit code."""
        own = {
            "BASETEN_API_KEY": KEY,
            "BASETEN_BASE_URL": f"{url}/v1",
            "BASETEN_DEDICATED_MODEL_URL": f"{url}/environments/production/predict",
            "SSL_CERT_FILE": str(self._folder / "ca.pem"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join([str(HERE.root), os.environ.get("PYTHONPATH", "")]),
        }
        line = [sys.executable, "-m", "conformance", *arguments, f"--cassettes={self.root}"]
        done = subprocess.run(  # noqa: S603  our own interpreter
            line,
            cwd=HERE.root,
            env=os.environ | own,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=300,
        )
        self.printed += done.stdout + done.stderr
        return done.returncode

    def read(self) -> dict[str, bytes]:
        """Return every file below the cassettes' folder."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in files}

    def holds_the_key(self) -> list[str]:
        """Return where the key stands: in a file, or in what was printed."""
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        found = [str(path) for path in files if KEY.encode() in path.read_bytes()]
        return [*found, *(["printed"] if KEY in self.printed else [])]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[StandInService]:
    made = StandInService(tmp_path, trustme.CA())
    yield made
    assert made.holds_the_key() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def record(service: StandInService, url: str) -> int:
    return service.run(url, "record", "--target=live", "--yes", *CLAIM)


def drift(service: StandInService, url: str) -> int:
    return service.run(url, "drift", "--target=live", "--yes", *CLAIM)


def change_bodies(change: Callable[[Any], Any]) -> Responder:
    return lambda request: respond(request).map_json(change).map_events(change)


def test_the_whole_path_is_walked_and_nothing_of_it_is_called_live(
    service: StandInService, capsys: pytest.CaptureFixture[str]
) -> None:
    (service.root / OLD).unlink()
    with LoopbackServer(service.answer, tls=service.tls) as server:
        assert record(service, server.url) == 0, service.printed
        assert {each.header("authorization") for each in service.seen} == {f"Bearer {KEY}"}
        recorded = [read_provenance(path) for path in list_cassettes(service.root)]
        told = {(about.evidence, about.source) for about in recorded if about}
        assert len(recorded) == 4
        assert told == {("reference", "a stand-in for Baseten")}
        assert drift(service, server.url) == 0, service.printed
        assert "compared with 4 reference: a stand-in for Baseten, recorded" in service.printed
        assert "differences may be the stand-in's" in service.printed
        see_a_changed_shape(service, server.url)
    parts = replace(HERE, checks=("conformance/checks/features/test_parameters.py",))
    gate = Gate(HERE.root, parts, service.root, datetime.now(UTC).date(), keys=(KEY,))
    assert release.main(["secrets", "evidence"], gate) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "✓ yes" in said
    row = "evidence: {}, reference: a stand-in for Baseten (1): parameters.seed.sent"
    assert all(row.format(lane) in said for lane in LANES)
    assert "NO RELEASE: evidence: no;" in said


def see_a_changed_shape(service: StandInService, url: str) -> None:
    """See that a changed shape is reported, and that nothing is replaced."""
    recorded = service.read()
    before = len(service.printed)
    service.responder = change_bodies(
        lambda body: body | {"created": "today", "object": "poem", "harbour": 1}
    )
    assert drift(service, url) == 1, service.printed
    words = ("created", '"poem" was never recorded', "harbour")
    assert [word for word in words if word not in service.printed[before:]] == []
    assert service.read() == recorded


def test_a_key_that_is_refused_at_the_start_ends_it_after_one_request(
    service: StandInService,
) -> None:
    before = service.read()
    service.responder = lambda request: plan_json(
        401, {"error": f"no such key: {request.header('authorization')}"}
    )
    with LoopbackServer(service.answer, tls=service.tls) as server:
        assert record(service, server.url) == 1
    assert len(service.seen) == 1
    assert service.read() == before
    assert "401" in service.printed


def test_without_the_authority_nothing_is_sent(service: StandInService, tmp_path: Path) -> None:
    before = service.read()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with LoopbackServer(service.answer, tls=service.tls) as server:
        assert record(service, server.url) == 1
    assert service.seen == []
    assert service.read() == before
