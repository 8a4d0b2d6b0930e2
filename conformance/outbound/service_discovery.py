"""Which service is asked: the address of an engine or a deployment, and its name.

Knows which routes return an engine's name and version. Must not know checks or cassettes, nor
which model is requested (`model_listing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from conformance.outbound.model_listing import ServedError, fetch, list_served
from conformance.targets import ENGINE_KEY, LANES, choose_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.outbound.model_listing import Served
    from langchain_baseten._config.endpoint import Endpoint

__all__ = [
    "ServiceAddress",
    "ServiceAddressError",
    "check_url",
    "find_endpoint",
    "find_service_address",
    "resolve_base_url",
]

# Route -> what answers there, under which name its version stands, and who must own the models:
# `/version` is a name that several engines use.
_VERSIONS = {
    "/version": ("vllm", "version", "vllm"),
    "/props": ("llama.cpp", "build_info", ""),
    "/get_server_info": ("sglang", "version", ""),
    "/server_info": ("sglang", "version", "sglang"),
}
_SHORTEST_KEY = 8


class ServiceAddressError(RuntimeError):
    """No service can be asked; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """The service that a run asks.

    Attributes:
        where: In words.
        url: As the client takes it; None for the lanes' own.
        engine: Name and version of an engine; empty for anything else.
    """

    where: str
    url: str | None = None
    engine: str = ""


def find_service_address(
    target: str,
    lanes: tuple[str, ...],
    url: str | None,
    engine: str,
    environment: Mapping[str, str],
) -> ServiceAddress:
    """Return which service to ask; an engine is asked for its version only.

    Args:
        target: `reference`, `engine` or `live`.
        lanes: The lanes that are asked for.
        url: What the user gave.
        engine: Name and version as the user gave them.
        environment: Variables with keys and addresses.

    Raises:
        ServiceAddressError: An address, a key or an engine's name is missing or of no use.
    """
    if target == "reference":
        return ServiceAddress("the reference server, on loopback")
    try:
        chosen = [
            choose_settings(LANES[lane], target, None, _pick(lane, target, url), environment)
            for lane in lanes
        ]
    except LookupError as error:
        raise ServiceAddressError(str(error)) from error
    for settings in chosen:
        check_url(_address(settings))
        _check_key(str(settings["api_key"]))
    if target == "live":
        return ServiceAddress(", ".join(map(_address, chosen)), url)
    key = str(chosen[0]["api_key"])
    try:
        found = resolve_base_url(url or "", key)
        name = engine or next(_ask_name(found, key), "")
    except ServedError as error:
        raise ServiceAddressError(str(error)) from error
    if not name:
        raise ServiceAddressError(
            f"the engine at {found} does not say what it is: give --engine-name 'vllm 0.32.0'"
        )
    return ServiceAddress(f"{name} at {found}", found, name)


def check_url(url: str) -> None:
    """Raise for what is no URL of a service, and for a URL that holds a secret.

    Raises:
        ServiceAddressError: It is one of these; the message does not show it.
    """
    try:
        parts = urlsplit(url.strip())
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        kind = url.partition(":")[0] if "://" in url else "it"
        raise ServiceAddressError(
            f"{kind:.20} is no http URL of a service: give http://host:port/v1"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ServiceAddressError("leave out of the URL what is secret; the key is read elsewhere")


def _check_key(key: str) -> None:
    if len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable():
        raise ServiceAddressError(
            f"the key has {len(key)} characters: what is to be hidden in every answer needs "
            f"{_SHORTEST_KEY} of ASCII; if the engine wants none, leave {ENGINE_KEY} unset"
        )


def find_endpoint(settings: Mapping[str, object]) -> Endpoint:
    """Return what the client makes of the URL in its constructor's arguments.

    Raises:
        ServiceAddressError: It makes none; the message is the client's.
    """
    module = import_module("langchain_baseten._config.endpoint")
    name = "model_url" if "model_url" in settings else "base_url"
    try:
        found: Endpoint = getattr(module, f"parse_{name}")(settings[name])
    except module.EndpointError as error:
        raise ServiceAddressError(str(error)) from error
    return found


def _pick(lane: str, target: str, url: str | None) -> str | None:
    # With both lanes asked for, one URL of Baseten's can only be the deployment's.
    return url if lane == "dedicated" or target == "engine" else None


def _address(settings: Mapping[str, object]) -> str:
    return str(settings.get("model_url") or settings.get("base_url"))


def resolve_base_url(url: str, key: str) -> str:
    """Return the URL that a client takes; of a root alone, ask whether Baseten's front is there.

    Args:
        url: As the user gave it.
        key: Sent as a bearer token; empty for none.

    Raises:
        ServedError: Nobody answers, or what does is busy: nobody can tell what stands there.
    """
    url = url.strip()
    parts = urlsplit(url)
    if parts.path.strip("/"):
        return url
    lane = LANES["dedicated"]
    front = urlunsplit((parts.scheme, parts.netloc, lane.base_path, "", ""))
    served = list_served(front, key, certain=True)
    return url if served is None else lane.url(url.rstrip("/"))


def _ask_name(url: str, key: str) -> Iterator[str]:
    endpoint = find_endpoint({"model_url": url}).base_url
    owner = _find_owner(list_served(endpoint, key) or ())
    parts = urlsplit(endpoint)
    for prefix in dict.fromkeys((parts.path.removesuffix("/v1"), "")):
        for route, (name, version, owned) in _VERSIONS.items():
            if owned and owned != owner:
                continue
            facts = fetch(urlunsplit((parts.scheme, parts.netloc, prefix + route, "", "")), key)
            found = facts.get(version) if isinstance(facts, dict) else None
            if isinstance(found, str) and found:
                yield f"{name} {found}"


def _find_owner(served: tuple[Served, ...]) -> str:
    owners = {each.owner for each in served}
    return owners.pop() if len(owners) == 1 else ""
