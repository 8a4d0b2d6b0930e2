from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest, respond
from conformance.subjects import connect, probes
from conformance.subjects.subject import choose
from conformance.subjects.traffic import LOGGED_REFERENCE
from conformance.targets import FAKE_KEY, LANES

THIRD_PARTY = "conformance.tests.suite.factories:of_ours"


@pytest.fixture
def seen() -> list[ReceivedRequest]:
    return []


@pytest.fixture
def responder(seen: list[ReceivedRequest]) -> Any:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        return respond(request)

    return answer


@pytest.fixture
def _third_party() -> Iterator[None]:
    choose(THIRD_PARTY)
    with connect.OPENED:
        yield
    choose("")


def test_defaults_of_a_class_that_derives_from_ours_are_not_sent_unless_given(
    responder: Any, seen: list[ReceivedRequest]
) -> None:
    choose("conformance.tests.suite.factories:of_a_subclass_with_defaults")
    try:
        for given in ({}, {"temperature": 0.7}):
            assert connect.mount(LANES["dedicated"], responder, given).invoke("Hello").text
    finally:
        choose("")
    sent = [(each.json().get("temperature"), each.json().get("max_tokens")) for each in seen]
    assert sent == [(None, None), (0.7, None)]


@pytest.mark.parametrize("lane", LANES)
def test_our_own_model_is_answered_inside_the_process(
    lane: str, responder: Any, seen: list[ReceivedRequest]
) -> None:
    model = connect.mount(LANES[lane], responder, {"temperature": 0.5})
    assert model.invoke("Hello").text
    assert [each.host for each in seen] == [LANES[lane].host]
    assert seen[0].json()["temperature"] == 0.5
    assert connect.pace() == 0


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize("lane", LANES)
def test_another_model_is_answered_over_a_socket_as_if_at_the_canonical_host(
    lane: str, responder: Any, seen: list[ReceivedRequest]
) -> None:
    model = connect.mount(LANES[lane], responder, {"temperature": 0.5})
    assert model.endpoint.base_url.startswith("http://127.0.0.1:")
    assert model.invoke("Hello").text
    assert [each.host for each in seen] == [LANES[lane].host]
    assert connect.pace() == connect.PACE


@pytest.mark.usefixtures("_third_party")
@pytest.mark.filterwarnings("ignore:model_url and base_url are both given")
def test_the_deployments_url_names_the_host_and_keeps_its_path(
    responder: Any, seen: list[ReceivedRequest]
) -> None:
    url = " HTTPS://MODEL-abcd1234.api.baseten.co/production/predict "
    settings = {"base_url": "https://elsewhere.example/v1", "model_url": url}
    assert connect.mount(LANES["dedicated"], responder, settings).invoke("Hello").text
    [request] = seen
    assert request.host == "model-abcd1234.api.baseten.co"
    assert request.path == "/production/sync/v1/chat/completions"


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"base_url": None}, "would leave this machine"),
        ({"http_client": httpx.Client()}, "http_client is our own client's way"),
        ({"model": None}, "off Baseten's host name"),
        ({"base_url": "https://inference.baseten.co/"}, "off Baseten's host name"),
        ({"model_url": "https://model-a.api.baseten.co/production"}, "off Baseten's host name"),
    ],
)
def test_what_cannot_be_put_to_another_model_is_skipped_with_the_reason(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(pytest.skip.Exception, match=reason):
        connect.mount(LANES["model-apis"], respond, settings)


@pytest.mark.usefixtures("_third_party")
def test_no_url_serves_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect.serve(respond) as first:
        assert httpx.get(f"{first.url}/v1/models").status_code
    urls = iter([first.url, first.url, "http://127.0.0.1:9"])
    made = LoopbackServer.__init__

    def reuse(self: LoopbackServer, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        self.url = next(urls)

    monkeypatch.setattr(LoopbackServer, "__init__", reuse)
    with connect.serve(respond) as second:
        assert second.url == "http://127.0.0.1:9"


@pytest.mark.usefixtures("_third_party")
def test_a_client_may_look_up_the_models(responder: Any, seen: list[ReceivedRequest]) -> None:
    choose("conformance.tests.suite.another_maker:make_fourth")
    assert probes.find_refusal(LANES["model-apis"]) == ""
    model = connect.mount(LANES["model-apis"], responder, {})
    assert seen == []
    assert model.invoke("Hello").text
    assert [each.method for each in seen] == ["POST"]


@pytest.mark.usefixtures("_third_party")
def test_a_lane_that_refuses_each_request_judges_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connect.REFUSED, "model-apis", "it refuses a plain question")
    with pytest.raises(pytest.skip.Exception, match="it refuses a plain question"):
        connect.mount(LANES["model-apis"], respond, {})


@pytest.mark.usefixtures("_third_party")
def test_the_servers_of_a_check_are_closed_with_it() -> None:
    model = connect.mount(LANES["model-apis"], respond, {})
    url = f"{model.endpoint.base_url}/models"
    assert httpx.get(url).status_code
    connect.OPENED.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


@pytest.mark.parametrize("spec", ["", THIRD_PARTY], ids=["ours", "another"])
def test_a_log_of_traffic_holds_what_was_sent_and_answered(spec: str) -> None:
    who = choose(spec)
    with LoopbackServer(LOGGED_REFERENCE) as server:
        model = who.make(base_url=f"{server.url}/v1", model="moonshotai/Kimi-K2.6", api_key="k")
        with connect.tap(model) as (watched, traffic):
            assert watched.invoke("Hello").text
        model.invoke("Not on the traffic")
    choose("")
    assert [body["messages"][0]["content"] for body in traffic.sent] == ["Hello"]
    assert ['"usage"' in answer for answer in traffic.answers] == [True]
    assert FAKE_KEY not in str(vars(traffic))
    assert LOGGED_REFERENCE.logs == []
