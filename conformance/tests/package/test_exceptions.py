"""The error tree: its classes, their attributes, and that they can be pickled and copied."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import re
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core import exceptions as core
from langchain_core.messages import AIMessage
from pydantic import AfterValidator, TypeAdapter, ValidationError

from conformance.tests.package.in_each import in_each
from langchain_baseten import exceptions as _errors
from langchain_baseten._config.endpoint import parse_base_url, parse_model_url
from langchain_baseten.exceptions import BasetenError, BasetenRefusalError, ErrorResponse

# class -> its bases, whether the same request may be sent again
TREE: dict[str, tuple[tuple[str, ...], bool]] = {
    "BasetenError": (("ModelError",), False),
    "BasetenAuthenticationError": (("BasetenError", "ModelAuthenticationError"), False),
    "BasetenInvalidKeyError": (
        ("BasetenAuthenticationError", "BasetenPermissionDeniedError"),
        False,
    ),
    "BasetenPermissionDeniedError": (("BasetenError", "ModelPermissionDeniedError"), False),
    "BasetenNotFoundError": (("BasetenError", "ModelNotFoundError"), False),
    "BasetenInvalidRequestError": (("BasetenError", "ModelInvalidRequestError"), False),
    "BasetenRequestError": (("BasetenInvalidRequestError", "ValueError"), False),
    "EndpointError": (("BasetenRequestError",), False),
    "BasetenUnprocessableError": (("BasetenInvalidRequestError",), False),
    "BasetenContextOverflowError": (
        ("BasetenInvalidRequestError", "ContextOverflowError"),
        False,
    ),
    "BasetenRequestTooLargeError": (("BasetenContextOverflowError",), False),
    "BasetenConflictError": (("BasetenError",), True),
    "BasetenRateLimitError": (("BasetenError", "ModelRateLimitError"), True),
    "BasetenTimeoutError": (("BasetenError", "ModelTimeoutError"), True),
    "BasetenConnectionError": (("BasetenError", "ModelConnectionError"), True),
    "BasetenAPIError": (("BasetenError", "ModelAPIError"), True),
    "BasetenIncompleteStreamError": (("BasetenAPIError",), True),
    "BasetenInvalidResponseError": (("BasetenAPIError",), True),
    "BasetenRefusalError": (
        (
            "BasetenError",
            "ModelRefusalError" if hasattr(core, "ModelRefusalError") else "ModelError",
        ),
        False,
    ),
}
EVERY_CLASS = in_each("name", TREE.keys())
TRAVEL: dict[str, Callable[[Any], Any]] = {
    "pickled": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301  our own bytes
    "copied": copy.copy,
    "copied deep": copy.deepcopy,
}
RESPONSE = ErrorResponse(429, '{"error": "slow down"}', {"retry-after": "7"})
CARRIED: dict[str, Any] = {
    "status_code": 429,
    "request_id": "r1",
    "body": {"error": "slow down"},
    "response": RESPONSE,
    "retry_after": 7.0,
    "partial": AIMessage("part"),
}


def find(name: str) -> type[BasetenError]:
    cls: type[BasetenError] = getattr(_errors, name)
    return cls


def carrying(name: str) -> BasetenError:
    cls = find(name)
    if cls is BasetenRefusalError:
        return BasetenRefusalError("no", raw_message=AIMessage("part"))
    return cls("slow down", **CARRIED)


def test_table_lists_every_error() -> None:
    own = {name for name, value in vars(_errors).items() if _is_own_error(value)}

    assert own == TREE.keys()


def _is_own_error(value: Any) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Exception)
        and not issubclass(value, Warning)
        and value.__module__ == _errors.__name__
    )


@EVERY_CLASS
def test_error_has_its_bases_its_retryability_and_no_attributes_by_default(name: str) -> None:
    bases, again = TREE[name]
    plain = find(name)("what was wrong")

    assert str(plain) == "what was wrong"
    assert {getattr(plain, attribute) for attribute in CARRIED} == {None}
    assert tuple(base.__name__ for base in find(name).__bases__) == bases
    assert issubclass(find(name), core.ModelError)
    assert carrying(name).is_retryable is again


@EVERY_CLASS
def test_docstring_shows_each_error_under_its_parent(name: str) -> None:
    names = list(re.finditer(r"(?m)^([│├└─ ]*)(\w+Error)\b", _errors.__doc__ or ""))
    depths = {found[2]: len(found[1]) for found in names}
    above = [
        other for other in list(depths)[: list(depths).index(name)] if depths[other] < depths[name]
    ]

    parents = () if name == "BasetenError" else (find(name).__bases__[0].__name__,)
    assert tuple(above[-1:]) == parents


@EVERY_CLASS
@in_each("travel", TRAVEL)
def test_error_keeps_its_attributes_when_pickled_or_copied(
    name: str, travel: Callable[[Any], Any]
) -> None:
    error = carrying(name)
    found = travel(error)

    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)
    assert found.is_retryable == error.is_retryable


def test_refusal_has_its_message_as_partial() -> None:
    message = AIMessage("", additional_kwargs={"refusal": "no"})
    error = BasetenRefusalError("refused", raw_message=message)

    assert error.raw_message is message
    assert error.partial is message


def test_response_can_be_read_as_json() -> None:
    assert RESPONSE.json() == {"error": "slow down"}
    with pytest.raises(ValueError, match="Expecting value"):
        ErrorResponse(502, "<html>").json()


def test_response_headers_are_empty_by_default() -> None:
    assert ErrorResponse(502, "").headers == {}


@pytest.mark.parametrize("known", [True, False], ids=["with refusals", "without refusals"])
def test_refusal_is_langchains_where_langchain_has_refusals(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = type("ModelRefusalError", (core.ModelError,), {})
    if known:
        monkeypatch.setattr(core, "ModelRefusalError", refusal, raising=False)
    else:
        monkeypatch.delattr(core, "ModelRefusalError", raising=False)
    spec = importlib.util.find_spec(_errors.__name__)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)

    assert issubclass(fresh.BasetenRefusalError, refusal) is known
    assert issubclass(fresh.BasetenRefusalError, core.ModelError)


def test_bad_url_is_caught_as_a_baseten_error_and_as_a_value_error() -> None:
    with pytest.raises(BasetenError, match="is empty"):
        parse_base_url("")
    with pytest.raises(ValueError, match="is empty"):
        parse_model_url("")


def test_bad_url_in_a_setting_is_still_a_validation_error() -> None:
    with pytest.raises(ValidationError, match="is empty"):
        TypeAdapter(Annotated[str, AfterValidator(parse_base_url)]).validate_python("")
