"""Which headers and query parameters are credentials, and how they are kept out of sight.

Knows the names that gateways and signed proxies use; must not know requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import SecretStr

MASK = "**********"
"""What is shown in the place of a credential; pydantic shows the same for a `SecretStr`."""

_Hide: TypeAlias = Callable[[str], Any]

_PARTS = (
    *("authorization", "authentication", "api-key", "api_key", "apikey"),
    *("secret", "cookie", "passw", "passphrase", "credential", "signature"),
    *("session-key", "sessionid", "subscriptionkey", "functionskey", "accesskey"),
)
"""Any name that contains one of these is secret."""

_WORDS = frozenset(
    {
        *("auth", "authtoken", "bearer", "key", "pass", "passcode", "pwd", "pin", "otp", "pat"),
        *("sig", "sign", "signed", "hmac", "jwt", "jws", "sas", "saml", "dpop", "oidc"),
        *("assertion", "cert", "certificate", "creds", "csrf", "xsrf", "principal", "ticket"),
    }
)
"""Any name that has one of these between its separators is secret: `Ocp-Apim-Subscription-Key`
of Azure API Management, `x-functions-key` of Azure Functions, `sig` of a shared access signature,
`x-ms-client-principal` of Azure App Service, `X-Goog-IAP-JWT-Assertion`, `x-amzn-oidc-data`."""

_NAMES = frozenset(
    {
        *(
            "code",
            "dpop",
            "headers",
            "sid",
            "session",
            "x-session",
            "x-access",
            "x-goog-user-identity",
        ),
        *("cf-access-client-id", "x-forwarded-client-cert", "x-real-key"),
    }
)
"""Names that are secret as a whole: `code` holds the key of an Azure function in a query."""

_HARMLESS = frozenset({"idempotency-key", "x-idempotency-key", "sec-websocket-key"})
_TOKEN = re.compile(r"token(?!s|[-_](?:budget|count|ids?|limit|type|usage)\b)")
"""A token, unless it is one of those that a model counts."""

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_CREDENTIAL = (
    r"(?i)(?:bearer|basic|digest|negotiate|token|apikey|api-key|aws4-hmac-sha256|sharedkey"
    r"|sharedaccesssignature|hmac|signature|credential)[ =:]+\S"
    r"|eyJ[\w-]{8,}\.|sk[-_]\w|hf_\w{8}|gh[a-z]_\w{8}|github_pat_|glpat-|xox[a-z]-|AKIA\w{8}"
    r"|AIza\w{8}|hvs\.\w|-----BEGIN"
)
"""How values begin that are credentials, whatever their name."""
_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_DIGIT = re.compile(r"[0-9]")
"""A run of letters of both cases with digits is random; ids are mostly of one case."""


def is_secret_name(name: str) -> bool:
    """Return whether the value of a header, parameter or argument is a secret, by its name.

    Args:
        name: The name, in any case.
    """
    lowered = name.lower()
    if lowered in _HARMLESS:
        return False
    if lowered in _NAMES or _TOKEN.search(lowered) or any(part in lowered for part in _PARTS):
        return True
    words = _SEPARATORS.split(_HUMP.sub("-", name).lower())
    return not _WORDS.isdisjoint(words)


_is_secret_name = lru_cache(maxsize=1024)(is_secret_name)
"""For names alone; `is_secret_name` is also called with values."""


def is_credential(name: str, value: object) -> bool:
    """Return whether a header or query parameter is a credential, by its name or its value.

    Args:
        name: The name, in any case.
        value: The value. Nothing, and numbers with a harmless name, are none.
    """
    if not isinstance(value, SecretStr) and (value in (None, "") or isinstance(value, bool)):
        return False
    values = value if isinstance(value, list | tuple) else [value]
    return _is_secret_name(name) or any(_is_secret(v) for v in values)


def _is_secret(value: object) -> bool:
    if not isinstance(value, str):
        return isinstance(value, SecretStr)
    return re.match(_CREDENTIAL, value.strip()) is not None or any(
        run.upper() != run != run.lower() and _DIGIT.search(run) for run in _RUN.findall(value)
    )


def conceal(values: Any, hide: _Hide = SecretStr) -> Any:
    """Return headers or query parameters with their credentials wrapped, so that no repr shows one.

    Args:
        values: Values by name. Anything that is no mapping is returned as it is.
        hide: Returns what stands for a credential.
    """
    if not isinstance(values, Mapping):
        return values
    return {
        name: _hide(value, hide) if is_credential(str(name), value) else value
        for name, value in values.items()
    }


def _hide(value: Any, hide: _Hide) -> Any:
    if isinstance(value, list | tuple):
        return [_hide(part, hide) for part in value]
    if isinstance(value, SecretStr):
        return hide(value.get_secret_value())
    return hide("" if value is None else str(value))


def reveal(values: Any) -> Any:
    """Return headers or query parameters with their credentials in clear text.

    Args:
        values: Values by name, as `conceal` returns them. Anything else is returned as it is.
    """
    if not isinstance(values, Mapping):
        return values
    return {k: v if isinstance(v, str) else _reveal(v) for k, v in values.items()}


def reveal_recognized(values: Any) -> Any:
    """Return headers or query parameters with the credentials in clear text that are recognized.

    What only its `SecretStr` says to be a secret stays in it.

    Args:
        values: As for `reveal`.
    """
    shown = reveal(values)
    if not isinstance(values, Mapping):
        return shown
    return {k: v if is_credential(str(k), v) else values[k] for k, v in shown.items()}


def _reveal(value: Any) -> Any:
    if isinstance(value, list):
        return [_reveal(part) for part in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def mask(values: Any) -> Any:
    """Return headers or query parameters for something that is written down.

    Args:
        values: Values by name. Anything that is no mapping is returned as it is.
    """
    return conceal(values, lambda _: MASK)


def split_credentials(values: Any) -> tuple[Any, dict[str, Any]]:
    """Return headers or query parameters without their credentials, and the credentials.

    Args:
        values: Values by name. Of anything that is no mapping, nothing is a credential.
    """
    if not isinstance(values, Mapping):
        return values, {}
    secret = {k: v for k, v in values.items() if is_credential(str(k), v)}
    return {k: v for k, v in values.items() if k not in secret}, secret


def read_concealed(values: Mapping[str, Any]) -> list[str]:
    """Return the credentials among headers or query parameters, in clear text.

    Args:
        values: Values by name, as `conceal` returns them.
    """
    secrets: list[SecretStr] = []
    for value in values.values():
        if isinstance(value, SecretStr):
            secrets.append(value)
        elif isinstance(value, list):
            secrets += [part for part in value if isinstance(part, SecretStr)]
    return [secret.get_secret_value() for secret in secrets]
