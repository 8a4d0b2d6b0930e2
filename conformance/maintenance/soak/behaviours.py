"""What the soak's server does with a request: the right responses, and one table of behaviours.

A row is what concurrent connections and retries may meet; bodies that are odd by themselves are in
`checks/faults`. Pure: must not know the client, nor any socket.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from conformance.reference.exchange import (
    DONE,
    AnswerPlan,
    BodyChunk,
    encode_event,
    plan_bytes,
    plan_json,
    plan_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.reference.exchange import Ending, ReceivedRequest

__all__ = [
    "BEHAVIOURS",
    "STRANGER",
    "Behaviour",
    "Outcome",
    "Request",
    "expect_text",
    "expect_vector",
    "read_request",
    "write_prompt",
]

STRANGER = "f" * 16
"""The nonce of a response that nobody requested."""
_PROMPT = re.compile(r"soak ([a-z0-9-]+) ([0-9a-f]{16})")
_KEY_END = 6
"""Characters of a key that a response repeats: enough to tell whose it is."""
_JSON, _EVENTS = "application/json", "text/event-stream"
_RAW = 0
"""The status of a plan without a head: its chunks are written as they are, then it is closed."""


@dataclass(frozen=True)
class Request:
    """One request, as far as a behaviour has to know it.

    Attributes:
        behaviour: The name of the behaviour that the prompt names.
        nonces: What has to come back, one for each prompt.
        stream: Whether it requests an event stream.
        embeddings: Whether it requests embeddings.
        key: Its API key.
        retry: Whether the same nonces were requested before.
    """

    behaviour: str
    nonces: tuple[str, ...]
    stream: bool = False
    embeddings: bool = False
    key: str = ""
    retry: bool = False


Respond: TypeAlias = "Callable[[Request], AnswerPlan]"


class Outcome(Enum):
    """What a behaviour comes to for its caller."""

    SUCCEEDS = "the right response, perhaps after a retry"
    FAILS = "an error"
    STALLS = "an error, which only a time limit brings"
    FLOODS = "an error, once so much memory is taken that one at a time is enough"


@dataclass(frozen=True)
class Behaviour:
    """One behaviour of the server.

    Attributes:
        respond: Returns the response to a request. With the ending `abort` the server writes
            nothing more, and waits until the client has gone.
        outcome: What it comes to.
        weight: How often it is drawn.
    """

    respond: Respond
    outcome: Outcome
    weight: int = 1


def write_prompt(behaviour: str, nonce: str) -> str:
    """Return the prompt that has the server behave so, and respond with the nonce."""
    return f"soak {behaviour} {nonce}"


def read_request(received: ReceivedRequest) -> Request:
    """Return what a request asks for; without a prompt of the soak, the behaviour is `plain`."""
    prompts = _PROMPT.findall(received.body.decode("utf-8", "replace"))
    return Request(
        behaviour=prompts[-1][0] if prompts and prompts[-1][0] in BEHAVIOURS else "plain",
        nonces=tuple(nonce for _, nonce in prompts) or ("0" * 16,),
        stream=b'"stream":true' in received.body.replace(b" ", b""),
        embeddings=received.path.endswith("/embeddings"),
        key=(received.header("authorization") or "").rpartition(" ")[2],
    )


# --- right responses ------------------------------------------------------------------------------


def expect_text(nonce: str, key: str) -> str:
    """Return the text of the right response to a nonce that came with a key."""
    return f"this is the response to {nonce} for {key[-_KEY_END:]} and nobody else"


def expect_vector(nonce: str, key: str) -> list[float]:
    """Return the right embedding: the nonce in four numbers, and a number for the key."""
    quarters = [float(int(nonce[at : at + 4], 16)) for at in range(0, 16, 4)]
    return [*quarters, float(sum(key[-_KEY_END:].encode()))]


def _respond(request: Request, headers: dict[str, str] | None = None) -> AnswerPlan:
    """Return the right response: a chunked stream, or a body with its length."""
    content: dict[str, Any] = {"id": "c-1", "created": 1, "model": "soaked"}
    text = expect_text(request.nonces[-1], request.key)
    if request.stream:
        deltas = [{"role": "assistant"}, *({"content": w} for w in re.findall(r"\S+ *", text))]
        choices: list[Any] = [{"index": 0, "delta": delta} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        events = [encode_event({**content, "choices": [choice]}) for choice in choices]
        return plan_stream([*events, DONE], _EVENTS, headers)
    content["usage"] = {"prompt_tokens": 3, "total_tokens": 3}
    if request.embeddings:
        vectors = [expect_vector(nonce, request.key) for nonce in request.nonces]
        content["data"] = [{"index": n, "embedding": v} for n, v in enumerate(vectors)]
    else:
        message = {"role": "assistant", "content": text}
        content["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return plan_json(200, content, headers)


# --- other behaviours -----------------------------------------------------------------------------


def _delay(plan: AnswerPlan, seconds: float) -> AnswerPlan:
    return replace(plan, chunks=tuple(replace(each, delay=seconds) for each in plan.chunks))


def _encode(plan: AnswerPlan) -> bytes:
    """Return a whole response as it is on the wire."""
    fields = {**dict(plan.headers), "content-length": str(len(plan.body))}
    lines = ("HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in fields.items()))
    return "\r\n".join((*lines, "", "")).encode() + plan.body


def _write(*data: bytes, ending: Ending = "complete") -> AnswerPlan:
    """Return a plan that writes bytes without a head."""
    return AnswerPlan(_RAW, (), tuple(map(BodyChunk, data)), ending)


def _close_while_idle(request: Request) -> AnswerPlan:
    plan = _write(_encode(_respond(request)), b"")
    return replace(plan, chunks=(plan.chunks[0], BodyChunk(b"", 0.005)))


def _add_a_response(request: Request) -> AnswerPlan:
    stranger = replace(request, nonces=(STRANGER,) * len(request.nonces))
    return _write(_encode(_respond(request)) + _encode(_respond(stranger)))


def _fail(status: int, message: str, headers: dict[str, str] | None = None) -> Respond:
    return lambda _: plan_json(status, {"error": {"message": message, "type": "x"}}, headers)


def _fail_busy(seconds: int) -> Respond:
    return _fail(429, "Too many requests", {"retry-after": str(seconds)})


def _once(first: Respond) -> Respond:
    """Return a behaviour that fails at the first attempt and responds to the next."""
    return lambda request: _respond(request) if request.retry else first(request)


def _break_off(request: Request, ending: Ending) -> AnswerPlan:
    plan = _respond(request)
    return replace(plan, chunks=(BodyChunk(plan.body[: len(plan.body) // 2]),), ending=ending)


def _drip(request: Request) -> AnswerPlan:
    """Return a response whose first 60 bytes take three seconds."""
    plan = _respond(request)
    drips = tuple(BodyChunk(plan.body[n : n + 1], 0.05) for n in range(60))
    return replace(plan, chunks=drips, ending="reset")


def _send_bad_json(request: Request) -> AnswerPlan:
    body = b'data: {"choices": [{"del\n\n"ta": \xff\xfe}]\n\n'
    return plan_bytes(200, _EVENTS if request.stream else _JSON, body)


@cache
def _pack_bomb() -> bytes:
    """Return 256 MB of zeros in a kilobyte."""
    return gzip.compress(gzip.compress(gzip.compress(bytes(256_000_000), compresslevel=1)))


def _send_bomb(_: Request) -> AnswerPlan:
    return plan_bytes(200, _JSON, _pack_bomb(), {"content-encoding": "gzip, gzip, gzip"})


def _send_without_end(request: Request, first: bytes) -> AnswerPlan:
    """Return 64 MB of one line: what has no end ends, for the machine's sake."""
    headers = (("content-type", _EVENTS if request.stream else _JSON),)
    return AnswerPlan(200, headers, (BodyChunk(first), *[BodyChunk(b"a" * 65_536)] * 1000))


def _echo_the_key(request: Request) -> AnswerPlan:
    text = f"Invalid key {request.key}, sent as 'Authorization: Bearer {request.key}'"
    return _fail(401, text, {"x-echo": request.key})(request)


# --- the table ------------------------------------------------------------------------------------

_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
_NOISE = bytes(range(256)) * 4 + b"\r\n\r\n"
_reset = partial(_write, ending="reset")

_SUCCEEDS, _FAILS, _STALLS, _FLOODS = Outcome

BEHAVIOURS: dict[str, Behaviour] = {
    "plain": Behaviour(_respond, _SUCCEEDS, 300),
    "slow": Behaviour(lambda request: _delay(_respond(request), 0.01), _SUCCEEDS, 60),
    "hints": Behaviour(lambda r: _write(_HINTS * 3 + _encode(_respond(r))), _SUCCEEDS, 16),
    "closes": Behaviour(lambda r: _respond(r, {"connection": "close"}), _SUCCEEDS, 16),
    "closes-while-idle": Behaviour(_close_while_idle, _SUCCEEDS, 16),
    "cookie": Behaviour(
        lambda r: _respond(r, {"set-cookie": f"who={r.nonces[-1]}; Path=/"}), _SUCCEEDS, 16
    ),
    "response-too-many": Behaviour(_add_a_response, _SUCCEEDS, 16),
    "resets-once": Behaviour(_once(lambda _: _reset()), _SUCCEEDS, 2),
    "busy-once": Behaviour(_once(_fail_busy(0)), _SUCCEEDS, 2),
    "fails-once": Behaviour(_once(_fail(500, "Internal server error")), _SUCCEEDS, 2),
    "resets": Behaviour(lambda _: _reset(), _FAILS),
    "resets-inside": Behaviour(partial(_break_off, ending="reset"), _FAILS, 2),
    "busy": Behaviour(_fail_busy(0), _FAILS),
    "busy-for-hours": Behaviour(_fail_busy(7200), _FAILS, 2),
    "fails": Behaviour(_fail(500, "Internal server error"), _FAILS),
    "noise": Behaviour(lambda _: _write(_NOISE), _FAILS),
    "bad-json": Behaviour(_send_bad_json, _FAILS, 2),
    "key-echo": Behaviour(_echo_the_key, _FAILS, 3),
    "silent": Behaviour(lambda _: _write(ending="abort"), _STALLS, 2),
    "silent-inside": Behaviour(partial(_break_off, ending="abort"), _STALLS, 2),
    "byte-by-byte": Behaviour(_drip, _STALLS),
    "bomb": Behaviour(_send_bomb, _FLOODS),
    "endless-line": Behaviour(partial(_send_without_end, first=b"data: "), _FLOODS),
    "endless-body": Behaviour(partial(_send_without_end, first=b'{"choices": "'), _FLOODS),
}
