"""Servers that are not Baseten: the reference server and, built on it, the broken servers.

Everything here is sans-IO except `server` (sockets) and `transports` (mounts in HTTP clients).
"""

from __future__ import annotations

from conformance.reference.exchange import (
    AnswerPlan,
    BodyChunk,
    Ending,
    ReceivedRequest,
    Responder,
    make_request,
)
from conformance.reference.reference import ReferenceServer, respond
from conformance.reference.server import LoopbackServer
from conformance.reference.transports import AsyncResponderTransport, ResponderTransport

__all__ = [
    "AnswerPlan",
    "AsyncResponderTransport",
    "BodyChunk",
    "Ending",
    "LoopbackServer",
    "ReceivedRequest",
    "ReferenceServer",
    "Responder",
    "ResponderTransport",
    "make_request",
    "respond",
]
