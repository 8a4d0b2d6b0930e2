"""Who is soaked: our own client, or one that breaks it; how callers come by a model, and leave it.

Knows how models are made, copied and closed; must not know what they are asked.
"""

from __future__ import annotations

import copy
import importlib
import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.subjects.subject import SubjectError, read_spec
from langchain_baseten import BasetenEmbeddings, BasetenError, ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BRISK", "HOLDERS", "SHARED_KEY", "Client", "Holder", "is_typed", "load_client"]

SHARED_KEY = "sk-soak-0000000000-of-all"
"""The key of the model that all share; a model per request has one of its own."""
PATIENCE = 20.0
"""Seconds that a model waits for an answer that will come."""
HASTE = 0.4
"""Seconds that a call waits for an answer that will not come."""
BRISK = {"timeout": HASTE, "stream_chunk_timeout": HASTE, "max_retries": 0}
"""What a call passes to be impatient."""


def is_typed(error: BaseException) -> bool:
    """Tell whether an error is one of the client's own."""
    return isinstance(error, BasetenError)


@dataclass
class Client:
    """The models of a soak.

    Attributes:
        make_chat: Makes a chat model from keyword arguments; the model of vectors is always ours.
        url: Where they are aimed.
        shared: The models that all share, by kind, `chat` and `vectors`.
    """

    make_chat: Callable[..., Any] = ChatBaseten
    url: str = ""
    shared: dict[str, Any] = field(default_factory=dict)

    def aim(self, url: str) -> None:
        """Make the shared models, aimed at a server."""
        self.url = url
        self.shared = {kind: self.make(kind, SHARED_KEY) for kind in ("chat", "vectors")}

    def make(self, kind: str, key: str) -> Any:
        """Make a model with a key of its own."""
        make = BasetenEmbeddings if kind == "vectors" else self.make_chat
        place = "model_url" if kind == "vectors" else "base_url"
        settings: dict[str, Any] = {"model": "soaked", place: self.url, "api_key": key}
        return make(**settings, timeout=PATIENCE, max_retries=2)


def load_client(spec: str) -> Client:
    """Return the client to soak.

    Args:
        spec: A class derived from `ChatBaseten`, as `package.module:class`; empty for itself.

    Raises:
        SubjectError: It is not written so, cannot be imported, or is something else.
    """
    if not spec:
        return Client()
    module, name = read_spec(spec)
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SubjectError(f"{spec} cannot be imported: {error}") from error
    if not isinstance(make, type) or not issubclass(make, ChatBaseten):
        raise SubjectError(f"{spec} is no ChatBaseten, and only that is soaked")
    return Client(make)


@dataclass(frozen=True)
class Holder:
    """How a caller comes by its model, and how it leaves it.

    Attributes:
        take: Returns the model; gets the client, a kind and a key.
        leave: `keep`, `forget`, `close`, or `with` for a block around the use.
        shared: Whether it is the model that all share.
        own_key: Whether the model has the key that `take` was given.
        weight: How often it is drawn.
    """

    take: Callable[[Client, str, str], Any]
    leave: str = "forget"
    shared: bool = False
    own_key: bool = False
    weight: int = 2


def _take_shared(client: Client, kind: str, _: str) -> Any:
    return client.shared[kind]


def _take_copy(client: Client, kind: str, _: str) -> Any:
    return client.shared[kind].model_copy()


def _take_pickled(client: Client, kind: str, _: str) -> Any:
    return pickle.loads(pickle.dumps(client.shared[kind]))  # noqa: S301  our own bytes of this moment


HOLDERS: dict[str, Holder] = {
    "shared": Holder(_take_shared, "keep", shared=True, weight=20),
    "shared, then closed": Holder(_take_shared, "close", shared=True, weight=1),
    "copy": Holder(_take_copy),
    "copy, closed": Holder(_take_copy, "close"),
    "with a copy": Holder(_take_copy, "with"),
    "deep copy": Holder(lambda client, kind, _: copy.deepcopy(client.shared[kind])),
    "pickled": Holder(_take_pickled),
    "pickled, closed": Holder(_take_pickled, "close"),
    "own": Holder(Client.make, own_key=True, weight=4),
    "own, closed": Holder(Client.make, "close", own_key=True),
    "with its own": Holder(Client.make, "with", own_key=True),
}
