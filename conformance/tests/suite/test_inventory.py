from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from conformance.recording import inventory
from conformance.recording.rerecord import RecordingError
from conformance.tests.suite.cassette_builders import ABOUT, talk, write_cassette

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 12, 2)
KEY = "planted-word"
A, B = "dedicated/tools/test_a[x].yaml", "model-apis/usage/test_b.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cassette(tmp_path / A)
    live = replace(ABOUT, evidence="live", source="Baseten", lane="model-apis", recorded="?")
    write_cassette(tmp_path / B, talk(), talk(), about=replace(live, requests=("1", "2")))
    return tmp_path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    names = {A, B}
    monkeypatch.setattr(inventory, "collect_names", lambda *_: frozenset(names))
    return names


def test_every_cassette_is_listed_as_it_stands(root: Path) -> None:
    first, second = inventory.take_inventory(root, {A, B}, (), TODAY)
    assert first == inventory.CassetteInfo(
        *(A, "reference", "reference server", 10, "m", "dedicated", 1),
        size=(root / A).stat().st_size,
        wrong=(),
    )
    assert (second.evidence, second.age, second.requests) == ("live", None, 2)


def test_without_names_nobody_is_an_orphan(root: Path) -> None:
    assert not any(one.wrong for one in inventory.take_inventory(root))


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({B, "dedicated/tools/test_a[y].yaml"}, "unused, its check has no such parameters"),
        ({B, "dedicated/tools/test_c.yaml"}, "orphaned, no check has this name"),
        ({B, "model-apis/tools/test_a[x].yaml"}, "orphaned, no check has this name"),
    ],
)
def test_a_cassette_that_nobody_plays_says_why(root: Path, known: set[str], why: str) -> None:
    first, second = inventory.take_inventory(root, known)
    assert first.wrong == (f"{A}: {why}; delete it",)
    assert second.wrong == ()


@pytest.mark.parametrize("text", ["interactions: []\n", "provenance:\n  x: [\ninteractions: []\n"])
def test_a_cassette_without_a_readable_label_is_wrong(root: Path, text: str) -> None:
    (root / A).write_text(text, encoding="utf-8")
    first = inventory.take_inventory(root, {A, B})[0]
    assert (first.evidence, first.age, first.lane) == ("", None, "dedicated")
    assert first.wrong[0].startswith(f"{A}: ")


def test_the_command_lists_them_and_sums_them_up(
    root: Path, known: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    known.add("dedicated/tools/test_new.yaml")
    assert inventory.main([f"--cassettes={root}"]) == 0
    said = capsys.readouterr().out
    assert "tools/test_a[x].yaml" in said
    assert "live: Baseten" in said
    assert "2 cassettes (1 live, 1 reference), 3 requests" in said
    assert "· never recorded: dedicated/tools/test_new.yaml\n" in said
    assert "1 missing; `record --stale` makes those not left out here\n" in said


def test_the_command_says_so_when_no_age_is_known() -> None:
    said = io.StringIO()
    inventory.print_inventory([], Console(file=said, width=100))
    assert "0 cassettes (), 0 requests, 0.0 MB; 0 with something wrong" in said.getvalue()


@pytest.mark.parametrize("harm", ["altered", "secret", "orphan", "unlabelled", "beside"])
def test_the_command_is_red_when_something_is_wrong(
    root: Path,
    known: set[str],
    capsys: pytest.CaptureFixture[str],
    harm: str,
) -> None:
    text = (root / A).read_text(encoding="utf-8")
    if harm == "altered":
        (root / A).write_text(text.replace("hello", "bye"), encoding="utf-8")
    elif harm == "secret":
        write_cassette(root / A, talk(KEY))
    elif harm == "orphan":
        known.remove(A)
    elif harm == "unlabelled":
        (root / A).write_text(text[text.index("interactions:") :], encoding="utf-8")
    else:
        (root / "notes.txt").write_text(KEY, encoding="utf-8")
    assert inventory.main([f"--cassettes={root}"], {"BASETEN_API_KEY": KEY}) == 1
    said = capsys.readouterr()
    assert "✗" in said.out + said.err
    assert KEY not in said.out + said.err


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "JSON"])
def test_what_holds_a_key_is_not_printed(
    root: Path, known: set[str], capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    about = replace(ABOUT, source=f"vllm {KEY}", model=KEY.upper(), lane=f"x{KEY}", evidence=KEY)
    write_cassette(root / f"dedicated/{KEY}.yaml", about=about)
    (root / f"dedicated/pre_{KEY}.yaml").write_bytes(b"\xff")
    assert inventory.main([f"--cassettes={root}", *form], {"BASETEN_API_KEY": KEY}) == 1
    said = capsys.readouterr()
    shown = "".join((said.out + said.err).split()).lower()
    assert KEY not in shown
    assert "(withheld:itholdsakeyinuse)" in shown


@pytest.mark.parametrize("name", ["a.yaml: notes.txt", "notes", "link.yaml", "folder.yaml"])
def test_what_lies_beside_the_cassettes_is_named(
    root: Path, known: set[str], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    if name == "link.yaml":
        (root / name).symlink_to(root / A)
    elif name == "folder.yaml":
        (root / name).mkdir()
    else:
        (root / name).write_text("x: y", encoding="utf-8")
    assert inventory.main([f"--cassettes={root}"]) == 1
    said = capsys.readouterr()
    assert f"✗ {name}: is no cassette" in said.err
    assert "2 cassettes" in said.out


def test_the_command_writes_json(
    root: Path, known: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    known.remove(A)
    assert inventory.main([f"--cassettes={root}", "--json"]) == 1
    listed = json.loads(capsys.readouterr().out)["cassettes"]
    assert [each["name"] for each in listed] == [A, B]
    assert listed[0]["wrong"]
    assert listed[1]["evidence"] == "live"


def test_the_command_needs_a_folder_and_checks_that_can_be_collected(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inventory.main([f"--cassettes={root}/none"]) == 2
    assert "no folder of cassettes" in capsys.readouterr().err

    def fail(*_: object) -> frozenset[str]:
        raise RecordingError("the checks cannot be collected")

    monkeypatch.setattr(inventory, "collect_names", fail)
    assert inventory.main([f"--cassettes={root}"]) == 2
    assert "cannot be collected" in capsys.readouterr().err
