"""LangChain chat model and embeddings for Baseten's inference service."""

from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenConnectionError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenInvalidKeyError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRefusalError,
    BasetenRequestTooLargeError,
    BasetenIncompleteStreamError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    BasetenRequestError,
    MissingToolCallWarning,
)
from langchain_baseten._version import VERSION
from langchain_baseten.chat_models import ChatBaseten
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
    "BasetenInvalidKeyError",
    "BasetenInvalidRequestError",
    "BasetenInvalidResponseError",
    "BasetenNotFoundError",
    "BasetenPermissionDeniedError",
    "BasetenRateLimitError",
    "BasetenRefusalError",
    "BasetenRequestTooLargeError",
    "BasetenIncompleteStreamError",
    "BasetenTimeoutError",
    "BasetenUnprocessableError",
    "BasetenRequestError",
    "ChatBaseten",
    "MissingToolCallWarning",
    "__version__",
]
