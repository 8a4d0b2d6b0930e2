"""Turns any URL that a user may paste into the OpenAI base URL of an endpoint.

Knows Baseten's hosts and paths, and which of them cannot serve a chat request. Must not know
requests, keys, the environment or the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from langchain_baseten._config.url import (
    EXAMPLE_HOST,
    PASTE_DEDICATED,
    PASTE_MODEL_APIS,
    Url,
    placeholder,
    split_url,
)
from langchain_baseten.exceptions import EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Endpoint",
    "EndpointError",
    "Kind",
    "example_error",
    "parse_base_url",
    "parse_model_url",
]

Kind = Literal["model-apis", "dedicated", "custom"]
Segments = tuple[str, ...]

_MODEL_APIS_HOST: Final = "inference.baseten.co"
_MODEL_HOST: Final = r"model-([a-z0-9]+)(?:-([a-z0-9-]+))?\.api\.baseten\.co"
# Ids have eight letters and digits; these are placeholders for one.
_UNFILLED_ID: Final = r"your|my|model|id|x{4,}"

_HOST_ADVICE: Final = f"For the model with the id <id>, the host is {EXAMPLE_HOST}."
_UNUSABLE_HOSTS: Final = (
    (
        r"(?:(?:app|www|docs)\.)?baseten\.co",
        "is a page for people, not an endpoint",
        PASTE_DEDICATED,
    ),
    (r".*\.grpc\.api\.baseten\.co", "speaks gRPC, not HTTP", PASTE_DEDICATED),
    (r"chain-.*", "is a chain, not a chat model", PASTE_DEDICATED),
    (
        r"api\.baseten\.co",
        "belongs to the management API, which manages models and runs none",
        (
            f"Paste https://{EXAMPLE_HOST}/environments/production/sync/v1 with the id of your "
            "model, or https://inference.baseten.co/v1 for Model APIs."
        ),
    ),
    (
        r"([a-z0-9]{8})\.api\.baseten\.co",
        "names no model",
        "Paste https://model-{}.api.baseten.co/environments/production/sync/v1.",
    ),
    (r"(?!model-).*\.api\.baseten\.co", "names no model", _HOST_ADVICE),
)
"""Hosts of baseten.co that serve no chat requests: pattern, what is wrong, what to write."""

_NOT_CHAT: Final = {
    "async_predict": "queues a request and answers with its id",
    "async_queue_status": "reports on a queue",
    "async_request": "reports on a queued request",
    "async_run_remote": "queues a run of a chain",
    "run_remote": "runs a chain",
    "wake": "starts a replica",
    "websocket": "speaks WebSocket",
}
_ENDINGS: Final = frozenset({"predict", "sync", "v1", *_NOT_CHAT})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that takes OpenAI requests.

    Attributes:
        base_url: OpenAI base URL, without a slash at its end.
        kind: Model APIs, a dedicated deployment on Baseten's hosts, or any other host.
        deployment: Model id in the host, if any.
        environment: Environment in the path or in a regional host, if any.
    """

    base_url: str
    kind: Kind
    deployment: str | None
    environment: str | None

    @property
    def chat_url(self) -> str:
        """URL of chat requests."""
        return f"{self.base_url}/chat/completions"

    @property
    def embeddings_url(self) -> str:
        """URL of embedding requests."""
        return f"{self.base_url}/embeddings"

    @property
    def models_url(self) -> str:
        """URL of the list of models."""
        return f"{self.base_url}/models"

    @property
    def server(self) -> str:
        """Scheme, host and port of the base URL."""
        return "/".join(self.base_url.split("/", 3)[:3])

    @property
    def model_name(self) -> str:
        """Model to request if the user names none, derived as in langchain-baseten 0.2."""
        return f"model-{self.deployment}" if self.deployment else "baseten-model"

    @property
    def is_example(self) -> bool:
        """Whether the URL is the documentation's example, which can be parsed but not requested."""
        return self.base_url.partition("://")[2].startswith(EXAMPLE_HOST)

    def __str__(self) -> str:
        return self.base_url


def parse_model_url(url: str) -> Endpoint:
    """Return the endpoint of the `model_url=` argument.

    Baseten's hosts have its documented paths. On any other host, a last segment `predict` becomes
    `sync/v1`, and `v1` is appended unless it is there, as in langchain-baseten 0.2.

    Args:
        url: URL of a model in any form that Baseten's pages show: with `predict`, `sync`,
            `sync/v1`, `v1`, `/chat/completions` or nothing after the target.

    Returns:
        The endpoint. Parsing its text again gives the same endpoint.

    Raises:
        EndpointError: If the URL is malformed, or cannot serve a chat request.
    """
    return _parse(url, _end_in_v1)


def parse_base_url(url: str) -> Endpoint:
    """Return the endpoint of the `base_url=` argument or its environment variable.

    Baseten's hosts have its documented paths. On any other host the path is kept, except for
    slashes at its end, the route of a request, and a last segment `predict` or `sync`.

    Args:
        url: OpenAI base URL, such as https://inference.baseten.co/v1.

    Returns:
        The endpoint. Parsing its text again gives the same endpoint.

    Raises:
        EndpointError: If the URL is malformed, or cannot serve a chat request.
    """
    return _parse(url, _keep)


def example_error(endpoint: Endpoint) -> EndpointError:
    """Return the error for a request to the example of the documentation.

    Args:
        endpoint: Endpoint whose `is_example` is true.
    """
    return split_url(endpoint.base_url).refusal(
        "is the example of the documentation",
        "Replace <id> with the id of your model, which app.baseten.co shows in the URL of each "
        "model; it has eight letters and digits.",
    )


def _parse(received: str, finish: Callable[[Segments], Segments]) -> Endpoint:
    url = split_url(received)
    if f".{url.host}".endswith(".baseten.com"):
        host = f"{url.host.removesuffix('.com')}.co"
        raise url.refusal("is under baseten.com, not baseten.co", f"Write the host as {host}.")
    if f".{url.host}".endswith(".baseten.co"):
        _check_host(url)
    if url.host == _MODEL_APIS_HOST:
        return _read_model_apis(url)
    if url.host == EXAMPLE_HOST:
        return _read_dedicated(url, None, None)
    if named := re.fullmatch(_MODEL_HOST, url.host):
        return _read_dedicated(url, named[1], named[2])
    _check_purpose(url, url.segments[-1:])
    return Endpoint(_join(url, finish(url.segments)), "custom", None, None)


def _read_model_apis(url: Url) -> Endpoint:
    if url.segments not in {(), ("v1",)}:
        raise url.refusal("has a path that Model APIs do not serve", PASTE_MODEL_APIS)
    return Endpoint(_join(url, ("v1",)), "model-apis", None, None)


def _read_dedicated(url: Url, deployment: str | None, region: str | None) -> Endpoint:
    """Return the endpoint of a model's host: the target is kept, what follows is normalized.

    Baseten documents both `/v1` and `/sync/v1` on the bare host (and on a regional one, which
    has bare paths only), but only `sync/v1` after a target.
    """
    length, environment = _find_target(url)
    target, rest = url.segments[:length], url.segments[length:]
    _check_purpose(url, rest[:1])
    if not rest or (target and rest == ("v1",)):
        rest = ("sync",)
    base_url = _join(url, target + _end_in_v1(rest))
    return Endpoint(base_url, "dedicated", deployment, environment or region)


def _find_target(url: Url) -> tuple[int, str | None]:
    """Return how many segments name the target, and the environment among them."""
    match url.segments:
        case ("production" | "development" as environment, *_):
            return 1, environment
        case ("environments" | "deployment" as group, *rest):
            if not rest or rest == ["sync", "v1"] or (len(rest) == 1 and rest[0] in _ENDINGS):
                advice = f"Paste https://{EXAMPLE_HOST}/{group}/<name>/sync/v1."
                raise url.refusal(f"has no name behind {group}/", advice)
            return 2, rest[0] if group == "environments" else None
    return 0, None


def _end_in_v1(segments: Segments) -> Segments:
    """Return segments that end in `v1`. Only a last `predict` is replaced: others are a prefix."""
    match segments:
        case (*head, "predict"):
            return (*head, "sync", "v1")
        case (*_, "v1"):
            return segments
    return (*segments, "v1")


def _keep(segments: Segments) -> Segments:
    return _end_in_v1(segments) if segments[-1:] in {("predict",), ("sync",)} else segments


def _join(url: Url, segments: Segments) -> str:
    return "/".join((url.origin, *segments))


def _check_purpose(url: Url, segments: Segments) -> None:
    for segment in segments:
        if segment in _NOT_CHAT:
            what = f"is no chat endpoint ({segment} {_NOT_CHAT[segment]})"
            raise url.refusal(what, PASTE_DEDICATED)


def _check_host(url: Url) -> None:
    for pattern, what, advice in _UNUSABLE_HOSTS:
        if found := re.fullmatch(pattern, url.host):
            raise url.refusal(what, advice.format(*found.groups()))
    if url.origin.startswith("http:"):
        what = "would send the API key in clear text"
        raise url.refusal(what, "Write https:// instead of http://.")
    if url.host.startswith("model-") and url.host != EXAMPLE_HOST:
        named = re.fullmatch(_MODEL_HOST, url.host)
        if named is None or re.fullmatch(_UNFILLED_ID, named[1]):
            raise placeholder(url.quote)
