"""What LangChain's own tests get: a model of the class's lane, and assets that need no network.

Knows what langchain-tests asks its subclasses for; must not know any target.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from traceback import extract_tb, walk_tb
from typing import Any

import pytest

from conformance.checks import assets
from conformance.libraries import LIBRARIES
from conformance.subjects.known_faults import DICTIONARY, KNOWN, OVERLOOKED, overlook
from conformance.subjects.subject import chosen
from conformance.subjects.traffic import (
    LOGGED_REFERENCE,
    UNREQUESTED,
    TrafficLog,
    is_usage_unrequested,
)
from conformance.verdicts.evidence import end_inapplicable

_BLOCKS = "content_tool_call"
"""How those tests name a call among the content blocks, once it was right in `tool_calls`."""

_FORMAT = "ls_structured_output_format"
_TRACED = "what a trace holds of a schema is for each maker to say"
_IMAGE = "LangChain's own block of an image"
_COUNTED = "usage.invoke.once"
_STREAMED = "streaming.sync.incremental"
_ANTHROPICS = "whether a client knows Anthropic's blocks is for each maker to say"
_FILLED = "isinstance(result, Joke)"


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
    """Hold another maker's client to what the claim of one of LangChain's tests promises."""
    traffic = TrafficLog()
    LOGGED_REFERENCE.logs.append(traffic)
    try:
        return (yield)
    except Exception as error:
        claim, reported = ("", "") if chosen().ours else _find_reported(item.name, error, traffic)
        if claim and overlook(claim, reported):
            end_inapplicable(OVERLOOKED[-1])
        if reported and not claim:
            end_inapplicable(reported)
        raise
    finally:
        LOGGED_REFERENCE.logs.remove(traffic)


def _find_reported(name: str, error: Exception, traffic: TrafficLog) -> tuple[str, str]:
    """Return which claim tells of what a test failed with, and what; no claim where none is needed.

    That streams are not asked for their usage is another check's, and so are content blocks,
    LangChain's own block of an image and pydantic classes. Anthropic's blocks are no claim's, nor
    is what a trace holds of a schema: those tests look at it once the answer was found to fit.
    """
    line = str(extract_tb(error.__traceback__)[-1].line)
    steps = [frame.f_locals for frame, _ in walk_tb(error.__traceback__)]
    filled = _FILLED in line and isinstance(steps[-1]["result"], dict)
    counting = "usage_metadata_streaming" in name
    unrequested = counting and any(map(is_usage_unrequested, traffic.sent))
    raised = not isinstance(error, AssertionError)
    causes = (
        (_BLOCKS in line, "", "blocks.whole.told and streaming.blocks.apart judge content blocks"),
        (_FORMAT in line or error.args == (_FORMAT,), "", _TRACED),
        (filled and "_v1" in name, "", "classes of pydantic 1 are for each maker to know"),
        (filled, "structured.invoke.default", DICTIONARY),
        (unrequested and not raised, "", UNREQUESTED),
        (counting and _COUNTED in KNOWN, _COUNTED, "the client reports no counts at all"),
        ("no chunks" in line and _STREAMED in KNOWN, _STREAMED, "the client asks for no stream"),
        (raised and "histories_list_content" in name, "", _ANTHROPICS),
        (raised and _gave_own_image(steps), "image.block.forms", f"{_IMAGE} raises {error!r}"),
    )
    return next(((claim, reported) for shown, claim, reported in causes if shown), ("", ""))


def _gave_own_image(steps: list[dict[str, Any]]) -> bool:
    """Whether LangChain's own block of an image was in the message that was refused.

    Those tests show the wire's form first.
    """
    shown = [step for step in steps if {"image_data", "message"} <= step.keys()]
    given: list[Any] = [step["message"].content for step in shown]
    return any(part["type"] == "image" for each in given for part in each)


@pytest.fixture(autouse=True)
def _aim_standard_suite(request: pytest.FixtureRequest) -> None:
    if "model" in request.fixturenames:
        request.instance.settings = request.getfixturevalue("settings")
