"""The models that the two lanes serve, and what each can take.

Figures as listed by `GET /v1/models` on 2026-08-17 where the model was listed, else from the
recordings and the documentation. Must not know how answers are worded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of either lane.

    Attributes:
        slug: The id that requests name.
        family: Key of its dialect; `vllm` in the dedicated lane.
        context: Context length in tokens.
        longest: Most tokens that one answer may have.
        inputs: Input modalities.
        thinks: Whether it reasons by default, when asked to, or never.
        efforts: Accepted values of `reasoning_effort`; None: every value is accepted, ignored.
        logprobs: Refused, refused when more than one is asked for, silently ignored, or given.
        created: Unix seconds.
        sampling: Listed sampling parameters.
    """

    slug: str
    family: str
    context: int
    longest: int
    inputs: frozenset[str] = frozenset({"text"})
    thinks: Literal["default", "opt-in", "never"] = "never"
    efforts: tuple[str, ...] | None = None
    logprobs: Literal["refused", "single", "ignored", "given"] = "ignored"
    created: int = 1_771_000_000
    sampling: tuple[str, ...] = ("temperature", "stop")

    def listing(self) -> dict[str, Any]:
        """Return the model's item in the Model APIs' list."""
        features = ["tools", "json_mode", "structured_outputs"]
        return {
            "id": self.slug,
            "created": self.created,
            "object": "model",
            "owned_by": "baseten",
            "name": self.slug.rpartition("/")[2].replace("-", " "),
            "description": "",
            "context_length": self.context,
            "max_completion_tokens": self.longest,
            "quantization": "fp4",
            "pricing": dict.fromkeys(
                ("prompt", "completion", "image", "request", "input_cache_read"), "0"
            ),
            "supported_sampling_parameters": list(self.sampling),
            "supported_features": features + ["reasoning"] * (self.thinks != "never"),
            "input_modalities": sorted(self.inputs, reverse=True),
            "output_modalities": ["text"],
        }


_ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_GLM_EFFORTS = ("none", "high", "max")
_GLM_5_3_EFFORTS = ("none", "low", "high", "max")
_READS = frozenset({"text"})
_SEES = frozenset({"text", "image"})
_HEARS = frozenset({"text", "image", "audio"})
_M = 1_048_576
_K256 = 262_144


def _model(slug: str, family: str, context: int, longest: int = 0, **facts: Any) -> Model:
    """Return a row; unless it says otherwise, an answer may be as long as the context."""
    return Model(slug=slug, family=family, context=context, longest=longest or context, **facts)


def _glm_new(slug: str, efforts: tuple[str, ...], inputs: frozenset[str] = _READS) -> Model:
    facts = {"thinks": "default", "efforts": efforts, "logprobs": "single", "inputs": inputs}
    return _model(slug, "glm-5.2", _M, _K256, sampling=("temperature", "top_p", "stop"), **facts)


_THINKS: dict[str, Any] = {"thinks": "default"}
_OPT_IN: dict[str, Any] = {"thinks": "opt-in"}
_PLAIN: dict[str, Any] = {"logprobs": "refused"}
_KIMI_EFFORTS = ("low", "high", "max")
_MODELS = (
    _model("openai/gpt-oss-120b", "gpt-oss", 128_072, efforts=_ALL_EFFORTS, **_THINKS),
    _model("zai-org/GLM-4.6", "glm-4.6", 200_000, **_THINKS, **_PLAIN),
    _model("zai-org/GLM-4.7", "glm-4.7", 200_000, **_OPT_IN, **_PLAIN),
    _model("zai-org/GLM-5", "glm-5", 202_800, **_OPT_IN, **_PLAIN),
    _model("zai-org/GLM-5.1", "glm-5.1", 202_800, **_OPT_IN),
    _glm_new("zai-org/GLM-5.2", _GLM_EFFORTS),
    _glm_new("zai-org/GLM-5.2-Fast", _GLM_EFFORTS),
    _glm_new("zai-org/GLM-5.3", _GLM_5_3_EFFORTS),
    _glm_new("zai-org/GLM-5.3-Fast", _GLM_5_3_EFFORTS),
    _glm_new("zai-org/GLM-5.3-Flash", _GLM_5_3_EFFORTS, _SEES),
    _model("moonshotai/Kimi-K2-Instruct-0905", "kimi", 262_000, **_PLAIN),
    _model("moonshotai/Kimi-K2-Thinking", "kimi-thinking", 262_000, **_THINKS, **_PLAIN),
    _model("moonshotai/Kimi-K2.5", "kimi-2.5", 262_000, **_OPT_IN),
    _model("moonshotai/Kimi-K2.6", "kimi", 262_000, **_OPT_IN, inputs=_SEES),
    _model("moonshotai/Kimi-K2.7-Code", "kimi", 262_000, **_OPT_IN, inputs=_SEES),
    _model("moonshotai/Kimi-K3", "kimi", _M, _K256, **_THINKS, inputs=_SEES, efforts=_KIMI_EFFORTS),
    _model("deepseek-ai/DeepSeek-V3-0324", "deepseek", 163_840, **_PLAIN),
    _model("deepseek-ai/DeepSeek-V3.1", "deepseek", 163_840, **_PLAIN),
    _model("deepseek-ai/DeepSeek-V4-Pro", "deepseek-4", _K256, **_THINKS, efforts=_ALL_EFFORTS),
    _model("deepseek-ai/DeepSeek-V4-Pro-0813", "deepseek-4", _M, _K256, **_THINKS),
    _model("deepseek-ai/DeepSeek-V4-Flash-0731", "deepseek-4", _M, **_THINKS),
    _model("deepseek-ai/DeepSeek-V4.1-Flash", "deepseek-4", _M, **_THINKS),
    _model("MiniMaxAI/MiniMax-M2.5", "minimax", 204_800, **_THINKS),
    _model("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B", "nemotron", 202_800, **_OPT_IN),
    _model("thinkingmachines/inkling", "inkling", _M, 32_768, **_THINKS, inputs=_HEARS),
    _model("thinkingmachines/inkling-small", "inkling", _M, 32_768, **_THINKS, inputs=_SEES),
)
HOSTED: Mapping[str, Model] = {model.slug: model for model in _MODELS}
"""The Model APIs: slug to model, retired ones included so that their dialects stay reachable."""

OMNI = Model(
    slug="omni",
    family="vllm",
    context=32_768,
    longest=32_768,
    inputs=_HEARS,
    thinks="opt-in",
    logprobs="given",
)
"""The deployment's default: an engine that sees, hears, and reasons when asked to."""

TINY = Model(
    slug="tiny", family="vllm", context=2_048, longest=2_048, thinks="default", logprobs="given"
)
"""A small text-only engine that reasons by default."""

_OMNI_NAMES = ("model", "baseten", "baseten-model", "default")


def find_served(name: str | None) -> Model | None:
    """Return the dedicated deployment's model for a requested name.

    The engine is taken to have been started with all the names that clients derive when the
    user gives only a URL: those of `_OMNI_NAMES` and `model-<deployment id>`; a hosted slug is
    served as well, since library models are deployed under their own name.

    Args:
        name: The `model` field; None when it was left out, which the engine allows.

    Returns:
        The model, or None when the engine does not serve that name.
    """
    served = {OMNI.slug: OMNI, TINY.slug: TINY, **dict.fromkeys(_OMNI_NAMES, OMNI)}
    if name is None or name.startswith("model-") or name in HOSTED:
        return OMNI
    return served.get(name)
