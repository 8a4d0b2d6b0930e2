"""URLs: every documented spelling arrives at one chat endpoint, and what cannot is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx2
import pytest
from langchain_core.language_models import BaseChatModel

from conformance.checks.features.questions import GREETING
from conformance.checks.features.responders import mount, note_requests, refuse_noted
from conformance.reference import ReceivedRequest, ResponderTransport
from conformance.subjects.expected_errors import catch, catching, expect
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY
from conformance.verdicts.evidence import Evidence

_HOST = "model-abcd1234.api.baseten.co"
_REGION = "model-abcd1234-prod-eu.api.baseten.co"
_CHAT = "/chat/completions"

_ENDINGS = ("/predict", "/sync", "/sync/v1", "/sync/v1/chat/completions", "/predict/", "")
_TARGETS = (
    "/production",
    "/development",
    "/environments/production",
    "/environments/staging",
    "/environments/Staging-EU",
    "/deployment/wxyz789",
)
_SPELLINGS = ("predict", "sync", "sync/v1", "sync/v1/chat/completions")
_BARE = ("/predict", "/sync/v1", "/sync/v1/chat/completions", "")

_HOSTED = (
    "https://inference.baseten.co/v1",
    "https://inference.baseten.co/v1/",
    "https://inference.baseten.co",
    "https://inference.baseten.co/",
    "https://inference.baseten.co/v1/chat/completions",
    " HTTPS://INFERENCE.BASETEN.CO/v1 ",
)

# URL -> what the message must say: what is wrong, and what to paste
_REFUSED = {
    "https://chain-abcd1234.api.baseten.co/production/run_remote": ("chain", "sync/v1"),
    f"https://{_HOST}/production/async_predict": ("queues", "sync/v1"),
    f"https://{_HOST}/production/wake": ("starts a replica", "sync/v1"),
    f"https://{_HOST}/production/websocket": ("WebSocket", "sync/v1"),
    f"wss://{_HOST}/production/sync/v1": ("WebSocket", "sync/v1"),
    "https://model-abcd1234.grpc.api.baseten.co": ("gRPC", "sync/v1"),
    "https://app.baseten.co/models/abcd1234/overview": ("page for people", "sync/v1"),
    "https://inference.baseten.co/v1/models": ("path", "https://inference.baseten.co/v1"),
    "https://model-YOUR_MODEL_ID.api.baseten.co/v1": ("placeholder", "Replace it"),
    f"http://{_HOST}/production/predict": ("clear text", "https://"),
    f"{_HOST}/production/predict": ("begin with https://", "Put https://"),
    "abcd1234": ("not a URL", "https://model-abcd1234.api.baseten.co"),
}


_BASES = {
    "argument": ("argument", ("BASETEN_BASE_URL", "BASETEN_API_BASE")),
    "first variable": ("BASETEN_BASE_URL", ("BASETEN_BASE_URL", "BASETEN_API_BASE")),
    "second variable": ("BASETEN_API_BASE", ("BASETEN_API_BASE",)),
    "none": ("inference", ()),
}


def _ask_at(lane: str, evidence: Evidence, setting: str, url: str) -> tuple[str, str]:
    """Return host and path of the one request that an answered question made."""
    seen: list[ReceivedRequest] = []
    model = mount(lane, evidence, note_requests(seen), **{setting: url})
    assert model.invoke("Repeat after me: arrived").text == "arrived"
    (request,) = seen
    return request.host, request.path


def _judge_spelling(model: Any, settings: dict[str, Any]) -> None:
    spelt = chosen().make(**settings, max_retries=0)
    assert spelt.invoke(GREETING).text
    if chosen().ours:
        assert spelt.endpoint == model.endpoint
        spelt.close()


@pytest.mark.claim("endpoint.normalise.model-url")
@pytest.mark.parametrize("ending", _ENDINGS)
@pytest.mark.parametrize("target", _TARGETS)
def test_every_spelling_of_a_deployments_url_reaches_its_one_chat_endpoint(
    lane: str, evidence: Evidence, target: str, ending: str
) -> None:
    arrived = _ask_at(lane, evidence, "model_url", f"https://{_HOST}{target}{ending}")
    assert arrived == (_HOST, f"{target}/sync/v1{_CHAT}")


@pytest.mark.claim("endpoint.normalise.model-url")
@pytest.mark.parametrize("ending", _BARE)
@pytest.mark.parametrize("host", [_HOST, _REGION], ids=["bare", "regional"])
def test_the_bare_forms_of_a_deployments_host_reach_its_bare_endpoint(
    lane: str, evidence: Evidence, host: str, ending: str
) -> None:
    arrived = _ask_at(lane, evidence, "model_url", f"https://{host}{ending}")
    assert arrived == (host, f"/sync/v1{_CHAT}")


@pytest.mark.claim("endpoint.normalise.model-url")
@pytest.mark.parametrize("ending", _SPELLINGS)
def test_the_target_answers_at_every_spelling(
    lane: str, model: BaseChatModel, settings: dict[str, Any], ending: str, evidence: Evidence
) -> None:
    given = settings["model_url"].rstrip("/")
    spelt = next((each for each in _SPELLINGS if given.endswith(f"/{each}")), None)
    if spelt is None:
        evidence.not_applicable("only URLs of Baseten's deployments have several spellings")
    base = given.removesuffix(spelt)
    _judge_spelling(model, {**settings, "model_url": f"{base}{ending}"})


@pytest.mark.claim("endpoint.normalise.base-url")
@pytest.mark.parametrize("url", _HOSTED)
def test_every_spelling_of_the_model_apis_base_reaches_its_one_chat_endpoint(
    lane: str, evidence: Evidence, url: str
) -> None:
    arrived = _ask_at(lane, evidence, "base_url", url)
    assert arrived == ("inference.baseten.co", f"/v1{_CHAT}")


@pytest.mark.claim("endpoint.normalise.base-url")
@pytest.mark.parametrize("path", ["/v1", "/openai", "/Team-A/baseten%2Fb/v2"])
def test_port_and_path_of_a_proxy_are_kept(lane: str, evidence: Evidence, path: str) -> None:
    seen: list[ReceivedRequest] = []
    responder = note_requests(seen, refuse_noted)
    with catching():
        url = f"https://gateway.example:8443{path}"
        mount(lane, evidence, responder, base_url=url).invoke("Repeat after me: arrived")
    assert [each.path for each in seen] == [f"{path}{_CHAT}"]
    if chosen().ours:  # What others ask goes by a proxy of the suite's.
        assert seen[0].header("host") == "gateway.example:8443"


@pytest.mark.claim("endpoint.normalise.base-url")
@pytest.mark.parametrize("variable", ["BASETEN_BASE_URL", "BASETEN_API_BASE"])
def test_the_environment_may_spell_the_base_as_well(
    lane: str, evidence: Evidence, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    seen: list[ReceivedRequest] = []
    monkeypatch.setenv(variable, "https://inference.baseten.co/v1/chat/completions/\n")
    mount(lane, evidence, note_requests(seen), base_url=None).invoke(GREETING)
    assert [each.path for each in seen] == [f"/v1{_CHAT}"]


@pytest.mark.claim("endpoint.normalise.base-url")
@pytest.mark.parametrize("ending", ["", "/", "/chat/completions"], ids=["bare", "slash", "route"])
def test_the_target_answers_at_every_spelling_of_its_base(
    lane: str, model: BaseChatModel, settings: dict[str, Any], ending: str
) -> None:
    base = settings["base_url"]
    _judge_spelling(model, {**settings, "base_url": f"{base}{ending}"})


@pytest.mark.claim("endpoint.refuse.other")
@pytest.mark.own_client_only(
    "which URLs of Baseten answer no chat is for a client of Baseten's to know"
)
@pytest.mark.parametrize("setting", ["model_url", "base_url"])
@pytest.mark.parametrize("url", _REFUSED)
def test_a_url_that_is_no_chat_endpoint_is_refused_with_what_to_paste_instead(
    setting: str, url: str
) -> None:
    settings: dict[str, Any] = {"model": "m", "api_key": FAKE_KEY, setting: url}
    with pytest.raises(ValueError, match="The URL ") as refusal:
        chosen().make(**settings)
    message = str(refusal.value)
    assert all(word in message for word in _REFUSED[url]), message


@pytest.mark.claim("endpoint.base.order")
@pytest.mark.parametrize("case", _BASES)
def test_the_base_url_comes_from_the_argument_else_from_the_variables_in_order(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    expected, variables = _BASES[case]
    hosts = {name: f"{name.lower().replace('_', '-')}.baseten.co" for name in variables}
    if chosen().ours:  # Others may take an empty variable for a URL.
        monkeypatch.setenv("BASETEN_BASE_URL", "")
    for name, host in hosts.items():
        monkeypatch.setenv(name, f"https://{host}/v1")
    given = "https://argument.baseten.co/v1" if expected == "argument" else None
    seen: list[ReceivedRequest] = []
    mount("model-apis", evidence, note_requests(seen), base_url=given).invoke(GREETING)
    assert [each.host for each in seen] == [hosts.get(expected, f"{expected}.baseten.co")]


@pytest.mark.claim("endpoint.normalise.model-url")
@pytest.mark.own_client_only(
    "what two URLs mean, and a name derived from one, is Baseten's client's to say"
)
def test_the_url_of_a_deployment_overrides_a_base_url_with_a_warning(
    lane: str, evidence: Evidence
) -> None:
    seen: list[ReceivedRequest] = []
    url = f"https://{_HOST}/environments/production/predict"
    with pytest.warns(UserWarning, match="both given"):
        model = mount(
            lane,
            evidence,
            note_requests(seen),
            model_url=url,
            base_url="https://elsewhere.example/v1",
        )
    assert model.invoke(GREETING).text
    assert [each.host for each in seen] == [_HOST]


@pytest.mark.claim("instantiation.model.name")
@pytest.mark.own_client_only(
    "what two URLs mean, and a name derived from one, is Baseten's client's to say"
)
def test_a_derived_name_follows_the_url_in_copies(lane: str, evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    model = mount(lane, evidence, note_requests(seen), model=None)
    other = "https://model-wxyz9876.api.baseten.co/environments/production/predict"
    copied = model.model_copy(update={"model_url": other})
    assert copied.model_name == copied.model == "model-wxyz9876"
    assert copied.invoke(GREETING).text
    assert model.invoke(GREETING).text
    model.model_url = other
    assert model.invoke(GREETING).text
    received = [(each.host.partition(".")[0], each.json()["model"]) for each in seen]
    assert received == [
        (name, name) for name in ("model-wxyz9876", "model-abcd1234", "model-wxyz9876")
    ]
    served = mount(lane, evidence, note_requests(seen, refuse_noted), model="maker/served-name")
    with expect("refused"):
        served.invoke(GREETING)
    assert seen[-1].json()["model"] == "maker/served-name"


@pytest.mark.claim("instantiation.model.slug", lane="model-apis")
@pytest.mark.own_client_only("whether a gateway of LangSmith is heard of is for each maker to say")
def test_the_gateway_of_langsmith_takes_model_apis(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence.came_from("reference")
    assert _ask_through_a_gateway(monkeypatch, model="zai-org/GLM-5.2") == (
        "https://gateway.example/baseten/v1",
        "Bearer the-gateways-key",
    )


@pytest.mark.claim("instantiation.model.url", lane="dedicated")
@pytest.mark.own_client_only("whether a gateway of LangSmith is heard of is for each maker to say")
def test_the_gateway_of_langsmith_takes_no_deployment(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence.came_from("reference")
    url = "https://model-abcd1234.api.baseten.co/environments/production"
    assert _ask_through_a_gateway(monkeypatch, model_url=f"{url}/predict") == (
        f"{url}/sync/v1",
        "Bearer the-users-key",
    )


def _ask_through_a_gateway(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[str, str]:
    """Return the base URL and the authorization of a request where a gateway is set."""
    monkeypatch.setenv("LANGSMITH_GATEWAY", "https://gateway.example")
    monkeypatch.setenv("LANGSMITH_GATEWAY_API_KEY", "the-gateways-key")
    monkeypatch.setenv("BASETEN_API_KEY", "the-users-key")
    for name in ("BASETEN_BASE_URL", "BASETEN_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    seen: list[str] = []

    def note(request: Any) -> None:
        seen.append(request.headers["authorization"])

    transport = ResponderTransport()
    client = httpx2.Client(transport=transport, event_hooks={"request": [note]})
    model = chosen().make(http_client=client, **settings)
    with suppress(catch("any")):
        model.invoke("Hello")
    return str(model.endpoint), seen[0]
