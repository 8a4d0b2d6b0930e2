"""One test for many cases that differ in one thing, such as the way a model is called.

A parametrised test costs several times what the call in it costs. Here a test runs for every case
all the same, and a failure says in which ones; nothing of the product is left out.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["in_each"]


def in_each(name: str, cases: Mapping[str, Any] | Iterable[Any]) -> Callable[[Any], Any]:
    """Return a decorator that runs a test once for each case, as one test.

    Args:
        name: The test's argument that takes the case.
        cases: The cases, or label to case.
    """
    labelled = dict(cases) if hasattr(cases, "keys") else {str(case): case for case in cases}

    def decorate(test: Any) -> Any:
        made = _run_async(test, name, labelled) if _is_async(test) else _run(test, name, labelled)
        signature = inspect.signature(test)
        others = [each for each in signature.parameters.values() if each.name != name]
        if len(others) == len(signature.parameters):
            raise TypeError(f"{test.__name__} takes no {name}")
        made.__signature__ = signature.replace(parameters=others)
        return made

    return decorate


def _is_async(test: Any) -> bool:
    return inspect.iscoroutinefunction(test)


def _run(test: Any, name: str, cases: Mapping[str, Any]) -> Any:
    @wraps(test)
    def run(**given: Any) -> None:
        failures: list[Exception] = []
        for label, case in cases.items():
            try:
                test(**given, **{name: case})
            except Exception as error:  # noqa: BLE001  every case has its turn
                failures.append(_note(error, name, label))
        _raise(test, failures)

    return run


def _run_async(test: Any, name: str, cases: Mapping[str, Any]) -> Any:
    @wraps(test)
    async def run(**given: Any) -> None:
        failures: list[Exception] = []
        for label, case in cases.items():
            try:
                await test(**given, **{name: case})
            except Exception as error:  # noqa: BLE001  every case has its turn
                failures.append(_note(error, name, label))
        _raise(test, failures)

    return run


def _note(error: Exception, name: str, label: str) -> Exception:
    error.add_note(f"{name}: {label}")
    return error


def _raise(test: Any, failures: list[Exception]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(test.__name__, failures)
