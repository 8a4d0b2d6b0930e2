"""Factories for the tests of other people's models: good, useless and broken ones.

Knows nothing of the checks; `of_ours` is our own client as somebody else would bring it, and
`of_a_subclass` a class that somebody derived from it.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import httpx
from langchain_core.language_models import FakeListChatModel

number = 7


def as_third_party(build: Any) -> Any:
    """Have what a factory makes judged as another maker's, though it derives from ChatBaseten."""
    build.third_party = True
    return build


def of_a_subclass(**settings: Any) -> Any:
    """A class that derives from ChatBaseten and changes nothing."""
    return importlib.import_module("conformance.tests.suite.subclasses").Mine(**settings)


def of_a_subclass_with_defaults(**settings: Any) -> Any:
    """A class that derives from ChatBaseten and has defaults of its own."""
    return importlib.import_module("conformance.tests.suite.subclasses").WithDefaults(**settings)


def of_a_subclass_that_shows_its_key(**settings: Any) -> Any:
    """A broken subclass, which only a check that is marked `own` can notice."""
    return importlib.import_module("conformance.tests.suite.subclasses").ShowsItsKey(**settings)


def of_a_subclass_with_its_own_clients(**settings: Any) -> Any:
    """A subclass whose HTTP clients no check can replace."""
    return of_a_subclass(http_client=httpx.Client(), **settings)


@as_third_party
def of_ours(**settings: Any) -> Any:
    return importlib.import_module("langchain_baseten").ChatBaseten(**settings)


@as_third_party
def of_a_stranger(**settings: Any) -> Any:
    """A client whose every request has a field that Model APIs do not know."""
    return of_ours(**settings, extra_body={"reasoning_format": None})


@as_third_party
def of_a_strict_reader(**settings: Any) -> Any:
    """A client that misses a field in every response, invoked or streamed."""

    class Strict(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, *given: Any, **options: Any) -> Any:
            super()._generate(*given, **options)
            raise ValueError("system_fingerprint is missing")

        def _stream(self, *given: Any, **options: Any) -> Any:
            for _ in super()._stream(*given, **options):
                raise ValueError("finish_reason is missing")
            yield

    return Strict(**settings)


@as_third_party
def of_split_calls(**settings: Any) -> Any:
    """A client that makes a call of each piece of one, in a stream."""

    class Split(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _stream(self, *given: Any, **options: Any) -> Any:
            for number, chunk in enumerate(super()._stream(*given, **options)):
                for piece in chunk.message.tool_call_chunks:
                    piece["index"] = number
                yield chunk

    return Split(**settings)


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
