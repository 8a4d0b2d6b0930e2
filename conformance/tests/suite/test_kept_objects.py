"""What pytest keeps until the end of a run is not walked again with each collection of garbage."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.conftest import pytest_runtest_protocol

ONE, OTHER = (SimpleNamespace(path=Path(name)) for name in ("test_one.py", "test_other.py"))


@pytest.mark.parametrize(
    ("following", "walked"),
    [(ONE, True), (OTHER, False), (None, False)],
    ids=["in the file", "at its end", "at the end of the run"],
)
def test_what_stays_is_set_aside_at_the_end_of_each_file(following: Any, walked: bool) -> None:
    item: Any = ONE
    kept, ended = [item], object()
    run = pytest_runtest_protocol(item, following)
    next(run)
    assert any(one is kept for one in gc.get_objects())
    with pytest.raises(StopIteration) as returned:
        run.send(ended)
    assert returned.value.value is ended
    assert any(one is kept for one in gc.get_objects()) is walked
