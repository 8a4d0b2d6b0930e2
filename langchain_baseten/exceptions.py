"""What can go wrong, as one tree under langchain-core's `ModelError`.

Knows what an error carries; must not know how an answer is read (`_diagnosis` chooses the class).

BasetenError                          (langchain_core ModelError)
├── BasetenAuthenticationError        401                 ModelAuthenticationError
├── BasetenPermissionDeniedError      402, 403            ModelPermissionDeniedError
├── BasetenNotFoundError              404                 ModelNotFoundError
├── BasetenInvalidRequestError        400, other 4xx      ModelInvalidRequestError
│   ├── BasetenRequestError never sent          and ValueError
│   ├── BasetenUnprocessableError     422
│   └── BasetenContextOverflowError   by wording          and ContextOverflowError
│       └── BasetenRequestTooLargeError 413
├── BasetenConflictError              409, retryable
├── BasetenRateLimitError             429, retryable      ModelRateLimitError
├── BasetenTimeoutError               408, retryable      ModelTimeoutError
├── BasetenConnectionError            retryable           ModelConnectionError
├── BasetenAPIError                   5xx, retryable      ModelAPIError
│   ├── BasetenIncompleteStreamError         the body ended before the answer did
│   └── BasetenInvalidResponseError   not an answer at all
└── BasetenRefusalError               the model declined  ModelRefusalError
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core import exceptions as core

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

    _CoreRefusal = core.ModelError
else:
    # langchain-core has ModelRefusalError from 1.7.5 on.
    _CoreRefusal = getattr(core, "ModelRefusalError", core.ModelError)


@dataclass(frozen=True)
class ErrorResponse:
    """What the server answered, detached from any HTTP library.

    LangChain's tracers read `status_code`, `headers` and `json()` from it.

    Attributes:
        status_code: HTTP status.
        text: The body, decoded.
        headers: Response headers, lower-case names; cookies are left out.
    """

    status_code: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: If the body is not JSON.
        """
        return json.loads(self.text)


class BasetenError(core.ModelError):
    """Anything that kept an answer from arriving whole.

    Attributes:
        status_code: HTTP status, or the code of an error event inside a stream.
        request_id: Baseten's id of the request, to quote to support.
        body: The error body, parsed where it was JSON.
        response: The whole answer, if there was one.
        retry_after: Seconds that the server asked to wait.
        partial: What had arrived of a message before the failure.
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
        super().__init__(message)
        self.status_code = status_code
        self.request_id = request_id
        self.body = body
        self.response = response
        self.retry_after = retry_after
        self.partial = partial


class BasetenAuthenticationError(BasetenError, core.ModelAuthenticationError):
    """No key, or one that Baseten does not know (HTTP 401)."""


class BasetenPermissionDeniedError(BasetenError, core.ModelPermissionDeniedError):
    """The key may not do this, or billing forbids it (HTTP 402, 403)."""


class BasetenNotFoundError(BasetenError, core.ModelNotFoundError):
    """No such model, deployment or route (HTTP 404)."""


class BasetenInvalidRequestError(BasetenError, core.ModelInvalidRequestError):
    """The server refused the request as it stands (HTTP 400 and other 4xx)."""


class BasetenRequestError(BasetenInvalidRequestError, ValueError):
    """The request cannot be written down, so nothing was sent."""


class BasetenUnprocessableError(BasetenInvalidRequestError):
    """The request is well formed but makes no sense to the engine (HTTP 422)."""


class BasetenContextOverflowError(BasetenInvalidRequestError, core.ContextOverflowError):
    """The input is longer than the model's context."""


class BasetenRequestTooLargeError(BasetenContextOverflowError):
    """The request body is larger than the server takes (HTTP 413)."""


class BasetenConflictError(BasetenError):
    """The request collided with another one (HTTP 409)."""

    is_retryable = True


class BasetenRateLimitError(BasetenError, core.ModelRateLimitError):
    """Too many requests or tokens (HTTP 429)."""


class BasetenTimeoutError(BasetenError, core.ModelTimeoutError):
    """No answer within the time allowed (here, or HTTP 408)."""


class BasetenConnectionError(BasetenError, core.ModelConnectionError):
    """The server could not be reached, or the connection broke before an answer."""


class BasetenAPIError(BasetenError, core.ModelAPIError):
    """The server failed (HTTP 5xx, or an error event inside a stream)."""


class BasetenIncompleteStreamError(BasetenAPIError):
    """A stream ended before the answer did; `partial` holds what had arrived."""


class BasetenInvalidResponseError(BasetenAPIError):
    """The server said 200, but what it sent is not an answer."""


class BasetenRefusalError(BasetenError, _CoreRefusal):
    """The model declined to produce the structured output asked for.

    Attributes:
        raw_message: The message that holds the refusal.
    """

    def __init__(self, message: str, *, raw_message: AIMessage | None = None) -> None:
        BasetenError.__init__(self, message, partial=raw_message)
        self.raw_message = raw_message


class MissingToolCallWarning(UserWarning):
    """A tool call was required, yet the server's message holds none."""
