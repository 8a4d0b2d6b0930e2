"""The errors of this package, all under langchain-core's `ModelError`.

Knows what an error carries; must not know which response becomes which error: that is
`_protocol/error_responses`.

BasetenError                              every error           ModelError
├── BasetenAuthenticationError            401                   ModelAuthenticationError
│   └── BasetenInvalidKeyError            403 about the key     also a permission error
├── BasetenPermissionDeniedError          402, 403              ModelPermissionDeniedError
├── BasetenNotFoundError                  404                   ModelNotFoundError
├── BasetenInvalidRequestError            400, other 4xx        ModelInvalidRequestError
│   ├── BasetenRequestError               nothing was sent      also a ValueError
│   │   └── EndpointError                 unusable URL
│   ├── BasetenUnprocessableError         422
│   └── BasetenContextOverflowError       by wording            ContextOverflowError
│       └── BasetenRequestTooLargeError   413
├── BasetenConflictError                  409, retryable
├── BasetenRateLimitError                 429, retryable        ModelRateLimitError
├── BasetenTimeoutError                   408, retryable        ModelTimeoutError
├── BasetenConnectionError                retryable             ModelConnectionError
├── BasetenAPIError                       5xx, retryable        ModelAPIError
│   ├── BasetenIncompleteStreamError      the stream ended early
│   └── BasetenInvalidResponseError       1xx, 2xx or 3xx without a usable response
└── BasetenRefusalError                   the model refused     ModelRefusalError
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core import exceptions as core
from langchain_core.messages import AIMessage

from langchain_baseten._plain_text import make_plain

if TYPE_CHECKING:
    _CoreRefusal = core.ModelError
else:
    # langchain-core has ModelRefusalError from 1.7.5 on.
    _CoreRefusal = getattr(core, "ModelRefusalError", core.ModelError)

__all__ = [
    "BasetenAPIError",
    "BasetenAuthenticationError",
    "BasetenConflictError",
    "BasetenConnectionError",
    "BasetenContextOverflowError",
    "BasetenError",
    "BasetenIncompleteStreamError",
    "BasetenInvalidKeyError",
    "BasetenInvalidRequestError",
    "BasetenInvalidResponseError",
    "BasetenNotFoundError",
    "BasetenPermissionDeniedError",
    "BasetenRateLimitError",
    "BasetenRefusalError",
    "BasetenRequestError",
    "BasetenRequestTooLargeError",
    "BasetenTimeoutError",
    "BasetenUnprocessableError",
    "EndpointError",
    "ErrorResponse",
    "MissingToolCallWarning",
]


@dataclass(frozen=True)
class ErrorResponse:
    """An error response, independent of any HTTP library.

    LangChain's tracers read `status_code`, `headers` and `json()` from it.

    Attributes:
        status_code: HTTP status.
        text: Body, decoded.
        headers: Response headers with lower-case names, without cookies.
    """

    status_code: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the body as JSON.

        Returns:
            The parsed body.

        Raises:
            ValueError: If the body is not JSON.
        """
        return json.loads(self.text)


class BasetenError(core.ModelError):
    """Base class of every error that this package raises.

    Its message and `request_id` hold no control characters or escape sequences, whatever the
    server said: they may be printed and logged. `body` and `response` hold what was received.

    Attributes:
        status_code: HTTP status, or the code of an error event inside a stream.
        request_id: Baseten's id of the request, to quote to its support.
        body: Error body, parsed if it was JSON.
        response: The error response, if there was one.
        retry_after: Wait that the server requested, in seconds.
        partial: The part of the message that had been received before the failure.
    """

    def __init__(  # noqa: PLR0913  one keyword for each public attribute
        self,
        message: str,
        *,
        status_code: int | None = None,
        request_id: str | None = None,
        body: Any = None,
        response: ErrorResponse | None = None,
        retry_after: float | None = None,
        partial: AIMessage | None = None,
    ) -> None:
        super().__init__(make_plain(message))
        self.status_code = status_code
        self.request_id = request_id and make_plain(request_id)
        self.body = body
        self.response = response
        self.retry_after = retry_after
        self.partial = partial


class BasetenAuthenticationError(BasetenError, core.ModelAuthenticationError):
    """The key is missing or unknown (HTTP 401)."""


class BasetenPermissionDeniedError(BasetenError, core.ModelPermissionDeniedError):
    """The key lacks a permission, or billing does not allow the request (HTTP 402, 403)."""


class BasetenInvalidKeyError(BasetenAuthenticationError, BasetenPermissionDeniedError):
    """The key is unknown, reported as HTTP 403; caught as a 401 and as a 403 alike."""


class BasetenNotFoundError(BasetenError, core.ModelNotFoundError):
    """The model, deployment or route does not exist (HTTP 404)."""


class BasetenInvalidRequestError(BasetenError, core.ModelInvalidRequestError):
    """The server rejected the request (HTTP 400 and other 4xx)."""


class BasetenRequestError(BasetenInvalidRequestError, ValueError):
    """The request cannot be built, so nothing was sent."""


class EndpointError(BasetenRequestError):
    """The URL cannot be used for requests; the message says what to write instead."""


class BasetenUnprocessableError(BasetenInvalidRequestError):
    """The request is well-formed, but the engine rejected its values (HTTP 422)."""


class BasetenContextOverflowError(BasetenInvalidRequestError, core.ContextOverflowError):
    """The input is longer than the model's context."""


class BasetenRequestTooLargeError(BasetenContextOverflowError):
    """The request body is larger than the server accepts (HTTP 413)."""


class BasetenConflictError(BasetenError):
    """The request conflicts with another one (HTTP 409)."""

    is_retryable = True


class BasetenRateLimitError(BasetenError, core.ModelRateLimitError):
    """Too many requests or tokens (HTTP 429)."""


class BasetenTimeoutError(BasetenError, core.ModelTimeoutError):
    """A timeout expired, here or at the server (HTTP 408)."""


class BasetenConnectionError(BasetenError, core.ModelConnectionError):
    """The server could not be reached, or the connection broke before a response."""


class BasetenAPIError(BasetenError, core.ModelAPIError):
    """The server failed (HTTP 5xx, or an error event inside a stream)."""


class BasetenIncompleteStreamError(BasetenAPIError):
    """A stream ended before its message was complete; `partial` holds what was received."""


class BasetenInvalidResponseError(BasetenAPIError):
    """The server rejected nothing, but sent no usable response (HTTP 1xx, 2xx, 3xx)."""


class BasetenRefusalError(BasetenError, _CoreRefusal):
    """The model refused to produce the requested structured output.

    Attributes:
        raw_message: The message that holds the refusal.
    """

    def __init__(self, message: str, *, raw_message: AIMessage | None = None) -> None:
        BasetenError.__init__(self, message, partial=raw_message)
        self.raw_message = raw_message


class MissingToolCallWarning(UserWarning):
    """A tool call was required, but the message contains none."""
