"""Keeps secrets out of what the HTTP library logs about a request.

Knows that httpx and httpx2 log the URL of each request (`_client.py`, `_send_single_request`), and
httpcore and httpcore2, at level DEBUG, the headers of each response (`_trace.py`): a server may
repeat the key there.
"""

from __future__ import annotations

import logging
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CORE = ("connection", "http11", "http2", "proxy", "socks")
_LEVELS = {
    **dict.fromkeys(("httpx", "httpx2"), logging.INFO),
    **{f"{core}.{part}": logging.DEBUG for core in ("httpcore", "httpcore2") for part in _CORE},
}
_LOGGERS = [(logging.getLogger(name), level) for name, level in _LEVELS.items()]
"""The loggers, and the level at which each shows something of a request."""

_redact: ContextVar[Callable[[], Callable[[Any], Any] | None]] = ContextVar("redact")
"""What redacts the request under way in this context; a weak reference, so that it ends with it."""


def redact_logs(redact: Callable[[Any], Any]) -> None:
    """Have what is logged in this context redacted, as long as the request is alive.

    A filter of the loggers is the one way that changes nothing but the log: signatures and test
    transports read the request itself. Records of other contexts are left alone.

    Args:
        redact: A method of the request, which returns a value without its secrets.
    """
    shown = [log for log, level in _LOGGERS if log.isEnabledFor(level)]
    for log in shown:
        log.addFilter(_redact_record)  # changes nothing if it is there
    if shown:
        _redact.set(weakref.WeakMethod(redact))


def _redact_record(record: logging.LogRecord) -> bool:
    redact = _redact.get(_nothing)()
    if redact is not None:
        record.msg = redact(str(record.msg))
        if isinstance(record.args, tuple):
            record.args = tuple(a if isinstance(a, int) else redact(str(a)) for a in record.args)
    return True


def _nothing() -> None:
    """Return nothing, in the place of a reference, where no request is under way."""
