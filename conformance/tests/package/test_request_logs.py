"""What the HTTP library logs about a request holds no secret of that request."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

from conformance.tests.package.mock_service import MockService
from langchain_baseten._http.request_logs import redact_logs

# Of no other test: a request that waits for the garbage collector goes on redacting its own.
SECRET = "0nly-Here-0987654321xyz"
LOGGERS = ["httpx", "httpx2", "httpcore.http11", "httpcore2.proxy"]


class Request:
    def redact(self, value: Any) -> Any:
        return value.replace(SECRET, "[redacted]")


def in_a_context_of_its_own(work: Callable[[], None]) -> None:
    copy_context().run(work)


@pytest.mark.parametrize("name", LOGGERS)
def test_a_record_is_redacted_while_its_request_is_alive(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = Request()
    log = logging.getLogger(name)

    def work() -> None:
        redact_logs(request.redact)
        log.info("a %s of %d", SECRET, 7)
        log.info(SECRET)
        log.info("%(b)s", {"b": "of names"})

    in_a_context_of_its_own(work)
    assert caplog.messages == ["a [redacted] of 7", "[redacted]", "of names"]


def test_a_record_of_another_context_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    request = Request()
    in_a_context_of_its_own(lambda: redact_logs(request.redact))

    logging.getLogger("httpx").info("a %s", SECRET)

    assert caplog.messages == [f"a {SECRET}"]


def test_a_request_that_has_ended_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def work() -> None:
        redact_logs(Request().redact)
        gc.collect()
        logging.getLogger("httpx").info("a %s", SECRET)

    in_a_context_of_its_own(work)
    assert caplog.messages == [f"a {SECRET}"]


def test_where_nothing_is_logged_no_logger_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    logging.getLogger().setLevel(logging.WARNING)

    in_a_context_of_its_own(lambda: redact_logs(Request().redact))

    assert [logging.getLogger(name).filters for name in LOGGERS] == [[]] * len(LOGGERS)


@pytest.mark.parametrize("name", ["code", "sig"])
def test_the_url_that_is_logged_shows_no_credential(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    MockService().model(default_query={name: SECRET, "api-version": "7"}).invoke("Hi")

    assert f"?{name}=[redacted]&api-version=7" in caplog.text
    assert SECRET not in caplog.text
