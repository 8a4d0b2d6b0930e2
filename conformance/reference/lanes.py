"""Which service and which operation a request is for, read from host and path.

Knows the URL forms that Baseten documents. Must not know bodies or keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Lane: TypeAlias = Literal["model-apis", "dedicated"]
Operation: TypeAlias = Literal["chat", "models", "embeddings", "predict", "unknown"]

_GATEWAY_HOST = "inference.baseten.co"
_DEDICATED_HOST = re.compile(r"model-[a-z0-9]+(?P<region>-[a-z0-9-]+)?\.api\.baseten\.co")
_TARGET = re.compile(r"/(?:production|development|(?:environments|deployment)/[^/]+)(?=/)")
"""The part of a path that names the deployment."""
_OPERATIONS: dict[str, Operation] = {
    "chat/completions": "chat",
    "models": "models",
    "embeddings": "embeddings",
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        lane: The service.
        operation: What is asked of it; `unknown` answers 404.
    """

    lane: Lane
    operation: Operation


def find_route(host: str, path: str) -> Route:
    """Return the route of a request.

    The two Baseten hosts decide the lane. Any other host (loopback, a proxy) is told apart by
    its path: `/v1/...` is Model APIs, everything with a deployment target or `/sync/` is a
    dedicated deployment. Source: docs.baseten.co, "Call your model" and the inference API
    reference.

    Args:
        host: Host name without port, lower case.
        path: Path of the request.

    Returns:
        The route.
    """
    if host == _GATEWAY_HOST:
        return _gateway(path)
    dedicated = _DEDICATED_HOST.fullmatch(host)
    if dedicated:
        return _dedicated(path, bare_v1=not dedicated["region"], targets=not dedicated["region"])
    if path.startswith("/v1/"):
        return _gateway(path)
    return _dedicated(path, bare_v1=False, targets=True)


def _gateway(path: str) -> Route:
    operation = _OPERATIONS.get(path.removeprefix("/v1/"), "unknown")
    # The hosted models have no embeddings endpoint.
    known = path.startswith("/v1/") and operation != "embeddings"
    return Route("model-apis", operation if known else "unknown")


def _dedicated(path: str, *, bare_v1: bool, targets: bool) -> Route:
    match = _TARGET.match(path) if targets else None
    rest = path[match.end() :] if match else path
    if rest == "/predict":
        return Route("dedicated", "predict")
    # `/production/v1/...` looks right and is not: only the bare host takes `/v1` directly.
    prefixes = ("/sync/v1/", "/v1/") if bare_v1 and not match else ("/sync/v1/",)
    found = [_OPERATIONS.get(rest.removeprefix(each)) for each in prefixes if rest.startswith(each)]
    return Route("dedicated", next(filter(None, found), "unknown"))
