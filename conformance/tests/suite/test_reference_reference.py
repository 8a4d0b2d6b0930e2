from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from conformance.reference import AnswerPlan, ReferenceServer, Responder, make_request, respond
from conformance.reference.catalogue import HOSTED

if TYPE_CHECKING:
    from conformance.reference import ReceivedRequest

GATEWAY = "https://inference.baseten.co/v1"
DEDICATED = "https://model-abc.api.baseten.co/environments/production/sync/v1"
LOOPBACK = "http://127.0.0.1:8000"
HELLO = {"model": "zai-org/GLM-5.2", "messages": [{"role": "user", "content": "Hello"}]}
NO_KEY = (401, b"No Authorization header provided")
BAD_KEY = (403, b'{"error":"please check the api-key you provided"}\n')


def chat(base: str, body: Any = HELLO, authorization: str | None = "Bearer key") -> AnswerPlan:
    return respond(make_request(f"{base}/chat/completions", body, authorization=authorization))


def brief(plan: AnswerPlan) -> tuple[int, bytes]:
    return plan.status, plan.body


@pytest.mark.parametrize("base", [GATEWAY, DEDICATED, f"{LOOPBACK}/v1", f"{LOOPBACK}/sync/v1"])
@pytest.mark.parametrize("authorization", ["Bearer key", "Api-Key key", "bearer key"])
def test_both_schemes_are_accepted_in_both_lanes(base: str, authorization: str) -> None:
    assert chat(base, authorization=authorization).status == 200


@pytest.mark.parametrize("base", [GATEWAY, DEDICATED])
def test_a_request_without_a_key_is_refused_in_plain_text(base: str) -> None:
    plan = chat(base, authorization=None)
    assert brief(plan) == NO_KEY
    assert dict(plan.headers)["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("base", [GATEWAY, DEDICATED])
@pytest.mark.parametrize("authorization", ["Bearer bad-key", "Api-Key bad", "Basic key"])
def test_a_bad_key_is_forbidden(base: str, authorization: str) -> None:
    plan = chat(base, authorization=authorization)
    assert brief(plan) == BAD_KEY
    assert dict(plan.headers)["content-type"] == "application/json"


@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer", ""])
def test_an_empty_key_meets_the_load_balancer(authorization: str) -> None:
    plan = chat(GATEWAY, authorization=authorization)
    assert plan.status == 502
    assert plan.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("operation", ["models", "predict", "embeddings"])
def test_every_operation_checks_the_key(operation: str) -> None:
    method = "GET" if operation == "models" else "POST"
    url = f"{DEDICATED.removesuffix('/sync/v1')}/predict"
    url = url if operation == "predict" else f"{DEDICATED}/{operation}"
    request = make_request(url, {}, method=method, authorization="Bearer bad")
    assert brief(respond(request)) == BAD_KEY
    listing = make_request(f"{GATEWAY}/models", method="GET", authorization="Bearer bad")
    assert brief(respond(listing)) == BAD_KEY


def test_one_key_can_be_made_the_only_one() -> None:
    responder = ReferenceServer(key="bad-but-right")
    url = f"{GATEWAY}/chat/completions"
    good = make_request(url, HELLO, authorization="Bearer bad-but-right")
    assert responder(good).status == 200
    assert brief(responder(make_request(url, HELLO))) == BAD_KEY
    assert "right" not in repr(responder)


def test_the_gateway_reads_the_body_before_the_key() -> None:
    assert chat(GATEWAY, {}, "Bearer bad").status == 400
    assert chat(GATEWAY, b"{", "Bearer bad").status == 400
    assert chat(GATEWAY, HELLO | {"temperature": 3}, "Bearer bad").status == 403
    assert chat(GATEWAY, HELLO | {"model": "x"}, "Bearer bad").status == 403
    assert chat(GATEWAY, {}, None).status == 401


def test_a_deployment_checks_the_key_before_the_body() -> None:
    assert chat(DEDICATED, b"{", "Bearer bad").status == 403


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"\xff"])
def test_the_gateway_refuses_a_body_that_is_no_json_object(body: bytes) -> None:
    plan = chat(GATEWAY, body)
    assert brief(plan) == (400, b'{"error":"Invalid request body"}\n')


def test_an_unknown_model_is_not_found_at_the_gateway() -> None:
    plan = chat(GATEWAY, HELLO | {"model": "zai-org/GLM-9"})
    assert brief(plan) == (404, b'{"error":"please check the model you provided"}\n')


def test_unknown_routes_are_not_found_in_the_words_of_their_lane() -> None:
    plan = chat(f"{GATEWAY}/v1")
    assert plan.status == 404
    assert json.loads(plan.body) == {
        "error": {"code": 404, "message": "Not Found", "type": "Not Found"}
    }
    plan = chat("https://model-abc.api.baseten.co/production/v1")
    assert brief(plan) == (404, b'{"detail":"Not Found"}')


def test_a_wrong_method_is_refused_in_the_words_of_its_lane() -> None:
    plan = respond(make_request(f"{DEDICATED}/chat/completions", method="GET"))
    assert brief(plan) == (405, b'{"detail":"Method Not Allowed"}')
    assert dict(plan.headers)["allow"] == "POST"
    plan = respond(make_request(f"{GATEWAY}/models", {}))
    assert plan.status == 405
    assert json.loads(plan.body)["error"]["message"] == "Method Not Allowed"
    assert dict(plan.headers)["allow"] == "GET"


def test_predict_refuses_chat_in_the_words_of_truss() -> None:
    plan = respond(make_request("https://model-abc.api.baseten.co/production/predict", HELLO))
    assert plan.status == 400
    assert json.loads(plan.body) == {
        "error": "predict expects `prompt`; chat completions are served under /sync/v1"
    }
    assert dict(plan.headers)["x-baseten-error-source"] == "04"
    assert dict(plan.headers)["x-baseten-error-code"] == "600"


def test_a_deployment_takes_larger_bodies_than_the_gateway() -> None:
    padded = json.dumps(HELLO).encode() + b" " * 5_000_000
    assert chat(GATEWAY, padded).status == 413
    assert chat(DEDICATED, padded).status == 200


def test_the_gateway_lists_its_models() -> None:
    listing = json.loads(respond(make_request(f"{GATEWAY}/models", method="GET")).body)
    assert list(listing) == ["data"]
    assert [item["id"] for item in listing["data"]] == list(HOSTED)
    (item,) = [item for item in listing["data"] if item["id"] == "moonshotai/Kimi-K2.6"]
    assert list(item) == [
        "id",
        "created",
        "object",
        "owned_by",
        "name",
        "description",
        "context_length",
        "max_completion_tokens",
        "quantization",
        "pricing",
        "supported_sampling_parameters",
        "supported_features",
        "input_modalities",
        "output_modalities",
    ]
    assert item["input_modalities"] == ["text", "image"]
    assert item["context_length"] == 262000
    assert "reasoning" in item["supported_features"]
    assert "reasoning" not in next(
        one["supported_features"] for one in listing["data"] if "V3.1" in one["id"]
    )


def test_a_deployment_lists_what_it_serves() -> None:
    listing = json.loads(respond(make_request(f"{DEDICATED}/models", method="GET")).body)
    assert listing["object"] == "list"
    assert list(listing["data"][0]) == [
        "id",
        "object",
        "created",
        "owned_by",
        "root",
        "parent",
        "max_model_len",
    ]
    assert [(item["id"], item["max_model_len"]) for item in listing["data"]] == [
        ("omni", 32768),
        ("tiny", 2048),
    ]


@pytest.mark.parametrize("base", [GATEWAY, DEDICATED])
def test_the_same_request_gets_the_same_answer_and_another_gets_another(base: str) -> None:
    assert chat(base) == chat(base)
    assert chat(base).body != chat(base, HELLO | {"seed": 1}).body


@pytest.mark.parametrize(
    ("model", "fields", "thinks"),
    [
        ("zai-org/GLM-5.2", {}, True),
        ("zai-org/GLM-5.2", {"reasoning_effort": "none"}, False),
        ("zai-org/GLM-5.2", {"reasoning": {"effort": "none"}}, False),
        ("zai-org/GLM-5.2", {"thinking": {"type": "disabled"}}, False),
        ("zai-org/GLM-5.2", {"chat_template_args": {"enable_thinking": False}}, False),
        ("zai-org/GLM-5.1", {}, False),
        ("zai-org/GLM-5.1", {"thinking": {"type": "enabled"}}, True),
        ("zai-org/GLM-5.1", {"chat_template_args": {"enable_thinking": True}}, True),
        ("zai-org/GLM-5.1", {"chat_template_kwargs": {"enable_thinking": True}}, True),
        ("deepseek-ai/DeepSeek-V3.1", {"chat_template_args": {"enable_thinking": True}}, False),
    ],
)
def test_reasoning_is_switched_as_documented(
    model: str, fields: dict[str, Any], thinks: bool
) -> None:
    message = json.loads(chat(GATEWAY, HELLO | {"model": model} | fields).body)["choices"][0]
    assert ("reasoning_content" in message["message"]) is thinks


def test_the_effort_is_named_in_the_reasoning() -> None:
    body = json.loads(chat(GATEWAY, HELLO | {"reasoning_effort": "max"}).body)
    assert "My effort is max." in body["choices"][0]["message"]["reasoning_content"]


def test_a_responder_is_made_to_lie_in_a_few_lines() -> None:
    def forget_usage(responder: Responder) -> Responder:
        def lie(request: ReceivedRequest) -> AnswerPlan:
            return responder(request).map_events(
                lambda event: {key: value for key, value in event.items() if key != "usage"}
            )

        return lie

    streamed = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
    request = make_request(f"{GATEWAY}/chat/completions", streamed)
    assert b'"usage"' in respond(request).body
    assert b'"usage"' not in forget_usage(respond)(request).body
