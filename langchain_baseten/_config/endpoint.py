"""Turns any URL a user may paste into the one OpenAI base URL of an endpoint.

Knows Baseten's hosts and paths, and which of them can never answer a chat request.
Must not know requests, keys, the environment or the network: text in, `Endpoint` out.
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

__all__ = ["Endpoint", "EndpointError", "Kind", "parse_base_url", "parse_model_url"]

Kind = Literal["model-apis", "dedicated", "custom"]
Segments = tuple[str, ...]

_MODEL_APIS_HOST: Final = "inference.baseten.co"
_MODEL_HOST: Final = re.compile(r"model-([a-z0-9]+)(?:-([a-z0-9-]+))?\.api\.baseten\.co")
# Ids are eight letters and digits; these stand where a page says what to fill in.
_UNFILLED_ID: Final = re.compile(r"your|my|model|id|x{4,}")
_PAGES: Final = frozenset({"app.baseten.co", "www.baseten.co", "docs.baseten.co", "baseten.co"})

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
    """One place that answers OpenAI-shaped requests.

    Attributes:
        base_url: The OpenAI base URL, without a slash at its end.
        kind: Model APIs, a dedicated deployment on Baseten's hosts, or any other host.
        deployment: The model id that the host names; None where it names none.
        environment: The environment that the path or a regional host names, if any.
    """

    base_url: str
    kind: Kind
    deployment: str | None
    environment: str | None

    @property
    def chat_url(self) -> str:
        """The URL that takes chat requests."""
        return f"{self.base_url}/chat/completions"

    @property
    def embeddings_url(self) -> str:
        """The URL that takes embedding requests."""
        return f"{self.base_url}/embeddings"

    @property
    def model_name(self) -> str:
        """The name to send when the user gives none, derived as langchain-baseten 0.2 did."""
        return f"model-{self.deployment}" if self.deployment else "baseten-model"

    def __str__(self) -> str:
        return self.base_url


def parse_model_url(url: str) -> Endpoint:
    """Reads the `model_url=` argument.

    Baseten's hosts follow its documented paths; on any other host a last segment `predict`
    becomes `sync/v1`, and every path is made to end in `v1`, as langchain-baseten 0.2 did.

    Args:
        url: A model's URL in any form that Baseten's pages show: with `predict`, `sync`,
            `sync/v1`, `v1`, `/chat/completions` or nothing behind the target.

    Returns:
        The endpoint; parsing its text again gives the same endpoint.

    Raises:
        EndpointError: The URL is malformed, or cannot answer a chat request.
    """
    return _parse(url, _end_in_v1)


def parse_base_url(url: str) -> Endpoint:
    """Reads the `base_url=` argument or its environment variable.

    Baseten's hosts follow its documented paths; on any other host the path is taken as it
    stands, but for slashes at its end, a pasted route, and a last `predict` or `sync`.

    Args:
        url: An OpenAI base URL, such as https://inference.baseten.co/v1.

    Returns:
        The endpoint; parsing its text again gives the same endpoint.

    Raises:
        EndpointError: The URL is malformed, or cannot answer a chat request.
    """
    return _parse(url, _keep)


def _parse(received: str, finish: Callable[[Segments], Segments]) -> Endpoint:
    url = split_url(received)
    if f".{url.host}".endswith(".baseten.co"):
        _check_host(url)
    if url.host == _MODEL_APIS_HOST:
        return _read_model_apis(url)
    if url.host == EXAMPLE_HOST:
        return _read_dedicated(url, None, None)
    if named := _MODEL_HOST.fullmatch(url.host):
        return _read_dedicated(url, named[1], named[2])
    _check_purpose(url, url.segments[-1:])
    return Endpoint(_join(url, finish(url.segments)), "custom", None, None)


def _read_model_apis(url: Url) -> Endpoint:
    if url.segments not in {(), ("v1",)}:
        raise url.refusal("has a path that Model APIs do not serve", PASTE_MODEL_APIS)
    return Endpoint(_join(url, ("v1",)), "model-apis", None, None)


def _read_dedicated(url: Url, deployment: str | None, region: str | None) -> Endpoint:
    """Keeps the target as it stands and rewrites what follows it.

    Baseten documents both `/v1` and `/sync/v1` on the bare host (and on a regional one, which
    has bare paths only), but `sync/v1` alone behind a target.
    """
    length, environment = _find_target(url)
    target, rest = url.segments[:length], url.segments[length:]
    _check_purpose(url, rest[:1])
    if not rest or (target and rest == ("v1",)):
        rest = ("sync",)
    base_url = _join(url, target + _end_in_v1(rest))
    return Endpoint(base_url, "dedicated", deployment, environment or region)


def _find_target(url: Url) -> tuple[int, str | None]:
    """Returns how many segments name the target, and the environment among them."""
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
    """Rewrites the last segment only: `predict` may be part of a prefix as well."""
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
    """Refuses the hosts of baseten.co that no chat request can be sent to."""
    if url.host in _PAGES:
        raise url.refusal("is a page for people, not an endpoint", PASTE_DEDICATED)
    if url.host.endswith(".grpc.api.baseten.co"):
        raise url.refusal("speaks gRPC, not HTTP", PASTE_DEDICATED)
    if url.host.startswith("chain-"):
        raise url.refusal("is a chain, not a chat model", PASTE_DEDICATED)
    if url.origin.startswith("http:"):
        what = "would send the API key in clear text"
        raise url.refusal(what, "Write https:// instead of http://.")
    if url.host.startswith("model-") and url.host != EXAMPLE_HOST:
        named = _MODEL_HOST.fullmatch(url.host)
        if named is None or _UNFILLED_ID.fullmatch(named[1]):
            raise placeholder(url.quote)
