from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from conformance.outbound import model_listing
from conformance.outbound.service_discovery import (
    ServiceAddress,
    ServiceAddressError,
    find_endpoint,
    find_service_address,
)
from conformance.reference.exchange import AnswerPlan, ReceivedRequest, plan_bytes, plan_json
from conformance.reference.server import LoopbackServer
from conformance.targets import LANES

BOTH = ("model-apis", "dedicated")
MISSING = plan_json(404, {"detail": "Not Found"})


def serving(routes: Mapping[str, AnswerPlan]) -> LoopbackServer:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        return routes.get(request.path, MISSING)

    return LoopbackServer(answer)


def test_live_names_the_addresses_and_never_the_key() -> None:
    environment = {
        "BASETEN_API_KEY": " sk-secret\n",
        "BASETEN_DEDICATED_MODEL_URL": "https://model-x.api.baseten.co/predict",
    }
    found = find_service_address("live", BOTH, None, "", environment)
    assert found.where == (
        "https://inference.baseten.co/v1, https://model-x.api.baseten.co/predict"
    )
    given = find_service_address("live", BOTH, "https://model-y.api.baseten.co", "", environment)
    assert given.url == "https://model-y.api.baseten.co"
    assert given.where.startswith("https://inference.baseten.co/v1, https://model-y")
    assert "sk-secret" not in repr((found, given))


@pytest.mark.parametrize(
    ("target", "environment", "missing"),
    [
        ("live", {}, "BASETEN_API_KEY"),
        ("live", {"BASETEN_API_KEY": "sk-secret"}, "BASETEN_DEDICATED_MODEL_URL"),
        ("engine", {}, "--model-url"),
    ],
)
def test_what_is_missing_is_named(target: str, environment: dict[str, str], missing: str) -> None:
    with pytest.raises(ServiceAddressError, match=missing):
        find_service_address(target, ("dedicated",) if environment else BOTH, None, "", environment)


def served_by(*owners: str | None) -> AnswerPlan:
    return plan_json(200, {"data": [{"id": "m", "owned_by": owner} for owner in owners]})


def find_at(url: str, engine: str = "", key: str = "") -> ServiceAddress:
    environment = {"CONFORMANCE_ENGINE_KEY": key} if key else {}
    return find_service_address("engine", ("dedicated",), url, engine, environment)


@pytest.mark.parametrize(
    ("owner", "route", "headers", "name"),
    [
        ("vllm", "/version", {"version": "0.32.0"}, "vllm 0.32.0"),
        ("llamacpp", "/props", {"build_info": "b1-x"}, "llama.cpp b1-x"),
        ("sglang", "/get_server_info", {"version": "0.5"}, "sglang 0.5"),
        ("", "/get_server_info", {"version": "0.5"}, "sglang 0.5"),
        ("sglang", "/server_info", {"version": "0.6"}, "sglang 0.6"),
    ],
)
def test_an_engine_is_asked_what_it_is(
    owner: str, route: str, headers: dict[str, str], name: str
) -> None:
    routes = {route: plan_json(200, headers), "/v1/models": served_by(owner)}
    with serving(routes) as server:
        found = find_at(server.url)
        assert all(request.method == "GET" for request in server.requests)
    assert (found.engine, found.url) == (name, server.url)
    assert found.where == f"{name} at {server.url}"


@pytest.mark.parametrize(
    ("owners", "route", "answer"),
    [
        (["localai"], "/version", plan_json(200, {"version": "v2"})),
        (["localai"], "/server_info", plan_json(200, {"version": "v2"})),
        (["vllm", None], "/version", plan_json(200, {"version": "1"})),
        (["vllm"], "/version", plan_bytes(200, "text/html", b"<html>")),
        (["vllm"], "/version", plan_json(200, [])),
        (["vllm"], "/version", plan_json(200, {})),
    ],
)
def test_an_engine_that_does_not_say_what_it_is_must_be_named(
    owners: list[str | None], route: str, answer: AnswerPlan
) -> None:
    routes = {route: answer, "/v1/models": served_by(*owners)}
    with serving(routes) as server, pytest.raises(ServiceAddressError, match="--engine-name"):
        find_at(server.url)


def test_behind_baselines_front_the_engine_is_below_sync() -> None:
    lane = LANES["dedicated"]
    routes = {
        f"{lane.base_path}/models": served_by("vllm"),
        "/environments/production/sync/version": plan_json(200, {"version": "1"}),
    }
    with serving(routes) as server:
        found = find_at(f"{server.url}/")
    assert found.url == f"{server.url}/environments/production/predict"
    assert found.engine == "vllm 1"


def test_a_page_at_every_path_is_no_front() -> None:
    page = plan_bytes(200, "text/html", b"<html>")
    with LoopbackServer(lambda request: page) as server:
        assert find_at(server.url, "mine 1").url == server.url


def test_what_stays_busy_may_be_a_front_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_listing, "time", SimpleNamespace(sleep=lambda _: None))
    busy = plan_json(503, {"error": "Loading model"})
    reason = "/environments/production/sync/v1/models responds HTTP 503 3 times: Loading model; "
    with (
        LoopbackServer(lambda request: busy) as server,
        pytest.raises(ServiceAddressError, match=reason),
    ):
        find_at(server.url, "mine 1")


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/chat/completions", "/sync/v1/chat/completions", "/predict", "/predict/"],
)
@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_url_with_a_path_is_taken_as_it_is_whatever_its_form(prefix: str, path: str) -> None:
    base = prefix + ("/sync" if "/v1" not in path or "sync" in path else "")
    for root in (base, ""):  # A version may stand at the server's root.
        routes = {
            f"{base}/v1/models": served_by("vllm"),
            f"{root}/version": plan_json(200, {"version": "1"}),
        }
        with serving(routes) as server:
            url = f"{server.url}{prefix}{path}"
            found = find_at(url)
        assert (found.url, found.engine) == (url, "vllm 1")


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("localhost:8000/v1", "it is no http URL of a service"),
        ("ftp://host/v1", "ftp is no http URL"),
        ("http://127.0.0.1:abc/v1", "http is no http URL"),
        ("http://[::1", "http is no http URL"),
        ("http:///v1", "http is no http URL"),
        ("http://me:s3cretword@host/v1", "leave out of the URL what is secret"),
        ("http://host/v1?api_key=s3cretword", "leave out of the URL what is secret"),
        ("http://host/v1#s3cretword", "leave out of the URL what is secret"),
        ("http://host/production/websocket", "is no chat endpoint"),
    ],
)
def test_a_url_of_no_use_is_refused_before_anybody_is_asked(url: str, headers: str) -> None:
    with pytest.raises(ServiceAddressError, match=headers) as refusal:
        find_at(url)
    assert "s3cretword" not in str(refusal.value)


@pytest.mark.parametrize("key", ["nonone", "EMPTY", "schlüssel-lang-genug", "with\nlines-in-it"])
def test_a_key_that_cannot_be_hidden_or_sent_is_refused(key: str) -> None:
    with pytest.raises(ServiceAddressError, match=f"the key has {len(key)} characters") as refusal:
        find_at("http://127.0.0.1:9/v1", "x 1", key)
    assert key not in str(refusal.value)


def test_the_client_says_where_a_setting_leads() -> None:
    model, base = "https://model-abcd1234.api.baseten.co/production/predict", "http://h/x/v1/"
    assert find_endpoint({"model_url": model}).base_url == (
        "https://model-abcd1234.api.baseten.co/production/sync/v1"
    )
    assert find_endpoint({"base_url": base}).base_url == "http://h/x/v1"


def test_a_given_name_is_believed_and_the_key_is_sent() -> None:
    with serving({}) as server:
        found = find_at(server.url, "my engine 3", " engine-key ")
        assert [each.header("authorization") for each in server.requests] == ["Bearer engine-key"]
    assert found.engine == "my engine 3"
