"""The key stays out of everything that is written down, and finds its way all the same."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.load import dumps
from pydantic import SecretStr

from conformance.tests.package.in_each import in_each
from langchain_baseten import BasetenEmbeddings, ChatBaseten
from langchain_baseten._config import references
from langchain_baseten._config.api_key import clean_key, find_key, reference_for_key
from langchain_baseten._config.references import Reference, SecretTable, find_secret, reference_for
from langchain_baseten._http.auth import BearerAuth
from langchain_baseten._http.redaction import Redactor

KEY = "sk-secret-1234567890"
URL = "https://model-abcd1234.api.baseten.co"

CLEANED: dict[str, tuple[Any, str]] = {
    "plain": (KEY, KEY),
    "white space around it": (f" \t{KEY}\r\n", KEY),
    "a secret": (SecretStr(KEY), KEY),
    "a secret with white space": (SecretStr(f"{KEY}\n"), KEY),
}


@in_each(("given", "key"), CLEANED)
def test_a_key_becomes_a_secret(given: Any, key: str) -> None:
    found = clean_key(given)

    assert isinstance(found, SecretStr)
    assert found.get_secret_value() == key


@in_each("given", [None, 7, b"x"])
def test_a_value_that_is_not_a_key_is_left_to_pydantic(given: Any) -> None:
    assert clean_key(given) is given


MANGLED: dict[str, tuple[Any, str]] = {
    "empty": ("", "The API key is empty"),
    "white space": (" \n", "The API key is empty"),
    "a space inside": (f"{KEY} x", "white space, control or non-ASCII"),
    "a line break inside": (f"{KEY}\nx", "white space, control or non-ASCII"),
    "a null byte": (f"{KEY}\0", "white space, control or non-ASCII"),
    "a dash of a word processor": (f"{KEY}\u2013x", "white space, control or non-ASCII"),
}


def chat(**parameters: Any) -> ChatBaseten:
    return ChatBaseten(model="m", **parameters)


CONSTRUCT: dict[str, Callable[[Any], object]] = {
    "api_key": lambda key: ChatBaseten(model="m", api_key=key),
    "baseten_api_key": lambda key: chat(baseten_api_key=key),
    "embeddings": lambda key: BasetenEmbeddings(model_url=URL, api_key=key),
    "a copy": lambda key: chat(api_key="sk-before").model_copy(update={"api_key": key}),
    "an assignment": lambda key: setattr(chat(api_key="sk-before"), "baseten_api_key", key),
}


def write_down(error: BaseException) -> str:
    """Writes an error with every local of ours; the caller's own frames hold the key anyway."""
    entry = error.__traceback__
    while entry and "/langchain_baseten/" not in entry.tb_frame.f_code.co_filename:
        entry = entry.tb_next
    found = traceback.TracebackException(type(error), error, entry, capture_locals=True)
    return "".join(found.format()) + repr(error)


@in_each(("given", "words"), MANGLED)
@in_each("construct", CONSTRUCT)
@in_each("wrap", [str, SecretStr])
def test_a_malformed_key_is_refused_and_not_shown(
    given: str, words: str, construct: Callable[[Any], object], wrap: Callable[[str], Any]
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        construct(wrap(given))

    assert KEY not in write_down(caught.value)


UNTYPED: Any = BasetenEmbeddings
FAILURES: dict[str, Callable[[str], object]] = {
    "a wrong type": lambda key: chat(api_key=key, temperature="hot"),
    "an unknown name": lambda key: chat(api_key=key, hologram=1),
    "a bad URL": lambda key: chat(api_key=key, model_url="x"),
    "a stream of two": lambda key: chat(api_key=key, n=2, streaming=True),
    "a second key": lambda key: chat(api_key="other", baseten_api_key=key),
    "embeddings, a bad URL": lambda key: BasetenEmbeddings(api_key=key, model_url="x"),
    "embeddings, an unknown name": lambda key: UNTYPED(api_key=key, model_url=URL, hologram=1),
}


@in_each("construct", FAILURES)
def test_no_failed_construction_shows_the_key(construct: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r"error|parameter|https") as caught:
        construct(KEY)

    assert KEY not in write_down(caught.value)


@pytest.mark.parametrize("given", [KEY, f"{KEY} x"], ids=["good", "mangled"])
def test_no_failed_construction_shows_the_key_of_the_environment(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", given)
    with pytest.raises(ValueError, match="ChatBaseten") as caught:
        ChatBaseten(model="m", temperature="hot")  # type: ignore[arg-type]  # wrong on purpose

    assert KEY not in write_down(caught.value)


def test_a_second_key_in_model_kwargs_is_not_shown() -> None:
    with pytest.raises(ValueError, match="api_key is a setting of the client") as caught:
        ChatBaseten(api_key="other", model_kwargs={"api_key": KEY})

    assert KEY not in str(caught.value)


MODEL = ChatBaseten(
    model="m",
    api_key=KEY,
    default_headers={"X-Token": f"{KEY}-header", "x-session-affinity": "a"},
)


def test_what_is_dumped_names_the_variable_and_keeps_plain_headers() -> None:
    dumped = json.loads(dumps(MODEL))["kwargs"]

    assert dumped["baseten_api_key"] == {"lc": 1, "type": "secret", "id": ["BASETEN_API_KEY"]}
    assert dumped["default_headers"] == {"x-session-affinity": "a"}


def test_what_is_dumped_by_pydantic_keeps_plain_headers() -> None:
    masked = {"X-Token": "**********", "x-session-affinity": "a"}

    assert MODEL.model_dump()["default_headers"] == masked
    assert ChatBaseten(model="m", api_key=KEY).model_dump()["default_headers"] is None


@pytest.mark.parametrize("own", ["sk-own", None], ids=["with a key", "without a key"])
def test_a_pickle_in_another_process_uses_the_key_of_its_environment(
    own: str | None, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    pickled = pickle.dumps(MODEL)
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", SecretTable())  # as in another process
    if own:
        monkeypatch.setenv("BASETEN_API_KEY", own)
    found = pickle.loads(pickled)  # noqa: S301  our own bytes

    assert found.baseten_api_key == (SecretStr(own) if own else None)
    assert (found.default_headers, found.model_name) == ({"x-session-affinity": "a"}, "m")
    warned = "".join(str(warning.message) for warning in recwarn.list)
    assert ("pickled with another API key" in warned) is (own is not None)
    assert "sk-" not in warned


def test_the_same_key_in_another_process_causes_no_warning(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    reference = reference_for_key(SecretStr(KEY))
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", SecretTable())  # as in another process
    monkeypatch.setenv("BASETEN_API_KEY", KEY)

    assert find_key(reference) == SecretStr(KEY)
    assert not recwarn.list
    assert reference.fingerprint
    assert KEY not in str(reference)


def test_one_secret_has_one_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", SecretTable())
    first, again, other = map(reference_for, [SecretStr("a"), SecretStr("a"), SecretStr("b")])

    assert first == again
    assert other != first
    assert {find_secret(first), find_secret(other)} == {SecretStr("a"), SecretStr("b")}
    assert "'a'" not in str(vars(references._SECRETS_BY_REFERENCE))


def test_an_unknown_reference_finds_no_secret() -> None:
    assert find_secret(Reference("never given")) is None
    assert find_key(Reference("never given")) is None
    assert find_key(None) is None


@pytest.mark.parametrize(("variable", "key"), [(" sk-own\n", "sk-own"), (" ", None)])
def test_an_unknown_reference_reads_the_environment(
    variable: str, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", variable)
    found = find_key(Reference("never given"))

    assert (found and found.get_secret_value()) == key


def test_a_known_reference_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", "sk-own")
    found = find_key(reference_for(SecretStr(KEY)))

    assert found == SecretStr(KEY)


def test_the_key_is_written_into_the_request_when_it_is_sent() -> None:
    request = httpx.Request("POST", "https://inference.baseten.co/v1/chat/completions")

    assert BearerAuth(SecretStr(KEY))(request) is request
    assert request.headers["Authorization"] == f"Bearer {KEY}"


def test_an_echoed_secret_is_redacted_everywhere() -> None:
    redact = Redactor(lambda: [KEY, "short"]).redact

    assert redact(f"key {KEY} of {KEY}") == "key [redacted] of [redacted]"
    assert redact({KEY: [KEY, 1, None], "a": {"b": f"<{KEY}>"}}) == {
        "[redacted]": ["[redacted]", 1, None],
        "a": {"b": "<[redacted]>"},
    }
    assert redact("a short word") == "a short word"
