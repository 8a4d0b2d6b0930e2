from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core import exceptions as core

from conformance.subjects import known_faults
from conformance.subjects.expected_errors import (
    catch,
    catching,
    expect,
    expect_class,
    expect_status,
    says,
    tolerate,
)
from conformance.subjects.subject import choose
from langchain_baseten import (
    BasetenAPIError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidRequestError,
    BasetenRequestError,
    BasetenTimeoutError,
)


class StatusError(Exception):
    def __init__(self, status: Any) -> None:
        super().__init__(f"HTTP {status}: no")
        self.status_code = status


ANOTHER = "conformance.tests.suite.factories:of_ours"


@pytest.fixture(autouse=True)
def _ours_again() -> Iterator[None]:
    yield
    choose("")


@pytest.fixture
def _third_party() -> None:
    choose(ANOTHER)


def test_a_client_of_another_maker_alone_may_raise_where_something_else_is_judged() -> None:
    with pytest.raises(ValueError, match="lost"), tolerate():
        raise ValueError("lost")
    choose(ANOTHER)
    with tolerate():
        raise ValueError("lost")


@pytest.mark.parametrize("held", [{"error": "closed today"}, "closed today"])
def test_an_error_of_another_maker_alone_may_hold_the_sentence_in_an_attribute(held: Any) -> None:
    ours, error = BasetenError("closed today"), StatusError(400)
    assert says(ours, "closed today")
    ours.args, ours.body = (), {"error": "closed today"}
    assert not says(ours, "closed today")
    choose(ANOTHER)
    assert not says(error, "closed today")
    error.response = httpx.Response(400, text="closed today")  # type: ignore[attr-defined]  # of another
    assert not says(error, "closed today")
    error.body = held  # type: ignore[attr-defined]  # of another
    assert says(error, "closed today")


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("any", BasetenError),
        ("refused", BasetenInvalidRequestError),
        ("invalid-request", BasetenInvalidRequestError),
        ("unsendable", BasetenRequestError),
        ("stream-cut", BasetenIncompleteStreamError),
        ("timeout", BasetenTimeoutError),
    ],
)
def test_our_own_client_is_held_to_its_own_classes(kind: str, own: type[BasetenError]) -> None:
    assert catch(kind) is own
    with expect(kind, match="lost") as caught:
        raise own("lost and found")
    assert type(caught.value) is own
    with pytest.raises(ValueError, match="lost"), expect(kind):
        raise ValueError("lost")
    with pytest.raises(AssertionError), expect(kind, ours="in our words"):
        raise own("in the service's")


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("any", OSError("no")),
        ("refused", OSError("no")),
        ("unsendable", TypeError("no")),
        ("stream-cut", OSError("no")),
        ("invalid-request", core.ModelInvalidRequestError("no")),
        ("invalid-request", StatusError(400)),
        ("invalid-request", StatusError(422)),
        ("timeout", core.ModelTimeoutError("no")),
        ("timeout", StatusError(408)),
    ],
)
def test_another_client_may_raise_langchains_class_or_carry_the_status(
    kind: str, error: Exception
) -> None:
    assert catch(kind) is Exception
    with expect(kind, match="no", ours="in our words") as caught:
        raise error
    assert caught.value is error
    with pytest.raises(AssertionError), expect(kind, match="drained"):
        raise error


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("invalid-request", ValueError("no")),
        ("invalid-request", StatusError(500)),
        ("invalid-request", StatusError(None)),
        ("invalid-request", core.ModelAPIError("no")),
        ("timeout", StatusError(400)),
    ],
)
def test_what_says_nothing_by_its_type_is_no_typed_error(kind: str, error: Exception) -> None:
    with pytest.raises(AssertionError, match="nor carries a status_code"), expect(kind):
        raise error


@pytest.mark.usefixtures("_third_party")
def test_of_errors_without_any_type_one_claim_tells() -> None:
    known_faults.begin_check(["video.part.refused"], ["errors.types.core"])
    with expect("invalid-request"):
        raise ValueError("no")
    (reported,) = known_faults.OVERLOOKED
    assert reported.endswith("nor carries a status_code, as errors.types.core says")
    with pytest.raises(AssertionError), expect("timeout"):
        raise ValueError("no")
    known_faults.begin_check(["errors.types.core"], ["errors.types.core"])
    with pytest.raises(AssertionError), expect("invalid-request"):
        raise ValueError("no")
    known_faults.begin_check((), ())


def test_our_own_errors_are_caught_by_their_class_and_whatever_another_client_raises() -> None:
    with catching("timeout") as errors:
        raise BasetenTimeoutError("late")
    assert [str(error) for error in errors] == ["late"]
    with pytest.raises(OSError, match="elsewhere"), catching():
        raise OSError("elsewhere")
    choose(ANOTHER)
    with catching("timeout") as errors:
        raise OSError("late")
    assert len(errors) == 1
    with catching() as errors:
        pass
    assert errors == []


def test_our_own_errors_carry_the_status_and_others_must_not_carry_another() -> None:
    expect_status(BasetenAPIError("no", status_code=503), 503)
    for status in (500, None):
        with pytest.raises(AssertionError, match=r"was 503; .*APIError has the status_code"):
            expect_status(BasetenAPIError("no", status_code=status), 503)
    choose(ANOTHER)
    expect_status(OSError("no"), 503)
    expect_status(StatusError(503), 503)
    with pytest.raises(AssertionError, match=r"was 503; .*StatusError has the status_code 500"):
        expect_status(StatusError(500), 503)


def hold_response(status: int) -> Exception:
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status))


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize(
    "error", [core.ModelRateLimitError("no"), StatusError(429), hold_response(429)]
)
def test_a_class_of_another_client_may_be_told_by_the_status_of_error_or_response(
    error: Exception,
) -> None:
    with expect_class(core.ModelRateLimitError, 429) as caught:
        raise error
    assert caught.value is error
    if not isinstance(error, core.ModelRateLimitError):
        expect_status(error, 429)


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize("error", [OSError("no"), StatusError(500), hold_response(500)])
def test_an_error_that_says_neither_is_described(error: Exception) -> None:
    words = "expected langchain_core's ModelRateLimitError or an exception whose status_code is 429"
    with pytest.raises(AssertionError, match=words), expect_class(core.ModelRateLimitError, 429):
        raise error


def test_our_own_client_raises_the_class() -> None:
    with expect_class(core.ModelAPIError, 500) as caught:
        raise BasetenAPIError("no")
    assert type(caught.value) is BasetenAPIError
    with pytest.raises(StatusError), expect_class(core.ModelAPIError, 500):
        raise StatusError(500)
