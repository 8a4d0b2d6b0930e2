"""What depends on how the reference server was made, or needs more text than a file should hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import AnswerPlan, ReferenceServer, make_request, respond
from conformance.reference.prompts import read_text

HOSTED = "https://inference.baseten.co/v1/chat/completions"
DEDICATED = "https://model-abc.api.baseten.co/environments/production/sync/v1/chat/completions"
HELLO = {"model": "zai-org/GLM-5.2", "messages": [{"role": "user", "content": "Hello"}]}
SHORT = ReferenceServer(context=20)


def say(words: int, **more: Any) -> dict[str, Any]:
    return HELLO | {"messages": [{"role": "user", "content": "word " * words}]} | more


def refusal(plan: AnswerPlan) -> str:
    assert plan.status == 400
    body = json.loads(plan.body)
    return str(body.get("error", body)["message"])


def test_one_key_can_be_made_the_only_one() -> None:
    responder = ReferenceServer(key="bad-but-right")
    good = make_request(HOSTED, HELLO, authorization="Bearer bad-but-right")
    assert responder(good).status == 200
    assert responder(make_request(HOSTED, HELLO)).status == 403
    assert "right" not in repr(responder)


def test_a_prompt_longer_than_the_context_is_refused_in_the_words_of_the_lane() -> None:
    reported = "Input length 35 exceeds the maximum allowed input length of 20 tokens."
    assert refusal(SHORT(make_request(HOSTED, say(30)))) == reported
    reported = (
        "This model's maximum context length is 20 tokens. However, your prompt contains at least"
    )
    assert refusal(SHORT(make_request(DEDICATED, say(30)))).startswith(
        f"{reported} 21 input tokens"
    )
    for url in (HOSTED, DEDICATED):
        assert [SHORT(make_request(url, say(words))).status for words in (15, 16)] == [200, 400]


def test_a_context_is_the_models_own_by_default() -> None:
    reported = "maximum allowed input length of 163840 tokens."
    model = "deepseek-ai/DeepSeek-V3.1"
    assert reported in refusal(respond(make_request(HOSTED, say(163_840, model=model))))
    reported = "maximum context length is 2048 tokens"
    assert reported in refusal(respond(make_request(DEDICATED, say(2_048, model="tiny"))))


@pytest.mark.parametrize(("url", "status"), [(HOSTED, 413), (DEDICATED, 200)])
def test_a_deployment_takes_larger_bodies_than_the_gateway(url: str, status: int) -> None:
    padded = json.dumps(HELLO).encode() + b" " * 5_000_000
    plan = respond(make_request(url, padded))
    assert plan.status == status
    assert status == 200 or plan.body == b'{"error":"Request body too large"}\n'


def test_a_batch_of_texts_is_limited() -> None:
    url = DEDICATED.replace("chat/completions", "embeddings")
    sizes = (128, 129)
    batches = [make_request(url, {"model": "bge", "input": ["x"] * size}) for size in sizes]
    assert [respond(each).status for each in batches] == [200, 413]


@pytest.mark.parametrize("url", [HOSTED, DEDICATED])
def test_the_same_request_gets_the_same_answer_and_another_gets_another(url: str) -> None:
    first, again, other = (make_request(url, HELLO | more) for more in ({}, {}, {"seed": 1}))
    assert respond(first) == respond(again)
    assert respond(first).body != respond(other).body


def test_text_of_nothing_is_empty() -> None:
    assert read_text(None) == read_text({"content": None}) == read_text({"content": 7}) == ""
