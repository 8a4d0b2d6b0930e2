"""Why a check failed: what it expected stands in front of what it received."""

from __future__ import annotations

import ast
import re
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from pydantic import BaseModel, ValidationError

from conformance.verdicts.reasons import describe_failure

READS = "it {}: expected to read `{}`; received: {}"
MISSES = "it {}: expected an error from `{}`; received: {}"
SHOWN = "it compares a name: expected `{{'a': 1}} == wanted`; received: {}"
CHECKS = """
import logging
import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage

def parse(text):
    return int(text)
def helper():
    assert 1 == 2

def test_it_compares():
    counted = 3157
    assert (
        counted
        == 77
    )
def test_it_compares_with_words():
    assert 1 == 2, "the sum is wrong"
def test_it_compares_a_name():
    wanted = {"a": 2}
    assert {"a": 1} == wanted
def test_it_finds_nothing():
    found = None
    assert found is not None
def test_it_asks_a_helper():
    helper()
def test_it_reads():
    metadata = {}
    return metadata["finish_reason"]
def test_it_asserts_what_is_missing():
    assert {}["usage"] == 7
def test_it_unpacks():
    [body] = []
def test_it_raises():
    raise ValueError("wrong")
def test_it_calls():
    parse("x")
def test_it_crashes_elsewhere():
    logging.Logger("x").setLevel([])
def test_it_crashes_in_pydantic():
    AIMessage("x").no_such_field
def test_it_crashes_without_a_word():
    FakeListChatModel(responses=["x"]).bind_tools([])
def test_it_misses():
    with pytest.raises(OSError):
        parse("7")
"""


def catch(path: Path, source: str = CHECKS, test: str = "test_it", **names: Any) -> BaseException:
    """Run a test of a file of checks, and return what it raises."""
    path.write_text(source, encoding="utf-8")
    exec(compile(source, path, "exec"), names)  # noqa: S102  our own text, as a file of checks
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        names[test]()
    return caught.value


@pytest.mark.parametrize(
    ("name", "text", "reported"),
    [
        (
            "compares",
            "AssertionError: assert 3157 == 77\n +  where 77 = max([1])\n  \n  Full diff:\n - 77",
            "it compares: expected `counted == 77`; received: 3157",
        ),
        ("compares_with_words", "the sum is wrong\nassert 1 == 2", "the sum is wrong"),
        ("asks_a_helper", "assert 1 == 2", "it asks a helper: expected `1 == 2`; received: 1"),
        (
            "compares_a_name",
            "assert {'a': 1} == {'a': 2}\n  Differing items:\n  {'a': 1} != {'a': 2}",
            "it compares a name: expected `{'a': 1} == wanted`; received: {'a': 1}, not {'a': 2}",
        ),
        (
            "compares_a_name",
            "assert <A object> == {'a': 2}\n  Use more",
            SHOWN.format("<A object> == {'a': 2}\n  Use more"),
        ),
        (
            "finds_nothing",
            "assert None is not None",
            "it finds nothing: expected `found is not None`; received: None is not None",
        ),
        (
            "reads",
            "KeyError: 'finish_reason'",
            READS.format("reads", "return metadata['finish_reason']", "no 'finish_reason'"),
        ),
        (
            "asserts_what_is_missing",
            "KeyError: 'usage'",
            READS.format("asserts what is missing", "assert {}['usage'] == 7", "no 'usage'"),
        ),
        (
            "unpacks",
            "ValueError: not enough values to unpack (expected 1, got 0)",
            "it unpacks: expected `[]` to hold 1; received: 0",
        ),
        (
            "unpacks",
            "ValueError: too many values to unpack (expected 1)",
            "it unpacks: expected `[]` to hold 1; received: more than 1",
        ),
        ("raises", "ValueError: wrong", "ValueError: wrong"),
        (
            "calls",
            "ValueError: invalid",
            "it calls: expected to read `return int(text)`; received: ValueError: invalid",
        ),
        (
            "misses",
            "Failed: DID NOT RAISE OSError",
            MISSES.format("misses", "parse('7')", "Failed: DID NOT RAISE OSError"),
        ),
    ],
)
def test_a_reason_says_what_was_expected(
    tmp_path: Path, name: str, text: str, reported: str
) -> None:
    error = catch(tmp_path / "test_checks.py", test=f"test_it_{name}")
    assert describe_failure(error, text, (str(tmp_path),)) == reported


def test_a_source_that_python_cannot_read_just_then_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = catch(tmp_path / "test_checks.py", test="test_it_asks_a_helper")
    parse, tries = ast.parse, cycle([True, False])

    def lose_count(source: str, **options: Any) -> Any:
        if next(tries):
            raise SystemError("AST constructor recursion depth mismatch")
        return parse(source, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", lose_count)
        reported = describe_failure(error, "assert 1 == 2", (str(tmp_path),))
    assert reported == "it asks a helper: expected `1 == 2`; received: 1"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("elsewhere", "logging"),
        ("in_pydantic", "conformance.sample"),
        ("without_a_word", "langchain_core.language_models.chat_models"),
    ],
)
def test_a_crash_outside_the_checks_is_told_with_its_place(
    tmp_path: Path, name: str, place: str
) -> None:
    names: dict[str, Any] = {"__name__": "conformance.sample"}
    error = catch(tmp_path / "test_checks.py", test=f"test_it_crashes_{name}", **names)
    reported = describe_failure(error, "a crash", (str(tmp_path),))
    assert re.fullmatch(rf"a crash \(raised by \w+ in {place}, line \d+\)", reported)


def test_langchain_s_own_tests_are_read_as_ours_are() -> None:
    class Silent(FakeListChatModel):
        def with_structured_output(self, *_: Any, **__: Any) -> Any:
            return self | (lambda _: {"setup": "a", "punchline": "b"})

    class Standard(ChatModelIntegrationTests):
        chat_model_class = Silent

    model = Silent(responses=["Hello."])
    with pytest.raises(KeyError) as caught:
        Standard().test_structured_output(model, "json_schema")
    reported = describe_failure(caught.value, "KeyError: 'ls_structured_output_format'")
    assert reported.startswith(
        "structured output: expected to read `assert isinstance(invoke_callback"
    )
    assert reported.endswith("`; received: no 'ls_structured_output_format'")


def test_a_reason_from_elsewhere_has_the_behaviour_in_front_of_an_assertion() -> None:
    with pytest.raises(AssertionError) as caught:
        _assert_elsewhere()
    reported = describe_failure(caught.value, "assert None is not None")
    assert reported.endswith(" has the behaviour in front of an assertion: assert None is not None")


def _assert_elsewhere() -> None:
    raise AssertionError


def test_a_value_that_pydantic_refuses_is_told_by_its_kind() -> None:
    class Part(BaseModel):
        url: str

    with pytest.raises(ValidationError) as caught:
        Part.model_validate({"url": ["https://example.com/" * 9]})
    reported = " ".join(describe_failure(caught.value, str(caught.value)).split())
    assert reported.endswith("Part url Input should be a valid string [string_type, not list]")


def test_long_data_is_cut_in_a_reason() -> None:
    reported = describe_failure(ValueError(), f"sent 'data:image/png;base64,{'iVBOR' * 40}'")
    assert reported == "sent 'data:image/png;base64,iVBORiVBORiVBORiVBORiVBO… (200 characters)'"


class _RefusedError(ValueError):
    pass


def _invoke() -> None:
    raise _RefusedError("no")


def test_an_error_of_the_client_is_its_own_reason(tmp_path: Path) -> None:
    error = catch(tmp_path / "test_checks.py", "def test_it(): invoke()", invoke=_invoke)
    assert describe_failure(error, "Refused: no", (str(tmp_path),)) == "Refused: no"


def test_a_source_that_is_gone_leaves_the_text(tmp_path: Path) -> None:
    error = catch(path := tmp_path / "gone.py", "def test_it(): 1 / 0")
    path.unlink()
    assert describe_failure(error, "1 / 0", (str(tmp_path),)) == "1 / 0"
