"""What a responder says: the same answer for the same order, on both lanes.

Decides text, reasoning, calls and where they are cut. Must not know how they are worded on the
wire. Every answer repeats something of its prompt, so that answers can be told apart.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from conformance.reference.calls import Call, choose_calls
from conformance.reference.schemas import Material, fill_schema
from conformance.reference.tokens import spend_tokens, split_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.reference.prompts import Prompt

_REPEAT = re.compile(r"\s*repeat after me:\s?(.*)", re.IGNORECASE | re.DOTALL)
_COUNT = re.compile(r"\bcount\b.*?\bto (\d+|ten)\b", re.IGNORECASE)
_LONG = re.compile(r"\b(?:write|story|stories|essay|poem|haikus?|explain|detail)\b", re.IGNORECASE)
_PARAGRAPH = (
    "The harbour wakes before the town does. Nets are mended, boats are counted, and the oldest "
    "cat on the pier inspects each crate as if it had been ordered for him. By noon the fog is "
    "gone; the lighthouse, useless in the sun, keeps turning all the same."
)
_KEY = re.compile(r"['\"`](\w+)['\"`]")
_CACHE_FLOOR = 128
_CACHE_BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a request asks for, in the terms that both lanes share.

    Attributes:
        prompt: The conversation.
        tools: Tools as sent.
        choice: `tool_choice` as sent.
        parallel: Whether more than one call may be made.
        form: `response_format` as sent.
        stops: Stop sequences.
        budget: Most tokens to spend, None for no limit.
        thinks: Whether to reason first.
        effort: `reasoning_effort` as sent; named in the reasoning.
        framed: Reasoning and text are set apart by line breaks, as Qwen's template does.
        remarks: A sentence precedes the calls.
    """

    prompt: Prompt
    tools: Sequence[Mapping[str, Any]] = ()
    choice: Any = None
    parallel: bool = True
    form: Mapping[str, Any] | None = None
    stops: tuple[str, ...] = ()
    budget: int | None = None
    thinks: bool = False
    effort: str | None = None
    framed: bool = False
    remarks: bool = False

    @property
    def json_mode(self) -> bool:
        """Whether the answer must be JSON."""
        return self.form is not None and self.form.get("type") in ("json_object", "json_schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer's text, cut into tokens.

    Attributes:
        reasoning: Tokens of the reasoning.
        text: Tokens of the text.
        calls: Tool calls; the last one's arguments may be cut.
        finish: Why it ends.
        stop: The stop sequence that ended it.
        cut_calls: The budget ended inside the calls.
        prompt_tokens: Tokens of the prompt.
    """

    reasoning: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    finish: Literal["stop", "length", "tool_calls"] = "stop"
    stop: str | None = None
    cut_calls: bool = False
    prompt_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Number of tokens of the answer."""
        called = sum(len(call_tokens(call)) for call in self.calls)
        return len(self.reasoning) + len(self.text) + called

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens read from the cache.

        A responder keeps no state, so the rule stands in for one: of a prompt longer than 128
        tokens all whole blocks of 64 tokens were seen before, except that the last token never was.
        """
        if self.prompt_tokens <= _CACHE_FLOOR:
            return 0
        return (self.prompt_tokens - 1) // _CACHE_BLOCK * _CACHE_BLOCK


def call_tokens(call: Call) -> tuple[str, ...]:
    """Return the tokens that a call costs."""
    return (call.name, *split_tokens(call.arguments))


def compose_answer(order: Order) -> Answer:
    """Answer an order.

    Args:
        order: What is asked for.

    Returns:
        The answer, after stop sequences and the budget.
    """
    calls = choose_calls(
        order.prompt.text, order.tools, order.choice, answers_tool=order.prompt.answers_tool
    )
    calls = calls if order.parallel else calls[:1]
    text = _remark(order, calls) if calls else _say(order)
    whole = Answer(
        reasoning=split_tokens(_think(order)),
        text=split_tokens(f"\n\n{text}" if order.framed and order.thinks else text),
        calls=calls,
        finish="tool_calls" if calls else "stop",
        prompt_tokens=order.prompt.tokens,
    )
    return _limit(_stop(whole, order.stops), order.budget)


def _think(order: Order) -> str:
    if not order.thinks:
        return ""
    effort = f" My effort is {order.effort}." if order.effort else ""
    thought = f"The user wrote {_quote(order.prompt.text)}.{effort} I know what to say."
    return f"\n{thought}\n" if order.framed else thought


def _remark(order: Order, calls: Sequence[Call]) -> str:
    return f"I will call {' and '.join(call.name for call in calls)}." if order.remarks else ""


def _say(order: Order) -> str:
    if order.json_mode:
        return json.dumps(_make_json(order), ensure_ascii=False)
    prompt = order.prompt
    repeated = _REPEAT.match(prompt.text)
    if repeated:
        return repeated[1]
    return " ".join(filter(None, (_main(prompt), *_asides(prompt))))


def _main(prompt: Prompt) -> str:
    if prompt.results:
        return f"The tool answered {' and '.join(map(_quote, prompt.results))}."
    counted = _COUNT.search(prompt.text)
    if counted:
        last = 10 if counted[1] == "ten" else min(int(counted[1]), 10_000)
        return ", ".join(map(str, range(1, last + 1)))
    text = f"You said {_quote(prompt.text)}."
    return f"{text} {_PARAGRAPH}" if _LONG.search(prompt.text) else text


def _asides(prompt: Prompt) -> list[str]:
    return [
        f"I got the {', the '.join(prompt.media)}." if prompt.media else "",
        f"Your name is {prompt.speaker}." if prompt.speaker else "",
        f"My instructions are {_quote(prompt.system)}." if prompt.system else "",
        f"This conversation has {prompt.turns} messages." if prompt.turns > 1 else "",
    ]


def _make_json(order: Order) -> Any:
    form = order.form or {}
    text = order.prompt.text
    if form["type"] == "json_schema":
        return fill_schema(form["json_schema"].get("schema") or {"type": "object"}, Material(text))
    sentence = f"{order.prompt.system} {text}"
    shown = _find_schema(sentence)
    if shown is not None:
        return fill_schema(shown, Material(text))
    material = Material(text, subjects=())
    keys = _KEY.findall(sentence) or ["answer"]
    return {key: material.take_word(key) for key in keys}


def _find_schema(text: str) -> Mapping[str, Any] | None:
    """Return the JSON schema that format instructions carry in the prompt, if any.

    Instructions show an example first and the schema meant last.
    """
    decoder, at, found = json.JSONDecoder(), 0, None
    while (start := text.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, start)
        except ValueError:
            at = start + 1
        else:
            found = value if isinstance(value.get("properties"), dict) else found
    return found


def _stop(answer: Answer, stops: Sequence[str]) -> Answer:
    """Cut at the first stop sequence; it is looked for in the reasoning too, as on the wire."""
    spoken = "".join(answer.reasoning)
    whole = spoken + "".join(answer.text)
    hits = [(whole.find(stop), stop) for stop in stops if stop in whole]
    if not hits:
        return answer
    at, stop = min(hits)
    return replace(
        answer,
        reasoning=split_tokens(whole[: min(at, len(spoken))]),
        text=split_tokens(whole[len(spoken) : at]) if at > len(spoken) else (),
        calls=(),
        finish="stop",
        stop=stop,
    )


def _limit(answer: Answer, budget: int | None) -> Answer:
    reasoning, left, cut_reasoning = spend_tokens(answer.reasoning, budget)
    text, left, cut_text = spend_tokens(answer.text, left)
    calls, cut_calls = _limit_calls(answer.calls, left)
    if not (cut_reasoning or cut_text or cut_calls):
        return answer
    return replace(
        answer,
        reasoning=reasoning,
        text=text,
        calls=calls,
        finish="length",
        stop=None,
        cut_calls=cut_calls,
    )


def _limit_calls(calls: Sequence[Call], budget: int | None) -> tuple[tuple[Call, ...], bool]:
    kept: list[Call] = []
    for call in calls:
        tokens, budget, cut = spend_tokens(call_tokens(call), budget)
        if tokens:
            kept.append(Call(call.name, "".join(tokens[1:])))
        if cut:
            return tuple(kept), True
    return tuple(kept), False


def _quote(text: str, longest: int = 200) -> str:
    return f'"{text if len(text) <= longest else text[:longest] + "…"}"'
