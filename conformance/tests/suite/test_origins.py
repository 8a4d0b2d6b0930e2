"""Where a check's source stands: from the node id alone, without running anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.reports.origins import find_origin

SOURCE = """import pytest

@pytest.mark.slow
def test_alone():
    def test_within(): ...

class TestLane(Standard):
    settings = {}

    async def test_own(self):
        pass

    class TestInner:
        def test_deep(self): ...
"""


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ("::test_alone", 4),
        ("::test_alone[model-apis-a::b]", 4),
        ("::TestLane::test_own", 10),
        ("::TestLane::test_own[x]", 10),
        ("::TestLane::test_inherited", 7),
        ("::TestLane::TestInner::test_deep", 14),
        ("::test_within", 0),
        ("", 0),
    ],
)
def test_a_check_is_found_where_it_is_defined(tmp_path: Path, names: str, line: int) -> None:
    (tmp_path / "test_x.py").write_text(SOURCE, encoding="utf-8")
    assert find_origin(tmp_path, f"test_x.py{names}") == ("test_x.py", line)


@pytest.mark.parametrize("source", [None, "def broken("])
def test_a_file_that_cannot_be_read_has_no_line(tmp_path: Path, source: str | None) -> None:
    if source:
        (tmp_path / "test_y.py").write_text(source, encoding="utf-8")
    assert find_origin(tmp_path, "test_y.py::test_a") == ("test_y.py", 0)
