from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from conformance.libraries import (
    LIBRARIES,
    AsyncTransport,
    Transport,
    library_of,
    stand_before,
)

each_library = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
NOWHERE = "http://127.0.0.1:9"


def test_our_own_clients_library_comes_first_and_the_other_is_there() -> None:
    assert list(LIBRARIES.values()) == [httpx2, httpx]


@each_library
async def test_what_stands_before_a_library_sees_what_it_sends_and_goes_with_the_patch(
    library: Any,
) -> None:
    seen: list[Any] = []

    def wrap(ask: Callable[..., Any]) -> Callable[..., Any]:
        def answer(transport: Any, request: Any) -> Any:
            seen.append((ask, request))
            return library.Response(204)

        return answer

    def wrap_awaited(ask: Callable[..., Any]) -> Callable[..., Any]:
        async def answer(transport: Any, request: Any) -> Any:
            seen.append((ask, request))
            return library.Response(204)

        return answer

    sync, awaited = library.HTTPTransport, library.AsyncHTTPTransport
    own = [sync.handle_request, awaited.handle_async_request]
    with pytest.MonkeyPatch.context() as patch:
        stand_before(patch, wrap, wrap_awaited)
        with library.Client() as client:
            assert client.get(NOWHERE).status_code == 204
        async with library.AsyncClient() as client:
            assert (await client.get(NOWHERE)).status_code == 204
    assert [ask for ask, _ in seen] == own
    assert [sync.handle_request, awaited.handle_async_request] == own
    assert {library_of(request) for _, request in seen} == {library}


@each_library
async def test_a_transport_for_both_has_to_say_what_it_answers(library: Any) -> None:
    with library.Client(transport=Transport()) as client, pytest.raises(NotImplementedError):
        client.get(NOWHERE)
    async with library.AsyncClient(transport=AsyncTransport()) as client:
        with pytest.raises(NotImplementedError):
            await client.get(NOWHERE)
