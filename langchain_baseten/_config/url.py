"""Splits a URL into well-formed parts, or reports what is wrong with it.

Knows the syntax of URLs, which characters a copy may add, and how a message may quote a URL. Must
not know what Baseten's hosts and paths mean: that is `endpoint`.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from langchain_baseten.exceptions import EndpointError

# The documentation constructs a model with this host, so it is accepted until a request is sent.
EXAMPLE_HOST: Final = "model-<id>.api.baseten.co"
PASTE_DEDICATED: Final = (
    f"Paste the model's own URL instead: https://{EXAMPLE_HOST}/environments/production/sync/v1."
)
PASTE_MODEL_APIS: Final = "For Model APIs paste https://inference.baseten.co/v1."
_PASTE_EITHER: Final = f"{PASTE_DEDICATED} {PASTE_MODEL_APIS}"

_WRAPPERS: Final = {'"': '"', "'": "'", "`": "`", "<": ">", "\u201c": "\u201d", "\u2018": "\u2019"}
_INVISIBLE: Final = "\ufeff\u200b\u200c\u200d\u2060"

# `re` compiles them when the first URL is read: at import that takes a tenth of all its time.
# Written out in ASCII: with IGNORECASE these classes would also take U+017F and U+212A.
_URL: Final = r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)"
_AUTHORITY: Final = r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?"
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = rf"{_LABEL}(?:\.{_LABEL})*"
# A host that ends in a number must be an IPv4 address (WHATWG URL): resolvers disagree about 127.1
# and 010.0.0.1, and httpx rejects some of them only when a request is sent.
_NUMBER_LAST: Final = r"(?:.*\.)?[0-9]+"
_PATH: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
_DOT_SEGMENT: Final = r"(?:\.|%2[eE]){1,2}"
_PLACEHOLDER: Final = r"(?ia)[<>{}]|\$[A-Z_(]"
# After a colon, both slashes belong to a URL inside the path of a proxy.
_DOUBLED_SLASH: Final = r"(?<!:)/{2,}"
_ROUTES: Final = r"(?:/|/chat/completions|(?<=/v1)/embeddings)+\Z"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NOT_HTTP: Final = {"ws": "WebSocket", "wss": "WebSocket", "grpc": "gRPC", "grpcs": "gRPC"}

_BARE: Final = (
    (
        r"[A-Za-z0-9]{4,8}",
        "is a model id, not a URL",
        "Paste https://model-{}.api.baseten.co/environments/production/sync/v1.",
    ),
    (
        r"(?!localhost/)[A-Za-z0-9_-]+/[A-Za-z0-9._:-]+",
        "is the name of a model, not a URL",
        "Pass it as model= and leave the URL out.",
    ),
    (
        r".*",
        "does not begin with https://",
        "Put https:// in front of the host (http:// for a server on your own machine).",
    ),
)

_LONGEST_URL: Final = 2048
_LONGEST_HOST: Final = 253
_LAST_PORT: Final = 65535
_LONGEST_QUOTE: Final = 100
_KEY_LIKE: Final = r"(?:[A-Za-z0-9_]+\.)?[A-Za-z0-9_]{20,}"


class Url(NamedTuple):
    """A well-formed URL without user, query, fragment, and route of an API at its end.

    Attributes:
        origin: Scheme, host and port (unless it is the default one), in lower case.
        host: Host in the origin.
        segments: Segments of the path, byte for byte as received.
        quote: The received text as a message may quote it.
    """

    origin: str
    host: str
    segments: tuple[str, ...]
    quote: str

    def refusal(self, what: str, advice: str) -> EndpointError:
        """Return the error for a URL that is well-formed but cannot be used.

        Args:
            what: What is wrong, as the predicate of "The URL".
            advice: What to write instead.
        """
        return _refusal(self.quote, what, advice)


def split_url(received: str) -> Url:
    """Return the parts of a URL.

    Args:
        received: The URL as it was pasted: quotation marks, brackets and white space around it
            are removed.

    Returns:
        Its parts (RFC 3986), without those that do not name an endpoint.

    Raises:
        EndpointError: If it is not text, not an http or https URL, malformed, or contains a user
            name, a placeholder, a dot segment or an invalid character.
    """
    if not isinstance(received, str):
        what = f"The URL must be text, not {type(received).__name__}."
        raise EndpointError(f"{what} {_PASTE_EITHER}")
    text = unwrap(received)
    quote = _quote(text)
    _check_characters(text, quote)
    found = re.match(_URL, text)
    if found is None:
        raise _without_scheme(text, quote)
    scheme, path = found[1].lower(), found[3]
    _check_scheme(scheme, quote)
    authority = _read_authority(found[2], path, quote)
    host, port = _read_host(authority, quote)
    origin = f"{scheme}://{host}"
    if port not in {None, _DEFAULT_PORTS[scheme]}:
        origin = f"{origin}:{port}"
    return Url(origin, host, _read_path(path, quote), quote)


def placeholder(quote: str) -> EndpointError:
    """Return the error for a URL that still contains a placeholder.

    Args:
        quote: The URL as a message may quote it.
    """
    return _refusal(
        quote,
        "still has a placeholder in it",
        "Replace it: app.baseten.co shows the URL of each model with its id.",
    )


def unwrap(text: str) -> str:
    """Return a text without what a copy may add: white space, quotation marks, brackets.

    Args:
        text: A URL as it was pasted.
    """
    while True:
        bare = text.strip().strip(_INVISIBLE)
        if len(bare) > 1 and _WRAPPERS.get(bare[0]) == bare[-1]:
            bare = bare[1:-1]
        if bare == text:
            return bare
        text = bare


def _check_characters(text: str, quote: str) -> None:
    if not text:
        raise EndpointError(f"The URL is empty. {_PASTE_EITHER}")
    if len(text) > _LONGEST_URL:
        what = f"is longer than {_LONGEST_URL} characters"
        raise _refusal(quote, what, "Paste the base URL alone.")
    if "\\" in text:
        raise _refusal(quote, "has a backslash in it", "Write slashes.")
    if " " in text or not text.isprintable():
        what = "has white space, a control character or an invisible character in it"
        raise _refusal(quote, what, "Paste the URL alone.")


def _without_scheme(text: str, quote: str) -> EndpointError:
    what, advice = next((what, advice) for form, what, advice in _BARE if re.fullmatch(form, text))
    return _refusal(quote, what, advice.format(text))


def _check_scheme(scheme: str, quote: str) -> None:
    if scheme in _NOT_HTTP:
        raise _refusal(quote, f"speaks {_NOT_HTTP[scheme]}, not HTTP", PASTE_DEDICATED)
    if scheme not in _DEFAULT_PORTS:
        raise _refusal(quote, "is not an http or https URL", _PASTE_EITHER)


def _read_authority(authority: str, path: str, quote: str) -> str:
    if "@" in authority:
        what = "has a user name or a password in it"
        raise _refusal(quote, what, "Take it out; the API key goes to api_key=.")
    if not authority.isascii():  # before lower(), which makes U+212A an ASCII k
        what = "has a host that is not ASCII"
        raise _refusal(quote, what, "Type it by hand, or write it in its xn-- form.")
    authority = authority.lower()
    if re.search(_PLACEHOLDER, authority.removeprefix(EXAMPLE_HOST) + path):
        raise placeholder(quote)
    return authority


def _read_host(authority: str, quote: str) -> tuple[str, int | None]:
    found = re.fullmatch(_AUTHORITY, authority)
    if found is None or not _is_host(host := found[1].removesuffix(".")):
        raise _refusal(quote, "has no valid host name", _PASTE_EITHER)
    if (port := found[2]) is None:
        return host, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= _LAST_PORT:
        raise _refusal(quote, "has no valid port", f"Write a number from 1 to {_LAST_PORT}.")
    return host, int(port)


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1]).scope_id is None
        if re.fullmatch(_NUMBER_LAST, host):
            return str(IPv4Address(host)) == host
    except ValueError:
        return False
    if host == EXAMPLE_HOST:
        return True
    return len(host) <= _LONGEST_HOST and re.fullmatch(_HOST, host) is not None


def _read_path(path: str, quote: str) -> tuple[str, ...]:
    if not re.fullmatch(_PATH, path):
        what = "has a character in its path that no URL has"
        raise _refusal(quote, what, "Percent-encode it, or type the path by hand.")
    path = re.sub(_ROUTES, "", re.sub(_DOUBLED_SLASH, "/", path))
    segments = tuple(path.split("/"))[1:]
    if any(re.fullmatch(_DOT_SEGMENT, segment) for segment in segments):
        what = "has a . or .. segment in its path"
        raise _refusal(quote, what, "Write the path without it.")
    return segments


def _refusal(quote: str, what: str, advice: str) -> EndpointError:
    return EndpointError(f"The URL {what}: {quote}. {advice}")


def _quote(text: str) -> str:
    """Return a URL for a message: shortened, without user, password, query and possible keys."""
    if "@" in text or "%40" in text:
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)
        text = f"{scheme[0] if scheme else ''}***"
    visible = re.sub(_KEY_LIKE, "***", re.sub(r"[?#].*", "?***", text, flags=re.DOTALL))
    if len(visible) > _LONGEST_QUOTE:
        visible = f"{visible[:_LONGEST_QUOTE]}..."
    return ascii(visible)
