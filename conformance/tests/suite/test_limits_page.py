"""The page of limits says what the package does, and names a check for each line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from langchain_baseten import BasetenEmbeddings, ChatBaseten
from langchain_baseten._config.service import DEFAULT_RETRIES
from langchain_baseten._http import receipts, retries, timeouts, transport
from langchain_baseten._protocol import json_text

SUITE = Path(__file__).parents[2]
PAGE = (SUITE.parent / "docs" / "limits.md").read_text("utf-8")
ROWS = [row for row in PAGE.splitlines() if re.match(r"\| (?!what \|)(?!---)", row)]
CHECKS = [(row, row.rstrip(" |").rpartition(" | ")[2].strip("`")) for row in ROWS]

_FIELDS = ChatBaseten.model_fields
NUMBERS = {
    "opening a connection": f"{timeouts.DEFAULT.connect:g} s",
    "a response that is not streamed, from": f"{timeouts.DEFAULT.read:,.0f} s",
    "a stream, between two events": f"{_FIELDS['stream_chunk_timeout'].default:g} s",
    "the body of an error | 10 s": f"{receipts._ERROR_SECONDS:g} s",
    "what follows": f"{transport._TAIL:g} s",
    "a response that is not streamed, decompressed": (
        f"{_FIELDS['max_response_bytes'].default // 2**20} MiB"
    ),
    "one event or line": f"{_FIELDS['max_event_bytes'].default // 2**20} MiB",
    "the body of an error | 1 MB": f"{receipts._ERROR_BYTES // 10**6} MB",
    "nested JSON": f"{json_text._DEEPEST} levels",
    "retries |": f"{DEFAULT_RETRIES},",
    "the wait": f"{retries.LONGEST_WAIT:g} s, and a random share of up to",
    "a `Retry-After` of 0": (
        f"{retries._FIRST_BACKOFF:g} s, doubled up to {retries._LONGEST_BACKOFF:g} s"
    ),
}
"""The beginning of a line, and what it has to say."""


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("row", "check"), CHECKS, ids=[check for _, check in CHECKS])
def test_each_line_names_a_check_that_exists(row: str, check: str) -> None:
    path, _, name = check.partition("::")
    assert (SUITE / path).is_file(), row
    assert name in functions_of(SUITE / path), row


def test_the_numbers_of_the_page_are_those_of_the_package() -> None:
    for beginning, number in NUMBERS.items():
        [row] = [row for row in ROWS if row.startswith(f"| {beginning}")]
        assert f" {number}" in row, beginning
    default = BasetenEmbeddings.model_fields["max_response_bytes"].default
    assert default == _FIELDS["max_response_bytes"].default
