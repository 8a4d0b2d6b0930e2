"""Factories for the tests of other people's models: good, useless and broken ones.

Knows nothing of the checks; `of_ours` is our own client as somebody else would bring it, and
`of_a_subclass` a class that somebody derived from it.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import httpx
import httpx2
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import FakeListChatModel, SimpleChatModel

number = 7

_TLS = httpx2.create_ssl_context()


def as_third_party(build: Any) -> Any:
    """Have what a factory makes judged as another maker's, though it derives from ChatBaseten."""
    build.third_party = True
    return build


def _make(name: str) -> Any:
    """Return a factory of a class that derives from ours, which is imported with the first."""

    def build(**settings: Any) -> Any:
        classes = importlib.import_module("conformance.tests.suite.subclasses")
        return getattr(classes, name)(**settings)

    return build


of_a_subclass = _make("Mine")
of_a_subclass_with_defaults = _make("WithDefaults")
of_a_subclass_that_shows_its_key = _make("ShowsItsKey")
of_a_strict_reader = as_third_party(_make("Strict"))
of_split_calls = as_third_party(_make("Split"))
of_lone_calls = as_third_party(_make("Lone"))
of_deaf_streams = as_third_party(_make("Deaf"))
of_whole_counts = as_third_party(_make("Whole"))
of_no_response_formats = as_third_party(_make("Formless"))
of_refused_schemas = as_third_party(_make("Thoughtless"))
of_anthropics_choice = as_third_party(_make("Anthropics"))
of_cut_arguments = as_third_party(_make("Cut"))
of_untyped_errors = as_third_party(_make("Untyped"))
of_awaited_calls = as_third_party(_make("Awaited"))
of_synchronous_calls = as_third_party(_make("Called"))
of_no_streams = as_third_party(_make("Unstreamed"))
of_no_calls = as_third_party(_make("Mute"))
of_five_faults = as_third_party(_make("Faulty"))
of_refusals = as_third_party(_make("Refusing"))
of_texts_alone = as_third_party(_make("Reader"))
of_endless_waits = as_third_party(_make("Endless"))


def of_a_subclass_with_its_own_clients(**settings: Any) -> Any:
    """A subclass whose HTTP clients no check can replace."""
    return of_a_subclass(http_client=httpx.Client(verify=_TLS), **settings)


@as_third_party
def of_ours(**settings: Any) -> Any:
    return importlib.import_module("langchain_baseten").ChatBaseten(**settings)


@as_third_party
def of_a_stranger(**settings: Any) -> Any:
    """A client whose every request has a field that Model APIs do not know."""
    return of_ours(**settings, extra_body={"reasoning_format": None})


@as_third_party
def of_plain_answers(**settings: Any) -> Any:
    """A client that answers: with two tries, and no tools, schemas, streams or counts."""
    inner = of_ours(**settings | {"max_retries": 1})

    class Plain(SimpleChatModel):
        @property
        def _llm_type(self) -> str:
            return "plain"

        def _call(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> str:
            return str(inner.invoke(messages, stop=stop).text)

    return Plain()


@as_third_party
def of_no_use_for_a_url(**settings: Any) -> Any:
    """A client that the factory makes for its sample alone."""
    if "127.0.0.1:9/" not in f"{settings}/":
        raise NotImplementedError("elsewhere")
    return of_ours(**settings)


def of_canned_words(**settings: Any) -> Any:
    if "temperature" in settings:
        raise NotImplementedError("words in cans have no temperature")
    return FakeListChatModel(responses=["Hello, Ada."])


@as_third_party
def of_warnings(**settings: Any) -> Any:
    """A client that warns of an argument, which pytest makes an error of."""
    warnings.warn(f"{len(settings)} arguments were given", stacklevel=2)
    return of_ours(**settings)


def of_nothing(**settings: Any) -> Any:
    return None


def of_trouble(**settings: Any) -> Any:
    raise OSError("no such model here")


def of_no_use(**settings: Any) -> Any:
    raise NotImplementedError("never")


@as_third_party
def of_a_memory(**settings: Any) -> Any:
    """A client that keeps what it was answered."""
    return of_ours(cache=InMemoryCache(), **settings)


def of_no_detour(**settings: Any) -> Any:
    """A client of OpenAI's kind, which adds a route to whatever URL it is given."""
    url = settings.get("model_url") or settings["base_url"]
    return _AsksThere(url=f"{url}/chat/completions")


def of_another_protocol(**settings: Any) -> Any:
    """A client that speaks Ollama's protocol."""
    return _AsksThere(url=f"{settings.get('model_url') or settings['base_url']}/api/chat")


class _AsksThere(FakeListChatModel):
    url: str
    responses: tuple[str, ...] = ()  # type: ignore[assignment]  # none is ever given

    def _call(self, *_: Any, **__: Any) -> str:
        return str(httpx.post(self.url, json={}).raise_for_status())
