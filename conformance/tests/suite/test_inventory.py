from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.recording import inventory
from conformance.recording.rerecord import RecordingError
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette

KEY = "planted-word"
A, B = "dedicated/tools/test_a[x].yaml", "model-apis/usage/test_b.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cassette(tmp_path / A)
    live = replace(ABOUT, evidence="live", source="Baseten", lane="model-apis", requests=("1", "2"))
    write_cassette(tmp_path / B, exchange(), exchange(), about=live)
    return tmp_path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    names = {A, B}
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    monkeypatch.setattr(inventory, "collect_names", lambda *_: frozenset(names))
    return names


def test_the_command_lists_them_and_sums_them_up(
    root: Path, known: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    known.add("dedicated/tools/test_new.yaml")
    assert inventory.main([f"--cassettes={root}"]) == 0
    output = capsys.readouterr().out
    row = next(line for line in output.splitlines() if A in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        *(A, "2026-11-22", "reference: reference server", "m", "1"),
        f"{(root / A).stat().st_size / 1000:.1f} kB",
    ]
    assert "live: Baseten" in output
    assert "2 cassettes (1 live, 1 reference), 3 requests, the oldest of 2026-11-22\n" in output
    assert "· never recorded: dedicated/tools/test_new.yaml\n" in output
    assert "1 missing; `record --stale` makes them\n" in output


def test_an_empty_folder_is_listed(
    tmp_path: Path, known: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inventory.main([f"--cassettes={tmp_path}"]) == 0
    assert "0 cassettes (), 0 requests, the oldest of never" in capsys.readouterr().out


SPOILT = replace(ABOUT, source=f"vllm {KEY}", model=KEY.upper(), recorded=f"0-{KEY}")
HARM: dict[str, Callable[[Path, set[str]], object]] = {
    f"{A}: a key in use": lambda root, _: write_cassette(root / A, exchange(KEY), about=SPOILT),
    f"{A}: its provenance cannot be read": lambda root, _: write_cassette(
        root / A, about=None, text="provenance:\n  x: [\ninteractions: []\n"
    ),
    f"{A}: a cassette that no check plays": lambda _, known: known.remove(A),
    "notes.txt: is no cassette": lambda root, _: (root / "notes.txt").write_text(KEY),
}


@pytest.mark.parametrize("message", HARM)
def test_the_command_is_red_and_says_what_is_wrong(
    root: Path, known: set[str], capsys: pytest.CaptureFixture[str], message: str
) -> None:
    HARM[message](root, known)
    assert inventory.main([f"--cassettes={root}"]) == 1
    shown = capsys.readouterr()
    assert f"✗ {message}" in shown.err
    assert KEY not in "".join((shown.out + shown.err).split()).lower()


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
