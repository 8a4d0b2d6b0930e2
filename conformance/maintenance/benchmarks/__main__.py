"""`python -m conformance.maintenance.benchmarks`: costs of a call and a chunk as ratios to a floor.

Both models read the same bytes in turns within one run, so that a busy machine slows both. CPU time
of this process, in microseconds; the median of the rounds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx2

from conformance.maintenance.benchmarks.floor import FloorModel
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Callable

_EVENTS = 1000
_ROUNDS = 15
_CALLS = 100


def _event(**fields: Any) -> bytes:
    shared = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**shared, **fields}).encode() + b"\n\n"


def _stream_body() -> bytes:
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    said = [
        _event(choices=[{"index": 0, "delta": {"content": f" word{n}"}}], usage=usage)
        for n in range(_EVENTS)
    ]
    end = _event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=usage)
    return b"".join(said) + end + b"data: [DONE]\n\n"


_STREAM = _stream_body()
_ANSWER = {
    "id": "c",
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
}


def _answer(request: httpx2.Request) -> httpx2.Response:
    if json.loads(request.content).get("stream"):
        return httpx2.Response(200, content=_STREAM)
    return httpx2.Response(200, json=_ANSWER)


def _cost(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1e6


def compare(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the median cost of two pieces of work done in turns, in microseconds."""
    pairs = [(_cost(first), _cost(second)) for _ in range(_ROUNDS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def main() -> int:
    """Print the ratios."""
    client = httpx2.Client(transport=httpx2.MockTransport(_answer))
    floor = FloorModel(http_client=client)
    model = ChatBaseten(model="m", api_key="k", http_client=client)
    works: dict[str, tuple[int, Callable[[Any], Callable[[], object]]]] = {
        "a streamed chunk": (_EVENTS, lambda m: lambda: list(m.stream("Hi"))),
        "a call": (_CALLS, lambda m: lambda: [m.invoke("Hi") for _ in range(_CALLS)]),
    }
    for name, (count, work) in works.items():
        least, ours = compare(work(floor), work(model))
        ratio = ours / least
        print(f"{name}: {ours / count:.1f} µs, floor {least / count:.1f} µs, ratio {ratio:.2f}")
    made = [_cost(lambda: ChatBaseten(model="m", api_key="k")) for _ in range(200)]
    print(f"construction: {statistics.median(made):.0f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
