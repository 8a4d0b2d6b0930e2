"""`list_models`: the models that the service offers.

Knows the service and the reader of a listing; must not know messages.
"""

from __future__ import annotations

from functools import partial

from langchain_baseten._config.service import BasetenService
from langchain_baseten._http.request import HttpRequest, RawResponse
from langchain_baseten._protocol.model_listing import ListedModel, read_models


class ListingService(BasetenService):
    """A service that can be asked for its models."""

    def list_models(self) -> list[ListedModel]:
        """Return the models that the Model APIs, or the engine of a deployment, list.

        Returns:
            A row for each model, in the order of the server.

        Raises:
            BasetenRequestError: If no request can be built.
            BasetenError: If there was no response, or one without a list.
        """
        request = self._build_listing_request()
        return self._sync_transport.fetch(request, partial(_read, request=request))

    async def alist_models(self) -> list[ListedModel]:
        """Return the models as `list_models` does, without blocking the event loop.

        Returns:
            A row for each model, in the order of the server.

        Raises:
            BasetenRequestError: If no request can be built.
            BasetenError: If there was no response, or one without a list.
        """
        request = self._build_listing_request()
        return await self._async_transport.fetch(request, partial(_read, request=request))

    def _build_listing_request(self) -> HttpRequest:
        return self._build_http_request(self.endpoint.models_url, b"", method="GET")


def _read(response: RawResponse, request: HttpRequest) -> list[ListedModel]:
    return read_models(
        response.text,
        status=response.status,
        headers=response.headers,
        redact=request.redact_metadata,
    )
