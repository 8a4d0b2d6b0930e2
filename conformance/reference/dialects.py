"""How each model family words its answers on the Model APIs: one declaration per family.

Only declarations: `gateway` reads them, nothing here decides anything. Each was seen in
recorded traffic of Feb to Aug 2026 unless its line says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The wording of one family.

    Attributes:
        nulls: Deltas carry every key, set or not (the shape before mid June 2026).
        blank: `content` of a delta without text, in the old shape.
        no_calls: `tool_calls` of a delta without calls, in the old shape.
        role: Whether every delta names the role or only the first.
        call_id: `chatcmpl-tool-<hex>`, `functions.NAME:N`, or the same `functions.NAME:0` for
            all parallel calls.
        later_id: `id` of a call's later deltas: repeated, new each time, or empty.
        later_name: `name` of a call's later deltas: empty, null, or no such key.
        bare_head: The first delta of a call has empty arguments.
        whole_call: A call comes in one delta.
        finish_on_call: The finish reason rides the last delta of the last call.
        arguments_end: What follows the arguments' closing brace.
        text_with_calls: A sentence precedes the calls in `content`.
        both_reasoning_keys: JSON answers repeat the reasoning under `reasoning`.
        counts_reasoning: `reasoning_tokens` is counted; else 0 although there is reasoning.
        late_answer: A very short answer after reasoning comes behind the finish chunk.
        stop_reasons: Integer `stop_reason` by finish reason, for a natural stop.
        finishes_json: JSON modes have a finish reason and a usage chunk.
        trailer_on_stop: A stream ended by a stop sequence still has its usage chunk. (No family
            sends `[DONE]` then.)
        wrapped_errors: Errors come from the engine, wrapped in `error`, and answers carry the
            model's routing headers; else the edge answers, flat.
        media_refusal: What a text-only model says to an image.
        group: Tokens per delta.
    """

    nulls: bool = True
    blank: Literal[""] | None = ""
    no_calls: tuple[()] | None = ()
    role: Literal["every", "first"] = "every"
    call_id: Literal["hex", "functions", "functions-shared"] = "hex"
    later_id: Literal["same", "fresh", "empty"] = "same"
    later_name: Literal["empty", "null", "absent"] = "empty"
    bare_head: bool = True
    whole_call: bool = False
    finish_on_call: bool = False
    arguments_end: str = ""
    text_with_calls: bool = False
    both_reasoning_keys: bool = False
    counts_reasoning: bool = False
    late_answer: bool = False
    stop_reasons: Mapping[str, int] = field(default_factory=dict)
    finishes_json: bool = True
    trailer_on_stop: bool = True
    wrapped_errors: bool = True
    media_refusal: str = "image_url is not supported"
    group: int = 1


_TEXT_ONLY = "This model does not support multimodal (image/video/audio) inputs."
_GLM_STOPS = {"stop": 154827, "tool_calls": 154829}

_GLM_5 = Dialect(later_id="fresh", finishes_json=False, group=2)
_KIMI = Dialect(call_id="functions", wrapped_errors=False)
_DEEPSEEK = Dialect(whole_call=True, group=3)
_GLM_5_1 = Dialect(
    blank=None,
    no_calls=None,
    later_name="null",
    bare_head=False,
    counts_reasoning=True,
    stop_reasons=_GLM_STOPS,
    trailer_on_stop=False,
    media_refusal=_TEXT_ONLY,
    group=4,
)
_GLM_5_2 = replace(
    _GLM_5_1,
    nulls=False,
    role="first",
    later_name="absent",
    finish_on_call=True,
    text_with_calls=True,
    late_answer=True,
    wrapped_errors=False,
    group=3,
)

DIALECTS: Mapping[str, Dialect] = {
    "glm-4.6": replace(
        _DEEPSEEK, text_with_calls=True, both_reasoning_keys=True, media_refusal=_TEXT_ONLY
    ),
    "glm-4.7": replace(_DEEPSEEK, finish_on_call=True, media_refusal=_TEXT_ONLY),
    "glm-5": _GLM_5,
    "glm-5.1": _GLM_5_1,
    "glm-5.2": _GLM_5_2,
    "kimi": _KIMI,
    "kimi-2.5": replace(_KIMI, arguments_end=" ", group=3),
    "kimi-thinking": replace(_KIMI, call_id="functions-shared", both_reasoning_keys=True),
    "deepseek": _DEEPSEEK,
    "deepseek-4": replace(
        _DEEPSEEK,
        blank=None,
        no_calls=None,
        counts_reasoning=True,
        late_answer=True,
        media_refusal=_TEXT_ONLY,
    ),
    "minimax": replace(_GLM_5, finishes_json=True, both_reasoning_keys=True),
    "gpt-oss": Dialect(
        blank=None, role="first", later_id="empty", later_name="null", both_reasoning_keys=True
    ),
    # Not recorded: assumed to speak the shape that was current when they appeared.
    "nemotron": replace(_GLM_5_2, late_answer=False, text_with_calls=False, stop_reasons={}),
    "inkling": replace(
        _GLM_5_2, late_answer=False, text_with_calls=False, stop_reasons={}, whole_call=True
    ),
}
"""Family name to wording."""
