"""Whichever parser is installed, JSON bytes are what Python's own parser makes of them."""

from __future__ import annotations

import importlib
import json
import math
import sys
from typing import Any

import pytest

from langchain_baseten._protocol import json_bytes
from langchain_baseten._protocol.json_bytes import parse_bytes

SAMPLES: dict[str, bytes] = {
    "a duplicate key": b'{"a": 1, "b": 2, "a": 3}',
    "the largest integer of 64 bits": b"[18446744073709551615, -9223372036854775808]",
    "an integer of 65 bits": b"[18446744073709551616]",
    "a negative integer of 65 bits": b"[-9223372036854775809]",
    "an integer of 30 digits": b'{"id": 123456789012345678901234567890}',
    "digits in a text": b'{"id": "1234567890123456789012345", "n": 1.5}',
    "not a number": b"[NaN]",
    "infinities": b"[Infinity, -Infinity]",
    "above the largest float": b"[1e400, -1e400]",
    "floats": b"[0.1, -0.0, 1E5, 5e-324, 2.2250738585072011e-308, 123456789.123456789]",
    "a lone surrogate": rb'["\ud83d", "x\ude00"]',
    "a pair of surrogates": rb'["\ud83d\ude00", {"\ud83d\ude00": 1}]',
    "a null character": rb'["\u0000"]',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "broken UTF-8": b'["a\xffb"]',
    "half a character": b'["\xf0\x9f"]',
    "a raw surrogate": b'["\xed\xa0\xbd"]',
    "many levels": b"[" * 300 + b"]" * 300,
    "white space around it": b" \t\r\n{} \n",
    "a text": b'"x"',
}
BROKEN = [b"", b"[", b"{'a': 1}", b"[01]", b"[1.]", b'["\x01"]', b"{} x", b"\x0c{}", b"[1]\0"]


def _read(data: bytes) -> Any:
    return json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff"))


@pytest.fixture(params=["as installed", "without orjson"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without orjson":
        monkeypatch.setattr(json_bytes, "_fast_loads", None)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", SAMPLES)
def test_values_are_those_of_pythons_parser(name: str) -> None:
    expected = _read(SAMPLES[name])
    # The repr tells integers from floats, and NaN from nothing.
    assert repr(parse_bytes(SAMPLES[name])) == repr(expected)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("data", BROKEN, ids=repr)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        parse_bytes(data)


@pytest.mark.usefixtures("parser")
def test_too_many_levels_are_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        parse_bytes(b"[" * 100_000 + b"]" * 100_000)


def test_a_process_without_orjson_uses_pythons_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", None)
    try:
        importlib.reload(json_bytes)
        assert json_bytes._fast_loads is None
        assert math.isnan(json_bytes.parse_bytes(b"[NaN]")[0])
    finally:
        monkeypatch.undo()
        importlib.reload(json_bytes)
    assert json_bytes._fast_loads is not None
