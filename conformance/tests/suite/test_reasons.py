"""Why a check failed: what it expected stands in front of what it received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.verdicts.reasons import describe_failure

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = """
import pytest

def parse(text):
    return int(text)

def compares():
    counted = 3157
    assert (
        counted
        == 77
    )

def compares_with_words():
    assert 1 == 2, "the sum is wrong"

def reads():
    metadata = {}
    return metadata["finish_reason"]

def asserts_what_is_missing():
    assert {}["usage"] == 7

def unpacks():
    [body] = []

def raises():
    raise ValueError("wrong")

def calls():
    parse("x")

def misses():
    with pytest.raises(OSError):
        parse("7")
"""


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "compares",
            "assert 3157 == 77",
            "expected `counted == 77`; received: assert 3157 == 77",
        ),
        ("compares_with_words", "the sum is wrong", "the sum is wrong"),
        (
            "reads",
            "KeyError: 'finish_reason'",
            "expected to read `return metadata['finish_reason']`; received: KeyError: ",
        ),
        (
            "asserts_what_is_missing",
            "KeyError: 'usage'",
            "expected to read `assert {}['usage'] == 7`; received: KeyError: 'usage'",
        ),
        (
            "unpacks",
            "ValueError: not enough",
            "expected to read `[body] = []`; received: ValueError: not enough",
        ),
        ("raises", "ValueError: wrong", "ValueError: wrong"),
        ("calls", "ValueError: invalid", "expected to read `return int(text)`; received: "),
        (
            "misses",
            "Failed: DID NOT RAISE OSError",
            "expected an error from `parse('7')`; received: Failed: DID NOT RAISE OSError",
        ),
    ],
)
def test_a_reason_says_what_was_expected(tmp_path: Path, name: str, text: str, told: str) -> None:
    path = tmp_path / "test_checks.py"
    path.write_text(CHECKS, encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(CHECKS, path, "exec"), names)  # noqa: S102  our own text, as a file of checks
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        names[name]()
    assert describe_failure(caught.value, text, str(tmp_path)).startswith(told)
    assert describe_failure(caught.value, text) == text


def _invoke() -> None:
    raise IndexError("list")


def test_an_error_of_the_client_is_its_own_reason(tmp_path: Path) -> None:
    path = tmp_path / "test_checks.py"
    path.write_text("invoke()", encoding="utf-8")
    with pytest.raises(IndexError) as caught:
        exec(compile("invoke()", path, "exec"), {"invoke": _invoke})  # noqa: S102  same
    assert describe_failure(caught.value, "IndexError: list", str(tmp_path)) == "IndexError: list"


def test_a_source_that_is_gone_leaves_the_text(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("1 / 0", tmp_path / "gone.py", "exec"), {})  # noqa: S102  same
    assert describe_failure(caught.value, "1 / 0", str(tmp_path)) == "1 / 0"
