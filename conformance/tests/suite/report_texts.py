"""How reports, benchmarks and lists of claims read in every medium, and what renews that.

`python -m conformance.tests.suite.report_texts` writes the files anew, to be reviewed in the diff.
Knows the small suite; must not know what a text should say.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from conformance.cli.main import main
from conformance.maintenance.benchmarks.report import build_document, print_summary
from conformance.maintenance.benchmarks.report import write_page as write_benchmark
from conformance.media import to_json
from conformance.reports.difference import compare
from conformance.reports.formats import FORMATS
from conformance.reports.page import write_page
from conformance.reports.report import Report
from conformance.reports.tables import print_difference, print_report
from conformance.tests.suite.benchmark_runs import MEASURED, make_run, make_summary
from conformance.tests.suite.page_reader import Reader
from conformance.tests.suite.sample_report import (
    ABSENT,
    ALL_GREEN,
    CALLS,
    KEYS,
    ONE_OF_EACH,
    make,
    outcome,
    verdict,
)
from conformance.tests.suite.sample_suite import CORRECTED, FINER, write_suite
from conformance.verdicts.verdicts import Result, ShownExchange, Status

FOLDER = Path(__file__).with_name("report_texts")
LISTS = "lists.txt"
_KEY_CHECK = "features/test_checks.py::test_the_key_is_read"
_FAILED = replace(
    outcome(CALLS, "model-apis", result=Result.FAILED, reason="assert 1 < 0"),
    text="AssertionError: assert [1] == [2]\n  full <diff>",
    exchanges=(
        ShownExchange("POST http://h/v1\n\n{&}", "200\n\n<hello>", 1, 3),
        ShownExchange("POST http://h/v1\n\n{last}", "500", 3, 3),
    ),
)


def _make_mixed(folder: Path) -> Report:
    """Return a report with a verdict of each status, problems, and all that a run may add."""
    verdicts = (
        *ONE_OF_EACH,
        verdict(ABSENT, "dedicated"),
        verdict(CALLS, "client", Status.BROKEN, "setup: port"),
    )
    found = (
        outcome(CALLS, "model-apis", "features/test_checks.py::test_other"),
        _FAILED,
        replace(_FAILED, check="features/test_checks.py::test_alone", exchanges=()),
        outcome(KEYS, "client"),
        outcome(KEYS, "client", _KEY_CHECK, Result.SKIPPED, "no server"),
    )
    sources = ["someone/else@01234567", "another/one@89abcdef"]
    more = {
        "subject": "ChatPlain of plain 1.0",
        "command": "python -m conformance verify --target reference:x",
        "lanes": ["model-apis", "dedicated"],
        "corpus": {"exchanges": 7, "sources": sources, "proven": [CALLS, KEYS]},
        "cost": {"requests": 3, "tokens": 12345},
    }
    problems = ("expected failure expired", "größer & stray")
    return make(folder, verdicts, problems, found, CORRECTED, **more)


def write_reports(folder: Path) -> dict[str, str]:
    """Return how reports and benchmarks read, each text under the name of its file.

    Args:
        folder: A folder for the small suite.
    """
    texts: dict[str, str] = {}
    finer = (*ALL_GREEN[1:], verdict(CALLS, "model-apis", Status.FAIL))
    reports = {
        "green": make(folder, ALL_GREEN),
        "mixed": _make_mixed(folder),
        "finer": make(folder, finer, text=FINER),
    }
    for name, report in reports.items():
        shown = io.StringIO()
        console = Console(file=shown, width=140, highlight=False)
        print_report(report, console, exchanges=name == "mixed")
        if old := texts.get("green.json"):
            print_difference(compare(json.loads(old), report), console)
        texts[f"{name}.txt"] = shown.getvalue()
        for form, suffix in (("json", "json"), ("junit", "xml"), ("markdown", "md")):
            texts[f"{name}.{suffix}"] = FORMATS[form].write(report, folder)
        reported = (" ".join(each.split()) for each in Reader(write_page(report, folder)).texts)
        texts[f"{name}.page.txt"] = "\n".join(filter(None, reported)) + "\n"
    return texts | _write_benchmarks()


def write_lists(folder: Path) -> dict[str, str]:
    """Return what the commands tell of the small suite's claims; as above."""
    suite = write_suite(folder)
    requested = ("calls", "keys", "logprobs.dedicated.absent", "badges.count.downloads")
    with redirect_stdout(io.StringIO()) as output:
        for words in (
            ["list"],
            *(["explain", claim] for claim in requested),
            ["list", "--proposed"],
        ):
            print("$", *words)
            if "--proposed" in words:
                suite.claims.write_text(CORRECTED, encoding="utf-8")
            assert main(words, suite) == 0
    return {LISTS: output.getvalue()}


def _write_benchmarks() -> dict[str, str]:
    """Return a short benchmark with a wrong result."""
    run = make_run(1)
    run.failed["invoke", 1, "other"] = "<script>alert(1)</script>"
    run.measurements = [each for each in run.measurements if each.case not in run.failed]
    reported, summary = io.StringIO(), make_summary(run)
    print_summary(Console(file=reported, width=140, highlight=False), run, summary)
    return {
        "benchmark.txt": reported.getvalue(),
        "benchmark.html": write_benchmark(run, summary, MEASURED),
        "benchmark.json": f"{to_json(build_document(run, summary, MEASURED))}\n",
    }


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        for file, text in (write_reports(Path(place)) | write_lists(Path(place))).items():
            (FOLDER / file).write_text(text, encoding="utf-8")
