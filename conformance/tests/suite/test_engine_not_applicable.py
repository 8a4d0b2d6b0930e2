from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from conformance.checks.standard.test_integration import TestDedicated as Dedicated
from conformance.claims.rows import TableError
from conformance.maintenance.engines.pytest_engine import (
    NOT_APPLICABLE_FILE,
    NotApplicable,
    find_reason,
    load_not_applicable,
)

if TYPE_CHECKING:
    from pathlib import Path

SUITE = NOT_APPLICABLE_FILE.parents[2] / "checks"
LIST = (
    NotApplicable(checks=("features/test_a.py::test_x",), reason="all of x"),
    NotApplicable(checks=("features/test_a.py::test_y[two]",), reason="one of y", engine="vllm"),
)


@pytest.mark.parametrize(
    ("check", "engine", "reason"),
    [
        ("conformance/checks/features/test_a.py::test_x[one]", "vllm 1", "all of x"),
        ("features/test_a.py::test_x", "llama.cpp b1", "all of x"),
        ("/home/conformance/checks/features/test_a.py::test_x", "vllm 1", "all of x"),
        ("conformance/checks/features/test_a.py::test_y[two]", "vllm 1", "one of y"),
        ("conformance/checks/features/test_a.py::test_y[two]", "llama.cpp b1", ""),
        ("conformance/checks/features/test_a.py::test_y[one]", "vllm 1", ""),
        ("conformance/checks/features/test_a.py::test_xx", "vllm 1", ""),
    ],
)
def test_a_check_is_found_with_or_without_its_parameters(
    check: str, engine: str, reason: str
) -> None:
    assert find_reason(check, engine, LIST) == reason


ROW = '[[not_applicable]]\nchecks = ["a"]\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "missing key"),
        (ROW.replace("reason", "because"), "unknown key"),
        (ROW.replace('"r"', '" "'), "not blank"),
    ],
)
def test_a_list_that_breaks_its_rules_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "not_applicable.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=complaint):
        load_not_applicable(path)


def is_there(check: str) -> bool:
    file, *names = check.partition("[")[0].split("::")
    if file.startswith("standard/"):
        return names[0] == "TestDedicated" and hasattr(Dedicated, names[-1])
    tree = ast.parse((SUITE / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return names[0] in {node.name for node in tree.body if isinstance(node, functions)}


def test_every_listed_check_exists() -> None:
    listed = [check for one in load_not_applicable() for check in one.checks]
    assert listed
    assert [check for check in listed if not is_there(check)] == []
