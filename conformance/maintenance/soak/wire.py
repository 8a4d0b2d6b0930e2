"""What the soak's server can write: heads, whole answers, and the steps that a script is made of.

Pure: bytes in and bytes out. Must not know who misbehaves, nor any socket.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Asked",
    "End",
    "Step",
    "answer_text",
    "answer_vector",
    "frame",
    "read_request",
    "reply",
    "write_pieces",
    "write_prompt",
]

_PROMPT = re.compile(r"soak ([a-z0-9-]+) ([0-9a-f]{16})")
_KEY = re.compile(rb"(?i)\r\nauthorization: *(?:api-key|bearer) +(\S+)")
_COOKIE = re.compile(rb"(?i)\r\ncookie *:")
_TAIL = 6
"""Characters of a key that an answer repeats: enough to tell whose it is, too few to be secret."""


class End(Enum):
    """What ends a script before its steps do."""

    LINGER = "write nothing more until the client has gone"
    CUT = "drop the connection, whatever is still unsent"
    SHUT = "close the connection after what was written"


Step: TypeAlias = bytes | float | End
"""Bytes to write, seconds to write nothing, or an end."""


@dataclass(frozen=True)
class Asked:
    """One request, as far as a script has to know it.

    Attributes:
        conduct: The name of the behaviour that the prompt asks for.
        nonces: What has to come back: one for each text.
        streamed: Whether an event stream is asked for.
        vectors: Whether embeddings are asked for.
        key: The API key that came with it.
        cookie: Whether a cookie came with it.
        tries: How often these nonces were asked for before.
    """

    conduct: str
    nonces: tuple[str, ...]
    streamed: bool = False
    vectors: bool = False
    key: str = ""
    cookie: bool = False
    tries: int = 0

    @property
    def kind(self) -> str:
        """Content type of the answer."""
        return "text/event-stream" if self.streamed else "application/json"


def write_prompt(conduct: str, nonce: str) -> str:
    """Return the text that asks for a behaviour."""
    return f"soak {conduct} {nonce}"


def answer_text(nonce: str, key: str) -> str:
    """Return the one right answer to a nonce that came with a key."""
    return f"this is the answer to {nonce} for {key[-_TAIL:]} and nobody else"


def answer_vector(nonce: str, key: str) -> list[float]:
    """Return the one right vector: the nonce in four numbers, then a number for the key."""
    words = [float(int(nonce[at : at + 4], 16)) for at in range(0, 16, 4)]
    return [*words, float(sum(key[-_TAIL:].encode()))]


def read_request(head: bytes, body: bytes) -> Asked:
    """Return what a request asks for; without a prompt of the soak, the conduct is `plain`."""
    found = _PROMPT.findall(body.decode("utf-8", "replace"))
    key = _KEY.search(head)
    return Asked(
        conduct=found[-1][0] if found else "plain",
        nonces=tuple(nonce for _, nonce in found) or ("0" * 16,),
        streamed=b'"stream":true' in body.replace(b" ", b""),
        vectors=b"/embeddings" in head.partition(b"\r\n")[0],
        key=key[1].decode("ascii", "replace") if key else "",
        cookie=_COOKIE.search(head) is not None,
    )


def write_pieces(asked: Asked) -> list[bytes]:
    """Return the body of the right answer, in the pieces in which it is sent."""
    if asked.streamed:
        return [*_write_events(asked), b"data: [DONE]\n\n"]
    whole = json.dumps(_write_vectors(asked) if asked.vectors else _write_message(asked)).encode()
    third = len(whole) // 3
    return [whole[:third], whole[third : 2 * third], whole[2 * third :]]


def _write_events(asked: Asked) -> Iterator[bytes]:
    words = re.findall(r"\S+ *", answer_text(asked.nonces[-1], asked.key))
    for place, word in enumerate(words):
        role = {"role": "assistant"} if not place else {}
        yield _event({"delta": {**role, "content": word}, "index": 0, "finish_reason": None})
    yield _event({"delta": {}, "index": 0, "finish_reason": "stop"})


def _event(choice: dict[str, Any]) -> bytes:
    chunk = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "soaked"}
    return b"data: " + json.dumps({**chunk, "choices": [choice]}).encode() + b"\n\n"


def _write_message(asked: Asked) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer_text(asked.nonces[-1], asked.key)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    whole = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "soaked"}
    return {**whole, "choices": [choice], "usage": usage}


def _write_vectors(asked: Asked) -> dict[str, Any]:
    vectors = [answer_vector(nonce, asked.key) for nonce in asked.nonces]
    rows = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "model": "soaked", "data": rows, "usage": usage}


def frame(
    status: str,
    pieces: Iterable[bytes],
    *headers: str,
    kind: str = "application/json",
    pause: float = 0.0,
) -> Iterator[Step]:
    """Yield a complete response in chunked framing.

    Args:
        status: Code and reason.
        pieces: The body; each is a chunk of its own.
        headers: Further header lines.
        kind: The content type.
        pause: Seconds before each piece.
    """
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Transfer-Encoding: chunked", *headers)
    yield "\r\n".join((*lines, "", "")).encode()
    for piece in pieces:
        if pause:
            yield pause
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def reply(asked: Asked, *headers: str, pause: float = 0.0) -> Iterator[Step]:
    """Yield the right answer: chunked for a stream, with its length for a body."""
    pieces = write_pieces(asked)
    if asked.streamed:
        yield from frame("200 OK", pieces, *headers, kind=asked.kind, pause=pause)
        return
    length = f"Content-Length: {sum(map(len, pieces))}"
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {asked.kind}", length, *headers, "", "")
    yield "\r\n".join(lines).encode()
    yield from (step for piece in pieces for step in ((pause, piece) if pause else (piece,)))
