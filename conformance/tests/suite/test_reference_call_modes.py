from __future__ import annotations

from typing import Any

import pytest

from conformance.reference import Responder, respond
from conformance.reference.catalogue import HOSTED
from conformance.reference.dialects import DIALECTS
from conformance.reference.quirks import QUIRKS
from conformance.tests.package.call_modes import QUESTIONS, WAYS, mount, outcome
from conformance.tests.package.in_each import in_each

pytestmark = pytest.mark.untraced("the reference server is not measured")

FAMILIES = {model.family: slug for slug, model in reversed(list(HOSTED.items()))}
QUESTION = in_each("question", QUESTIONS)


async def ask_all(
    responder: Responder, lane: str, question: str, **settings: Any
) -> dict[str, Any]:
    """Ask in all four ways, and check that sync and async brought the same."""
    model = mount(responder, lane, **settings)
    found = {way: await outcome(model, question, way) for way in WAYS}
    assert found["invoke"] == found["ainvoke"]
    assert found["stream"] == found["astream"]
    return found


def says_something(outcome: dict[str, Any]) -> bool:
    return bool(outcome["text"].strip()) or outcome["calls"] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Rome"}),
    ]


@pytest.mark.parametrize("name", QUIRKS)
@QUESTION
async def test_a_quirk_is_the_same_in_all_four_ways(name: str, question: str) -> None:
    found = await ask_all(QUIRKS[name].mount(respond), "dedicated", question)
    if QUIRKS[name].ends == "same":
        assert found == await ask_all(respond, "dedicated", question)
        assert says_something(found["invoke"])


@pytest.mark.parametrize("name", DIALECTS)
@QUESTION
async def test_a_dialect_is_the_same_in_all_four_ways(name: str, question: str) -> None:
    found = await ask_all(respond, "model-apis", question, model=FAMILIES[name])
    assert found["invoke"] == found["stream"]
    assert says_something(found["invoke"])
