"""Third-party recordings of real traffic, replayed through the client: what arrived whole.

Knows the formats of recordings and the report; must not know the wire (that is the oracle) nor
how one answer is played (that is the playback).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import itertools
import json
import sys
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.maintenance.corpus import oracle
from conformance.maintenance.corpus.comparison import Loss, find_losses
from conformance.maintenance.corpus.go_vcr import read_folder
from conformance.maintenance.corpus.playback import CHAT_ROUTE, CUTS, Mode, Take, play
from conformance.maintenance.corpus.recorded_calls import (
    UnwritableError,
    Writing,
    find_differences,
    write,
)
from conformance.media import to_json, to_plain
from conformance.reference import AnswerPlan, BodyChunk
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.maintenance.corpus.oracle import Json
    from conformance.maintenance.corpus.playback import MakeModel, Played
    from conformance.reference.exchange import Ending

APIS = ("invoke", "ainvoke", "stream", "astream")
VERSIONS = ("v0", "v1")
FRAMING = {"content-length", "content-encoding", "transfer-encoding", "connection"}
LOOPBACK = "http://127.0.0.1"
CHAT_ROUTES = {
    CHAT_ROUTE: CHAT_ROUTE,
    # A server of one's own takes chat bodies on its predict route as well; the client asks the
    # chat route of the same server.
    "/models/model:predict": CHAT_ROUTE,
    "/predict": f"/sync/v1{CHAT_ROUTE}",
}
"""How the URL of a recorded chat call ends, and how the client's URL for it does."""


@dataclass(frozen=True)
class Case:
    """One recorded exchange.

    Attributes:
        id: Its name in the recording.
        family: Model (and the way to it) or engine: one line of the report.
        method: HTTP method.
        url: The whole URL; of a chat call the one that the client calls.
        body: The request body, decoded where it was JSON.
        answer: The recorded answer, its framing left out.
        source: `owner/repository@commit` of a recording that was made with the service itself;
            empty if it is not told, or if another service stood between.
    """

    id: str
    family: str
    method: str
    url: str
    body: Any
    answer: AnswerPlan
    source: str = ""

    @property
    def streamed(self) -> bool:
        """Whether the request asked for a stream."""
        return isinstance(self.body, dict) and bool(self.body.get("stream"))

    @property
    def apis(self) -> tuple[str, str]:
        """The calls that make this request."""
        return ("stream", "astream") if self.streamed else ("invoke", "ainvoke")

    def list_modes(self, cuts: Iterable[str]) -> Iterator[Mode]:
        """List the modes that fit: an error can meet any call, an answer its own kind."""
        apis = APIS if self.answer.status >= 400 else self.apis
        return itertools.starmap(Mode, itertools.product(apis, cuts, VERSIONS))


@dataclass
class Verdict:
    """The outcome of one case: each loss with the modes that it was met in.

    Attributes:
        case: The case.
        plays: How many modes were played.
        answer: Losses of the answer.
        request: Losses of the request.
        unwritten: Why the request side was not judged.
    """

    case: Case
    plays: int = 0
    answer: dict[Loss, list[Mode]] = field(default_factory=lambda: defaultdict(list))
    request: dict[Loss, list[Mode]] = field(default_factory=lambda: defaultdict(list))
    unwritten: str | None = None


def load(path: Path) -> list[Case]:
    """Load recordings.

    Args:
        path: A `.jsonl.gz` file, or a folder of them, or one of go-vcr's YAML files.

    Returns:
        Every recorded exchange, chat or not.

    Raises:
        FileNotFoundError: If there is nothing to load.
    """
    files = sorted(path.glob("*.jsonl.gz")) if path.is_dir() else [path]
    cases = [] if files else [_read_case(line) for line in read_folder(path)]
    if not files and not cases:
        raise FileNotFoundError(f"no *.jsonl.gz and no recordings of go-vcr in {path}")
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            cases += [_read_case(json.loads(line)) for line in lines if line.strip()]
    return cases


def _read_case(line: Json) -> Case:
    request, response = line["request"], line["response"]
    origin = line.get("provenance") or {}
    via = origin.get("via", "direct")
    family = line.get("engine") or line.get("model") or "(no model)"
    encoded = response.get("body_base64")
    body = (response.get("body") or "").encode() if encoded is None else base64.b64decode(encoded)
    headers = [(n, v) for n, values in response["headers"].items() for v in values]
    kept = tuple(pair for pair in headers if pair[0].lower() not in FRAMING)
    ending: Ending = "complete" if response.get("complete", True) else "abort"
    return Case(
        id=line["id"],
        family=family if via == "direct" else f"{family} ({via})",
        method=request["method"],
        url=_name_chat_route(request.get("url") or LOOPBACK + request["path"]),
        body=request.get("body"),
        answer=AnswerPlan(response["status"], kept, (BodyChunk(body),), ending),
        source=_name_source(origin) if via == "direct" else "",
    )


def _name_source(origin: Json) -> str:
    repository, commit = origin.get("repository") or "", origin.get("commit") or ""
    name = "/".join(repository.rstrip("/").rsplit("/", 2)[-2:])
    return f"{name}@{commit[:8]}" if name and commit else ""


def _name_chat_route(url: str) -> str:
    ends = (end for end in CHAT_ROUTES if url.endswith(end))
    return next((url.removesuffix(end) + CHAT_ROUTES[end] for end in ends), url)


def _find_reason_to_leave_out(case: Case) -> str:
    """Return why a recorded exchange is no chat call, empty if it is one."""
    if case.method != "POST":
        return f"not chat: {case.method} is no chat call"
    if not case.url.endswith(CHAT_ROUTE):
        return f"not chat: the route ends in none of {', '.join(CHAT_ROUTES)}"
    return ""


def _judge(
    case: Case, make_model: MakeModel, cuts: Iterable[str], runner: asyncio.Runner
) -> Verdict:
    """Play one chat call in every mode and compare."""
    verdict, expected = Verdict(case), consult(case)
    try:
        take = Take(write(case.body), case.url, case.answer)
    except UnwritableError as error:
        verdict.unwritten = f"LangChain cannot write it: {error}"
        take = Take(Writing(), case.url, case.answer)
    for mode in case.list_modes(cuts):
        played = play(make_model, take, mode, runner)
        if verdict.unwritten is None and mode.api in case.apis:
            for loss in _compare_request(case, played):
                verdict.request[loss].append(mode)
        if not played.sent:
            played = play(make_model, take._replace(writing=Writing()), mode, runner)
        losses = itertools.chain(*(find_losses(expected, one) for one in played.arrived))
        for loss in dict.fromkeys(losses):
            verdict.answer[loss].append(mode)
        verdict.plays += 1
    if case.answer.status >= 400 and {loss.what for loss in verdict.request} == {"sent"}:
        # To refuse what the server refused as well is no loss: it saves the round trip.
        verdict.unwritten = "refused before it was sent, as the server refused it"
        verdict.request.clear()
    return verdict


def consult(case: Case) -> oracle.Content:
    """Return what the oracle reads in a case's answer."""
    answer = case.answer
    kinds = [value for name, value in answer.headers if name.lower() == "content-type"]
    return oracle.read(
        answer.status,
        " ".join(kinds),
        answer.body.decode("utf-8", "replace"),
        complete=answer.ending == "complete",
        streamed=case.streamed,
    )


def _compare_request(case: Case, played: Played) -> list[Loss]:
    if not played.sent:
        return [Loss("sent", "a request", f"{played.arrived[0].error!r}"[:300])]
    if len(played.sent) != 1:
        return [Loss("requests", "1", str(len(played.sent)))]
    request = played.sent[0]
    places = [("method", case.method, request.method), ("url", case.url, str(request.url))]
    losses = [Loss(what, left, right) for what, left, right in places if left != right]
    if not request.headers.get("authorization", "").endswith("not-a-key"):
        losses.append(Loss("authorization", "the key", "no key"))
    return losses + find_differences(case.body, json.loads(request.content))


def run(
    cases: Iterable[Case], make_model: MakeModel, cuts: Sequence[str] = tuple(CUTS)
) -> tuple[list[Verdict], Counter[str]]:
    """Judge all chat calls of a corpus.

    Args:
        cases: All recorded exchanges.
        make_model: The class under judgement.
        cuts: How the bytes of answers are cut; default in every way.

    Returns:
        The verdicts, and how many exchanges were left out for which reason.
    """
    verdicts, left_out = [], Counter[str]()
    with warnings.catch_warnings(), asyncio.Runner() as runner:
        # A warning informs about an answer; here only the answer itself is judged.
        warnings.simplefilter("ignore")
        for case in cases:
            if reason := _find_reason_to_leave_out(case):
                left_out[reason] += 1
            else:
                verdicts.append(_judge(case, make_model, cuts, runner))
    return verdicts, left_out


def _summarize(verdicts: list[Verdict], left_out: Counter[str]) -> Json:
    """Return the report: totals, one entry for each family, every loss."""
    families: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        for row in (families[verdict.case.family], families["total"]):
            judged = verdict.unwritten is None
            row["answers"] += 1
            row["whole"] += not verdict.answer
            row["requests"] += judged
            row["equal"] += judged and not verdict.request
            row["plays"] += verdict.plays
    names = sorted(families, key=lambda name: (name == "total", name))
    return {
        "families": {name: dict(families[name]) for name in names},
        "left_out": dict(left_out),
        "requests_left_out": dict(Counter(v.unwritten for v in verdicts if v.unwritten)),
        "answer_losses": [row for v in verdicts for row in _list_losses(v, v.answer)],
        "request_losses": [row for v in verdicts for row in _list_losses(v, v.request)],
    }


def _list_losses(verdict: Verdict, losses: dict[Loss, list[Mode]]) -> Iterator[Json]:
    for loss, modes in losses.items():
        met = ["/".join(mode) for mode in modes]
        yield {"case": verdict.case.id, **loss._asdict(), "plays": verdict.plays, "met_in": met}


COLUMNS = ("answers", "whole", "requests", "equal", "plays")


def _render(report: Json) -> str:
    """Write the report for a terminal."""
    width = max(map(len, report["families"]), default=5)
    lines = [f"{'':{width}}" + "".join(f"{name:>10}" for name in COLUMNS)]
    for name, row in report["families"].items():
        lines.append(f"{name:{width}}" + "".join(f"{row[column]:>10}" for column in COLUMNS))
    for title, of in (("left out", "left_out"), ("request side left out", "requests_left_out")):
        lines += [f"{title}: {count} ({reason})" for reason, count in report[of].items()]
    for side in ("answer_losses", "request_losses"):
        lines += ["", f"{side.replace('_', ' ')}: {len(report[side])}"]
        for loss in report[side]:
            plays = f"{len(loss['met_in'])} of {loss['plays']} plays, {loss['met_in'][0]}, …"
            lines.append(f"  {loss['case']}: {loss['what']} ({plays})")
            lines += [f"    {of:9}{loss[of]}" for of in ("expected", "arrived")]
    return "\n".join(lines) + "\n"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="conformance corpus", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "path", type=Path, nargs="+", help="a .jsonl.gz file, or a folder of them or of go-vcr"
    )
    parser.add_argument("--json", type=Path, help="write the report to this file as well")
    return parser.parse_args(argv)


def main(argv: Sequence[str], make_model: MakeModel = ChatBaseten) -> int:
    """Replay a corpus and print what arrived whole.

    Args:
        argv: Command-line arguments, without the program's name.
        make_model: The class under judgement.

    Returns:
        0 when every answer and every request was whole; 1 otherwise, or when nothing was played.
    """
    arguments = _parse(argv)
    cases = itertools.chain.from_iterable(map(load, arguments.path))
    report = _summarize(*run(cases, make_model))
    if arguments.json:
        arguments.json.write_text(to_json(report, indent=1), "utf-8")
    sys.stdout.write(to_plain(_render(report)))
    whole = not report["answer_losses"] and not report["request_losses"]
    return 0 if whole and report["families"] else 1
