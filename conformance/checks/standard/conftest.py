"""What LangChain's own tests get: a model of the class's lane, and assets that need no network.

Knows what langchain-tests asks its subclasses for; must not know any target.
"""

from __future__ import annotations

from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import pytest

from conformance.checks import assets
from conformance.libraries import LIBRARIES
from conformance.subjects.subject import chosen
from conformance.subjects.traffic import (
    LOGGED_REFERENCE,
    UNREQUESTED,
    TrafficLog,
    is_usage_unrequested,
)
from conformance.verdicts.evidence import end_inapplicable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


_BLOCKS = "content_tool_call"
"""How those tests name a call among the content blocks, once it was right in `tool_calls`."""

_FORMAT = "ls_structured_output_format"
_TRACED = "what a trace is told of a schema is for each maker to say"


@pytest.fixture(autouse=True)
def _own_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "langchain-baseten conformance suite")
    for library in LIBRARIES.values():
        monkeypatch.setattr(library, "get", _serve_assets(library.get))


def _serve_assets(get: Callable[..., Any]) -> Callable[..., Any]:
    """Return what gets assets, and lets a client get what it wants of the server beside it."""

    def choose(url: Any, **options: Any) -> Any:
        beside = str(url).startswith("http://127.0.0.1:")
        return (get if beside else assets.serve)(url, **options)

    return choose


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold another maker's client to what the claim of one of LangChain's tests promises.

    That streams are not asked for their usage is another check's, and so are content blocks; what a
    trace is told of a schema is no claim's: those tests look at it once the answer has been found
    to fit.
    """
    traffic = TrafficLog()
    LOGGED_REFERENCE.logs.append(traffic)
    try:
        return (yield)
    except AssertionError as error:
        if _BLOCKS in str(extract_tb(error.__traceback__)[-1].line) and not chosen().ours:
            end_inapplicable("blocks.whole.told and streaming.blocks.apart judge content blocks")
        if _FORMAT in str(extract_tb(error.__traceback__)[-1].line) and not chosen().ours:
            end_inapplicable(_TRACED)
        counting = "usage_metadata_streaming" in item.name and not chosen().ours
        if counting and any(map(is_usage_unrequested, traffic.sent)):
            end_inapplicable(UNREQUESTED)
        raise
    except KeyError as missing:
        if missing.args == (_FORMAT,) and not chosen().ours:
            end_inapplicable(_TRACED)
        raise
    finally:
        LOGGED_REFERENCE.logs.remove(traffic)


@pytest.fixture(autouse=True)
def _aim_standard_suite(request: pytest.FixtureRequest) -> None:
    if "model" in request.fixturenames:
        request.instance.settings = request.getfixturevalue("settings")
