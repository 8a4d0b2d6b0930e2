"""What reached the application, and what of the expected answer is missing there.

Knows LangChain's messages and the oracle's reading; must not know the client, nor how an answer
was played. One check for each thing that an answer can lose.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from conformance.maintenance.corpus import oracle
from conformance.maintenance.corpus.oracle import Call, Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.messages import AIMessage, AIMessageChunk

_Parts: TypeAlias = "tuple[tuple[str, str, str], Sequence[Any], Sequence[Any]]"
"""Text, reasoning and refusal of a message; its valid tool calls; its invalid ones."""

SHOWN = 160
"""Characters of a value that a printed loss repeats."""

SENTENCE = 200
"""Characters of the server's sentence that an error must repeat."""


class Loss(NamedTuple):
    """One thing that did not arrive as it was sent; the values are shortened JSON."""

    what: str
    expected: str
    arrived: str


class Arrived(NamedTuple):
    """One answer as the application got it.

    Attributes:
        content: What the message holds, or the text of the chunks before an error.
        error: What was raised instead of, or after, an answer.
        once: For streams: how many chunks carried a usage and a finish reason.
    """

    content: Content = Content()
    error: BaseException | None = None
    once: dict[str, int] | None = None


def shorten(value: Any) -> str:
    """Write a value for a report.

    Args:
        value: Anything.

    Returns:
        Its JSON, with the middle left out when it is long.
    """
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}…{text[-SHOWN // 2 :]}"


def observe(message: AIMessage, output_version: str) -> Content:
    """Read a message as an application reads it.

    Args:
        message: An answer, or a sum of chunks.
        output_version: "v0" reads the classic fields, "v1" the content blocks.

    Returns:
        What the message holds; a call that is invalid has its raw text, and None for arguments.
    """
    read = _read_blocks if output_version == "v1" else _read_fields
    texts, valid, broken = read(message)
    calls = _sort_calls(message, valid, broken)
    return Content(*texts, calls, _read_usage(message), message.response_metadata)


def count_carriers(chunks: Sequence[AIMessageChunk]) -> dict[str, int]:
    """Count the chunks that carry what must come once.

    Args:
        chunks: The chunks of one stream.

    Returns:
        How many of them carry a usage, a finish reason, a model name and the last position.
    """
    metadata = [
        {k for k, v in chunk.response_metadata.items() if v is not None} for chunk in chunks
    ]
    return {
        "usage": sum(chunk.usage_metadata is not None for chunk in chunks),
        "finish_reason": sum("finish_reason" in one for one in metadata),
        "model_name": sum("model_name" in one for one in metadata),
        "last": sum(chunk.chunk_position == "last" for chunk in chunks),
    }


def _read_usage(message: AIMessage) -> dict[str, int] | None:
    usage = message.usage_metadata
    if usage is None:
        return None
    counts = {name: usage[name] for name in ("input_tokens", "output_tokens", "total_tokens")}
    inputs, outputs = usage.get("input_token_details", {}), usage.get("output_token_details", {})
    counts |= {"cache_read": inputs["cache_read"]} if "cache_read" in inputs else {}
    return counts | ({"reasoning": outputs["reasoning"]} if "reasoning" in outputs else {})


def _read_fields(message: AIMessage) -> _Parts:
    text = message.content if isinstance(message.content, str) else message.text
    reasoning = message.additional_kwargs.get("reasoning_content") or ""
    refusal = message.additional_kwargs.get("refusal") or ""
    return (text, reasoning, refusal), message.tool_calls, message.invalid_tool_calls


def _read_blocks(message: AIMessage) -> _Parts:
    blocks: list[Any] = list(message.content_blocks)
    # A refusal is either a block of its own or wrapped as a non-standard one.
    blocks = [b["value"] if b["type"] == "non_standard" else b for b in blocks]

    def join(kind: str) -> str:
        return "".join(b.get(kind) or "" for b in blocks if b.get("type") == kind)

    broken = [b for b in blocks if b.get("type") in {"invalid_tool_call", "tool_call_chunk"}]
    valid = [b for b in blocks if b.get("type") == "tool_call"]
    return (join("text"), join("reasoning"), join("refusal")), valid, broken


def _sort_calls(
    message: AIMessage, valid: Iterable[Any], broken: Iterable[Any]
) -> tuple[Call, ...]:
    # langchain-core completes cut arguments whenever it adds chunks. A client that lets it do so
    # is read by the raw text that the chunks kept.
    raw = {c["id"]: c["args"] or "" for c in getattr(message, "tool_call_chunks", [])}
    cut = {key for key, text in raw.items() if oracle.parse_args(text) is None}
    whole = [call for call in valid if call["id"] not in cut]
    invalid = [*broken, *({**call, "args": raw[call["id"]]} for call in valid if call["id"] in cut)]
    return (
        *(Call((c["id"] or "",), c["name"] or "", "", c["args"]) for c in whole),
        *(Call((c["id"] or "",), c["name"] or "", c["args"], None) for c in invalid),
    )


def find_losses(expected: Content, arrived: Arrived) -> list[Loss]:
    """Compare an answer with its recording.

    Args:
        expected: The oracle's reading.
        arrived: What the application got.

    Returns:
        One loss for each thing that differs; nothing when the answer arrived whole.
    """
    if expected.failure is not None or arrived.error is not None:
        return _check_failure(expected, arrived)
    names = ("text", "reasoning", "refusal", "usage")
    found = arrived.content
    losses = [_differ(name, getattr(expected, name), getattr(found, name)) for name in names]
    losses += (check(expected, found) for check in (_check_calls, _check_ids, _check_metadata))
    return [*chain.from_iterable(losses), *_check_once(expected, arrived.once)]


def _differ(what: str, expected: Any, arrived: Any) -> list[Loss]:
    # 1 == 1.0 == True in Python, but not in JSON: compare as text, keys sorted.
    left, right = (json.dumps(v, sort_keys=True, default=repr) for v in (expected, arrived))
    return [] if left == right else [Loss(what, shorten(expected), shorten(arrived))]


def _check_failure(expected: Content, arrived: Arrived) -> list[Loss]:
    failure, error = expected.failure, arrived.error
    if failure is None:
        return [Loss("answer", "an answer", shorten(error))]
    if error is None:
        return [Loss("error", failure.name, f"no error, text {shorten(arrived.content.text)}")]
    losses = []
    if failure.name not in {kind.__name__ for kind in type(error).__mro__}:
        losses.append(Loss("error class", failure.name, type(error).__name__))
    if failure.sentence[:SENTENCE] not in oracle.collapse(str(error)):
        losses.append(Loss("error sentence", failure.sentence[:SHOWN], str(error)[:SHOWN]))
    if failure.status is not None:
        losses += _differ("status_code", failure.status, getattr(error, "status_code", None))
        return losses
    return losses + _check_partial(expected, arrived, getattr(error, "partial", None))


def _check_partial(expected: Content, arrived: Arrived, partial: AIMessage | None) -> list[Loss]:
    kept = Content() if partial is None else observe(partial, "v0")
    losses = _differ("partial text", expected.text, kept.text)
    losses += _differ("partial reasoning", expected.reasoning, kept.reasoning)
    if arrived.once is not None:
        losses += _differ("text before the error", expected.text, arrived.content.text)
    return losses


def _check_calls(expected: Content, found: Content) -> list[Loss]:
    valid, broken = _divide(expected)
    whole, invalid = _divide(found)
    texts = [
        (call.name, _without_closing(call.text, broken[n].text if n < len(broken) else ""))
        for n, call in enumerate(invalid)
    ]
    return [
        *_differ(
            "tool calls", [(c.name, c.args) for c in valid], [(c.name, c.args) for c in whole]
        ),
        *_differ("invalid tool calls", [(c.name, c.text) for c in broken], texts),
    ]


def _divide(content: Content) -> tuple[list[Call], list[Call]]:
    """Return the calls that can be made, and the others."""
    valid = [call for call in content.calls if call.args is not None and call.name]
    return valid, [call for call in content.calls if call not in valid]


_CLOSINGS = frozenset({"]", "}", '"]', '"}', '""]', '""}'})
"""What a client may put behind cut arguments so that langchain-core does not complete them."""


def _without_closing(arrived: Any, expected: str) -> Any:
    closed = isinstance(arrived, str) and arrived.startswith(expected)
    return expected if closed and arrived[len(expected) :] in _CLOSINGS else arrived


def _check_ids(expected: Content, found: Content) -> list[Loss]:
    ids = [call.ids[0] for call in found.calls]
    if len(set(ids)) < len(ids) or not all(ids):
        return [Loss("tool call ids", "one id for each call", shorten(ids))]
    sent = [call.ids for call in expected.calls]
    shared = len({ids for of in sent for ids in of}) < sum(len(of) for of in sent)
    if shared or len(ids) != len(sent):
        return []
    strangers = set(ids) - {one for of in sent for one in of}
    unnamed = sum(not of for of in sent)
    return _differ("invented tool call ids", unnamed, len(strangers))


def _check_metadata(expected: Content, found: Content) -> list[Loss]:
    sent = {key: value for key, value in expected.metadata.items() if key != "logprobs"}
    losses = _differ("metadata", sent, {key: found.metadata.get(key) for key in sent})
    losses += _differ("model_provider", "baseten", found.metadata.get("model_provider"))
    if "finish_reason" not in sent and found.metadata.get("finish_reason") is not None:
        losses.append(Loss("finish_reason", "none", shorten(found.metadata["finish_reason"])))
    tokens = (found.metadata.get("logprobs") or {}).get("content") or []
    return losses + _differ("logprobs", expected.metadata.get("logprobs") or [], tokens)


def _check_once(expected: Content, once: dict[str, int] | None) -> list[Loss]:
    if once is None:
        return []
    due = {
        "usage": int(expected.usage is not None),
        "finish_reason": int("finish_reason" in expected.metadata),
        "model_name": int("model_name" in expected.metadata),
        "last": 1,
    }
    return _differ("chunks that carry it", due, once)
