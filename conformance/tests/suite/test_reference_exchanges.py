"""What the reference server answers: every exchange of the file `reference_exchanges.json`."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.reference.catalogue import HOSTED
from conformance.reference.dialects import DIALECTS
from conformance.reference.quirks import QUIRKS
from conformance.tests.package.in_each import in_each
from conformance.tests.suite.reference_exchanges import FILE, ask, read_exchanges, write_exchanges

pytestmark = pytest.mark.untraced("the reference server is not measured")

EXCHANGES = read_exchanges()


@in_each("exchange", {each["name"]: each for each in EXCHANGES})
def test_an_answer_is_the_one_that_was_reviewed(exchange: dict[str, Any]) -> None:
    assert ask(exchange) == exchange, (
        "renew it: python -m conformance.tests.suite.reference_exchanges"
    )


def test_every_exchange_has_a_name_of_its_own_and_the_file_is_as_it_is_written() -> None:
    assert len({each["name"] for each in EXCHANGES}) == len(EXCHANGES)
    assert FILE.read_text(encoding="utf-8") == write_exchanges(EXCHANGES)


def test_every_dialect_is_asked_to_speak_and_to_call_invoked_and_streamed() -> None:
    requested = {
        (HOSTED[body["model"]].family, bool(body.get("tools")), bool(body.get("stream")))
        for body in (each.get("body") for each in EXCHANGES)
        if isinstance(body, dict) and body.get("model") in HOSTED
    }
    each_way = [(tools, streamed) for tools in (True, False) for streamed in (True, False)]
    assert {(name, *way) for name in DIALECTS for way in each_way} <= requested


def test_every_quirk_is_asked_to_call_invoked_and_streamed() -> None:
    requested = {
        (each["quirk"], bool(each["body"].get("stream"))) for each in EXCHANGES if "quirk" in each
    }
    assert {(name, streamed) for name in QUIRKS for streamed in (True, False)} <= requested
