"""The page's two options: a slug for Model APIs, a URL for a dedicated deployment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from conformance.checks.features.call_modes import both_ways
from conformance.checks.features.other_makers import name_of
from conformance.checks.features.questions import GREETING, get_weather
from conformance.checks.features.readings import tapped
from conformance.checks.features.responders import mount, note_requests
from conformance.reference import ReceivedRequest
from conformance.subjects.subject import chosen
from conformance.subjects.wire_answers import read_answer
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


_PAGE_SLUG = "moonshotai/Kimi-K2-Instruct-0905"
_HOST = "model-abcd1234.api.baseten.co"


def _targets(seen: list[ReceivedRequest]) -> set[tuple[str, str, str]]:
    return {(each.host, each.path, each.json()["model"]) for each in seen}


@pytest.mark.claim("instantiation.model.slug")
@pytest.mark.parametrize("slug", [_PAGE_SLUG, "openai/gpt-oss-120b"])
async def test_a_slug_goes_to_model_apis_as_the_model_of_every_request(
    lane: str, evidence: Evidence, slug: str
) -> None:
    seen: list[ReceivedRequest] = []
    # Another maker's client has no URL of Baseten's by default.
    place = {"base_url": None} if chosen().ours else {}
    model = mount(lane, evidence, note_requests(seen), **place, model=slug)
    model.invoke(GREETING)
    assert list(model.stream(GREETING))
    await model.ainvoke(GREETING)
    assert [chunk async for chunk in model.astream(GREETING)]
    model.bind_tools([get_weather]).invoke(GREETING)
    assert len(seen) == 5
    found, wanted = _targets(seen), {("inference.baseten.co", "/v1/chat/completions", slug)}
    assert found == wanted, f"of the model {slug!r} the client asks for {found}"


@pytest.mark.claim("instantiation.model.slug")
@both_ways
def test_a_slug_is_sent_and_answered_by_its_model(
    lane: str, model: BaseChatModel, ask: Ask
) -> None:
    with tapped(model) as (watched, traffic):
        answer = ask(watched, GREETING)
    assert answer.text
    assert [body["model"] for body in traffic.sent] == [name_of(model)]
    assert read_answer(traffic.answers[0]).fields["model"] == name_of(model)
    if chosen().ours:  # Whether their answers say so is for others to decide.
        assert answer.response_metadata["model_name"] == name_of(model)


@pytest.mark.claim("instantiation.model.url")
async def test_the_url_of_a_deployment_goes_to_that_deployment(
    lane: str, evidence: Evidence
) -> None:
    seen: list[ReceivedRequest] = []
    url = f"https://{_HOST}/environments/production/predict"
    model = mount(lane, evidence, note_requests(seen), model_url=url)
    model.invoke(GREETING)
    assert list(model.stream(GREETING))
    await model.ainvoke(GREETING)
    assert [chunk async for chunk in model.astream(GREETING)]
    path = "/environments/production/sync/v1/chat/completions"
    assert len(seen) == 4
    assert _targets(seen) == {(_HOST, path, "omni")}


@pytest.mark.claim("instantiation.model.url", "instantiation.model.name")
def test_without_a_model_the_name_is_derived_from_the_url(lane: str, evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    assert mount(lane, evidence, note_requests(seen), model=None).invoke(GREETING).text
    assert [each.json()["model"] for each in seen] == ["model-abcd1234"]


@pytest.mark.claim("instantiation.model.url")
def test_the_url_beats_the_base_url_of_the_environment(
    lane: str, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ReceivedRequest] = []
    monkeypatch.setenv("BASETEN_BASE_URL", "https://elsewhere.example/v1")
    mount(lane, evidence, note_requests(seen)).invoke(GREETING)
    assert [each.host for each in seen] == [_HOST]


@pytest.mark.claim("instantiation.model.url", "instantiation.model.name")
@both_ways
def test_a_deployment_is_answered_by_its_model(lane: str, model: BaseChatModel, ask: Ask) -> None:
    with tapped(model) as (watched, traffic):
        answer = ask(watched, GREETING)
    assert answer.text
    assert [body["model"] for body in traffic.sent] == [name_of(model)]
    # Some services answer under another name of the same model, such as its path or its version.
    named = read_answer(traffic.answers[0]).fields.get("model", name_of(model))
    if chosen().ours:  # Whether their answers say so is for others to decide.
        assert answer.response_metadata["model_name"] == named
