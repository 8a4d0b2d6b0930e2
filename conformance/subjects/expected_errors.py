"""Which exception a failed call has to end in: our classes, or what others may raise instead.

Knows our error tree by name and langchain-core's; must not know which check asks, or why.

Another client is not asked for our classes. Where a claim says "typed error" it has to raise one of
`langchain_core.exceptions`' `ModelError` family, or an exception whose `status_code` says as much;
where a claim says only that an error is raised, any exception will do.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core import exceptions as core

from conformance.subjects.known_faults import KNOWN, overlook
from conformance.subjects.subject import chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "catch",
    "catching",
    "expect",
    "expect_class",
    "expect_status",
    "has_type",
    "is_typed",
    "says",
    "tolerate",
]

# What a check asks for -> our class, langchain-core's, statuses that say the same.
_CLIENT = range(400, 500)
_TYPES = "errors.types.core"
_KINDS: dict[str, tuple[str, str, range]] = {
    "invalid-request": ("BasetenInvalidRequestError", "ModelInvalidRequestError", _CLIENT),
    "refused": ("BasetenInvalidRequestError", "", range(0)),
    "any": ("BasetenError", "", range(0)),
    "timeout": ("BasetenTimeoutError", "ModelTimeoutError", range(408, 409)),
    "unsendable": ("BasetenRequestError", "", range(0)),
    "stream-cut": ("BasetenIncompleteStreamError", "", range(0)),
}


def catch(kind: str) -> type[Exception]:
    """Return what to catch for a kind of failure; what others raise, `is_typed` has to judge."""
    if not chosen().ours:
        return Exception
    found: type[Exception] = getattr(importlib.import_module("langchain_baseten"), _KINDS[kind][0])
    return found


@contextmanager
def catching(kind: str = "any") -> Iterator[list[Exception]]:
    """Give a list that holds the client's error, if there is one, once the block has ended.

    Args:
        kind: One of the table above.
    """
    found: list[Exception] = []
    try:
        yield found
    except catch(kind) as error:
        found.append(error)


def expect(kind: str, match: str | None = None, *, ours: str | None = None) -> Any:
    """Return `pytest.raises` for a kind of failure.

    Args:
        kind: One of the table above.
        match: What any client must say: the service's own sentence.
        ours: What our own client must say.
    """
    if chosen().ours:
        return pytest.raises(catch(kind), match=ours or match)
    return pytest.raises(Exception, match=match, check=lambda error: is_typed(kind, error))


def tolerate() -> AbstractContextManager[Any]:
    """Return a context in which a client of another maker may raise: something else is judged."""
    return nullcontext() if chosen().ours else suppress(Exception)


def has_type(kind: str, error: Exception) -> bool:
    """Whether another client's exception says by its type what a kind of failure asks for."""
    _, name, statuses = _KINDS[kind]
    family = getattr(core, name, ()) if name else Exception
    return isinstance(error, family) or _status_of(error) in statuses


def is_typed(kind: str, error: Exception) -> bool:
    """Demand of another client's exception that its type says what a kind of failure asks for.

    Of a client whose refusals have no type at all another claim tells.

    Raises:
        AssertionError: It does not; the message says what came and what would do.
    """
    reported = _TYPES in KNOWN and kind == "invalid-request"
    fault = (
        f"{_name(error)} is neither langchain_core's {_KINDS[kind][1]} nor carries a status_code"
    )
    typed = has_type(kind, error) or (reported and overlook(_TYPES, fault))
    assert typed, f"{fault}: {error}"
    return True


def expect_class(kind: type[Exception], status: int) -> Any:
    """Return `pytest.raises` for one class of langchain-core.

    Args:
        kind: The class.
        status: What the exception of another client may carry as its `status_code` instead.
    """
    if chosen().ours:
        return pytest.raises(kind)

    def says_so(error: Exception) -> bool:
        assert isinstance(error, kind) or _status_of(error) == status, (
            f"expected langchain_core's {kind.__name__} or an exception whose status_code is "
            f"{status}, received {_name(error)} with status_code {_status_of(error)}: {error}"
        )
        return True

    return pytest.raises(Exception, check=says_so)


def says(error: Exception, sentence: str) -> bool:
    """Whether an exception says a sentence of the service.

    Ours has to say it in its text. Another maker's may hold it in an attribute of its own, such as
    `body`; the response that it came with does not count.
    """
    held = () if chosen().ours else vars(error).values()
    return any(sentence in str(each) for each in (error, *held))


def _status_of(error: BaseException) -> Any:
    """Return the status of an exception: its own, or that of the response that it holds."""
    held = getattr(error, "response", None)
    return getattr(error, "status_code", None) or getattr(held, "status_code", None)


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__name__}"


def expect_status(error: BaseException, status: int) -> None:
    """Demand a status of our errors, and of others' where they carry any.

    Raises:
        AssertionError: The error says another.
    """
    found = getattr(error, "status_code", None) if chosen().ours else _status_of(error)
    assert found == status or (found is None and not chosen().ours), (
        f"the service's status was {status}; {_name(error)} has the status_code {found}"
    )
