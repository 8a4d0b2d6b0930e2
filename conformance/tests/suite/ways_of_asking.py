"""Our client as it asks a server on loopback, in each way and by both libraries.

For the tests of what lies between a client and a service. Must not know what that makes of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from langchain_baseten import ChatBaseten

SLUG = "moonshotai/Kimi-K2.6"
KEY = "k3y0000a.S3cretS3cretS3cretS3cretS3cretS3"
_REQUESTED = "Say hello to Ada."


def aim(url: str, **own: Any) -> ChatBaseten:
    return ChatBaseten(model=SLUG, base_url=f"{url}/v1", api_key=KEY, max_retries=0, **own)


def ask_invoke(url: str) -> str:
    with aim(url) as model:
        return model.invoke(_REQUESTED).text


def ask_stream(url: str) -> str:
    with aim(url) as model:
        return "".join(chunk.text for chunk in model.stream(_REQUESTED))


def ask_ainvoke(url: str) -> str:
    async def ask() -> str:
        async with aim(url) as model:
            return (await model.ainvoke(_REQUESTED)).text

    return asyncio.run(ask())


def ask_astream(url: str) -> str:
    async def ask() -> str:
        async with aim(url) as model:
            return "".join([chunk.text async for chunk in model.astream(_REQUESTED)])

    return asyncio.run(ask())


def ask_with_httpx(url: str) -> str:
    with httpx.Client() as client:
        return aim(url, http_client=client).invoke(_REQUESTED).text


def ask_ainvoke_with_httpx(url: str) -> str:
    async def ask() -> str:
        async with httpx.AsyncClient() as client:
            return (await aim(url, http_async_client=client).ainvoke(_REQUESTED)).text

    return asyncio.run(ask())


WAYS = [ask_invoke, ask_stream, ask_ainvoke, ask_with_httpx, ask_ainvoke_with_httpx]
