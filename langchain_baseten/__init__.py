"""LangChain chat model and embeddings for Baseten's inference service."""

from langchain_baseten._config.endpoint import Endpoint
from langchain_baseten._protocol.model_listing import ListedModel
from langchain_baseten._version import VERSION
from langchain_baseten.chat_models import ChatBaseten
from langchain_baseten.embeddings import BasetenEmbeddings
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
