"""What a pasted key may look like, and what the message for a wrong one says."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr

from conformance.tests.package.in_each import in_each
from langchain_baseten._config.api_key import clean_key

KEY = "Ab3dEf6h.k9XyZ0123456789"

# key -> words of the message
WRONG: dict[str, tuple[str, str]] = {
    "Bearer": (f"Bearer {KEY}", "begins with Bearer, which is no part of it. Leave out Bearer"),
    "bearer": (f"bearer {KEY}", "Leave out Bearer"),
    "Api-Key": (f"Api-Key {KEY}", "begins with Api-Key, which is no part of it. Leave out Api-Key"),
    "api-key with a colon": (f"api-key:{KEY}", "Leave out Api-Key"),
    "header": (f"Authorization: Bearer {KEY}", "Leave out Authorization"),
    "Bearer alone": ("Bearer", "Leave out Bearer"),
    "Bearer, quoted key": (f'Bearer "{KEY}"', "Leave out Bearer"),
    "double quotes": (f'"{KEY}"', "begins or ends with a quotation mark, which is part of it"),
    "single quotes": (f"'{KEY}'", "quotation mark"),
    "backticks": (f"`{KEY}`", "quotation mark"),
    "typographic quotes": (f"\u201c{KEY}\u201d", "quotation mark"),
    "quote at the end": (f"{KEY}'", "quotation mark"),
    "quote at the beginning": (f'"{KEY}', "quotation mark"),
    "angle brackets": ("<your key>", "is a placeholder"),
    "angle brackets, one word": ("<BASETEN_API_KEY>", "is a placeholder"),
    "variable": ("$BASETEN_API_KEY", "is a placeholder"),
    "variable in braces": ("${BASETEN_API_KEY}", "is a placeholder"),
    "braces": ("{api_key}", "is a placeholder"),
    "double braces": ("{{ secrets.BASETEN_API_KEY }}", "is a placeholder"),
    "percent signs": ("%BASETEN_API_KEY%", "is a placeholder"),
    "name of the variable": ("BASETEN_API_KEY", "is a placeholder"),
    "assignment": (f"BASETEN_API_KEY={KEY}", "begins with BASETEN_API_KEY, which is no part of it"),
    "export": (f"export BASETEN_API_KEY={KEY}", "white space"),
}


@in_each(("given", "words"), WRONG)
@in_each("wrap", {"str": str, "S": SecretStr, "ws": lambda key: f" {key}\n"})
def test_wrong_key_is_explained_and_not_shown(given: str, words: str, wrap: type) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        clean_key(wrap(given))

    assert words in str(caught.value)
    assert str(caught.value).endswith(".")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    inside = [frame for frame in frames if frame.name == "clean_key"]
    assert inside
    assert KEY not in str(caught.value) + str([frame.locals for frame in inside])


ADVICE = {
    f"Bearer {KEY}": "pass the key alone.",
    "<key>": "settings/api_keys.",
    f"'{KEY}'": "marks.",
}


@in_each(("given", "words"), ADVICE.items())
def test_message_ends_with_what_to_write(given: str, words: str) -> None:
    with pytest.raises(ValueError, match=rf"{words}$"):
        clean_key(given)


@in_each(
    "key",
    [
        KEY,
        "your-api-key",
        "k",
        "test",
        "BearerToken",
        "bearer-of-news",
        "Api-Keys",
        "api-key-1234",
        "a$b",
        "a<b>c",
        "100%",
        "basetenapikey",
        "authorization",
        "it's",
    ],
)
def test_key_that_only_resembles_a_wrong_one_is_accepted(key: str) -> None:
    assert clean_key(key) == SecretStr(key)
