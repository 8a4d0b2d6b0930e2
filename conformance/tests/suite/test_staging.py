from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from conformance.recording import staging as workbench
from conformance.recording.staging import BusyError, Workbench

NAMES = ("b/one.yaml", "c/two.yaml", "a/new.yaml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "cassettes"
    for name in NAMES[:2]:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(f"old {name}", encoding="utf-8")
    return folder


def fill(bench: Workbench) -> None:
    for name in NAMES:
        (bench.aside / name).parent.mkdir(parents=True)
        (bench.aside / name).write_text(f"new {name}", encoding="utf-8")


def work(root: Path, *names: str) -> None:
    with Workbench(root) as bench:
        fill(bench)
        bench.replace(names or NAMES)


def read(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}


OLD = {name: f"old {name}" for name in NAMES[:2]}


def test_new_cassettes_take_the_place_of_the_old_ones(root: Path) -> None:
    with Workbench(root) as bench:
        fill(bench)
        bench.replace(NAMES)
    assert read(root) == {name: f"new {name}" for name in NAMES}
    assert list(root.parent.iterdir()) == [root]


def test_only_what_is_named_is_replaced(root: Path) -> None:
    with Workbench(root) as bench:
        fill(bench)
        bench.replace(NAMES[1:2])
    assert read(root) == {**OLD, NAMES[1]: f"new {NAMES[1]}"}


def test_a_first_set_needs_no_old_one(tmp_path: Path) -> None:
    with Workbench(tmp_path / "cassettes") as bench:
        fill(bench)
        bench.replace(NAMES)
    assert len(read(tmp_path / "cassettes")) == 3


@pytest.mark.parametrize("moment", range(3))
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_whatever_stops_it_the_old_ones_are_back(
    root: Path, monkeypatch: pytest.MonkeyPatch, moment: int, failure: BaseException
) -> None:
    flush, calls = workbench._flush, []

    def fail(path: Path) -> None:
        calls.append(path)
        if len(calls) == moment + 1:
            raise failure
        flush(path)

    monkeypatch.setattr(workbench, "_flush", fail)
    with pytest.raises(type(failure)):
        work(root)
    assert read(root) == OLD
    assert list(root.parent.iterdir()) == [root]


def test_a_cassette_that_cannot_be_moved_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / NAMES[2]).mkdir(parents=True)
    with pytest.raises(OSError, match=r"new\.yaml"):
        work(root)
    assert read(root) == OLD


def test_a_move_that_fails_brings_back_what_was_moved_before(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if path.name == "two.yaml" and "old" not in path.parts:
            raise OSError(errno.EIO, "Input/output error")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="Input/output"):
        work(root)
    assert read(root) == OLD


def test_an_error_takes_the_folder_with_it(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        work(root, "no/such.yaml")
    assert list(root.parent.iterdir()) == [root]
    assert read(root) == OLD


def test_what_a_killed_recorder_left_is_removed(root: Path) -> None:
    left = root.parent / ".recording-cassettes-dead"
    (left / "cassettes").mkdir(parents=True)
    (left / "lock").touch()
    (root.parent / ".recording-cassettes-younger").mkdir()
    other = root.parent / ".recording-elsewhere-dead"
    other.mkdir()
    with Workbench(root):
        pass
    assert sorted(root.parent.iterdir()) == [other, root]


def test_a_recorder_at_work_is_left_alone(root: Path) -> None:
    with Workbench(root) as bench:
        with pytest.raises(BusyError, match="another recorder is at work"), Workbench(root):
            pytest.fail("two at once")
        assert bench.aside.is_dir()


def test_of_two_that_begin_in_the_same_instant_one_works_and_the_other_touches_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, go = threading.Event(), threading.Event()

    def make_slowly(**options: Any) -> str:
        place: str = mkdtemp(**options)
        made.set()
        go.wait(10)
        return place

    monkeypatch.setattr(workbench, "mkdtemp", make_slowly)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(work, root)
        assert made.wait(10)
        with pytest.raises(BusyError, match="another recorder is at work on"):
            work(root)
        go.set()
        assert first.exception() is None
    assert read(root) == {name: f"new {name}" for name in NAMES}


def test_a_folder_that_takes_no_cassette_is_found_before_anything_is_recorded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> Path:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="cross-device"), Workbench(root):
        pytest.fail("it began")
    assert read(root) == OLD
    assert list(root.parent.iterdir()) == [root]


def test_without_room_for_its_folder_nothing_is_held_and_nothing_is_removed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.chdir(root)
    with monkeypatch.context() as patch:
        patch.setattr(workbench, "mkdtemp", refuse)
        with pytest.raises(OSError, match="No space left"), Workbench(root):
            pytest.fail("it began")
    assert read(root) == OLD
    work(root)
    assert read(root) == {name: f"new {name}" for name in NAMES}


def test_a_probe_that_a_kill_left_is_removed(root: Path) -> None:
    (root / ".recording-probe").touch()
    with Workbench(root):
        pass
    assert read(root) == OLD


def test_old_ones_that_cannot_be_put_back_are_kept_elsewhere(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Path.replace

    def fail(path: Path, target: Path) -> Path:
        kept = "old" in path.parts
        if path.name == ("one.yaml" if kept else "two.yaml"):
            raise OSError(errno.EIO, "Input/output error")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="1 old cassettes could not be put back") as refusal:
        work(root)
    place = Path(str(refusal.value).rpartition(" ")[2])
    assert (place / "cassettes/b/one.yaml").read_text(encoding="utf-8") == "old b/one.yaml"
    assert "a/new.yaml" not in read(root)


def test_names_are_written_one_a_line(root: Path) -> None:
    with Workbench(root) as bench:
        path = bench.list_names("x", ["b", "a"])
        assert path.read_text(encoding="utf-8") == "a\nb"
        assert bench.log("x").parent == path.parent


def test_no_file_stays_open(root: Path) -> None:
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir()))
    for _ in range(3):
        with Workbench(root):
            pass
    assert len(list(opened.iterdir())) == before
