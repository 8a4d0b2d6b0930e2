"""Which models there are, and what each of them takes: the list of the service, and profiles."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.runnables import ConfigurableField

from conformance.checks.features.questions import GREETING
from conformance.checks.features.responders import mount, note_bodies, note_requests
from conformance.reference import AnswerPlan, ReceivedRequest, make_request, respond
from conformance.reference.exchange import plan_json
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY, LANES
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own_client_only(
    "listing models is an addition of langchain-baseten", applies=False
)

_GLM, _KIMI = "zai-org/GLM-5.2", "moonshotai/Kimi-K3"


_PRICES = {"prompt": "0.0000006", "completion": "0"}


def _price(request: ReceivedRequest) -> AnswerPlan:
    """Return the list of the reference server, in which the first of two prices is not 0."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        return body | {
            "data": [{**row, "pricing": row["pricing"] | _PRICES} for row in body["data"]]
        }

    return respond(request).map_json(change)


def _select(profile: Any) -> tuple[Any, ...]:
    names = ("max_input_tokens", "max_output_tokens", "tool_calling", "image_inputs")
    return tuple(profile.get(name) for name in names)


async def _list_both_ways(model: Any) -> list[Any]:
    return [model.list_models(), await model.alist_models()]


@pytest.mark.claim("models.list.rows")
async def test_what_the_service_lists_comes_as_typed_rows(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    listings = await _list_both_ways(mount("model-apis", evidence, note_requests(seen, _price)))
    answered = _price(make_request(f"{LANES['model-apis'].url()}/models", method="GET"))
    sent = json.loads(answered.body)["data"]
    assert [(each.method, each.path) for each in seen] == [("GET", "/v1/models")] * 2
    for rows in listings:
        assert [row.id for row in rows] == [row["id"] for row in sent]
        [glm] = [row for row in rows if row.id == _GLM]
        assert (glm.context_length, glm.max_completion_tokens) == (1_048_576, 262_144)
        assert glm.input_modalities == ("text",)
        assert {"tools", "reasoning"} <= set(glm.supported_features)
        assert [glm.pricing[name] for name in _PRICES] == [Decimal("0.0000006"), Decimal(0)]
        assert {type(price) for row in rows for price in row.pricing.values()} == {Decimal}
        assert [(row.raw, row.created) for row in rows] == [(row, row["created"]) for row in sent]
        assert _select(glm.profile) == (1_048_576, 262_144, True, False)


@pytest.mark.claim("models.list.rows")
async def test_a_profile_that_is_listed_says_what_its_row_says_and_no_more(
    evidence: Evidence,
) -> None:
    row = {
        "id": "new/model",
        "context_length": 4096,
        "input_modalities": ["text", "audio"],
        "supported_features": ["structured_outputs"],
        "supported_sampling_parameters": ["top_p"],
    }
    model = mount("model-apis", evidence, lambda _: plan_json(200, {"data": [row, {"id": "bare"}]}))
    for listed, bare in await _list_both_ways(model):
        assert listed.profile == {
            "max_input_tokens": 4096,
            **dict.fromkeys(("text_inputs", "audio_inputs", "structured_output"), True),
            **dict.fromkeys(("image_inputs", "video_inputs"), False),
            **dict.fromkeys(("reasoning_output", "tool_calling", "temperature"), False),
        }
        assert not bare.profile


@pytest.mark.claim("models.list.rows")
@pytest.mark.usefixtures("short_backoff")
async def test_a_list_is_asked_for_as_an_answer_is(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        return respond(request) if len(seen) % 2 == 0 else plan_json(503, {"error": "Not now."})

    given = {"default_headers": {"x-team": "harbour"}, "default_query": {"version": "7"}}
    model = mount("model-apis", evidence, answer, max_retries=1, **given)
    for rows in await _list_both_ways(model):
        assert rows
    received = {(each.header("x-team"), each.target.partition("?")[2]) for each in seen}
    assert (len(seen), received) == (4, {("harbour", "version=7")})


@pytest.mark.claim("models.list.rows")
async def test_a_deployment_lists_what_its_engine_serves(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    for rows in await _list_both_ways(mount("dedicated", evidence, note_requests(seen))):
        assert {row.id: row.context_length for row in rows}["omni"] == 32_768
    assert {each.path for each in seen} == {"/environments/production/sync/v1/models"}


@pytest.mark.claim("models.profile.follows")
def test_a_profile_follows_the_model(evidence: Evidence) -> None:
    model = mount("model-apis", evidence, model=_GLM)
    fields = model.configurable_fields(model_name=ConfigurableField(id="model"))
    configured = fields.with_config(configurable={"model": _KIMI})
    copied = model.model_copy(update={"model_name": _KIMI})
    seen = [copied.profile, fields._prepare({"configurable": {"model": _KIMI}})[0].profile]
    travelled = pickle.loads(pickle.dumps(chosen().make(model=_GLM, api_key=FAKE_KEY)))  # noqa: S301  our own
    model.model_name = travelled.model_name = _KIMI
    assert configured.invoke(GREETING).text
    for profile in (*seen, model.profile, travelled.profile):
        assert (profile["name"], profile["image_inputs"]) == ("Kimi K3", True)


@pytest.mark.claim("models.profile.follows")
def test_a_profile_that_is_changed_is_that_of_one_model(evidence: Evidence) -> None:
    first, second = (mount("model-apis", evidence, model=_GLM).profile for _ in range(2))
    first["max_input_tokens"] = 7
    first["reasoning_effort_levels"].append("mine")
    assert second["max_input_tokens"] == 1_048_576
    assert second["reasoning_effort_levels"] == ["none", "high", "max"]


@pytest.mark.claim("models.profile.follows")
def test_a_deployment_has_the_profile_that_it_is_given(evidence: Evidence) -> None:
    given = {"max_input_tokens": 32_768}
    sent: list[dict[str, Any]] = []
    model = mount("dedicated", evidence, note_bodies(sent), profile=given)
    assert model.invoke(GREETING).text
    assert model.model_copy(update={"model_name": _KIMI}).profile == given
    assert chosen().make(model=_GLM, api_key=FAKE_KEY).profile["max_input_tokens"] == 1_048_576
    url = "https://model-abcd1234.api.baseten.co/environments/production/predict"
    assert not chosen().make(model_url=url, api_key=FAKE_KEY).profile
    assert "profile" not in sent[0]


@pytest.mark.claim("models.profile.follows")
def test_a_profile_says_what_the_service_lists(evidence: Evidence) -> None:
    model = mount("model-apis", evidence, model=_GLM)
    assert _select(model.profile) == (1_048_576, 262_144, True, False)
    assert model.profile["reasoning_effort_levels"] == ["none", "high", "max"]
    [row] = [row for row in model.list_models() if row.id == _KIMI]
    assert (row.profile["name"], row.profile["image_inputs"]) == ("Kimi K3", True)
    assert chosen().make(model="new", api_key=FAKE_KEY, profile=row.profile).profile == row.profile
