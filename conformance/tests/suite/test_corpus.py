from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from langchain_core.outputs import ChatResult

from conformance.maintenance.corpus import command as corpus
from conformance.maintenance.corpus import go_vcr
from conformance.maintenance.corpus.evidence import find_evidence
from conformance.maintenance.corpus.playback import CUTS
from conformance.reference import AnswerPlan
from conformance.tests.suite.recordings_by_hand import (
    HELLO,
    HELLOS,
    NO_USAGE,
    TOOLS,
    USAGE,
    call,
    chunk,
    completion,
    record,
    swap,
    with_defect,
    write_corpus,
)
from langchain_baseten import ChatBaseten

BASE = "https://inference.baseten.co/v1"
TWO_CALLS = [call('{"x": 1}', "same"), call("{}", "same", "g", 1)]
END = chunk("stop", USAGE)
RECORDINGS = {
    line["id"]: line
    for line in (
        record(completion(content="hello"), name="text"),
        record(completion(reasoning_content="hm", content="yes"), name="reasoning"),
        record(completion(tool_calls=TWO_CALLS), name="calls", tools=TOOLS),
        record((chunk(content="a"), END, chunk(content="b"), "[DONE]"), name="late"),
        record((chunk(tool_calls=TWO_CALLS), chunk("tool_calls", USAGE)), name="stream-calls"),
        record((chunk(content="half an "),), name="cut"),
        record((chunk(content="half an "), END), name="torn", complete=False),
        record((chunk(content="text"), END), name="untyped", kind="application/octet-stream"),
        record(
            (chunk(content="so far"), {"error": {"message": "boom", "code": 500}}), name="frame"
        ),
        record({"error": "slow down"}, name="refused", status=429),
    )
}


def replay(path: Path, make: Callable[..., Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Replay recordings, by default with the real client."""
    report = path / "report.json"
    code = corpus.main([str(path), "--json", str(report)], *[make] if make else [])
    return code, json.loads(report.read_text("utf-8"))


def test_an_honest_client_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(write_corpus(tmp_path, *RECORDINGS.values()))
    assert report["answer_losses"] == report["request_losses"] == []
    all_equal = dict.fromkeys(("answers", "whole", "requests", "equal"), 10)
    assert report["families"]["total"] == {**all_equal, "plays": 9 * 2 * 3 * 2 + 4 * 3 * 2}
    assert code == 0
    assert "answer losses: 0" in capsys.readouterr().out


SHORTEN = swap(b'"hello"', b'"h"')
# One of each kind of answer: what else it can lose is the comparison's own affair.
DEFECTS: list[tuple[str, Callable[[AnswerPlan], AnswerPlan], set[str]]] = [
    ("text", swap(b'"finish_reason": "stop"', b'"finish_reason": null'), {"metadata"}),
    ("late", NO_USAGE, {"usage", "chunks that carry it"}),
    ("stream-calls", swap(b'"name": "g"', b'"name": ""'), {"tool calls", "invalid tool calls"}),
    ("cut", swap(b"half an ", b""), {"partial text", "text before the error"}),
    ("torn", swap(b"", b"", ending="complete"), {"error"}),
    ("frame", swap(b"500", b"400"), {"error class"}),
    ("refused", swap(b"slow down", b"what"), {"error sentence"}),
]


@pytest.mark.parametrize(("name", "change", "losses"), DEFECTS)
def test_every_defect_of_an_answer_is_found(
    tmp_path: Path, name: str, change: Callable[[AnswerPlan], AnswerPlan], losses: set[str]
) -> None:
    code, report = replay(write_corpus(tmp_path, RECORDINGS[name]), make=with_defect(change))
    assert {row["what"] for row in report["answer_losses"]} == losses
    assert report["families"]["total"]["whole"] == 0
    assert report["request_losses"] == []
    assert code == 1


def edit(request: httpx2.Request, **fields: Any) -> None:
    request._content = json.dumps(json.loads(request.content) | fields).encode()


OTHER_REQUESTS: dict[str, Callable[[httpx2.Request], object]] = {
    "seed": lambda request: edit(request, seed=1),
    "messages[0]": lambda request: edit(request, messages=[]),
    "url": lambda request: setattr(request, "url", httpx2.URL(f"{BASE}/completions")),
    "method": lambda request: setattr(request, "method", "PUT"),
    "authorization": lambda request: request.headers.pop("authorization"),
}


@pytest.mark.parametrize("what", OTHER_REQUESTS)
def test_every_change_of_a_request_is_found(tmp_path: Path, what: str) -> None:
    make = with_defect(request=OTHER_REQUESTS[what])
    code, report = replay(write_corpus(tmp_path, RECORDINGS["text"]), make=make)
    assert [row["what"] for row in report["request_losses"]] == [what]
    assert report["request_losses"][0]["met_in"][0] == "invoke/whole/v0"
    assert report["answer_losses"] == []
    assert report["families"]["total"]["equal"] == 0
    assert code == 1


def elsewhere(name: str, **request: Any) -> dict[str, Any]:
    line = RECORDINGS["text"]
    return line | {"id": name, "request": line["request"] | request}


def test_what_is_no_chat_call_is_left_out_with_its_reason(tmp_path: Path) -> None:
    get = elsewhere("models", method="GET", url=f"{BASE}/models", body=None)
    responses = elsewhere("responses", url=f"{BASE}/responses")
    code, report = replay(write_corpus(tmp_path, get, responses, RECORDINGS["text"]))
    routes = "/chat/completions, /models/model:predict, /predict"
    assert report["left_out"] == {
        "not chat: GET is no chat call": 1,
        f"not chat: the route ends in none of {routes}": 1,
    }
    assert report["families"]["total"]["answers"] == 1
    assert code == 0
    code, report = replay(write_corpus(tmp_path, get))
    assert (code, report["families"]) == (1, {}), "without any chat call it is not green"


DEPLOYMENT = "https://model-abc.api.baseten.co/environments/production"


@pytest.mark.parametrize(
    ("recorded", "requested"),
    [
        (f"{BASE}/models/model:predict", f"{BASE}/chat/completions"),
        (f"{DEPLOYMENT}/predict", f"{DEPLOYMENT}/sync/v1/chat/completions"),
    ],
)
def test_an_answer_of_a_predict_route_is_played_on_the_chat_route_of_its_server(
    tmp_path: Path, recorded: str, requested: str
) -> None:
    path = write_corpus(tmp_path, elsewhere("predict", url=recorded))
    assert [case.url for case in corpus.load(path)] == [requested]
    code, report = replay(path)
    assert report["left_out"] == {}
    assert report["families"]["total"]["equal"] == 1
    assert code == 0


def test_an_answer_is_judged_even_if_its_request_cannot_be_written(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, elsewhere("odd", body={"model": "m", "messages": []}))
    _, report = replay(path)
    total = report["families"]["total"]
    assert [total[name] for name in ("answers", "whole", "requests", "equal")] == [1, 1, 0, 0]
    (reason,) = report["requests_left_out"]
    assert "`messages` is not a list" in reason
    _, report = replay(path, make=with_defect(SHORTEN))
    assert len(report["answer_losses"]) == 1


def refuse(request: httpx2.Request) -> None:
    if json.loads(request.content)["model"] == "unsendable":
        raise ValueError("cannot be sent")


def test_a_request_that_is_not_sent_is_a_loss_only_if_the_server_took_it(tmp_path: Path) -> None:
    make = with_defect(request=refuse)
    body = RECORDINGS["text"]["request"]["body"] | {"model": "unsendable"}
    code, report = replay(write_corpus(tmp_path, elsewhere("good", body=body)), make=make)
    assert [row["what"] for row in report["request_losses"]] == ["sent"]
    assert "cannot be sent" in report["request_losses"][0]["arrived"]
    assert report["families"]["total"]["whole"] == 1
    assert code == 1
    refused = elsewhere("bad", body=body) | {"response": RECORDINGS["refused"]["response"]}
    code, report = replay(write_corpus(tmp_path, refused), make=make)
    assert report["requests_left_out"] == {
        "refused before it was sent, as the server refused it": 1
    }
    assert code == 0


class Repeating(ChatBaseten):
    def _generate(self, *given: Any, **options: Any) -> ChatResult:
        super()._generate(*given, **options)
        return super()._generate(*given, **options)


def test_a_second_request_is_a_loss(tmp_path: Path) -> None:
    _, report = replay(write_corpus(tmp_path, RECORDINGS["text"]), make=Repeating)
    (loss,) = report["request_losses"]
    assert (loss["what"], loss["arrived"]) == ("requests", "2")


def test_a_folder_is_read_whole_and_a_file_alone(tmp_path: Path) -> None:
    one = write_corpus(tmp_path, RECORDINGS["text"]) / "cases.jsonl.gz"
    one.rename(other := tmp_path / "other.jsonl.gz")
    write_corpus(tmp_path, RECORDINGS["late"])
    assert [case.id for case in corpus.load(tmp_path)] == ["late", "text"]
    (case,) = corpus.load(other)
    assert case.id == "text"
    # Neither its framing nor its length is that of what is played.
    assert case.answer.headers == (("Content-Type", "application/json"),)


def test_engine_captures_are_read_as_well(tmp_path: Path) -> None:
    line = RECORDINGS["text"]
    body = base64.b64encode(line["response"]["body"].encode()).decode()
    capture = {
        "id": "engine/text",
        "engine": "engine",
        "request": {"method": "POST", "path": "/v1/chat/completions"}
        | {"body": line["request"]["body"]},
        "response": {"status": 200, "headers": {}, "body": None, "body_base64": body},
    }
    (case,) = corpus.load(write_corpus(tmp_path, capture))
    assert case.family == "engine"
    assert case.answer.body == line["response"]["body"].encode()
    assert case.url == "http://127.0.0.1/v1/chat/completions"
    code, _ = replay(write_corpus(tmp_path, capture))
    assert code == 0


def test_the_way_to_a_model_and_its_deployment_are_kept(tmp_path: Path) -> None:
    url = "https://model-abc.api.baseten.co/environments/production/sync/v1/chat/completions"
    line = elsewhere("far", url=url) | {"provenance": {"via": "OpenRouter"}}
    settings: list[dict[str, Any]] = []

    def make(**given: Any) -> ChatBaseten:
        settings.append(dict(given))
        return ChatBaseten(**given)

    code, report = replay(write_corpus(tmp_path, line), make=make)
    assert list(report["families"]) == ["m (OpenRouter)", "total"]
    assert settings[0]["model_url"] == url.removesuffix("/chat/completions")
    assert code == 0


def test_the_printed_report_shows_each_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_corpus(tmp_path, RECORDINGS["text"], elsewhere("get", method="GET"))
    assert corpus.main([str(path)], with_defect(SHORTEN)) == 1
    printed = capsys.readouterr().out
    assert "left out: 1 (not chat: GET is no chat call)" in printed
    assert "answer losses: 1\n  text: text (12 of 12 plays, invoke/whole/v0, …)" in printed
    assert 'expected "hello"\n    arrived  "h"' in printed


def test_a_request_is_judged_only_by_the_calls_that_make_it(tmp_path: Path) -> None:
    make = with_defect(request=OTHER_REQUESTS["seed"])
    _, report = replay(write_corpus(tmp_path, RECORDINGS["refused"]), make=make)
    (loss,) = report["request_losses"]
    assert {mode.split("/")[0] for mode in loss["met_in"]} == {"invoke", "ainvoke"}
    assert loss["plays"] == 24


# --- how answers are cut --------------------------------------------------------------------------

BODY = 'data: {"a": "é"}\n\ndata: [DONE]\n\n'.encode()


@pytest.mark.parametrize("body", [BODY, BODY[:-2], b'{"a": 1}', b""])
@pytest.mark.parametrize("cut", list(CUTS))
def test_no_cut_changes_the_body(cut: str, body: bytes) -> None:
    assert b"".join(CUTS[cut](body)) == body


def test_each_cut_makes_its_own_pieces() -> None:
    assert CUTS["whole"](BODY) == [BODY]
    events = CUTS["events"](BODY)
    assert [chunk.strip()[:10] for chunk in events] == [b'data: {"a"', b"data: [DON", b""]
    assert {len(chunk) for chunk in CUTS["bytes7"](BODY[:21])} == {7}


# --- recordings of go-vcr -------------------------------------------------------------------------

REMOTE = "https://github.com/someone/else.git"


def _convert(line: dict[str, Any], host: str = "inference.baseten.co") -> dict[str, Any]:
    request, response = line["request"], line["response"]
    return {
        "request": {**request, "host": host, "body": json.dumps(request["body"]) + "\n"},
        "response": {
            "code": response["status"],
            "headers": response["headers"],
            "body": response["body"],
        },
    }


def _write(folder: Path, *interactions: dict[str, Any]) -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "Gen.yaml").write_text(yaml.safe_dump({"interactions": [*interactions]}))
    (folder / "list.yaml").write_text("- no recording\n")
    (folder / "empty.yaml").write_text("version: 2\n")
    return folder


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    line = ["git", "-C", str(folder), *who, *words]
    done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603  a fresh folder
    return done.stdout.strip()


def test_the_same_exchanges_are_read_from_both_formats(tmp_path: Path) -> None:
    models = {
        "request": {"method": "GET", "url": "https://inference.baseten.co/v1/models"},
        "response": {"code": 200},
    }
    found = corpus.load(_write(tmp_path / "go", _convert(HELLO), _convert(HELLOS), models))
    expected = corpus.load(write_corpus(tmp_path / "lines", HELLO, HELLOS))
    assert [case.id for case in found] == ["deep/Gen.0", "deep/Gen.1", "deep/Gen.2"]
    for case, other in zip(found[:2], expected, strict=True):
        assert (case.body, case.url, case.answer) == (other.body, other.url, other.answer)
    assert (found[2].method, found[2].body, found[2].answer.body) == ("GET", None, b"")


def test_source_and_commit_are_those_of_the_checkout(tmp_path: Path) -> None:
    folder = _write(tmp_path / "checkout", _convert(HELLO), _convert(HELLO, host="openrouter.ai"))
    _git(folder, "init", "-q")
    _git(folder, "remote", "add", "origin", REMOTE)
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "x", "--no-gpg-sign")
    commit = _git(folder, "rev-parse", "HEAD")
    found = find_evidence(folder)
    assert found.sources == (f"someone/else@{commit[:8]}",)
    assert found.exchanges == 1


def test_without_git_nothing_is_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _write(tmp_path / "folder", _convert(HELLO))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert find_evidence(folder).exchanges == 0
    monkeypatch.setenv("PATH", "")
    assert next(iter(go_vcr.read_folder(folder)))["provenance"]["commit"] == ""


def test_a_body_that_is_no_json_is_kept_as_it_is(tmp_path: Path) -> None:
    broken = _convert(HELLO)
    broken["request"]["body"] = "{"
    assert corpus.load(_write(tmp_path / "folder", broken))[0].body == "{"


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \*\.jsonl\.gz and no recordings of go-vcr"):
        corpus.load(tmp_path)
