"""Who is soaked: our own client, or what somebody's factory makes; and what it is able to do.

Knows how models are made, copied and closed; must not know what they are asked.
"""

from __future__ import annotations

import copy
import importlib
import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.exceptions import LangChainException

from conformance.subjects.subject import SubjectError, read_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    Make: TypeAlias = Callable[..., Any]

__all__ = ["HOLDERS", "SHARED_KEY", "Client", "Holder", "find_holders", "load_client"]

SHARED_KEY = "sk-soak-0000000000-of-all"
"""The key of the model that all share; a model per request has one of its own."""
PATIENCE = 20.0
"""Seconds that a model waits for an answer that will come."""
HASTE = 0.4
"""Seconds that a call waits for an answer that will not come."""


@dataclass
class Client:
    """Models of one make, and what counts as one of its own errors.

    Attributes:
        makers: Makes a model from keyword arguments; by kind, `chat` and `vectors`.
        is_typed: Whether an error is one of the client's own.
        brisk: What a call passes to be impatient.
        shared: The models that all share, by kind.
    """

    makers: dict[str, Make]
    is_typed: Callable[[BaseException], bool]
    brisk: dict[str, Any]
    url: str = ""
    shared: dict[str, Any] = field(default_factory=dict)

    def aim(self, url: str) -> None:
        """Make the shared models, aimed at a server."""
        self.url = url
        self.shared = {kind: self.make(kind, SHARED_KEY) for kind in self.makers}

    def make(self, kind: str, key: str) -> Any:
        """Make a model with a key of its own."""
        return self.makers[kind](
            model="soaked", base_url=self.url, api_key=key, timeout=PATIENCE, max_retries=2
        )


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
_NEEDED = {"close": ("close", "aclose"), "with": ("__enter__", "__aenter__")}


def find_holders(client: Client) -> tuple[dict[str, Holder], dict[str, str]]:
    """Return the holders that a client can serve, and why not the others."""
    able, left_out = {}, {}
    for name, holder in HOLDERS.items():
        try:
            model = holder.take(client, "chat", SHARED_KEY)
        except Exception as error:  # noqa: BLE001  somebody's model may refuse in any way
            left_out[name] = f"{type(error).__name__}: {error}"[:100]
            continue
        lacks = [n for n in _NEEDED.get(holder.leave, ()) if not hasattr(type(model), n)]
        if lacks:
            left_out[name] = f"{type(model).__name__} has no {lacks[0]}"
        else:
            able[name] = holder
    return able, left_out


def load_client(spec: str) -> Client:
    """Return the client to soak.

    Args:
        spec: A factory as `package.module:callable`, which makes a chat model from `model`,
            `base_url`, `api_key`, `timeout` and `max_retries`; empty for our own client.

    Raises:
        SubjectError: It is not written so, or cannot be imported.
    """
    if not spec:
        return _load_own()
    module, name = read_spec(spec)
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SubjectError(f"{spec} cannot be imported: {error}") from error
    sample = make(
        model="soaked", base_url="http://127.0.0.1:9/v1", api_key="k", timeout=1, max_retries=0
    )
    package = type(sample).__module__.partition(".")[0]
    if package == "langchain_baseten" or _is_ours(sample):
        own = _load_own()
        return Client({**own.makers, "chat": make}, own.is_typed, own.brisk)
    homes = {package, "openai"}

    def is_typed(error: BaseException) -> bool:
        named = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        return isinstance(error, LangChainException) or not homes.isdisjoint(named)

    return Client({"chat": make}, is_typed, {"timeout": HASTE})


def _load_own() -> Client:
    package = importlib.import_module("langchain_baseten")

    def make_vectors(**settings: Any) -> Any:
        return package.BasetenEmbeddings(
            **{"model_url" if k == "base_url" else k: v for k, v in settings.items()}
        )

    return Client(
        {"chat": package.ChatBaseten, "vectors": make_vectors},
        lambda error: isinstance(error, package.BasetenError),
        {"timeout": HASTE, "stream_chunk_timeout": HASTE, "max_retries": 0},
    )


def _is_ours(sample: Any) -> bool:
    return any(kind.__module__.startswith("langchain_baseten") for kind in type(sample).__mro__)
