from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from conformance import cassettes, rerecord

if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT = dict.fromkeys(("evidence", "source", "recorded", "client", "recorder"), "x")


def _fill(folder: Path, text: str = "new", *, provenance: bool = True) -> None:
    interaction = {"request": {"body": "{}"}, "response": {"text": text}}
    (folder / "a.yaml").write_text(
        yaml.safe_dump({"interactions": [interaction]}), encoding="utf-8"
    )
    if provenance:
        cassettes.write_provenance(folder, ABOUT)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "cassettes"
    folder.mkdir()
    _fill(folder, "old")
    return folder


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; recording fills the folder that it is given."""
    seen: list[list[str]] = []
    _stub(monkeypatch, seen, _fill)
    return seen


def _stub(
    monkeypatch: pytest.MonkeyPatch,
    seen: list[list[str]],
    fill: Callable[[Path], None],
    codes: tuple[int, ...] = (0, 0),
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        seen.append(command)
        if "--record" in command:
            folder = next(part for part in command if part.startswith("--cassettes="))
            fill(Path(folder.partition("=")[2]))
        return subprocess.CompletedProcess(command, codes[len(seen) - 1])

    monkeypatch.setattr(subprocess, "run", run)


def _is_untouched(old: Path) -> bool:
    alone = [path.name for path in old.parent.iterdir()] == ["cassettes"]
    return alone and "old" in (old / "a.yaml").read_text(encoding="utf-8")


def test_new_cassettes_are_recorded_then_replayed_then_swapped_in(
    old: Path, steps: list[list[str]]
) -> None:
    assert rerecord.record("peer", old) == 1
    assert [("--record" in step, "--target=replay" in step) for step in steps] == [
        (True, False),
        (False, True),
    ]
    assert "new" in (old / "a.yaml").read_text(encoding="utf-8")
    assert [path.name for path in old.parent.iterdir()] == ["cassettes"]


def test_the_first_set_needs_no_old_one(tmp_path: Path, steps: list[list[str]]) -> None:
    assert rerecord.record("peer", tmp_path / "cassettes") == 1


@pytest.mark.parametrize(
    ("codes", "why"), [((1, 0), "recording failed"), ((0, 1), "replaying failed")]
)
def test_a_failing_check_leaves_the_old_cassettes(
    old: Path, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, int], why: str
) -> None:
    _stub(monkeypatch, [], _fill, codes)
    with pytest.raises(rerecord.RecordingError, match=why):
        rerecord.record("peer", old)
    assert _is_untouched(old)


def test_a_planted_key_leaves_the_old_cassettes(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", "planted-word")
    _stub(monkeypatch, [], lambda folder: _fill(folder, "a planted-word b"))
    with pytest.raises(rerecord.RecordingError, match=r"a\.yaml holds a key in use") as caught:
        rerecord.record("live", old)
    assert "planted-word" not in str(caught.value)
    assert _is_untouched(old)


def _record_nothing(folder: Path) -> None:
    cassettes.write_provenance(folder, ABOUT)


def _record_without_provenance(folder: Path) -> None:
    cassettes.write_provenance(folder, ABOUT)
    _fill(folder, provenance=False)


@pytest.mark.parametrize(
    ("fill", "why"),
    [(_record_nothing, "nothing was recorded"), (_record_without_provenance, "no provenance")],
)
def test_a_flawed_set_leaves_the_old_cassettes(
    old: Path, monkeypatch: pytest.MonkeyPatch, fill: Callable[[Path], None], why: str
) -> None:
    _stub(monkeypatch, [], fill)
    with pytest.raises(rerecord.RecordingError, match=why):
        rerecord.record("peer", old)
    assert _is_untouched(old)


def test_an_interrupt_leaves_the_old_cassettes(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    _stub(monkeypatch, [], interrupt)
    with pytest.raises(KeyboardInterrupt):
        rerecord.record("peer", old)
    assert _is_untouched(old)


def test_a_swap_that_fails_puts_the_old_cassettes_back(
    old: Path, steps: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fail_once(path: Path, target: Path) -> Path:
        if path.name.startswith(".recording-") and not path.name.endswith("-old"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="No space left"):
        rerecord.record("peer", old)
    assert _is_untouched(old)


def test_the_command_says_how_many_there_are_now(
    old: Path, steps: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rerecord.main([f"--cassettes={old}"]) == 0
    assert "1 cassettes in cassettes/" in capsys.readouterr().out


def test_the_command_says_why_nothing_was_replaced(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _stub(monkeypatch, [], _fill, (1, 0))
    assert rerecord.main([f"--cassettes={old}"]) == 1
    assert "recording failed (exit code 1); nothing was replaced" in capsys.readouterr().err
