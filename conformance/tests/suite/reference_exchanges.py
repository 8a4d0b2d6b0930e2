"""What the reference server answers, word for word: a file of exchanges, and what renews it.

`python -m conformance.tests.suite.reference_exchanges` writes the answers of today into the file,
to be reviewed in the diff. A new exchange is a name, a URL and a body. Knows how answers are
written down; must not know what they should be.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.reference import AnswerPlan, make_request, respond
from conformance.reference.exchange import DONE, encode_event, encode_json
from conformance.reference.quirks import QUIRKS

FILE = Path(__file__).with_suffix(".json")


def read_exchanges() -> list[dict[str, Any]]:
    """Return the exchanges of the file."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def ask(exchange: dict[str, Any]) -> dict[str, Any]:
    """Return an exchange with the answer of today.

    Args:
        exchange: Its name and `url`; the `body`, a text if it is no JSON; the `method` and the
            `authorization` if they are not the usual ones; the `quirk` that stands over the server.
    """
    body = exchange.get("body")
    request = make_request(
        exchange["url"],
        body.encode("latin-1") if isinstance(body, str) else body,
        method=exchange.get("method", "POST"),
        authorization=exchange.get("authorization", "Bearer key"),
    )
    quirk = exchange.get("quirk")
    plan = (QUIRKS[quirk].mount(respond) if quirk else respond)(request)
    requested = {key: value for key, value in exchange.items() if key not in _ANSWER}
    return requested | {"status": plan.status, "headers": dict(plan.headers)} | _describe(plan)


_ANSWER = ("status", "headers", "ending", "reads", "events", "answer", "text")


def _describe(plan: AnswerPlan) -> dict[str, Any]:
    """Return a body as its events or its JSON, where these are all there is to it; else as text."""
    ends = {} if plan.ending == "complete" else {"ending": plan.ending}
    for name, read, encode in (("events", _read_events, _encode), ("answer", _read, encode_json)):
        try:
            found = read(plan.body)
        except ValueError:
            continue
        if encode(found) == plan.body:
            reads = len(plan.chunks)
            odd = name == "events" and reads != len(found)
            return ends | ({"reads": reads} if odd else {}) | {name: found}
    return ends | {"text": plan.body.decode()}


def _read(body: bytes) -> Any:
    return json.loads(body)


def _read_events(body: bytes) -> list[Any]:
    parts = [part.removeprefix("data: ") for part in body.decode().split("\n\n")[:-1]]
    return [part if part == "[DONE]" else json.loads(part) for part in parts]


def _encode(events: list[Any]) -> bytes:
    return b"".join(DONE if each == "[DONE]" else encode_event(each) for each in events)


def write_exchanges(exchanges: Iterable[dict[str, Any]]) -> str:
    """Return the text of the file: a line for each part of an exchange, and for each event."""
    return "[\n" + ",\n".join(map(_write, exchanges)) + "\n]\n"


def _write(exchange: dict[str, Any]) -> str:
    lines = (f"  {json.dumps(key)}: {_lay_out(key, value)}" for key, value in exchange.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _lay_out(key: str, value: Any) -> str:
    if key != "events":
        return json.dumps(value, ensure_ascii=False)
    events = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in value)
    return f"[\n{events}\n  ]"


if __name__ == "__main__":
    FILE.write_text(write_exchanges(map(ask, read_exchanges())), encoding="utf-8")
