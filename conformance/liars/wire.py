"""Clients that misbehave on the wire: what they retry, whom they tell the key, what they let out.

No claim of the table is about these; checks in `faults/` are, and must fall.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from langchain_baseten import BasetenError, BasetenInvalidRequestError, _retry
from langchain_baseten._call import Call

if TYPE_CHECKING:
    from conformance.liars import Patch

__all__ = [
    "follows_redirects",
    "ignores_retry_after",
    "leaks_http_errors",
    "logs_the_key",
    "never_retries",
    "repeats_an_echoed_key",
    "retries_a_400",
]


def retries_a_400(patch: Patch) -> None:
    real = _retry.may_retry

    def may_retry(failure: BaseException) -> bool:
        return real(failure) or isinstance(failure, BasetenInvalidRequestError)

    patch.setattr(_retry, "may_retry", may_retry)


def never_retries(patch: Patch) -> None:
    patch.setattr(_retry, "may_retry", lambda _failure: False)


def ignores_retry_after(patch: Patch) -> None:
    patch.setattr(_retry, "choose_wait", lambda _state: 0.0)


def follows_redirects(patch: Patch) -> None:
    def send(call: Any) -> dict[str, Any]:
        return {"stream": True, "follow_redirects": True, "auth": call.auth}

    patch.setattr(Call, "sending", property(send))


def logs_the_key(patch: Patch) -> None:
    real = Call.build

    def build(self: Any, client: Any) -> Any:
        logging.getLogger("langchain_baseten").debug("key %s", self.auth._key.get_secret_value())
        return real(self, client)

    patch.setattr(Call, "build", build)


def repeats_an_echoed_key(patch: Patch) -> None:
    patch.setattr(Call, "_scrub", lambda _self, value: value)


def leaks_http_errors(patch: Patch) -> None:
    real = Call.fault

    def leak(self: Any, exception: Exception, answer: Any = None) -> BasetenError | None:
        return real(self, exception, answer) if isinstance(exception, BasetenError) else None

    patch.setattr(Call, "fault", leak)
