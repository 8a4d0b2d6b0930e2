from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from conformance.recording.staging import (
    ReplacedInPartError,
    check_writable,
    open_staging,
    replace_cassettes,
)
from conformance.tests.suite.fake_runs import read

NAMES = ("b/one.yaml", "c/two.yaml", "a/new.yaml")
OLD = {name: f"old {name}".encode() for name in NAMES[:2]}
NEW = {name: f"new {name}".encode() for name in NAMES}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "cassettes", OLD)


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return write(tmp_path / "staged", NEW)


def test_new_cassettes_take_the_place_of_the_old_ones(root: Path, staged: Path) -> None:
    replace_cassettes(staged, root, NAMES)
    assert read(root) == NEW


def test_only_what_is_named_is_replaced(root: Path, staged: Path) -> None:
    replace_cassettes(staged, root, NAMES[1:2])
    assert read(root) == {**OLD, NAMES[1]: NEW[NAMES[1]]}


@pytest.mark.parametrize(
    ("failure", "why"), [(OSError(errno.EIO, "full"), "full"), (KeyboardInterrupt(), "interrupted")]
)
def test_a_failure_leaves_complete_cassettes_and_says_how_many_are_new(
    root: Path,
    staged: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    why: str,
) -> None:
    move = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if target.name == "two.yaml":
            raise failure
        return move(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ReplacedInPartError, match=f"2 of 3 cassettes were replaced, then: .*{why}"):
        replace_cassettes(staged, root, NAMES)
    assert read(root) == {**NEW, NAMES[1]: OLD[NAMES[1]]}


def test_the_folder_is_removed_when_the_block_ends() -> None:
    with open_staging() as staging:
        path = staging.list_names("x", ["b", "a"])
        assert path.read_text(encoding="utf-8") == "a\nb"
        assert staging.log("x").parent == path.parent == staging.folder
        assert staging.staged.is_dir()
    assert not staging.folder.exists()


def test_a_folder_that_takes_no_cassette_is_found_before_anything_is_recorded(
    root: Path, tmp_path: Path
) -> None:
    check_writable(root)
    check_writable(tmp_path / "new")
    assert read(root) == OLD
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        check_writable(tmp_path / "file")
    if os.geteuid():  # root may write everywhere
        root.chmod(0o500)
        with pytest.raises(PermissionError):
            check_writable(root)
        root.chmod(0o700)
