"""What a responder finds wrong with a request of another maker's client: whose fault, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from conformance.checks import conftest
from conformance.reference import AnswerPlan, ReceivedRequest
from conformance.subjects import connect, known_faults
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import end_inapplicable

ITEM: Any = SimpleNamespace(
    config=SimpleNamespace(option=SimpleNamespace(target="reference")),
    nodeid="test_it",
    stash={},
    cls=None,
    callspec=SimpleNamespace(params={}),
)


def refuse(request: ReceivedRequest) -> AnswerPlan:
    raise AssertionError("the request names no model")


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that refuses, as a check of another maker's client has it."""
    monkeypatch.setattr(type(chosen()), "ours", False)
    known_faults.begin_check((), ())
    with connect.serve(refuse) as server:
        yield server.url


def run(check: Callable[[], object]) -> None:
    """Run a check as pytest does, within the hook around it."""
    hook = conftest.pytest_runtest_call(ITEM)
    next(hook)
    try:
        check()
    except BaseException as error:
        hook.throw(error)
        raise
    with pytest.raises(StopIteration):
        next(hook)


def ask(url: str) -> None:
    httpx2.post(url)


def ask_and_fail(url: str) -> None:
    httpx2.post(url).raise_for_status()


@pytest.mark.parametrize("way", [ask, ask_and_fail])
def test_it_fails_the_check_in_the_words_of_the_responder(
    url: str, way: Callable[[str], None]
) -> None:
    with pytest.raises(AssertionError, match="the request names no model"):
        run(lambda: way(url))


def test_it_counts_for_nothing_in_a_check_that_does_not_apply(url: str) -> None:
    def ask_and_end() -> None:
        ask(url)
        end_inapplicable("nobody promises it")

    with pytest.raises(pytest.skip.Exception, match="nobody promises it"):
        run(ask_and_end)
