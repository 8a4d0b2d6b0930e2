"""JSON text as RFC 8259 defines it: reading, writing, and what Python's parser takes besides.

Knows text only. Python accepts NaN, Infinity and lone surrogates; engines refuse all three.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from langchain_baseten.exceptions import BasetenRequestError

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def parse_body(text: str) -> Any:
    """Return a body as JSON where it is JSON, else as the text it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def decode_event(data: bytes) -> Any:
    """Return an event's data as JSON, or None where it is none.

    Broken UTF-8 becomes replacement characters: one bad byte must not cost the whole stream.
    """
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def parse_strictly(text: str) -> Any:
    """Return the value that a JSON text holds.

    Raw control characters inside strings are accepted, as models write them; NaN and Infinity are
    not (RFC 8259 §6).

    Args:
        text: The text, with nothing around the value but white space.

    Raises:
        ValueError: If the text is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text, strict=False, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None


def parse_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None where it is anything else.

    Args:
        text: The text, parsed by `parse_strictly`.
    """
    try:
        value = parse_strictly(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def dump_json(value: Any) -> bytes:
    """Return a value as JSON bytes.

    Raises:
        BasetenRequestError: If it is not JSON, or holds a lone surrogate.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except UnicodeEncodeError as flaw:
        around = flaw.object[max(0, flaw.start - 20) : flaw.end + 20]
        reason = f"a text holds half of a surrogate pair, near {around!a}"
    except (TypeError, ValueError, RecursionError) as flaw:
        reason = str(flaw)
    raise BasetenRequestError(
        f"The request is not JSON, so nothing was sent: {reason}. Everything in messages, tools, "
        "model_kwargs and extra_body must be strings, finite numbers, booleans, lists and dicts."
    )


def join_surrogates(text: str) -> str:
    """Return text that UTF-8 can encode: pairs joined, lone surrogates replaced by U+FFFD.

    JSON may write an emoji as two escapes, and a stream may cut between them (RFC 8259 §8.2).
    """
    if not _LONE_SURROGATE.search(text):
        return text
    joined = _PAIR.sub(lambda pair: _join(pair[0]), text)
    return _LONE_SURROGATE.sub("\ufffd", joined)


def _join(pair: str) -> str:
    return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
