"""Who is going to be asked: the address of an engine or a deployment, and what it calls itself.

Knows which routes tell an engine's name. Must not know checks or cassettes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import httpx

from conformance.targets import ENGINE_KEY, LANES, choose_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Addressee", "AddresseeError", "find_addressee"]

# Route -> what answers there, and under which name its version stands.
_SAY = {
    "/version": ("vllm", "version"),
    "/props": ("llama.cpp", "build_info"),
    "/get_server_info": ("sglang", "version"),
}
_PATIENCE = 30.0


class AddresseeError(RuntimeError):
    """Nobody can be asked; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a run asks.

    Attributes:
        where: In words.
        url: As the client takes it; None for the lanes' own.
        engine: Name and version of an engine; empty for anything else.
    """

    where: str
    url: str | None = None
    engine: str = ""


def find_addressee(
    target: str,
    lanes: tuple[str, ...],
    url: str | None,
    engine: str,
    environment: Mapping[str, str],
) -> Addressee:
    """Return whom to ask; an engine is asked for its version, and nothing else.

    Args:
        target: `peer`, `engine` or `live`.
        lanes: The lanes that are asked for.
        url: What the user gave.
        engine: Name and version as the user gave them.
        environment: Where keys and addresses stand.

    Raises:
        AddresseeError: An address, a key or an engine's name is missing.
    """
    if target == "peer":
        return Addressee("the reference peer, on loopback")
    try:
        chosen = [
            choose_settings(LANES[lane], target, None, _pick(lane, target, url), environment)
            for lane in lanes
        ]
    except LookupError as error:
        raise AddresseeError(str(error)) from error
    if target == "live":
        return Addressee(", ".join(_address(each) for each in chosen), url)
    found = _find_front(url or "", environment.get(ENGINE_KEY))
    name = engine or next(_ask_name(found, environment.get(ENGINE_KEY)), "")
    if not name:
        raise AddresseeError(
            f"the engine at {found} does not say what it is: give --engine-version 'vllm 0.32.0'"
        )
    return Addressee(f"{name} at {found}", found, name)


def _pick(lane: str, target: str, url: str | None) -> str | None:
    # With both lanes asked for, one URL of Baseten's can only be the deployment's.
    return url if lane == "dedicated" or target == "engine" else None


def _address(settings: Mapping[str, object]) -> str:
    return str(settings.get("model_url") or settings.get("base_url"))


def _find_front(url: str, key: str | None) -> str:
    """Return the URL that a client takes; of a root alone, ask whether Baseten's front is there."""
    parts = urlsplit(url)
    if parts.path.strip("/"):
        return url
    lane = LANES["dedicated"]
    front = urlunsplit((parts.scheme, parts.netloc, f"{lane.base_path}/models", "", ""))
    answer = _get(front, key)
    return lane.url(url.rstrip("/")) if answer.is_success else url


def _ask_name(url: str, key: str | None) -> Iterator[str]:
    parts = urlsplit(url)
    base = parts.path.removesuffix("/predict").removesuffix("/v1").removesuffix("/sync")
    for prefix in dict.fromkeys((f"{base}/sync", base, "/sync", "")):
        for route, (name, key_of_version) in _SAY.items():
            answer = _get(urlunsplit((parts.scheme, parts.netloc, prefix + route, "", "")), key)
            try:
                said = answer.json() if answer.is_success else None
            except ValueError:
                continue
            version = said.get(key_of_version) if isinstance(said, dict) else None
            if isinstance(version, str) and version:
                yield f"{name} {version}"


def _get(url: str, key: str | None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx.get(url, headers=headers, timeout=_PATIENCE, trust_env=False)
    except httpx.HTTPError as error:
        raise AddresseeError(f"no engine answers at {url}: {type(error).__name__}") from error
