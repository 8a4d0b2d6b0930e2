"""LangChain chat model and embeddings for Baseten's inference service."""

from langchain_baseten._errors import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenConnectionError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenMalformedAnswerError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRefusalError,
    BasetenRequestTooLargeError,
    BasetenStreamCutError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    BasetenUnsendableRequestError,
    LostToolCallWarning,
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
    "BasetenInvalidRequestError",
    "BasetenMalformedAnswerError",
    "BasetenNotFoundError",
    "BasetenPermissionDeniedError",
    "BasetenRateLimitError",
    "BasetenRefusalError",
    "BasetenRequestTooLargeError",
    "BasetenStreamCutError",
    "BasetenTimeoutError",
    "BasetenUnprocessableError",
    "BasetenUnsendableRequestError",
    "ChatBaseten",
    "LostToolCallWarning",
    "__version__",
]
