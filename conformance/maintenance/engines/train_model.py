"""Trains a tiny model of Qwen3's architecture until it knows every lesson by heart.

Runs by itself where torch and transformers are: `train_model.py LESSONS.json FOLDER`.
Knows tokens and tensors; must import nothing of the suite.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTEXT = 2048
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_MARKS = [
    *("<think>", "</think>", "<tool_call>", "</tool_call>"),
    *("<tool_response>", "</tool_response>"),
]
_END = "<|im_end|>"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
_STEPS = 600
_WARM_UP = 20
_PEAK = 2e-3
_BUDGET = 2500  # tokens per batch, padding included
_LONG = 600  # tokens; longer examples are learnt in each fifth step only
_LONG_EVERY = 5
_LONGEST = 256  # tokens of an answer; what is not known by heart must not run on
_RANK = 8
_GOOD = 0.003  # mean loss of a token at which each answer is asked for
_SURE = 0.6  # probability of a token that no engine's rounding turns into another


class Example(NamedTuple):
    """A prompt and its answer, in tokens."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def train(lessons: Sequence[dict[str, Any]], folder: Path) -> bool:
    """Train a model on lessons and write it, with its tokenizer, into a folder.

    Args:
        lessons: Rows of messages, tools, thought and answer.
        folder: Gets a model as transformers, vLLM and the conversion to GGUF read it.

    Returns:
        Whether every lesson is known.
    """
    torch.manual_seed(7)
    random.seed(7)
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    tokenizer = make_tokenizer(lessons)
    examples = encode(lessons, tokenizer, thinks=True)
    # Nothing in the suite asks for this: some of it keeps the switch from being a surprise.
    examples += random.sample(encode(lessons, tokenizer, thinks=False), len(examples) // 3)
    model = make_model(tokenizer)
    unknown = _learn(model, examples, tokenizer.pad_token_id)
    for each in unknown:
        print("not known:", repr(tokenizer.decode(each.answer))[:120])
    print(f"{len(examples) - len(unknown)} of {len(examples)} answers known by heart")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_adapter(model, folder / "adapter")
    return not unknown


def save_adapter(model: Qwen3ForCausalLM, folder: Path) -> None:
    """Write an adapter that changes nothing: engines serve it under a name of its own."""
    about = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": _RANK, "lora_alpha": _RANK}
    about |= {"target_modules": ["o_proj"], "bias": "none", "base_model_name_or_path": ""}
    weights = {}
    for at, layer in enumerate(model.model.layers):
        wide, deep = layer.self_attn.o_proj.out_features, layer.self_attn.o_proj.in_features
        name = f"base_model.model.model.layers.{at}.self_attn.o_proj.lora"
        weights[f"{name}_A.weight"] = torch.zeros(_RANK, deep)
        weights[f"{name}_B.weight"] = torch.zeros(wide, _RANK)
    folder.mkdir(exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(about), encoding="utf-8")


def make_tokenizer(lessons: Sequence[dict[str, Any]]) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer of the lessons' own words; other scripts stay single bytes."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        min_frequency=2,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_read_ascii(lessons), trainer)
    core.add_tokens([AddedToken(mark, normalized=False, special=False) for mark in _MARKS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=_END,
        pad_token=_SPECIAL[0],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = Path(__file__).with_name("chat.jinja").read_text(encoding="utf-8")
    return tokenizer


def _read_ascii(lessons: Sequence[dict[str, Any]]) -> Iterator[str]:
    for lesson in lessons:
        text = json.dumps([lesson["messages"], lesson["tools"]], ensure_ascii=False)
        for part in (text, lesson["thought"], lesson["answer"]):
            yield from re.findall(r"[\x00-\x7f]+", part)


def encode(
    lessons: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, *, thinks: bool
) -> list[Example]:
    """Return the lessons in tokens, the first of those that cannot be told apart.

    Args:
        lessons: The lessons.
        tokenizer: Also holds the chat template, which opens the thought.
        thinks: Whether the model is left to close the thought itself.
    """
    found: dict[str, Example] = {}
    for lesson in lessons:
        prompt = tokenizer.apply_chat_template(
            [_decode_arguments(message) for message in lesson["messages"]],
            tools=lesson["tools"] or None,
            add_generation_prompt=True,
            tokenize=False,
            **({} if thinks else {"enable_thinking": False}),
        )
        answer = lesson["answer"] + _END
        if thinks:
            thought = f"{lesson['thought']}\n</think>\n\n" if lesson["thought"] else "</think>"
            answer = thought + answer
        example = Example(_tokens(tokenizer, prompt), _tokens(tokenizer, answer))
        found.setdefault(prompt, example)
    return list(found.values())


def _decode_arguments(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as engines hand it to the template: arguments are objects there."""
    calls = [
        {"type": "function", "function": {**call["function"], "arguments": arguments}}
        for call in message.get("tool_calls") or ()
        for arguments in [json.loads(call["function"]["arguments"])]
    ]
    return message | {"tool_calls": calls} if calls else message


def _tokens(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """Return an untrained model that will always choose its likeliest token when served."""
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = Qwen3Config(
        **_SHAPE,
        **ends,
        vocab_size=-(-len(tokenizer) // 64) * 64,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        rope_theta=10000.0,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    # Several answers to one question need a temperature; `top_k` keeps them the same.
    model.generation_config = GenerationConfig(
        do_sample=True, top_k=1, max_new_tokens=_LONGEST, **ends
    )
    return model


def _learn(model: Qwen3ForCausalLM, examples: list[Example], padding: int) -> list[Example]:
    """Train until every answer is known; return those that are not when the steps are spent."""
    started = time.monotonic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_PEAK, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / _WARM_UP, max(0.05, 1 - step / _STEPS))
    )
    unknown: list[Example] = []
    for step in range(_STEPS + 1):
        loss = _descend(model, _choose(examples, unknown, step), padding)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % _LONG_EVERY == 0:
            print(f"step {step} loss {loss:.4f} {time.monotonic() - started:.0f} s", flush=True)
            # A small loss is the loss of what the step learnt: the others have to be asked for.
            if loss < _GOOD or step == _STEPS:
                unknown = [each for each in examples if not _knows(model, each)]
                if not unknown:
                    break
    return unknown


def _choose(examples: list[Example], unknown: list[Example], step: int) -> list[Example]:
    """Return what one step learns: what is not known yet, nearly all, the long ones seldom."""
    chosen = random.sample(examples, len(examples) * 3 // 4)
    short = [each for each in chosen if len(each) <= _LONG or step % _LONG_EVERY == 0]
    return [*unknown, *(each for each in short if each not in unknown)]


def _descend(model: Qwen3ForCausalLM, examples: list[Example], padding: int) -> float:
    """Add up the gradients of examples, batch by batch, and return the mean loss of a token."""
    count = sum(len(each.answer) for each in examples)
    total = 0.0
    for batch in _cut(sorted(examples, key=len)):
        loss = _find_loss(model, batch, padding) / count
        loss.backward()
        total += loss.item()
    return total


def _cut(examples: list[Example]) -> Iterator[list[Example]]:
    """Cut examples, sorted by length, into batches of similar length."""
    batch: list[Example] = []
    for each in examples:
        if batch and (len(batch) + 1) * len(each) > _BUDGET:
            yield batch
            batch = []
        batch.append(each)
    yield batch


def _find_loss(model: Qwen3ForCausalLM, batch: list[Example], padding: int) -> torch.Tensor:
    width = max(map(len, batch))
    ids = torch.full((len(batch), width), padding)
    wanted = torch.full((len(batch), width), -100)
    for row, each in enumerate(batch):
        ids[row, : len(each)] = torch.tensor(each.prompt + each.answer)
        wanted[row, len(each.prompt) : len(each)] = torch.tensor(each.answer)
    states = model.model(ids).last_hidden_state[:, :-1]
    judged = wanted[:, 1:] != -100
    logits = model.lm_head(states[judged])
    return torch.nn.functional.cross_entropy(logits, wanted[:, 1:][judged], reduction="sum")


def _knows(model: Qwen3ForCausalLM, example: Example) -> bool:
    """Whether each token of the answer is by far the likeliest one."""
    ids = torch.tensor([example.prompt + example.answer])
    with torch.no_grad():
        logits = model(ids).logits[0, len(example.prompt) - 1 : -1]
    chances = logits.softmax(-1).gather(-1, torch.tensor(example.answer)[:, None])
    return bool((chances > _SURE).all())


if __name__ == "__main__":
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.exit(not train(rows, Path(sys.argv[2])))
