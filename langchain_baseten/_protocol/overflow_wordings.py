"""The wordings by which engines report that the input exceeds the context length.

Knows sentences only; `error_responses` decides which error they become.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Wording(NamedTuple):
    """How one engine reports an input that is too long.

    Attributes:
        engine: The engine, gateway or API.
        version: Its versions, as far as known; the date of a recording for services.
        example: One message, verbatim.
        pattern: What identifies the message; several rows may share it.
    """

    engine: str
    version: str
    example: str
    pattern: str


_CONTEXT_LENGTH = "maximum context length"
_MAXIMUM_INPUT = (
    r"exceeds? (?:the )?(?:model'?s )?max(?:imum)?(?: allowed)?[ _](?:input|prompt|seq|context)"
)
_CONTEXT_SIZE = r"exceeds? (?:the )?(?:available )?context (?:size|window|length)"
_ONLY_CONTEXT_LENGTH = r"model'?s context length is only \d"
_SUM_OF_LENGTHS = r"sum of prompt length .{0,80}should not exceed max_(?:num_tokens|seq_len)"

WORDINGS: tuple[Wording, ...] = (
    Wording(
        "vLLM",
        "up to 0.10",
        "This model's maximum context length is 2048 tokens. However, you requested 4000 tokens "
        "(3000 in the messages, 1000 in the completion).",
        _CONTEXT_LENGTH,
    ),
    Wording(
        "vLLM",
        "0.11 to 0.15",
        "This model's maximum context length is 2048 tokens. However, your request has 3000 input "
        "tokens. Please reduce the length of the input messages.",
        _CONTEXT_LENGTH,
    ),
    Wording(
        "vLLM",
        "0.16 and 0.17, tokens",
        "You passed 27905 input tokens and requested 4096 output tokens. However, the model's "
        "context length is only 32000 tokens, resulting in a maximum input length of 27904 tokens. "
        "Please reduce the length of the input prompt. (parameter=input_tokens, value=27905)",
        _ONLY_CONTEXT_LENGTH,
    ),
    Wording(
        "vLLM",
        "0.16 and 0.17, characters",
        "You passed 99999 input characters and requested 1000 output tokens. However, the model's "
        "context length is only 8192 tokens, resulting in a maximum input length of 7192 tokens "
        "(at most 50000 characters). Please reduce the length of the input prompt.",
        _ONLY_CONTEXT_LENGTH,
    ),
    Wording(
        "vLLM",
        "from 0.18",
        "This model's maximum context length is 8192 tokens. However, you requested 64 output "
        "tokens and your prompt contains at least 8129 input tokens, for a total of at least 8193 "
        "tokens. Please reduce the length of the input prompt or the number of requested output "
        "tokens.",
        _CONTEXT_LENGTH,
    ),
    Wording(
        "vLLM",
        "engine core",
        "The decoder prompt (length 9) is longer than the maximum model length of 8.",
        "longer than the maximum model length",
    ),
    Wording(
        "SGLang",
        "tokenizer",
        "The input (8010 tokens) is longer than the model's context length (2048 tokens).",
        r"longer than the model'?s context length",
    ),
    Wording(
        "SGLang",
        "tokenizer, input and output",
        "Requested token count exceeds the model's maximum context length of 2048 tokens. You "
        "requested a total of 4000 tokens: 3000 tokens from the input messages and 1000 tokens "
        "for the completion.",
        _CONTEXT_LENGTH,
    ),
    Wording(
        "SGLang",
        "scheduler, 0.5",
        "Input length (600013 tokens) exceeds the maximum allowed length (536826 tokens). Use a "
        "shorter input or enable --allow-auto-truncate.",
        r"input length \(\d+ tokens\) exceeds the maximum allowed length",
    ),
    Wording(
        "TensorRT-LLM",
        "PyTorch backend, max_num_tokens",
        "The sum of prompt length (72417.0), query length (0) should not exceed max_num_tokens "
        "(69632)",
        _SUM_OF_LENGTHS,
    ),
    Wording(
        "TensorRT-LLM",
        "TensorRT backend, max_seq_len",
        "The sum of prompt length (4000.0) and query length (0) max_tokens (2048) should not "
        "exceed max_seq_len (4096)",
        _SUM_OF_LENGTHS,
    ),
    Wording(
        "TensorRT-LLM",
        "PyTorch backend, max_seq_len",
        "`default_max_tokens` (-152) must be greater than 0, `default_max_tokens` (-152) = "
        "max_seq_len (8192) - `splited_prompt_len` (8344) - `query_token_len` (0)",
        r"default_max_tokens`? \(-?\d+\) (?:must|should) be greater than 0",
    ),
    Wording(
        "TensorRT-LLM",
        "executor",
        "Prompt length (9) exceeds maximum input length (8).",
        _MAXIMUM_INPUT,
    ),
    Wording(
        "Baseten Model APIs",
        "seen 2026",
        "Input length 9 exceeds the maximum allowed input length of 8 tokens.",
        _MAXIMUM_INPUT,
    ),
    Wording(
        "llama.cpp",
        "server, request",
        "request (300 tokens) exceeds the available context size (256 tokens), try increasing it",
        _CONTEXT_SIZE,
    ),
    Wording(
        "llama.cpp",
        "server, batch",
        "input (300 tokens) is larger than the max context size (256 tokens). skipping",
        r"larger than the max(?:imum)? context (?:size|length)",
    ),
    Wording("llama.cpp", "server, type", "exceed_context_size_error", "exceed_context_size_error"),
    Wording(
        "LiteLLM",
        "proxy",
        "litellm.ContextWindowExceededError: litellm.BadRequestError: this is too much for it",
        r"context_?window_?exceeded",
    ),
    Wording(
        "OpenAI",
        "code",
        "context_length_exceeded",
        r"context[ _]length[ _]exceeded",
    ),
    Wording(
        "OpenAI",
        "message",
        "Your input exceeds the context window of this model.",
        _CONTEXT_SIZE,
    ),
    Wording(
        "DeepSeek",
        "API",
        "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens.",
        _CONTEXT_LENGTH,
    ),
    Wording(
        "Anthropic",
        "API",
        "prompt is too long: 9 tokens > 8 maximum",
        r"(?:prompt|input) is too long",
    ),
)

_OVERFLOW = "(?i)" + "|".join(dict.fromkeys(row.pattern for row in WORDINGS))

_OUTPUT_LIMIT = (
    r"(?i)max_(?:completion_)?tokens['\"`]?(?: or .{0,40})? is too large"
    r"|maximum input length of (?:0|-\d+) tokens"
)
"""vLLM names the context length as well if `max_tokens` alone exceeds it. Shortening the input
does not help then."""


def reports_overflow(text: str) -> bool:
    """Return whether an error text reports that the input is too long.

    Args:
        text: The sentence of an error, or its labels.

    Returns:
        False as well for a text that is about `max_tokens` alone.
    """
    return re.search(_OVERFLOW, text) is not None and re.search(_OUTPUT_LIMIT, text) is None
