"""What reached the application, and what of the expected answer is missing there.

Knows LangChain's messages and the oracle's reading; must not know the client, nor how an answer
was played. One check for each thing that an answer can lose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.maintenance.corpus import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.messages import AIMessage, AIMessageChunk

    from conformance.maintenance.corpus.oracle import Expected, Json

SHOWN = 160
"""Characters of a value that a printed loss repeats."""

SENTENCE = 200
"""Characters of the server's sentence that an error must repeat."""


class Loss(NamedTuple):
    """One thing that did not arrive as it was sent; the values are shortened JSON."""

    what: str
    expected: str
    arrived: str


class ArrivedCall(NamedTuple):
    """One tool call of a message; `args` is an object, or the raw text of an invalid call."""

    id: str
    name: str
    args: Any


@dataclass
class Arrived:
    """One answer as the application got it.

    Attributes:
        text: All visible text.
        reasoning: All reasoning text.
        refusal: The refusal's text.
        calls: The valid tool calls.
        invalid: The tool calls whose arguments are no JSON object, with their raw text.
        usage: Token counts under the oracle's names.
        metadata: `response_metadata`.
        error: What was raised instead of, or after, an answer.
        once: For streams: how many chunks carried a usage and a finish reason.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[ArrivedCall] = field(default_factory=list)
    invalid: list[ArrivedCall] = field(default_factory=list)
    usage: dict[str, int] | None = None
    metadata: Json = field(default_factory=dict)
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


def observe(message: AIMessage, output_version: str) -> Arrived:
    """Read a message as an application reads it.

    Args:
        message: An answer, or a sum of chunks.
        output_version: "v0" reads the classic fields, "v1" the content blocks.

    Returns:
        What the message holds.
    """
    arrived = Arrived(usage=_read_usage(message), metadata=message.response_metadata)
    (_read_blocks if output_version == "v1" else _read_fields)(message, arrived)
    return arrived


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


def _read_fields(message: AIMessage, arrived: Arrived) -> None:
    arrived.text = message.content if isinstance(message.content, str) else message.text
    arrived.reasoning = message.additional_kwargs.get("reasoning_content") or ""
    arrived.refusal = message.additional_kwargs.get("refusal") or ""
    _sort_calls(message, message.tool_calls, message.invalid_tool_calls, arrived)


def _read_blocks(message: AIMessage, arrived: Arrived) -> None:
    blocks: list[Any] = list(message.content_blocks)
    arrived.text = "".join(b["text"] for b in blocks if b["type"] == "text")
    arrived.reasoning = "".join(b.get("reasoning", "") for b in blocks if b["type"] == "reasoning")
    # A refusal is either a block of its own or wrapped as a non-standard one.
    inner = [b["value"] if b["type"] == "non_standard" else b for b in blocks]
    arrived.refusal = "".join(b["refusal"] for b in inner if b.get("type") == "refusal")
    broken = [b for b in blocks if b["type"] in {"invalid_tool_call", "tool_call_chunk"}]
    _sort_calls(message, [b for b in blocks if b["type"] == "tool_call"], broken, arrived)


def _sort_calls(
    message: AIMessage, valid: Iterable[Any], broken: Iterable[Any], arrived: Arrived
) -> None:
    # langchain-core completes cut arguments whenever it adds chunks. A client that lets it do so
    # is read by the raw text that the chunks kept.
    raw = {c["id"]: c["args"] or "" for c in getattr(message, "tool_call_chunks", [])}
    cut = {key for key, text in raw.items() if oracle.parse_args(text) is None}
    arrived.invalid = [_read_call(call) for call in broken]
    for call in map(_read_call, valid):
        if call.id in cut:
            arrived.invalid.append(call._replace(args=raw[call.id]))
        else:
            arrived.calls.append(call)


def _read_call(call: Any) -> ArrivedCall:
    return ArrivedCall(call["id"] or "", call["name"] or "", call["args"])


def find_losses(expected: Expected, arrived: Arrived) -> list[Loss]:
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
    losses = [_differ(name, getattr(expected, name), getattr(arrived, name)) for name in names]
    checks = (_check_calls, _check_ids, _check_metadata, _check_once)
    return [loss for of in (*losses, *(c(expected, arrived) for c in checks)) for loss in of]


def _differ(what: str, expected: Any, arrived: Any) -> list[Loss]:
    # 1 == 1.0 == True in Python, but not in JSON: compare as text, keys sorted.
    left, right = (json.dumps(v, sort_keys=True, default=repr) for v in (expected, arrived))
    return [] if left == right else [Loss(what, shorten(expected), shorten(arrived))]


def _check_failure(expected: Expected, arrived: Arrived) -> list[Loss]:
    failure, error = expected.failure, arrived.error
    if failure is None:
        return [Loss("answer", "an answer", shorten(error))]
    if error is None:
        return [Loss("error", failure.name, f"no error, text {shorten(arrived.text)}")]
    losses = []
    if failure.name not in {kind.__name__ for kind in type(error).__mro__}:
        losses.append(Loss("error class", failure.name, type(error).__name__))
    if failure.sentence[:SENTENCE] not in oracle.collapse(str(error)):
        losses.append(Loss("error sentence", failure.sentence[:SHOWN], str(error)[:SHOWN]))
    if failure.status is not None:
        losses += _differ("status_code", failure.status, getattr(error, "status_code", None))
        return losses
    return losses + _check_partial(expected, arrived, getattr(error, "partial", None))


def _check_partial(expected: Expected, arrived: Arrived, partial: AIMessage | None) -> list[Loss]:
    kept = Arrived() if partial is None else observe(partial, "v0")
    losses = _differ("partial text", expected.text, kept.text)
    losses += _differ("partial reasoning", expected.reasoning, kept.reasoning)
    if arrived.once is not None:
        losses += _differ("text before the error", expected.text, arrived.text)
    return losses


def _check_calls(expected: Expected, arrived: Arrived) -> list[Loss]:
    valid = [call for call in expected.calls if call.args is not None and call.name]
    broken = [call for call in expected.calls if call.args is None or not call.name]
    return [
        *_differ("tool calls", [(c.name, c.args) for c in valid], [c[1:] for c in arrived.calls]),
        *_differ(
            "invalid tool calls",
            [(c.name, c.text) for c in broken],
            [
                (call.name, _without_closing(call.args, broken[n].text if n < len(broken) else ""))
                for n, call in enumerate(arrived.invalid)
            ],
        ),
    ]


_CLOSINGS = frozenset({"]", "}", '"]', '"}', '""]', '""}'})
"""What a client may put behind cut arguments so that langchain-core does not complete them."""


def _without_closing(arrived: Any, expected: str) -> Any:
    closed = isinstance(arrived, str) and arrived.startswith(expected)
    return expected if closed and arrived[len(expected) :] in _CLOSINGS else arrived


def _check_ids(expected: Expected, arrived: Arrived) -> list[Loss]:
    ids = [call.id for call in (*arrived.calls, *arrived.invalid)]
    if len(set(ids)) < len(ids) or not all(ids):
        return [Loss("tool call ids", "one id for each call", shorten(ids))]
    sent = [call.ids for call in expected.calls]
    shared = len({ids for of in sent for ids in of}) < sum(len(of) for of in sent)
    if shared or len(ids) != len(sent):
        return []
    strangers = set(ids) - {one for of in sent for one in of}
    unnamed = sum(not of for of in sent)
    return _differ("invented tool call ids", unnamed, len(strangers))


def _check_metadata(expected: Expected, arrived: Arrived) -> list[Loss]:
    sent = {key: value for key, value in expected.metadata.items() if key != "logprobs"}
    losses = _differ("metadata", sent, {key: arrived.metadata.get(key) for key in sent})
    losses += _differ("model_provider", "baseten", arrived.metadata.get("model_provider"))
    if "finish_reason" not in sent and arrived.metadata.get("finish_reason") is not None:
        losses.append(Loss("finish_reason", "none", shorten(arrived.metadata["finish_reason"])))
    tokens = (arrived.metadata.get("logprobs") or {}).get("content") or []
    return losses + _differ("logprobs", expected.metadata.get("logprobs") or [], tokens)


def _check_once(expected: Expected, arrived: Arrived) -> list[Loss]:
    if arrived.once is None:
        return []
    due = {
        "usage": int(expected.usage is not None),
        "finish_reason": int("finish_reason" in expected.metadata),
        "model_name": int("model_name" in expected.metadata),
        "last": 1,
    }
    return _differ("chunks that carry it", due, arrived.once)
