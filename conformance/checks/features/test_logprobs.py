"""Log probabilities: not on Model APIs, kept on dedicated deployments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from conformance.checks.features.call_modes import both_ways, every_way, streamed
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.questions import GREETING
from conformance.checks.features.readings import tapped
from conformance.checks.features.responders import change_plans, mount
from conformance.subjects.expected_errors import catch, is_typed
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


_REFUSING = "deepseek-ai/DeepSeek-V3.1"
_REFUSING_SEVERAL = "zai-org/GLM-5.2"
_IGNORING = "openai/gpt-oss-120b"


def leave_blanks(answer: AIMessage) -> dict[str, Any]:
    """Return what the metadata say; a name without a value says nothing."""
    return {name: text for name, text in answer.response_metadata.items() if text is not None}


@pytest.mark.claim("logprobs.model-apis.absent")
@pytest.mark.parametrize(
    "slug", [_REFUSING, _REFUSING_SEVERAL, _IGNORING], ids=["refused", "several", "ignored"]
)
@both_ways
def test_model_apis_refuse_log_probabilities_or_answer_without_them(
    lane: str, model: BaseChatModel, slug: str, ask: Ask, evidence: Evidence
) -> None:
    with tapped(model) as (watched, traffic):
        named, options = at_model(watched, slug)
        try:
            answer = ask(named, GREETING, **options, logprobs=True, top_logprobs=2)
        except catch("invalid-request") as refusal:
            assert is_typed("invalid-request", refusal)  # noqa: PT017  either outcome is the claim
            # `errors.sentence.kept` judges what others make of the sentence.
            text = str(refusal) if chosen().ours else traffic.answers[0]
            assert "log probs" in text or "logprobs" in text
        else:
            assert answer.text
            assert "logprobs" not in leave_blanks(answer)
    # Whether others ask again `retries.policy.final` judges.
    sent = traffic.sent if chosen().ours else traffic.sent[:1]
    if not chosen().ours and not any("logprobs" in body for body in sent):
        evidence.not_applicable("the client sends no logprobs, and no answer of it holds any")
    received = [(body["model"], body["logprobs"], body["top_logprobs"]) for body in sent]
    assert received == [(slug, True, 2)]


@pytest.mark.claim("logprobs.dedicated.kept")
@both_ways
def test_the_log_probabilities_of_a_deployment_stand_in_the_metadata(
    lane: str, model: BaseChatModel, ask: Ask, evidence: Evidence
) -> None:
    answer = ask(model, GREETING, logprobs=True, top_logprobs=2)
    reported = answer.response_metadata.get("logprobs")
    if not reported and not chosen().ours:
        evidence.not_applicable("the page promises log probabilities of nobody: theirs hold none")
    assert reported, "logprobs were asked for and sent, and the response metadata hold none"
    tokens = reported["content"]
    if chosen().ours:
        spelt = b"".join(bytes(token["bytes"]) for token in tokens).decode()
    else:  # Others may keep of a token what OpenAI's API demands.
        spelt = "".join(token["token"] for token in tokens)
    assert answer.text
    # An engine gives them for all that its model wrote, the marks around its thoughts included.
    assert answer.text in spelt, f"the tokens are of {spelt!r:.99}; the text is {answer.text!r:.99}"
    assert {len(token["top_logprobs"]) for token in tokens} == {2}
    assert all(token["logprob"] <= 0 for token in tokens)


@pytest.mark.claim("logprobs.dedicated.kept")
@every_way
def test_those_of_a_long_answer_are_kept_to_the_last(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    text = " ".join(map(str, range(200)))
    model = mount(lane, evidence)
    about = ask(model, f"Repeat after me: {text}", logprobs=True).response_metadata
    reported: Any = about.get("logprobs")
    if not reported and not chosen().ours:
        evidence.not_applicable("the page promises log probabilities of nobody: theirs hold none")
    spelt = "".join(token["token"] for token in reported["content"])
    assert text in spelt, f"the text has {len(text)} letters; the tokens are of {spelt[-99:]!r}"


@pytest.mark.claim("logprobs.dedicated.kept")
@both_ways
def test_there_are_none_where_none_were_asked_for(
    lane: str, model: BaseChatModel, ask: Ask
) -> None:
    reported = leave_blanks(ask(model, GREETING)).get("logprobs")
    assert reported is None, "no log probabilities were asked for, and the answer holds some"


@pytest.mark.claim("streaming.sync.adds-up", lane="dedicated")
@pytest.mark.own_client_only(
    "others may keep the log probabilities of a single token for each event"
)
@streamed
def test_those_of_several_tokens_in_one_event_are_kept(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    held: list[Any] = []
    tokens: list[Any] = []

    def join(event: Any) -> Any:
        for choice in event["choices"]:
            if reported := choice.get("logprobs"):
                tokens.extend(reported["content"])
                held.extend(reported["content"])
                is_due = len(held) > 1
                choice["logprobs"] = {**reported, "content": [*held]} if is_due else None
                choice["delta"] = choice["delta"] if len(tokens) > 4 else {}  # as for its thoughts
                del held[: is_due * len(held)]
        return event

    model = mount(lane, evidence, change_plans(lambda plan: plan.map_events(join)))
    answer = ask(model, GREETING, logprobs=True, top_logprobs=2)
    assert len(tokens) > 4
    assert answer.response_metadata["logprobs"]["content"] == tokens[: len(tokens) - len(held)]
