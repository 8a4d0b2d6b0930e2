"""Every documented form of URL, and the forms that no chat request can be sent to.

Syntax is tested in `test_url`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._config.endpoint import (
    Endpoint,
    EndpointError,
    example_error,
    parse_base_url,
    parse_model_url,
)

MODEL = "https://model-abcd1234.api.baseten.co"
REGION = "https://model-abcd1234-prod-eu.api.baseten.co"
BOTH = in_each("parse", [parse_model_url, parse_base_url])

# path as pasted -> path of the base URL, environment
DEDICATED = {
    "": ("/sync/v1", None),
    "/": ("/sync/v1", None),
    "/predict": ("/sync/v1", None),
    "/sync": ("/sync/v1", None),
    "/sync/v1": ("/sync/v1", None),
    "/v1": ("/v1", None),
    "/v1/chat/completions": ("/v1", None),
    "/v1/embeddings": ("/v1", None),
    "/chat/completions": ("/sync/v1", None),
    "/production": ("/production/sync/v1", "production"),
    "/production/predict": ("/production/sync/v1", "production"),
    "/production/predict/": ("/production/sync/v1", "production"),
    "/production/sync": ("/production/sync/v1", "production"),
    "/production/sync/v1/": ("/production/sync/v1", "production"),
    "/production/v1": ("/production/sync/v1", "production"),
    "/development/predict": ("/development/sync/v1", "development"),
    "/environments/production/predict": ("/environments/production/sync/v1", "production"),
    "/environments/production/sync/v1": ("/environments/production/sync/v1", "production"),
    "/environments/production//sync//v1": ("/environments/production/sync/v1", "production"),
    "/environments/staging": ("/environments/staging/sync/v1", "staging"),
    "/environments/staging/v1": ("/environments/staging/sync/v1", "staging"),
    "/environments/staging/v1/chat/completions": ("/environments/staging/sync/v1", "staging"),
    "/environments/staging/sync/v1/chat/completions": ("/environments/staging/sync/v1", "staging"),
    "/environments/staging/predict/chat/completions": ("/environments/staging/sync/v1", "staging"),
    "/environments/staging/predict?timeout=9#top": ("/environments/staging/sync/v1", "staging"),
    "/environments/predictor/predict": ("/environments/predictor/sync/v1", "predictor"),
    "/environments/predict/predict": ("/environments/predict/sync/v1", "predict"),
    "/environments/sync/sync/v1": ("/environments/sync/sync/v1", "sync"),
    "/environments/v1/sync": ("/environments/v1/sync/v1", "v1"),
    "/environments/wake/predict": ("/environments/wake/sync/v1", "wake"),
    "/environments/a%20b/predict": ("/environments/a%20b/sync/v1", "a%20b"),
    "/deployment/wxyz789/predict": ("/deployment/wxyz789/sync/v1", None),
    "/deployment/wxyz789/v1": ("/deployment/wxyz789/sync/v1", None),
    "/deployment/wxyz789": ("/deployment/wxyz789/sync/v1", None),
    "/production/sync/wake": ("/production/sync/wake/v1", "production"),
    "/production/sync/openai": ("/production/sync/openai/v1", "production"),
    "/production/sync/openai/v1": ("/production/sync/openai/v1", "production"),
    "/predictor/predict": ("/predictor/sync/v1", None),
}

# path as pasted on somebody else's host -> through model_url, through base_url
CUSTOM = {
    "": ("/v1", ""),
    "/": ("/v1", ""),
    "/v1": ("/v1", "/v1"),
    "/v1/": ("/v1", "/v1"),
    "/v1/chat/completions": ("/v1", "/v1"),
    "/v1/embeddings": ("/v1", "/v1"),
    "/chat/completions": ("/v1", ""),
    "/api": ("/api/v1", "/api"),
    "/api/embeddings": ("/api/embeddings/v1", "/api/embeddings"),
    "/api?tenant=7#x": ("/api/v1", "/api"),
    "/predict": ("/sync/v1", "/sync/v1"),
    "/sync": ("/sync/v1", "/sync/v1"),
    "/sync/v1": ("/sync/v1", "/sync/v1"),
    "/predictor/predict": ("/predictor/sync/v1", "/predictor/sync/v1"),
    "/predict/predict": ("/predict/sync/v1", "/predict/sync/v1"),
    "/models/7/production/predict/": (
        "/models/7/production/sync/v1",
        "/models/7/production/sync/v1",
    ),
    "/production/v1": ("/production/v1", "/production/v1"),
    "/team/wake/v1": ("/team/wake/v1", "/team/wake/v1"),
    "//team//llm//": ("/team/llm/v1", "/team/llm"),
    "/to/https://model-a.api.baseten.co/predict": (
        "/to/https://model-a.api.baseten.co/sync/v1",
        "/to/https://model-a.api.baseten.co/sync/v1",
    ),
}

# URL -> words of the message: what is wrong, and what to paste
REFUSED = {
    "https://chain-abcd1234.api.baseten.co/production/run_remote": ("is a chain", "sync/v1"),
    "https://chain-abcd1234-eu.api.baseten.co/run_remote": ("is a chain", "sync/v1"),
    f"{MODEL}/production/run_remote": ("run_remote runs a chain", "sync/v1"),
    f"{MODEL}/production/async_run_remote": ("async_run_remote queues a run", "sync/v1"),
    f"{MODEL}/environments/production/async_predict": ("async_predict queues", "sync/v1"),
    f"{MODEL}/environments/production/async_queue_status": ("reports on a queue)", "sync/v1"),
    f"{MODEL}/async_request/7f3a": ("reports on a queued request", "sync/v1"),
    f"{MODEL}/production/wake": ("wake starts a replica", "sync/v1"),
    f"{REGION}/wake": ("wake starts a replica", "sync/v1"),
    f"{MODEL}/production/websocket": ("websocket speaks WebSocket", "sync/v1"),
    "https://proxy.example/abcd1234/production/async_predict/": ("async_predict queues", "sync/v1"),
    "https://model-abcd1234.grpc.api.baseten.co": ("speaks gRPC", "sync/v1"),
    f"{MODEL}/environments": ("has no name behind environments/", "/environments/<name>/sync/v1"),
    f"{MODEL}/environments/predict": ("has no name behind environments/", "/environments/<name>/"),
    f"{MODEL}/environments/sync/v1": ("has no name behind environments/", "/environments/<name>/"),
    f"{MODEL}/environments/wake": ("has no name behind environments/", "/environments/<name>/"),
    f"{MODEL}/deployment/": ("has no name behind deployment/", "/deployment/<name>/sync/v1"),
    f"{MODEL}/deployment/v1": ("has no name behind deployment/", "/deployment/<name>/sync/v1"),
    "https://app.baseten.co/models/abcd1234/overview": ("is a page for people", "sync/v1"),
    "https://www.baseten.co/library/glm-5": ("is a page for people", "sync/v1"),
    "https://docs.baseten.co/inference": ("is a page for people", "sync/v1"),
    "https://baseten.co": ("is a page for people", "sync/v1"),
    "http://model-abcd1234.api.baseten.co/v1": ("in clear text", "Write https://"),
    "http://inference.baseten.co/v1": ("in clear text", "Write https://"),
    "http://bridge.baseten.co/v1/direct": ("in clear text", "Write https://"),
    "https://model-YOUR_MODEL_ID.api.baseten.co/v1": ("has a placeholder", "Replace it"),
    "https://model-your-id.api.baseten.co/v1": ("has a placeholder", "Replace it"),
    "https://model-xxxxxxxx.api.baseten.co/v1": ("has a placeholder", "Replace it"),
    "https://model-id.api.baseten.co/v1": ("has a placeholder", "Replace it"),
    "https://api.baseten.co": ("manages models and runs none", "Paste https://model-<id>.api"),
    "https://api.baseten.co/v1/models/abcd1234": ("manages models and runs none", "sync/v1"),
    "https://abcd1234.api.baseten.co/v1": (
        "names no model",
        "Paste https://model-abcd1234.api.baseten.co/environments/production/sync/v1.",
    ),
    "https://wxyz7890.api.baseten.co": ("names no model", "https://model-wxyz7890.api.baseten.co/"),
    "https://model.api.baseten.co/v1": ("names no model", "the host is model-<id>.api.baseten.co"),
    "https://us-east.api.baseten.co/v1": (
        "names no model",
        "the host is model-<id>.api.baseten.co",
    ),
    "https://a.b.api.baseten.co/v1": ("names no model", "the host is model-<id>.api.baseten.co"),
    "https://inference.baseten.co/v1/models": ("do not serve", "https://inference.baseten.co/v1."),
    "https://inference.baseten.co/predict": ("do not serve", "https://inference.baseten.co/v1."),
}


@BOTH
@in_each("pasted", DEDICATED.keys())
def test_model_host_keeps_its_target_and_ends_in_the_openai_route(
    parse: Callable[[str], Endpoint], pasted: str
) -> None:
    path, environment = DEDICATED[pasted]

    assert parse(MODEL + pasted) == Endpoint(MODEL + path, "dedicated", "abcd1234", environment)


@BOTH
@in_each(
    ("pasted", "path"),
    [
        ("", "/sync/v1"),
        ("/predict", "/sync/v1"),
        ("/sync", "/sync/v1"),
        ("/sync/v1", "/sync/v1"),
        ("/sync/v1/chat/completions", "/sync/v1"),
        ("/v1", "/v1"),
    ],
)
def test_regional_host_names_model_and_environment_and_keeps_bare_paths(
    parse: Callable[[str], Endpoint], pasted: str, path: str
) -> None:
    assert parse(REGION + pasted) == Endpoint(REGION + path, "dedicated", "abcd1234", "prod-eu")


def test_target_after_a_regional_host_names_the_environment() -> None:
    endpoint = parse_model_url(f"{REGION}/environments/canary/predict")

    assert endpoint == Endpoint(
        f"{REGION}/environments/canary/sync/v1", "dedicated", "abcd1234", "canary"
    )


@BOTH
@in_each("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1?x=1"])
def test_every_spelling_of_model_apis_has_the_same_base_url(
    parse: Callable[[str], Endpoint], path: str
) -> None:
    expected = Endpoint("https://inference.baseten.co/v1", "model-apis", None, None)

    assert parse(f"https://inference.baseten.co{path}") == expected


@in_each("pasted", CUSTOM.keys())
@in_each(
    "origin",
    ["https://proxy.example", "http://127.0.0.1:8000", "https://gateway.smith.langchain.com"],
)
def test_path_of_a_custom_host_is_completed_by_model_url_and_kept_by_base_url(
    origin: str, pasted: str
) -> None:
    finished, kept = CUSTOM[pasted]

    assert parse_model_url(origin + pasted) == Endpoint(origin + finished, "custom", None, None)
    assert parse_base_url(origin + pasted) == Endpoint(origin + kept, "custom", None, None)


@in_each(
    "url",
    [
        "https://bridge.baseten.co/v1/direct",
        "https://gateway.smith.langchain.com/baseten/v1",
        "https://model-abcd1234.api.baseten.co.example/v1",
        "https://notbaseten.co/v1",
    ],
)
def test_base_url_keeps_every_other_host_unchanged(url: str) -> None:
    assert parse_base_url(url) == Endpoint(url, "custom", None, None)


@BOTH
@in_each("url", REFUSED.keys())
def test_url_that_serves_no_chat_is_rejected_with_what_to_paste(
    parse: Callable[[str], Endpoint], url: str
) -> None:
    with pytest.raises(EndpointError) as caught:
        parse(url)

    message = str(caught.value)
    assert all(words in message for words in REFUSED[url]), message
    assert url.split("://")[1].rstrip("/") in message


@in_each(
    ("url", "example"),
    [
        ("https://model-<id>.api.baseten.co/environments/production/predict", True),
        ("https://model-<ID>.api.baseten.co:8443/v1", True),
        ("https://model-abcd1234.api.baseten.co/environments/production/predict", False),
        ("https://inference.baseten.co/v1", False),
        ("https://proxy.example/v1", False),
    ],
)
def test_example_of_the_documentation_is_known(url: str, example: bool) -> None:
    assert parse_model_url(url).is_example is example


def test_error_of_the_example_says_what_to_replace() -> None:
    error = example_error(parse_model_url("https://model-<id>.api.baseten.co/sync/v1"))

    assert isinstance(error, EndpointError)
    assert str(error) == (
        "The URL is the example of the documentation: "
        "'https://model-<id>.api.baseten.co/sync/v1'. Replace <id> with the id of your model, "
        "which app.baseten.co shows in the URL of each model; it has eight letters and digits."
    )


@BOTH
@in_each("path", ["/environments/production/predict", "/sync", "", "/v1"])
def test_example_of_the_documentation_is_accepted(
    parse: Callable[[str], Endpoint], path: str
) -> None:
    endpoint = parse(f"https://model-<id>.api.baseten.co{path}")

    assert endpoint.base_url.startswith("https://model-<id>.api.baseten.co/")
    assert endpoint.base_url.endswith("/v1")
    assert (endpoint.kind, endpoint.deployment) == ("dedicated", None)
    assert endpoint.model_name == "baseten-model"


def test_an_endpoint_derives_its_urls_and_its_text_from_the_base_url() -> None:
    endpoint = parse_model_url(f"{MODEL}/production/predict")

    assert str(endpoint) == f"{MODEL}/production/sync/v1"
    assert endpoint.chat_url == f"{MODEL}/production/sync/v1/chat/completions"
    assert endpoint.embeddings_url == f"{MODEL}/production/sync/v1/embeddings"


@in_each(
    ("url", "name"),
    [
        (f"{MODEL}/predict", "model-abcd1234"),
        (f"{REGION}/predict", "model-abcd1234"),
        ("https://inference.baseten.co/v1", "baseten-model"),
        ("https://proxy.example/predict", "baseten-model"),
    ],
)
def test_model_host_names_the_model_by_default(url: str, name: str) -> None:
    assert parse_model_url(url).model_name == name


def test_endpoint_can_be_pickled_and_hashed() -> None:
    endpoint = parse_model_url(f"{REGION}/predict")

    assert pickle.loads(pickle.dumps(endpoint)) == endpoint  # noqa: S301 - pickled one line above
    assert hash(endpoint) == hash(parse_model_url(f"{REGION}/sync/v1"))


@BOTH
@in_each("host", ["model-abcd1234.api.baseten", "inference.baseten", "MODEL-ABCD1234.API.Baseten"])
@in_each("rest", [".com/v1", ".com/environments/production/predict", ".com:443/v1"])
def test_host_under_com_is_rejected_with_the_host_to_write(
    parse: Callable[[str], Endpoint], host: str, rest: str
) -> None:
    with pytest.raises(EndpointError, match=rf"Write the host as {host.lower()}\.co\."):
        parse(f"https://{host}{rest}")


@in_each("host", ["baseten.com.example", "notbaseten.com", "baseten.comp"])
def test_host_that_only_looks_like_com_is_custom(host: str) -> None:
    assert parse_base_url(f"https://{host}/v1").kind == "custom"


OWN_URL = (
    "Paste the model's own URL instead: "
    "https://model-<id>.api.baseten.co/environments/production/sync/v1."
)

# URL -> message: the flaw, the URL, what to do
SENTENCES = {
    f"{MODEL}/wake": (
        f"The URL is no chat endpoint (wake starts a replica): '{MODEL}/wake'. {OWN_URL}"
    ),
    f"{MODEL}/deployment": (
        f"The URL has no name behind deployment/: '{MODEL}/deployment'. "
        "Paste https://model-<id>.api.baseten.co/deployment/<name>/sync/v1."
    ),
    "https://inference.baseten.co/v2": (
        "The URL has a path that Model APIs do not serve: 'https://inference.baseten.co/v2'. "
        "For Model APIs paste https://inference.baseten.co/v1."
    ),
    "https://baseten.co": (
        f"The URL is a page for people, not an endpoint: 'https://baseten.co'. {OWN_URL}"
    ),
    "https://model-a.grpc.api.baseten.co": (
        f"The URL speaks gRPC, not HTTP: 'https://model-a.grpc.api.baseten.co'. {OWN_URL}"
    ),
    "https://api.baseten.co/v1": (
        "The URL belongs to the management API, which manages models and runs none: "
        "'https://api.baseten.co/v1'. Paste https://model-<id>.api.baseten.co/environments/"
        "production/sync/v1 with the id of your model, or https://inference.baseten.co/v1 for "
        "Model APIs."
    ),
    "https://x.api.baseten.co": (
        "The URL names no model: 'https://x.api.baseten.co'. For the model with the id <id>, the "
        "host is model-<id>.api.baseten.co."
    ),
    "https://chain-a.api.baseten.co": (
        f"The URL is a chain, not a chat model: 'https://chain-a.api.baseten.co'. {OWN_URL}"
    ),
    "http://inference.baseten.co": (
        "The URL would send the API key in clear text: 'http://inference.baseten.co'. "
        "Write https:// instead of http://."
    ),
}


@in_each(("url", "sentences"), SENTENCES.items())
def test_message_names_the_flaw_the_url_and_what_to_do(url: str, sentences: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_model_url(url)

    assert str(caught.value) == sentences
