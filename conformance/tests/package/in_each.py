"""One test for many cases that differ in one thing, such as the way a model is called.

A parametrised test costs several times what the call in it costs. Here a test runs for every case
all the same, and a failure says in which ones; nothing of the product is left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

Case = tuple[Any, dict[str, Any]]
"""What a failure calls the case, and the arguments that it gives."""

__all__ = ["in_each"]

_LONGEST = 200
"""Characters of a label."""


def in_each(
    names: str | tuple[str, ...], cases: Mapping[Any, Any] | Iterable[Any]
) -> Callable[[Any], Any]:
    """Return a decorator that runs a test once for each case, as one test.

    Args:
        names: The test's argument that takes the case, or those that take its parts.
        cases: The cases, or label to case.
    """
    rows = cases.items() if isinstance(cases, Mapping) else [(case, case) for case in cases]
    taken = (names,) if isinstance(names, str) else names

    def spread(case: Any) -> dict[str, Any]:
        return dict(zip(taken, (case,) if isinstance(names, str) else case, strict=True))

    labelled = [(label, spread(case)) for label, case in rows]

    def decorate(test: Any) -> Any:
        made = _run_async(test, labelled) if _is_async(test) else _run(test, labelled)
        signature = inspect.signature(test)
        others = [each for each in signature.parameters.values() if each.name not in taken]
        if len(others) + len(taken) != len(signature.parameters):
            raise TypeError(f"{test.__name__} takes no {' and '.join(taken)}")
        made.__signature__ = signature.replace(parameters=others)
        return made

    return decorate


def _is_async(test: Any) -> bool:
    return inspect.iscoroutinefunction(test)


def _run(test: Any, cases: Sequence[Case]) -> Any:
    @wraps(test)
    def run(**given: Any) -> None:
        failures: list[Exception] = []
        for label, case in cases:
            try:
                test(**given, **case)
            except Exception as error:  # noqa: BLE001  every case has its turn
                failures.append(_note(error, label, case))
        _raise(test, failures)

    return run


def _run_async(test: Any, cases: Sequence[Case]) -> Any:
    @wraps(test)
    async def run(**given: Any) -> None:
        failures: list[Exception] = []
        for label, case in cases:
            try:
                await test(**given, **case)
            except Exception as error:  # noqa: BLE001  every case has its turn
                failures.append(_note(error, label, case))
        _raise(test, failures)

    return run


def _note(error: Exception, label: Any, case: Mapping[str, Any]) -> Exception:
    error.add_note(f"{', '.join(case)}: {label!s:.{_LONGEST}}")
    return error


def _raise(test: Any, failures: list[Exception]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(test.__name__, failures)
