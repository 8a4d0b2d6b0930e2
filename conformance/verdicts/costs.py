"""What conversations cost: how many requests, and about how many tokens.

Knows the usage that answers carry; must not know files, checks or limits.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Cost", "add_up", "count_answer", "read_payloads"]

_REFUSED = 400
_BLANK = re.compile(r"\r\n\r\n|\n\n|\r\r")
_DATA = re.compile(r"(?:^|[\r\n])data:([^\r\n]*)")
_CHARACTERS_PER_TOKEN = 4
_LONG = 2_000
_PICTURE = 1_000


class Cost(NamedTuple):
    """Requests that are sent, and tokens that the service counts for them."""

    requests: int
    tokens: int


def add_up(costs: Iterable[Cost]) -> Cost:
    """Return what several things cost together.

    Args:
        costs: What each of them costs.
    """
    each = list(costs)
    return Cost(sum(cost.requests for cost in each), sum(cost.tokens for cost in each))


def count_answer(status: int, request: str, answer: str) -> int:
    """Return the tokens of one exchange: what the answer counted, or else a guess by length.

    Args:
        status: HTTP status; what was refused costs nothing.
        request: The JSON body that was sent.
        answer: The body that came, JSON or a stream of events, as far as it came.
    """
    if status >= _REFUSED:
        return 0
    payloads = list(read_payloads(answer))
    counted = [_read_usage(each) for each in payloads]
    # A stream counts on from event to event, so the largest number is the last.
    return max(counted, default=0) or _guess([*read_payloads(request), *payloads])


def read_payloads(body: str) -> Iterator[Any]:
    """Yield the JSON of a body, or of each event of a stream; what is not JSON is left out.

    Args:
        body: The text, as far as it came.
    """
    body = body.removeprefix("\ufeff")  # the signature of UTF-8
    events = [_DATA.findall(event) for event in _BLANK.split(body)]
    for lines in events if any(events) else [[body]]:
        # One event may stand in several lines; some services set events apart by one line end.
        whole = _decode("\n".join(lines))
        yield from whole or [payload for line in lines for payload in _decode(line)]


def _decode(text: str) -> list[Any]:
    """Return what a text holds, alone in a list; nothing if it is not JSON."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


def _read_usage(payload: Any) -> int:
    usage = payload.get("usage") if isinstance(payload, dict) else None
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) else 0


def _guess(payload: Any) -> int:
    """Return about how many tokens all texts in a value have, at least one for each."""
    if isinstance(payload, dict):
        return sum(map(_guess, payload.values()))
    if isinstance(payload, list):
        return sum(map(_guess, payload))
    if not isinstance(payload, str):
        return 0
    # Data is not read letter by letter: a picture or a sound counts as a page or so.
    data = len(payload) > _LONG and not any(map(str.isspace, payload))
    return _PICTURE if data else -(-len(payload) // _CHARACTERS_PER_TOKEN)
