"""How checks read what a model returned, beside what the service sent.

Knows messages and tapped traffic; must not know how they were asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from conformance.subjects import connect
from conformance.subjects.expected_errors import expect_status, is_typed
from conformance.subjects.subject import chosen
from conformance.subjects.traffic import TrafficLog
from conformance.subjects.wire_answers import read_answer

__all__ = [
    "find_replayed",
    "judge_reading",
    "judge_refusal",
    "judge_taking",
    "opened",
    "read_finish",
    "read_reasoning",
    "tapped",
]


def judge_taking(model: Any, question: HumanMessage) -> None:
    """Fail if the service drops what stands beside a question's text, and does not say so.

    Args:
        model: The model.
        question: A text, and an image or audio.
    """
    contents: list[Any] = [question.content[:1], question.content]
    with tapped(model) as (tapped_model, traffic):
        bound = tapped_model.bind(temperature=0)
        texts = [bound.invoke([HumanMessage(content)]).text for content in contents]
    bare, whole = (read_answer(body).count("prompt_tokens") for body in traffic.answers)
    dropped = bare == whole and texts[0] == texts[1]
    sentence = f"the answer is the same without it, to a prompt of as many tokens ({whole})"
    assert not dropped, f"the service drops what stands beside the text: {sentence}"


@contextmanager
def tapped(model: Any) -> Iterator[tuple[Any, TrafficLog]]:
    """Give a model that works as the one given, and a log of its traffic.

    Args:
        model: A model aimed at the target; its cassette is around these calls, too.
    """
    with connect.tap(model) as (tapped_model, traffic):
        yield tapped_model, traffic


@asynccontextmanager
async def opened(model: Any) -> AsyncIterator[Any]:
    """Give the model, and close its connections on this event loop if it knows how to."""
    if not hasattr(model, "__aenter__"):
        yield model
        return
    async with model:
        yield model


def judge_reading(message: AIMessage, body: str) -> None:
    """Demand of a message what its own response holds: a model that samples repeats nothing.

    Args:
        message: What the client made of a response, invoked or streamed and added up.
        body: The response.

    Raises:
        AssertionError: Text or calls are not those of the response.
    """
    answer = read_answer(body)
    assert message.text == answer.text
    called = [(call["name"], call["args"]) for call in message.tool_calls]
    sent = [(call.name, call.value) for call in answer.calls if call.is_valid]
    assert called == sent, f"the service sent the calls {sent}; the message holds {called}"


def judge_refusal(errors: list[Exception], sentence: str) -> None:
    """Demand the typed error of a request that the service refused.

    Args:
        errors: What was raised.
        sentence: What our own error must say; `errors.sentence.kept` judges what others make of it.
    """
    assert errors, "the request is one that the service refuses, and nothing was raised"
    assert is_typed("invalid-request", errors[0])
    repeated = sentence in str(errors[0]) or not chosen().ours
    assert repeated, f"expected the service to say {sentence!r}; the error says {errors[0]}"
    expect_status(errors[0], 400)


def _name_reasoning() -> tuple[str, ...]:
    return ("reasoning_content",) if chosen().ours else ("reasoning_content", "reasoning")


def find_replayed(message: dict[str, Any]) -> Any:
    """Return the reasoning that goes back to the service in a message, under whatever name."""
    return next((reported for name in _name_reasoning() if (reported := message.get(name))), None)


def read_finish(message: AIMessage) -> str:
    """Return why an answer ended, as its metadata say."""
    reported = message.response_metadata.get("finish_reason")
    assert reported, "the service said why the answer ended; its metadata hold no finish_reason"
    return str(reported)


def read_reasoning(message: AIMessage) -> str:
    """Return a message's reasoning, wherever its maker keeps it."""
    kept = find_replayed(message.additional_kwargs)
    blocks: list[Any] = [] if kept else message.content_blocks
    return str(kept or "".join(b["reasoning"] for b in blocks if b["type"] == "reasoning"))
