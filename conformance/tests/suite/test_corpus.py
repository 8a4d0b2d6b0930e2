from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from langchain_core.messages import AIMessageChunk

from conformance.maintenance.corpus import command as corpus
from conformance.maintenance.corpus import oracle
from conformance.maintenance.corpus.oracle_model import Chunks, Parrot, honest, with_defect
from conformance.tests.suite.recordings_by_hand import (
    USAGE,
    call,
    piece,
    record,
    told,
    write_corpus,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASE = "https://inference.baseten.co/v1"
TWO_CALLS = [call('{"x": 1}', "same"), call("{}", "same", "g", 1)]
END = piece("stop", USAGE)
RECORDINGS = {
    line["id"]: line
    for line in (
        record(told(content="hello"), name="text"),
        record(told(reasoning_content="hm", content="yes"), name="reasoning"),
        record(told(tool_calls=TWO_CALLS), name="calls", tools=[{"type": "function"}]),
        record((piece(content="a"), END, piece(content="b"), "[DONE]"), name="late"),
        record((piece(tool_calls=TWO_CALLS), piece("tool_calls", USAGE)), name="stream-calls"),
        record((piece(content="half an "),), name="cut"),
        record((piece(content="half an "), END), name="torn", complete=False),
        record((piece(content="text"), END), name="untyped", kind="application/octet-stream"),
        record(
            (piece(content="so far"), {"error": {"message": "boom", "code": 500}}), name="frame"
        ),
        record({"error": "slow down"}, name="refused", status=429),
    )
}


def replay(make: Callable[..., Any], path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    report = path / "report.json"
    code = corpus.main([str(path), "--json", str(report), *options], make)
    return code, json.loads(report.read_text("utf-8"))


def test_an_honest_client_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(honest, write_corpus(tmp_path, *RECORDINGS.values()))
    assert report["answer_losses"] == report["request_losses"] == []
    assert report["families"]["total"] == {
        "answers": 10,
        "whole": 10,
        "requests": 10,
        "equal": 10,
        "plays": 9 * 2 * 3 * 2 + 4 * 3 * 2,
    }
    assert code == 0
    assert "answer losses: 0" in capsys.readouterr().out


def drop_cut(reading: oracle.Expected) -> oracle.Expected:
    return replace(reading, failure=None)


def shorten_text(reading: oracle.Expected) -> oracle.Expected:
    return replace(reading, text=reading.text[:1])


def double_usage(chunks: Chunks) -> Chunks:
    return [*chunks[:-1], chunks[-1].model_copy(update={"chunk_position": None}), chunks[-1]]


def merge_calls(chunks: Chunks) -> Chunks:
    calls = [part | {"index": 0, "id": "x"} for part in chunks[-1].tool_call_chunks]
    return [AIMessageChunk(content="", tool_call_chunks=[one]) for one in calls] + chunks[:1]


def forget_partial(error: Any) -> Any:
    error.partial = None
    return error


DEFECTS = [
    ("reasoning", oracle.Expected, lambda r: replace(r, reasoning=""), {"reasoning"}),
    ("late", oracle.Expected, shorten_text, {"text"}),
    ("late", oracle.Expected, lambda r: replace(r, usage=None), {"usage", "chunks that carry it"}),
    ("text", oracle.Expected, lambda r: replace(r, metadata={}), {"metadata"}),
    ("calls", oracle.Expected, lambda r: replace(r, calls=r.calls[:1]), {"tool calls"}),
    ("cut", oracle.Expected, drop_cut, {"error"}),
    ("torn", oracle.Expected, drop_cut, {"error"}),
    ("frame", oracle.Expected, drop_cut, {"error"}),
    ("refused", oracle.Expected, drop_cut, {"error"}),
    ("text", oracle.Expected, lambda _: 1 / 0, {"answer"}),
    ("cut", Exception, forget_partial, {"partial text"}),
    ("frame", Exception, lambda _: ValueError("boom"), {"error class", "partial text"}),
    (
        "refused",
        Exception,
        lambda _: ValueError("429"),
        {"error class", "error sentence", "status_code"},
    ),
    (
        "late",
        list,
        lambda c: double_usage(c) if isinstance(c[0], AIMessageChunk) else c,
        {"usage", "metadata", "chunks that carry it"},
    ),
]


@pytest.mark.parametrize(("name", "kind", "change", "losses"), DEFECTS)
def test_every_defect_of_an_answer_is_found(
    tmp_path: Path, name: str, kind: type, change: Callable[[Any], Any], losses: set[str]
) -> None:
    code, report = replay(with_defect(kind, change), write_corpus(tmp_path, RECORDINGS[name]))
    assert {row["what"] for row in report["answer_losses"]} == losses
    assert report["families"]["total"]["whole"] == 0
    assert report["request_losses"] == []
    assert code == 1


def test_merged_tool_calls_are_found(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, RECORDINGS["stream-calls"])
    _, report = replay(with_defect(list, merge_calls), path)
    assert {"tool calls", "invalid tool calls"} <= {row["what"] for row in report["answer_losses"]}


def other_request(**changes: Any) -> Callable[[httpx2.Request], httpx2.Request]:
    def change(request: httpx2.Request) -> httpx2.Request:
        body = json.loads(request.content) | changes.get("body", {})
        headers = {"authorization": changes.get("key", "Bearer not-a-key")}
        url = changes.get("url", str(request.url))
        return httpx2.Request(changes.get("method", "POST"), url, headers=headers, json=body)

    return change


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"body": {"seed": 1}}, "seed"),
        ({"body": {"messages": []}}, "messages[0]"),
        ({"url": f"{BASE}/completions"}, "url"),
        ({"method": "PUT"}, "method"),
        ({"key": ""}, "authorization"),
    ],
)
def test_every_change_of_a_request_is_found(tmp_path: Path, changes: Any, what: str) -> None:
    make = with_defect(httpx2.Request, other_request(**changes))
    code, report = replay(make, write_corpus(tmp_path, RECORDINGS["text"]))
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
    code, report = replay(honest, write_corpus(tmp_path, get, responses, RECORDINGS["text"]))
    routes = "/chat/completions, /models/model:predict, /predict"
    assert report["left_out"] == {
        "not chat: GET is no chat call": 1,
        f"not chat: the route ends in none of {routes}": 1,
    }
    assert report["families"]["total"]["answers"] == 1
    assert code == 0


DEPLOYMENT = "https://model-abc.api.baseten.co/environments/production"


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        (f"{BASE}/models/model:predict", f"{BASE}/chat/completions"),
        (f"{DEPLOYMENT}/predict", f"{DEPLOYMENT}/sync/v1/chat/completions"),
    ],
)
def test_an_answer_of_a_predict_route_is_played_on_the_chat_route_of_its_server(
    tmp_path: Path, recorded: str, asked: str
) -> None:
    path = write_corpus(tmp_path, elsewhere("predict", url=recorded))
    assert [case.url for case in corpus.load(path)] == [asked]
    code, report = replay(honest, path)
    assert report["left_out"] == {}
    assert report["families"]["total"]["equal"] == 1
    assert code == 0


def test_a_corpus_without_any_chat_call_is_not_green(tmp_path: Path) -> None:
    code, report = replay(honest, write_corpus(tmp_path, elsewhere("get", method="GET")))
    assert report["families"] == {}
    assert code == 1


def test_an_answer_is_judged_even_if_its_request_cannot_be_written(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, elsewhere("odd", body={"model": "m", "messages": []}))
    _, report = replay(honest, path)
    assert report["families"]["total"] | {"plays": 0} == {
        "answers": 1,
        "whole": 1,
        "requests": 0,
        "equal": 0,
        "plays": 0,
    }
    (reason,) = report["requests_left_out"]
    assert "`messages` is not a list" in reason
    _, report = replay(with_defect(oracle.Expected, shorten_text), path)
    assert len(report["answer_losses"]) == 1


def test_a_request_that_is_not_sent_is_a_loss_only_if_the_server_took_it(tmp_path: Path) -> None:
    body = RECORDINGS["text"]["request"]["body"] | {"model": "unsendable"}
    code, report = replay(honest, write_corpus(tmp_path, elsewhere("good", body=body)))
    assert [row["what"] for row in report["request_losses"]] == ["sent"]
    assert "cannot be sent" in report["request_losses"][0]["arrived"]
    assert report["families"]["total"]["whole"] == 1
    assert code == 1
    refused = elsewhere("bad", body=body) | {"response": RECORDINGS["refused"]["response"]}
    code, report = replay(honest, write_corpus(tmp_path, refused))
    assert report["requests_left_out"] == {
        "refused before it was sent, as the server refused it": 1
    }
    assert code == 0


class Repeating(Parrot):
    def _say(self, response: httpx2.Response, body: bytes, broken: Exception | None) -> Chunks:
        self.settings["http_client"].send(self._request([]))
        return super()._say(response, body, broken)


def test_a_second_request_is_a_loss(tmp_path: Path) -> None:
    def make(**settings: Any) -> Parrot:
        version = settings["output_version"]
        return Repeating(settings=settings, alter=lambda v: v, model="m", output_version=version)

    _, report = replay(make, write_corpus(tmp_path, RECORDINGS["text"]))
    assert [row["what"] for row in report["request_losses"]] == ["requests"]
    assert report["request_losses"][0]["arrived"] == "2"


def test_an_option_chooses_cases(tmp_path: Path) -> None:
    _, report = replay(honest, write_corpus(tmp_path, *RECORDINGS.values()), "--only", "calls")
    assert report["families"]["total"]["answers"] == 2


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
    code, _ = replay(honest, write_corpus(tmp_path, capture))
    assert code == 0


def test_the_way_to_a_model_and_its_deployment_are_kept(tmp_path: Path) -> None:
    url = "https://model-abc.api.baseten.co/environments/production/sync/v1/chat/completions"
    line = elsewhere("far", url=url) | {"provenance": {"via": "OpenRouter"}}
    settings: list[dict[str, Any]] = []

    def make(**given: Any) -> Parrot:
        settings.append(dict(given))
        return honest(**given)

    code, report = replay(make, write_corpus(tmp_path, line))
    assert list(report["families"]) == ["m (OpenRouter)", "total"]
    assert settings[0]["model_url"] == url.removesuffix("/chat/completions")
    assert code == 0


def test_the_printed_report_shows_each_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = with_defect(oracle.Expected, shorten_text)
    replay(make, write_corpus(tmp_path, RECORDINGS["text"], elsewhere("get", method="GET")))
    printed = capsys.readouterr().out
    assert "left out: 1 (not chat: GET is no chat call)" in printed
    assert "answer losses: 1\n  text: text (12 of 12 plays, invoke/whole/v0, …)" in printed
    assert 'expected "hello"\n    arrived  "h"' in printed


def test_the_real_client_is_judged_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert corpus.main([str(write_corpus(tmp_path, RECORDINGS["text"]))]) == 0
    assert "answer losses: 0" in capsys.readouterr().out


def test_a_request_is_judged_only_by_the_calls_that_make_it(tmp_path: Path) -> None:
    make = with_defect(httpx2.Request, other_request(body={"seed": 1}))
    _, report = replay(make, write_corpus(tmp_path, RECORDINGS["refused"]))
    (loss,) = report["request_losses"]
    assert {mode.split("/")[0] for mode in loss["met_in"]} == {"invoke", "ainvoke"}
    assert loss["plays"] == 24
