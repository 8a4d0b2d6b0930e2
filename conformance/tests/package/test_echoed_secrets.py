"""A server that repeats the key, in any spelling and any place, shows it to nobody."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from conformance.tests.package.exposed import Exposed, expose
from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService, as_events, whole
from langchain_baseten import BasetenEmbeddings, BasetenError, ChatBaseten
from langchain_baseten._http.redaction import Redactor

KEY = "aB3dE6gH.zYxWvUtSrQpOnMlKjIhGfEdCbA1234"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, str] = {
    "plain": KEY,
    "bearer": f"Bearer {KEY}",
    "upper case": KEY.upper(),
    "lower case": KEY.lower(),
    "JSON escapes": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "JSON escapes, escaped": "".join(f"\\\\u{ord(c):04X}" for c in KEY),
    "URL": quote(KEY, safe=""),
    "URL, every character": "".join(f"%{ord(c):02X}" for c in KEY),
    "URL, escaped twice": "".join(f"%25{ord(c):02x}" for c in KEY),
    "HTML": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML by names": KEY.replace(".", "&period;"),
    "hexadecimal": KEY.encode().hex(),
    "base64": _base64(KEY),
    "base64 of bearer": _base64(f"Bearer {KEY}"),
    "base64 of a user": _base64(f"user:{KEY}"),
    "base64 of a password": _base64(f"{KEY}:x"),
    "base64 of more": _base64(f"ab{KEY}cd"),
    "base64 for URLs": base64.urlsafe_b64encode(f"\xff{KEY}\xfe".encode()).decode().rstrip("="),
}


def _needles(spelling: str) -> set[str]:
    text = SPELLINGS[spelling]
    middle = len(text) // 2
    return {KEY, KEY[:12], KEY[-12:], text, text[middle - 8 : middle + 8], KEY.lower(), KEY.upper()}


def _leaks(exposed: Exposed, spelling: str) -> set[str]:
    return {place for needle in _needles(spelling) for place in exposed.where(needle)}


CHAT: dict[str, Callable[[ChatBaseten], Any]] = {
    "invoke": lambda model: model.invoke("Hi"),
    "ainvoke": lambda model: asyncio.run(model.ainvoke("Hi")),
    "stream": lambda model: list(model.stream("Hi")),
    "astream": lambda model: asyncio.run(_collect(model)),
}
VECTORS: dict[str, Callable[[BasetenEmbeddings], Any]] = {
    "embed_query": lambda model: model.embed_query("a"),
    "aembed_documents": lambda model: asyncio.run(model.aembed_documents(["a"])),
}
WAYS: dict[str, Callable[[Any], Any]] = {**CHAT, **VECTORS}


async def _collect(model: ChatBaseten) -> list[Any]:
    return [chunk async for chunk in model.astream("Hi")]


def _ask(way: str, response: httpx.Response, **settings: Any) -> Exposed:
    service = MockService(response)
    if way in CHAT:
        model: Any = service.model(api_key=KEY, include_response_headers=True, **settings)
    else:
        url = "https://model-abcd1234.api.baseten.co"
        own = {**service.clients(), "max_retries": 0}
        model = BasetenEmbeddings(model_url=url, api_key=KEY, **own, **settings)
    return expose(lambda: WAYS[way](model))


BODIES: dict[str, str] = {
    "an error": '{"error": {"message": "bad ECHO given", "code": "ECHO"}}',
    "a flat error": '{"error": "bad ECHO", "key": "ECHO"}',
    "a name": '{"error": {"message": "bad", "ECHO": {"ECHO": 1}}}',
    "a text": "denied ECHO now",
    "a page": "<html><body>denied <b>ECHO</b></body></html>",
    "a long sentence": '{"error": {"message": "PADDING ECHO"}}',
    **{
        f"a sentence that is cut at {length}": "x" * length + " ECHO and more"
        for length in (480, 486, 490)
    },
    "a request id": '{"error": "bad", "request_id": "ECHO"}',
    "no choices and no vectors": '{"id": "ECHO", "data": [{"embedding": "ECHO"}]}',
    "a list": '["ECHO"]',
    "broken JSON": '{"echo": "ECHO',
    "nested deeply": "[" * 200 + '"ECHO"' + "]" * 200,
    "an engine's failure": json.dumps(
        {
            **whole("fine"),
            "id": "ECHO",
            "echo": "ECHO",
            "choices": [{"message": {"content": "fine"}, "finish_reason": "abort", "note": "ECHO"}],
        }
    ),
}


@pytest.mark.once("compares texts, which no interpreter reads otherwise")
@pytest.mark.untraced("many spellings through lines that other tests run")
@in_each("way", WAYS.keys())
@in_each(("spelling", "status"), [("plain", 200), ("plain", 307), ("base64 of bearer", 401)])
@in_each("body", BODIES.keys())
def test_a_body_that_repeats_the_key_shows_it_nowhere(
    spelling: str, body: str, status: int, way: str
) -> None:
    text = BODIES[body].replace("ECHO", SPELLINGS[spelling]).replace("PADDING", "x" * 470)

    assert _leaks(_ask(way, httpx.Response(status, text=text)), spelling) == set()


@in_each("way", ["ainvoke", "stream", "embed_query"])
@in_each("spelling", SPELLINGS.keys())
def test_a_key_is_recognized_in_any_spelling(spelling: str, way: str) -> None:
    text = BODIES["an error"].replace("ECHO", SPELLINGS[spelling])

    exposed = _ask(way, httpx.Response(401, text=text))

    assert exposed.where("bad [redacted] given") or exposed.where("[redacted]")
    assert _leaks(exposed, spelling) == set()


HEADED = [
    *((way, 200) for way in WAYS),
    *(("ainvoke", 401), ("stream", 401), ("embed_query", 401), ("invoke", 307), ("astream", 307)),
]
"""The ways and statuses whose headers are read in different places."""


@pytest.mark.untraced("many spellings through lines that other tests run")
@in_each(("way", "status"), HEADED)
@in_each("spelling", SPELLINGS.keys())
def test_headers_that_repeat_the_key_show_it_nowhere(spelling: str, status: int, way: str) -> None:
    echo = SPELLINGS[spelling]
    headers = {
        "x-request-id": echo,
        "x-echo": echo,
        "x-baseten-request-id": echo,
        "location": f"https://a.invalid/?k={echo}",
        "www-authenticate": f"Bearer {echo}",
        "x-langsmith-gateway-metadata": json.dumps({"a": KEY}),
        KEY: "a name",
    }
    content = b'{"error": "no"}'
    if status == 200:
        content = as_events(whole()) if "stream" in way else json.dumps(whole()).encode()
    if status == 200 and way in VECTORS:
        content = b'{"data": [{"index": 0, "embedding": [1.0]}]}'

    exposed = _ask(way, httpx.Response(status, content=content, headers=headers))

    assert _leaks(exposed, spelling) == set()


SAYS_HI = 'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\n'
ENDS = 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
ECHOES = 'data: {"echo": {"ECHO": "ECHO"}, "id": "ECHO", "choices": []}\n\n'
STREAMS: dict[str, str] = {
    "an error event": f'{SAYS_HI}data: {{"error": {{"message": "bad ECHO", "k": "ECHO"}}}}\n\n',
    "a name in an error event": f'{SAYS_HI}data: {{"error": {{"message": "bad", "ECHO": 1}}}}\n\n',
    "an error event of text": f"{SAYS_HI}event: error\ndata: bad ECHO\n\n",
    "a malformed event": f'{SAYS_HI}data: {{"echo": "ECHO\n\n',
    "an event that is cut": f'{SAYS_HI}data: {{"error": "ECHO',
    "an error at once": 'data: {"error": {"message": "bad ECHO"}}\n\n',
    "no stream": "bad ECHO",
    "a whole response": BODIES["an engine's failure"].replace("abort", "stop"),
    "two halves": f'{SAYS_HI}data: {{"error": "bad FIRST\n\ndata: HALF"}}\n\n',
    "two events": f'{SAYS_HI}data: {{"error": "bad FIRST"}}\n\ndata: {{"error": "HALF"}}\n\n',
    "metadata of two events": (
        f'{SAYS_HI}data: {{"a": "FIRST", "choices": []}}\n\n'
        f'data: {{"b": "HALF", "choices": []}}\n\n{ENDS}'
    ),
    "metadata": f"{SAYS_HI}{ECHOES}{ENDS}",
    "metadata that is cut off": f"{SAYS_HI}{ECHOES}",
    "an engine's failure": (
        f'{SAYS_HI}data: {{"echo": "ECHO", "choices": '
        '[{"index": 0, "delta": {}, "finish_reason": "abort", "note": "ECHO"}]}\n\n'
    ),
}


@in_each("way", ["stream", "astream"])
@in_each("events", STREAMS.keys())
@in_each(
    "spelling", ["plain", "bearer", "JSON escapes", "URL, every character", "base64", "upper case"]
)
def test_a_stream_that_repeats_the_key_shows_it_nowhere(
    spelling: str, events: str, way: str
) -> None:
    echo = SPELLINGS[spelling]
    # Not inside an escape, which would be no JSON.
    middle = len(echo) // 2 // 6 * 6
    text = STREAMS[events].replace("ECHO", echo)
    text = text.replace("FIRST", echo[:middle]).replace("HALF", echo[middle:])

    exposed = _ask(way, httpx.Response(200, text=text))

    assert exposed.where("hi") or SAYS_HI not in text or "no stream" in events
    assert _leaks(exposed, spelling) == set()


@in_each("way", CHAT.keys())
def test_what_the_model_says_is_not_altered(way: str) -> None:
    function = {"name": "f", "arguments": json.dumps({"k": KEY})}
    calls = [{"index": 0, "id": "c1", "type": "function", "function": function}]
    message = {"reasoning_content": f"think {KEY}", "tool_calls": calls}
    service = MockService(whole(f"say {KEY}", **message))

    found = CHAT[way](service.model(api_key=KEY))
    parts = found if isinstance(found, list) else [found]

    assert "".join(part.text for part in parts) == f"say {KEY}"
    reasoning = [part.additional_kwargs.get("reasoning_content", "") for part in parts]
    assert "".join(reasoning) == f"think {KEY}"
    assert [c["args"] for part in parts for c in part.tool_calls] == [{"k": KEY}]


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_what_had_arrived_of_the_model_is_not_altered(way: str) -> None:
    text = SAYS_HI.replace("hi", f"hi {KEY}")
    exposed = _ask(way, httpx.Response(200, text=f'{text}data: {{"error": "bad {KEY}"}}\n\n'))

    places = exposed.where(KEY)

    assert any("content" in place for place in places)
    assert not any(".args" in place or "body" in place for place in places)


def test_a_redacted_error_is_chained_to_nothing() -> None:
    error = BasetenError("no")
    error.__cause__ = error.__context__ = ValueError(KEY)

    redacted = Redactor(lambda: [KEY]).redact_error(error)

    assert (redacted.__cause__, redacted.__context__) == (None, None)


TOO_SHORT = ["EMPTY", "token", "abc", "a1"]


@in_each("key", TOO_SHORT)
def test_a_placeholder_is_not_looked_for(key: str) -> None:
    assert Redactor(lambda: [key]).redact(f"The prompt is {key}.") == f"The prompt is {key}."


def test_a_short_secret_is_hidden_where_it_is_a_word() -> None:
    redact = Redactor(lambda: ["pa55"]).redact

    assert redact("user:pa55@host pa55word") == "user:[redacted]@host pa55word"


SIGNED = "AWS4-HMAC-SHA256 Signature"
QUOTED = 'quo"te\\d-0123456'
PARTS: dict[str, tuple[str, str]] = {
    "the key of a bearer": (f"Bearer {KEY}", KEY),
    "the value of a cookie": ("theme=dark; session=0123456789ab", "0123456789ab"),
    "the password of basic authentication": (f"Basic {_base64('me:hunter2-x')}", "hunter2-x"),
    "the signature of a signed request": (f"{SIGNED}=f00ba4f00ba4", "f00ba4f00ba4"),
    "a key with quotation marks and backslashes": (QUOTED, json.dumps(QUOTED)[1:-1]),
    "a key with escaped slashes": ("ab/cd/ef-0123456", r"ab\/cd\/ef-0123456"),
    "a key with percent signs": ("per%41cent+/key=", quote("per%41cent+/key=", safe="")),
    "eight characters inside a word": ("abcdefg8", "xabcdefg8x"),
    "base64 of eight characters": ("abcdefg8", _base64("abcdefg8").rstrip("=")),
}


@in_each(("secret", "echo"), PARTS)
def test_a_part_of_a_secret_is_hidden_as_well(secret: str, echo: str) -> None:
    redacted = Redactor(lambda: [secret]).redact(f"<{echo}>")

    assert "[redacted]" in redacted
    assert echo.strip("x") not in redacted


def test_a_piece_that_consists_of_words_is_hidden_only_if_it_is_half_of_the_secret() -> None:
    redact = Redactor(lambda: ["gateway-service-key"]).redact

    assert redact("x-langsmith-gateway-metadata") == "x-langsmith-gateway-metadata"
    assert redact("a service-key of it") == "a [redacted] of it"
    assert redact("Gateway-Servic…") == "[redacted]…"


def test_the_words_of_a_scheme_are_no_secrets() -> None:
    redact = Redactor(lambda: [f"{SIGNED}=f00ba4f00ba4"]).redact

    assert redact("AWS4-HMAC-SHA256 is required") == "AWS4-HMAC-SHA256 is required"


@in_each("between", ["\0", "\u200b", "\ufeff", "\x1b[1;31m", "\u202e"])
def test_characters_that_no_terminal_shows_do_not_disguise_a_key(between: str) -> None:
    text = f"bad {between.join(KEY)} given"

    assert Redactor(lambda: [KEY]).redact(text) == "bad [redacted] given"


def test_an_escape_of_no_character_is_left_alone() -> None:
    assert Redactor(lambda: [KEY]).redact(f"&nosuch; \\ {KEY}") == "&nosuch; \\ [redacted]"


def test_a_value_that_is_nested_too_deeply_is_hidden_as_a_whole() -> None:
    value: Any = KEY
    for _ in range(100_000):
        value = [value]

    assert Redactor(lambda: [KEY]).redact(value) == "[redacted]"
    while isinstance(value, list):  # freed level by level
        value = value.pop()


@in_each("begin", range(0, len(KEY) - 8, 5))
def test_a_key_that_is_cut_is_hidden_as_far_as_it_goes(begin: int) -> None:
    redact = Redactor(lambda: [KEY]).redact

    assert redact(f"ends with {KEY[: begin + 8]}") == "ends with [redacted]"
    assert redact(f"{KEY[begin:]} it begins") == "[redacted] it begins"
