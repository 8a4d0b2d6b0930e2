"""A live service to record from: the reference server on loopback, which may misbehave once.

Knows three checks and the environment that leads to it; must not know what any test makes of it.
"""

from __future__ import annotations

import os
from pathlib import Path

from conformance.recording.plan import Plan, RecordRequest, Task
from conformance.reference import respond
from conformance.reference.exchange import AnswerPlan, ReceivedRequest
from conformance.verdicts.costs import Cost

KEY = "sk-rehearsed-0123456789abcdef"
ROOT_FOLDER = Path(__file__).parents[3]
_FILE = "conformance/checks/features/test_metadata.py"
CHECKS = tuple(
    Task(
        f"model-apis/metadata/{name}.yaml",
        f"conformance/checks/features/test_metadata.py::{name}",
        "x",
    )
    for name in (
        "test_an_answer_that_calls_a_tool_says_so[model-apis-ask_whole]",
        "test_an_answer_that_calls_a_tool_says_so[model-apis-ask_in_pieces]",
        "test_an_answer_names_its_provider_its_model_and_its_id[model-apis-ask_whole]",
    )
)
REAL = Plan(CHECKS, Cost(3, 0))
LIVE = RecordRequest("live", ("model-apis",))


def surround(url: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith("BASETEN")}
    return {
        **found,
        "PYTHONPATH": str(ROOT_FOLDER),
        "BASETEN_API_KEY": KEY,
        "BASETEN_BASE_URL": f"{url}/v1",
    }


class Service:
    """The reference server, which does something else at one request."""

    def __init__(self, number: int = 0, plan: AnswerPlan | None = None) -> None:
        self.asked = 0
        self._number, self._plan = number, plan

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        self.asked += 1
        if self.asked == self._number and self._plan:
            return self._plan
        plan = respond(request)
        headers = (*plan.headers, ("set-cookie", f"k={KEY}"), ("x-request-id", "0a1b2c3d-4e5f"))
        return AnswerPlan(plan.status, headers, plan.pieces, plan.ending)
