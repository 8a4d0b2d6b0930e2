"""Which models a service lists, and which of them a run requests.

Knows `GET /models` as OpenAI-compatible services answer it; costs no tokens. Must not know checks
or cassettes.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx2

from conformance.outbound.transport_guard import PASSING, WAKING
from conformance.subjects.wire_answers import find_sentence
from conformance.targets import ENGINE_KEY, FAKE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.targets import Lane

__all__ = [
    "Served",
    "ServedError",
    "choose_model",
    "describe_listing",
    "fetch",
    "list_served",
    "no_longer_than",
    "wait_until_awake",
]

_PATIENCE = ContextVar("patience", default=30.0)
"""Seconds that a response to these requests may take to begin."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_UNASKED = "; with --model and the path of the chat endpoint in the URL nothing is looked up"
_REFUSALS = {401, 403}
_WAITS = (1.0, 2.0)
"""Seconds before each further request for what is busy or not there yet."""
_WAKING_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each further request to a service that is waking up."""


class ServedError(RuntimeError):
    """The service does not answer, refuses the key, or leaves a choice; the message says which."""


class Served(NamedTuple):
    """One entry of a list of models.

    Attributes:
        name: The model of a request.
        owner: Who owns it, by which engines name themselves; empty if it is not given.
    """

    name: str
    owner: str


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Wait for no response longer, for the length of a `with` block.

    Args:
        seconds: How long; what is longer than the default changes nothing.
    """
    before = _PATIENCE.set(min(seconds, _PATIENCE.get()))
    try:
        yield
    finally:
        _PATIENCE.reset(before)


def list_served(endpoint: str, key: str, *, certain: bool = False) -> tuple[Served, ...] | None:
    """Ask a service for its models.

    Args:
        endpoint: Its OpenAI base URL.
        key: Sent as a bearer token; empty for none.
        certain: Whether to raise where a service that stays busy leaves open whether it has a list.

    Returns:
        The models; None if the service has no list, which a deployment need not have.

    Raises:
        ServedError: Nobody answers, the key is refused, or the service is busy.
    """
    listing = fetch(f"{endpoint}/models", key, certain=certain)
    rows = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(rows, list):
        return None
    return tuple(
        Served(row["id"], str(row.get("owned_by") or ""))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("id"), str)
    )


def fetch(url: str, key: str, *, certain: bool = False) -> Any:
    """Return the JSON of a successful response; None for anything else.

    What is busy is requested again, twice.

    Args:
        url: The URL.
        key: Sent as a bearer token; empty for none.
        certain: Whether to raise for what is busy even then.

    Raises:
        ServedError: Nobody answers, the key is refused, or the service is busy.
    """
    response = _get(url, key)
    for wait in _WAITS:
        if response.status_code not in PASSING:
            break
        time.sleep(wait)
        response = _get(url, key)
    if certain and response.status_code in PASSING:
        raise ServedError(
            f"{url} responds HTTP {response.status_code} {1 + len(_WAITS)} times: "
            f"{find_sentence(response.text):.200}; judge the service once it is awake, or give its "
            f"URL with the path of its chat endpoint"
        )
    try:
        return response.json() if response.is_success else None
    except ValueError:
        return None


def wait_until_awake(endpoint: str, key: str) -> None:
    """Wait for half a minute if a service responds at all paths that it is not there yet.

    Args:
        endpoint: Its OpenAI base URL.
        key: Sent as a bearer token; empty for none.

    Raises:
        ServedError: Nobody answers, the key is refused, or the service is still not there.
    """
    for wait in (*_WAKING_WAITS, 0.0):
        response = _get(f"{endpoint}/models", key)
        # A list alone may be out of order.
        there = response.status_code not in WAKING
        if there or _send(endpoint, key).status_code not in WAKING:
            return
        time.sleep(wait)
    raise ServedError(
        f"{endpoint} responds HTTP {response.status_code} for {sum(_WAKING_WAITS):.0f} s: "
        f"{find_sentence(response.text):.200}; judge the service once it is awake"
    )


def describe_listing(endpoint: str, key: str) -> str:
    """Return what a service without a list responds to the request for it, as a sentence.

    Args:
        endpoint: Its OpenAI base URL.
        key: Sent as a bearer token; empty for none.

    Raises:
        ServedError: Nobody answers, or the key is refused.
    """
    response = _get(f"{endpoint}/models", key)
    sentence = find_sentence(response.text) if not response.is_success else ""
    status = f"HTTP {response.status_code}"
    return f"GET {endpoint}/models responds {status}{sentence and f': {sentence:.200}'}"


def _get(url: str, key: str) -> httpx2.Response:
    response = _send(url, key)
    if response.status_code in _REFUSALS:
        hint = f"; set {ENGINE_KEY} if it is an engine" if key in {"", FAKE_KEY} else ""
        raise ServedError(f"{url} refuses the key: HTTP {response.status_code}{hint}")
    return response


def _send(url: str, key: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    # As the client trusts authorities; what is on this machine is behind no proxy.
    tls = import_module("langchain_baseten._http.clients").tls_context()
    near = urlsplit(url).hostname in _LOOPBACK
    patience = _PATIENCE.get()
    try:
        return httpx2.get(url, headers=headers, timeout=patience, verify=tls, trust_env=not near)
    except httpx2.HTTPError as error:
        far = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
        what = "cannot be reached" if far else "gives no answer"
        late = isinstance(error, httpx2.ReadTimeout)
        hint = f" after {patience:g} s{_UNASKED}" if late else f" ({error!s:.200})"
        raise ServedError(f"{url} {what}: {type(error).__name__}{hint}") from error


def choose_model(lane: Lane, served: tuple[Served, ...] | None, otherwise: str) -> str:
    """Return the model to ask a service for instead of the lane's own; empty to keep those.

    Args:
        lane: The lane, with the models that its checks name.
        served: What the service lists; None if it has no list.
        otherwise: What to ask for where there is no list.

    Raises:
        ServedError: There are several models to choose from, none of them the lane's own.
    """
    names = [each.name for each in served or ()]
    if lane.model in names:
        return ""
    if len(names) > 1:
        first = ", ".join(names[:5])
        raise ServedError(f"it serves {len(names)} models ({first}): choose one with --model")
    return names[0] if names else otherwise
