from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

from conformance.maintenance import stage
from conformance.maintenance.release import wheel


def test_the_staged_suite_leaves_the_package_behind(tmp_path: Path) -> None:
    root, target = tmp_path / "root", tmp_path / "suite"
    for name in (".github", "conformance", "cassettes", "docs", "langchain_baseten"):
        (root / name / "__pycache__").mkdir(parents=True)
        (root / name / "file").write_text(name, encoding="utf-8")
    (root / ".ci").mkdir()
    for name in stage.FILES:
        (root / name).write_text(name, encoding="utf-8")
    (target / "stale").mkdir(parents=True)
    stage.stage(root, target)
    names = {path.name for path in target.iterdir()}
    assert "langchain_baseten" not in names
    assert "stale" not in names
    assert (target / "conformance/file").exists()
    assert not (target / "conformance/__pycache__").exists()
    assert all((target / name).exists() for name in stage.FILES)


def test_a_wheel_that_holds_the_suite_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("langchain_baseten/__init__.py", "")
        archive.writestr("langchain_baseten-1.dist-info/METADATA", "")
        archive.writestr("conformance/__init__.py", "")
    assert wheel.list_strangers(path) == ["conformance/__init__.py"]


def test_what_a_release_lacks_is_noticed(tmp_path: Path) -> None:
    built, sources = tmp_path / "x-1-py3-none-any.whl", tmp_path / "x-1.tar.gz"
    with zipfile.ZipFile(built, "w") as archive:
        archive.writestr("x-1.dist-info/licenses/LICENSE", "")
    with tarfile.open(sources, "w:gz") as folder:
        for name in wheel._IN_SDIST[1:]:
            folder.addfile(tarfile.TarInfo(f"x-1/{name}"))
    assert wheel.list_missing(built, sources) == ["langchain_baseten/py.typed", "README.md"]


def test_the_installed_distributions_are_listed_by_name() -> None:
    assert {"pytest", "langchain-core"} <= wheel.list_installed(Path(sys.executable))
