"""LangChain chat model and embeddings for Baseten's inference service.

What only embeddings need is imported when it is first used.
"""

from typing import TYPE_CHECKING

# Before our own modules: under their chain of imports, in a script that begins with this package,
# CPython 3.11 to 3.13 map and unmap stack in each call, which takes a tenth of the whole import.
import langchain_core.language_models.chat_models  # noqa: F401

from langchain_baseten._config.endpoint import Endpoint
from langchain_baseten._protocol.model_listing import ListedModel
from langchain_baseten._version import VERSION
from langchain_baseten.chat_models import ChatBaseten
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenConnectionError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidKeyError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRefusalError,
    BasetenRequestError,
    BasetenRequestTooLargeError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    EndpointError,
    ErrorResponse,
    MissingToolCallWarning,
)

if TYPE_CHECKING:
    from langchain_baseten.embeddings import BasetenEmbeddings

__version__ = VERSION

__all__ = [
    "BasetenAPIError",
    "BasetenAuthenticationError",
    "BasetenConflictError",
    "BasetenConnectionError",
    "BasetenContextOverflowError",
    "BasetenEmbeddings",
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
    "ChatBaseten",
    "Endpoint",
    "EndpointError",
    "ErrorResponse",
    "ListedModel",
    "MissingToolCallWarning",
    "__version__",
]


if not TYPE_CHECKING:  # where any name would count as known

    def __getattr__(name: str) -> object:
        if name not in {"BasetenEmbeddings", "embeddings"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from langchain_baseten.embeddings import BasetenEmbeddings  # noqa: PLC0415  not before

        globals()["BasetenEmbeddings"] = BasetenEmbeddings
        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
