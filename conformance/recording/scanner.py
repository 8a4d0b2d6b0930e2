"""Finds secrets in what is about to be kept: cassettes, reports, logs.

Knows the shapes of secrets and the disguises that files put on them. Must share nothing with the
redaction: what one forgets the other finds. Never shows what it found.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["find_secrets", "scan_file", "scan_folder"]

_SHAPES = {
    "an authorization header": re.compile(
        r"(?i)[\"'{\s,-](?:proxy-)?(?:authorization|x-api-key|api-key)[\"']?\s*:"
    ),
    "a bearer token": re.compile(r"(?i)\b(?:bearer|api-key)(?:\s|%20|\+)+[\w.~+/-]{8,}"),
    "a cookie": re.compile(
        r"(?i)(?:^\s*-?\s*|[\"'{,]\s*)[\"']?(?:set-)?cookie[\"']?\s*:", re.MULTILINE
    ),
    "a JSON web token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\."),
    "a key": re.compile(r"\b(?:sk|pk|rk|hf|ghp|gho|xox[abp]|lsv2_[ps]t)[-_][A-Za-z0-9_-]{16,}"),
    "a cloud key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}\b"),
    "a Baseten key": re.compile(r"(?<![\w.])[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}(?![\w.])"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in a URL": re.compile(r"(?i)\bhttps?://[^/\s:@\"']*:[^/\s@\"']+@"),
    "a key in a query": re.compile(
        r"(?i)[?&](?:[\w-]*(?:api[_-]?key|token|secret|password|signature))=(?!REDACTED)[^&\s\"']{4,}"
    ),
    "the suite's own key": re.compile(r"conformance-suite-key-\d{4}"),
}
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_GZIP = b"\x1f\x8b"
_SHORTEST = 6
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def find_secrets(text: str, keys: Iterable[str] = ()) -> Iterator[str]:
    """Yield what a text holds that looks like a secret; the secret itself is not shown.

    Args:
        text: A cassette, a report, a log.
        keys: Keys known to be in use, looked for to the letter and in every disguise: percent and
            base64 encoding, JSON escapes, lines folded in the middle.
    """
    squeezed = _squeeze(text)
    plain = (text, unquote(text), squeezed, *_decode_escapes(text))
    for key in keys:
        if len(key) >= _SHORTEST and any(
            _disguises(key) & set(_found(key, each)) for each in plain
        ):
            yield "a key in use"
    for name, shape in _SHAPES.items():
        if match := shape.search(text):
            yield f"{name} in line {text.count(chr(10), 0, match.start()) + 1}"


def _found(key: str, text: str) -> Iterator[str]:
    return (each for each in _disguises(key) if each in text)


def _disguises(key: str) -> set[str]:
    data = key.encode()
    spelt = {key, _squeeze(key), quote(key, safe=""), quote_plus(key), json.dumps(key)[1:-1]}
    # Where a key begins inside what is encoded decides which letters stand for it.
    for pad in range(3):
        encoded = base64.b64encode(b"\0" * pad + data).decode()
        inner = encoded[-(-pad * 8 // 6) : (pad + len(data)) * 8 // 6]
        spelt |= {inner, inner.replace("+", "-").replace("/", "_")}
    return spelt


def _squeeze(text: str) -> str:
    # Folding a line adds white space, and in quotes a backslash on either side of it.
    return re.sub(r"\\?\s+\\?", "", text)


def _decode_escapes(text: str) -> Iterator[str]:
    if "\\u" in text or "\\x" in text:
        yield re.sub(
            r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))",
            lambda found: chr(int(found[1] or found[2], 16)),
            text,
        )


def scan_file(path: Path, root: Path, keys: Iterable[str] = ()) -> Iterator[str]:
    """Yield the secrets of one file: in its name, as it stands, and in each value that it holds.

    Args:
        path: A cassette, with its header.
        root: The folder that its name is relative to.
        keys: Keys known to be in use.
    """
    keys = tuple(keys)
    name = path.relative_to(root).as_posix()
    data = path.read_bytes()
    text = data.decode("utf-8", "replace")
    found = [f"its name holds {secret}" for secret in find_secrets(_spread(name), keys)]
    found += find_secrets(text, keys)
    found += (f"{secret} of a value" for value in _values(text) for secret in _inside(value, keys))
    for secret in dict.fromkeys(found):
        yield f"{_hide(name, keys)}: {secret}"


def scan_folder(root: Path, keys: Iterable[str] = ()) -> list[str]:
    """Return the secrets of every file below a folder; hidden files and empty ones included."""
    keys = tuple(keys)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return [secret for path in paths for secret in scan_file(path, root, keys)]


def _hide(name: str, keys: tuple[str, ...]) -> str:
    return "a file" if any(find_secrets(_spread(name), keys)) else name


def _spread(name: str) -> str:
    # Each part alone: a key has no ending.
    return " ".join((name, *name.removesuffix(".yaml").split("/")))


def _values(text: str) -> Iterator[str | bytes]:
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506  a safe loader
    except yaml.YAMLError:
        return
    yield from _walk(document)


def _walk(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, dict):
        for key, each in value.items():
            # A name and its value are one line again: `authorization: …`.
            if isinstance(each, list) and all(isinstance(one, str) for one in each):
                yield from (f"\n{key}: {one}" for one in each)
            yield from _walk(key)
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)
    elif isinstance(value, str | bytes):
        yield value


def _inside(value: str | bytes, keys: tuple[str, ...]) -> Iterator[str]:
    data = _unpack(value) if isinstance(value, bytes) else value.encode("utf-8", "replace")
    text = data.decode("utf-8", "replace")
    yield from (each.partition(" in line")[0] for each in find_secrets(text, keys))
    for run in _ENCODED.findall(text):
        if decoded := _decode(run):
            yield from (each.partition(" in line")[0] for each in find_secrets(decoded, keys))


def _unpack(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        return zlib.decompress(data, wbits=31)
    except zlib.error:
        return data


def _decode(run: str) -> str:
    """Return what a run of letters decodes to, if that is text of a kind that keys are part of."""
    try:
        whole = run.rstrip("=").replace("-", "+").replace("_", "/")
        data = _unpack(base64.b64decode(whole + "=" * (-len(whole) % 4)))
        return data.decode("ascii")
    except (binascii.Error, ValueError):
        return ""
