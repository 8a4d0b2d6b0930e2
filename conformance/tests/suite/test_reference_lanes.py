from __future__ import annotations

import pytest

from conformance.reference.lanes import find_route

GATEWAY = "inference.baseten.co"
MODEL = "model-abc123.api.baseten.co"
REGION = "model-abc123-eu-west.api.baseten.co"
LOOPBACK = "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "path", "service", "operation"),
    [
        (GATEWAY, "/v1/chat/completions", "model-apis", "chat"),
        (GATEWAY, "/v1/models", "model-apis", "models"),
        (GATEWAY, "/v1/embeddings", "model-apis", "unknown"),
        (GATEWAY, "/chat/completions", "model-apis", "unknown"),
        (GATEWAY, "/v1/v1/chat/completions", "model-apis", "unknown"),
        (GATEWAY, "/production/sync/v1/chat/completions", "model-apis", "unknown"),
        (LOOPBACK, "/v1/chat/completions", "model-apis", "chat"),
        (LOOPBACK, "/sync/v1/chat/completions", "dedicated", "chat"),
        (LOOPBACK, "/production/sync/v1/chat/completions", "dedicated", "chat"),
        (LOOPBACK, "/production/sync/v1/models", "dedicated", "models"),
        (LOOPBACK, "/chat/completions", "dedicated", "unknown"),
        (LOOPBACK, "/proxy/v1/chat/completions", "dedicated", "unknown"),
        (MODEL, "/v1/chat/completions", "dedicated", "chat"),
        (MODEL, "/sync/v1/chat/completions", "dedicated", "chat"),
        (MODEL, "/production/sync/v1/chat/completions", "dedicated", "chat"),
        (MODEL, "/development/sync/v1/chat/completions", "dedicated", "chat"),
        (MODEL, "/environments/staging/sync/v1/chat/completions", "dedicated", "chat"),
        (MODEL, "/environments/blue green/sync/v1/models", "dedicated", "models"),
        (MODEL, "/deployment/q1w2/sync/v1/chat/completions", "dedicated", "chat"),
        (MODEL, "/production/sync/v1/embeddings", "dedicated", "embeddings"),
        (MODEL, "/production/predict", "dedicated", "predict"),
        (MODEL, "/predict", "dedicated", "predict"),
        (MODEL, "/environments/production/predict", "dedicated", "predict"),
        (MODEL, "/production/v1/chat/completions", "dedicated", "unknown"),
        (MODEL, "/environments/x/v1/chat/completions", "dedicated", "unknown"),
        (MODEL, "/predict/v1/chat/completions", "dedicated", "unknown"),
        (MODEL, "/sync/v1/v1/chat/completions", "dedicated", "unknown"),
        (MODEL, "/", "dedicated", "unknown"),
        (REGION, "/sync/v1/chat/completions", "dedicated", "chat"),
        (REGION, "/predict", "dedicated", "predict"),
        (REGION, "/v1/chat/completions", "dedicated", "unknown"),
        (REGION, "/production/sync/v1/chat/completions", "dedicated", "unknown"),
    ],
)
def test_host_and_path_decide_lane_and_operation(
    host: str, path: str, service: str, operation: str
) -> None:
    route = find_route(host, path)
    assert (route.lane, route.operation) == (service, operation)
