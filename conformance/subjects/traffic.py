"""What went over the wire, noted on either side of it.

Knows requests and answers as they pass; must not know who sends them or what a check wants.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.reference import respond

if TYPE_CHECKING:
    from conformance.libraries import Request, Response
    from conformance.reference import AnswerPlan, ReceivedRequest

__all__ = [
    "LOGGED_REFERENCE",
    "UNREQUESTED",
    "LoggedReference",
    "TrafficLog",
    "is_usage_unrequested",
]

UNREQUESTED = "the streamed request does not ask for usage, as usage.stream.asked-for says"


def is_usage_unrequested(body: dict[str, Any]) -> bool:
    """Tell whether a request is streamed and does not ask for its usage."""
    wanted = (body.get("stream_options") or {}).get("include_usage")
    return bool(body.get("stream") and not wanted)


class TrafficLog:
    """What went over the wire.

    Attributes:
        sent: Bodies that left the client, decoded.
        answers: Bodies that came back, as text.
        statuses: HTTP statuses of these.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answers: list[str] = []
        self.statuses: list[int] = []

    def note_request(self, request: Request) -> None:
        """Keep what is sent."""
        self.sent.append(json.loads(request.content))

    def note_response(self, response: Response) -> None:
        """Keep what comes back; a stream arrives in one chunk behind this."""
        self.answers.append(response.read().decode("utf-8", "replace"))
        self.statuses.append(response.status_code)

    def note_exchange(self, request: ReceivedRequest, plan: AnswerPlan) -> None:
        """Keep what a server got, and what it is about to answer."""
        self.sent.append(request.json())
        self.answers.append(plan.body.decode("utf-8"))
        self.statuses.append(plan.status)


class LoggedReference:
    """The reference server, with logs of its traffic.

    Attributes:
        logs: Those that are kept; whoever adds one removes it.
    """

    def __init__(self) -> None:
        self.logs: list[TrafficLog] = []

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        """Answer as the reference server."""
        plan = respond(request)
        for traffic in self.logs if request.method != "GET" else ():
            traffic.note_exchange(request, plan)
        return plan


LOGGED_REFERENCE = LoggedReference()
"""What stands behind the session's server, which keeps logs of its traffic."""
