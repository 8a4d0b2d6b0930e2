"""Servers that are not Baseten: the reference peer and, built on it, the deviants.

Everything here is sans-IO except `server` (sockets) and `transports` (mounts in HTTP clients).
"""

from __future__ import annotations

from conformance.reference.exchange import (
    AnswerPlan,
    BodyPiece,
    Ending,
    Peer,
    PeerRequest,
    make_request,
)
from conformance.reference.reference import ReferencePeer, respond
from conformance.reference.server import PeerServer
from conformance.reference.transports import AsyncPeerTransport, PeerTransport

__all__ = [
    "AnswerPlan",
    "AsyncPeerTransport",
    "BodyPiece",
    "Ending",
    "Peer",
    "PeerRequest",
    "PeerServer",
    "PeerTransport",
    "ReferencePeer",
    "make_request",
    "respond",
]
