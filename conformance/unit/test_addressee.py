from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.peers.exchange import AnswerPlan, PeerRequest, plan_bytes, plan_json
from conformance.peers.server import PeerServer
from conformance.recording.addressee import AddresseeError, find_addressee
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Mapping

BOTH = ("model-apis", "dedicated")
MISSING = plan_json(404, {"detail": "Not Found"})


def serving(routes: Mapping[str, AnswerPlan]) -> PeerServer:
    def answer(request: PeerRequest) -> AnswerPlan:
        return routes.get(request.path, MISSING)

    return PeerServer(answer)


def test_the_peer_needs_nothing() -> None:
    assert find_addressee("peer", BOTH, None, "", {}).where == "the reference peer, on loopback"


def test_live_names_the_addresses_and_never_the_key() -> None:
    environment = {
        "BASETEN_API_KEY": "sk-secret",
        "BASETEN_DEDICATED_MODEL_URL": "https://model-x.api.baseten.co/predict",
    }
    found = find_addressee("live", BOTH, None, "", environment)
    assert found.where == (
        "https://inference.baseten.co/v1, https://model-x.api.baseten.co/predict"
    )
    given = find_addressee("live", BOTH, "https://model-y.api.baseten.co", "", environment)
    assert given.url == "https://model-y.api.baseten.co"
    assert given.where.startswith("https://inference.baseten.co/v1, https://model-y")
    assert "sk-secret" not in repr((found, given))


@pytest.mark.parametrize(
    ("target", "environment", "missing"),
    [
        ("live", {}, "BASETEN_API_KEY"),
        ("live", {"BASETEN_API_KEY": "k"}, "BASETEN_DEDICATED_MODEL_URL"),
        ("engine", {}, "--model-url"),
    ],
)
def test_what_is_missing_is_named(target: str, environment: dict[str, str], missing: str) -> None:
    with pytest.raises(AddresseeError, match=missing):
        find_addressee(target, ("dedicated",) if environment else BOTH, None, "", environment)


@pytest.mark.parametrize(
    ("route", "said", "name"),
    [
        ("/version", {"version": "0.32.0"}, "vllm 0.32.0"),
        ("/props", {"build_info": "b1-x"}, "llama.cpp b1-x"),
        ("/get_server_info", {"version": "0.5"}, "sglang 0.5"),
    ],
)
def test_an_engine_is_asked_what_it_is(route: str, said: dict[str, str], name: str) -> None:
    with serving({route: plan_json(200, said)}) as server:
        found = find_addressee("engine", ("dedicated",), server.url, "", {})
        assert all(request.method == "GET" for request in server.requests)
    assert (found.engine, found.url) == (name, server.url)
    assert found.where == f"{name} at {server.url}"


def test_behind_baselines_front_the_engine_is_below_sync() -> None:
    lane = LANES["dedicated"]
    routes = {
        f"{lane.base_path}/models": plan_json(200, {}),
        "/environments/production/sync/version": plan_json(200, {"version": "1"}),
    }
    with serving(routes) as server:
        found = find_addressee("engine", ("dedicated",), f"{server.url}/", "", {})
    assert found.url == f"{server.url}/environments/production/predict"
    assert found.engine == "vllm 1"


def test_a_url_with_a_path_is_taken_as_it_is() -> None:
    with serving({"/version": plan_json(200, {"version": "1"})}) as server:
        found = find_addressee("engine", ("dedicated",), f"{server.url}/v1", "", {})
    assert (found.url, found.engine) == (f"{server.url}/v1", "vllm 1")


def test_a_given_name_is_believed_and_the_key_is_sent() -> None:
    with serving({}) as server:
        environment = {"CONFORMANCE_ENGINE_KEY": "k"}
        found = find_addressee("engine", ("dedicated",), server.url, "my engine 3", environment)
        assert [each.header("authorization") for each in server.requests] == ["Bearer k"]
    assert found.engine == "my engine 3"


@pytest.mark.parametrize(
    "answer", [plan_bytes(200, "text/html", b"<html>"), plan_json(200, []), plan_json(200, {})]
)
def test_an_engine_that_does_not_say_what_it_is_must_be_named(answer: AnswerPlan) -> None:
    with (
        serving({"/version": answer}) as server,
        pytest.raises(AddresseeError, match="--engine-version"),
    ):
        find_addressee("engine", ("dedicated",), server.url, "", {})


def test_an_engine_that_does_not_answer_is_named() -> None:
    with serving({}) as server:
        url = server.url
    with pytest.raises(AddresseeError, match=f"no engine answers at {url}.*ConnectError"):
        find_addressee("engine", ("dedicated",), url, "", {})
