"""What goes into a responder and what comes out: plain values, no I/O.

Knows HTTP messages as data. Must not know Baseten, sockets or httpx.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

Ending: TypeAlias = Literal["complete", "abort", "reset"]
"""How a body ends: as its framing says, closed too early (FIN), or reset (RST)."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as a responder receives it.

    Attributes:
        method: Upper-case HTTP method.
        target: Path and query as on the request line.
        headers: Pairs in order of arrival, names in lower case. Kept out of the repr, which
            must never show a key.
        body: The raw body, empty when there is none.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        """Host name of the `Host` header in lower case, without the port; empty if absent."""
        return (self.header("host") or "").rpartition("@")[2].split(":")[0].lower()

    def header(self, name: str) -> str | None:
        """Return the first value of a header.

        Args:
            name: Header name in any case.

        Returns:
            The value, or None when the header was not sent.
        """
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    def json(self) -> Any:
        """Return the body decoded from JSON.

        Raises:
            ValueError: The body is not JSON or not UTF-8.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class BodyChunk:
    """A part of an answer's body that is written in one go.

    Attributes:
        data: The bytes.
        delay: Seconds to wait before they are written.
    """

    data: bytes
    delay: float = 0.0

    @property
    def event(self) -> Any:
        """The JSON object of a server-sent event, None for anything else."""
        payload = self.data.removeprefix(b"data: ").strip()
        return json.loads(payload) if payload.startswith(b"{") else None


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """A whole answer, decided before its first byte is written.

    Attributes:
        status: HTTP status code.
        headers: Pairs in the order they are sent. With no `content-length` the body is chunked.
        chunks: The body.
        ending: Whether the body is finished, closed early, or reset.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[BodyChunk, ...] = ()
    ending: Ending = "complete"

    @property
    def body(self) -> bytes:
        """All chunks joined."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def events(self) -> list[Any]:
        """The JSON events of a stream, `[DONE]` left out."""
        return [event for chunk in self.chunks if (event := chunk.event) is not None]

    @property
    def says_done(self) -> bool:
        """Whether a stream ends with `[DONE]`."""
        return bool(self.chunks) and self.chunks[-1].data == DONE

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return any(
            name.lower() == "content-type" and value.startswith("text/event-stream")
            for name, value in self.headers
        )

    def with_body(self, *data: bytes) -> AnswerPlan:
        """Return the same answer with another body, its framing kept honest.

        Args:
            data: The chunks of the new body.

        Returns:
            A new plan; `content-length` is recomputed if there was one.
        """
        size = str(sum(map(len, data)))
        headers = tuple(
            (name, size if name.lower() == "content-length" else value)
            for name, value in self.headers
        )
        return replace(self, headers=headers, chunks=tuple(map(BodyChunk, data)))

    def map_events(self, change: Callable[[Any], Any]) -> AnswerPlan:
        """Return a stream whose JSON events went through `change`.

        Args:
            change: Takes a decoded event, returns the one to send, or None to leave it out.
                `[DONE]` and answers that are no stream pass unchanged.

        Returns:
            A new plan.
        """
        if not self.is_stream:
            return self
        chunks = (_changed(chunk, change) for chunk in self.chunks)
        return replace(self, chunks=tuple(chunk for chunk in chunks if chunk is not None))

    def map_json(self, change: Callable[[Any], Any]) -> AnswerPlan:
        """Return a JSON answer whose body went through `change`; other answers unchanged.

        Args:
            change: Takes the decoded body, returns the one to send.

        Returns:
            A new plan.
        """
        kinds = [value for name, value in self.headers if name.lower() == "content-type"]
        if kinds != ["application/json"]:
            return self
        return self.with_body(encode_json(change(json.loads(self.body))))


Responder: TypeAlias = Callable[[ReceivedRequest], AnswerPlan]
"""Anything that answers a request. Wrap one to give it a defect."""


def make_request(
    url: str, body: Any = None, *, method: str = "POST", authorization: str | None = "Bearer key"
) -> ReceivedRequest:
    """Return the request that a client would send, for asking a responder directly.

    Args:
        url: Absolute URL.
        body: JSON value, or bytes to send as they are; None for no body.
        method: HTTP method.
        authorization: Value of that header; None to leave it out.

    Returns:
        The request.
    """
    parts = urlsplit(url)
    raw = body if isinstance(body, bytes) else b"" if body is None else encode_json(body)
    headers = [("host", parts.netloc), ("content-type", "application/json")]
    if authorization is not None:
        headers.append(("authorization", authorization))
    return ReceivedRequest(method, urlunsplit(("", "", *parts[2:4], "")), tuple(headers), raw)


# Made once: `json.dumps` makes one for each value that it encodes compactly.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode_json(value: Any) -> bytes:
    """Encode compactly in UTF-8, as the services here do.

    A lone surrogate, which JSON can smuggle in and UTF-8 cannot carry, becomes `?`.
    """
    return _ENCODER.encode(value).encode("utf-8", "replace")


def encode_event(value: Any) -> bytes:
    """Frame a JSON value as one server-sent event."""
    return b"data: " + encode_json(value) + b"\n\n"


DONE = b"data: [DONE]\n\n"
"""The end mark of a chat completion stream."""


def plan_bytes(
    status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None
) -> AnswerPlan:
    """Return a plan for a body that is sent whole.

    Args:
        status: HTTP status code.
        kind: The content type.
        body: The bytes.
        headers: Further headers.

    Returns:
        The plan, with its content length.
    """
    extra = tuple((headers or {}).items())
    named = (("content-type", kind), ("content-length", str(len(body))))
    return AnswerPlan(status, (*named, *extra), (BodyChunk(body),) if body else ())


def plan_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> AnswerPlan:
    """Return a plan for a JSON body; see `plan_bytes`."""
    return plan_bytes(status, "application/json", encode_json(value), headers)


def plan_stream(
    events: list[bytes], kind: str, headers: Mapping[str, str] | None = None
) -> AnswerPlan:
    """Return a plan for a chunked stream, one chunk per event."""
    named = (("content-type", kind), ("cache-control", "no-cache"))
    return AnswerPlan(200, (*named, *(headers or {}).items()), tuple(map(BodyChunk, events)))


def _changed(chunk: BodyChunk, change: Callable[[Any], Any]) -> BodyChunk | None:
    event = chunk.event
    if event is None:
        return chunk
    changed = change(event)
    return None if changed is None else replace(chunk, data=encode_event(changed))
