"""Content blocks of every origin to the content parts that Baseten accepts.

Knows LangChain's standard blocks (v0, v1) and OpenAI's and Anthropic's own; must not know messages.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from langchain_baseten._plain_text import shorten
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Part = dict[str, Any]

_AUDIO_FORMATS = {
    "mpeg": "mp3",
    "mpeg3": "mp3",
    "mpga": "mp3",
    "x-mpeg": "mp3",
    "x-wav": "wav",
    "wave": "wav",
    "vnd.wave": "wav",
    "mp4": "m4a",
    "x-m4a": "m4a",
    "x-flac": "flac",
}
"""MIME subtypes and the `input_audio.format` that engines use for them."""


_NOT_CONTENT = {
    "cache_point",
    "reasoning",
    "reasoning_content",
    "redacted_thinking",
    "thinking",
    "tool_call_chunk",
    "server_tool_call_chunk",
    "tool_use",
}
_CALLED = ("_call", "_tool_use", "_tool_result")
"""How types end of calls, and of what tools of another provider's server returned: OpenAI's
`web_search_call`, Anthropic's `mcp_tool_use`, LangChain's `server_tool_result` and their kind."""


def is_content(block: Mapping[str, Any]) -> bool:
    """Return whether a block is content, which reasoning, calls and cache points are not.

    An assistant's message sends reasoning and calls in fields of their own, if at all. Blocks that
    repeat `tool_calls` are not read: a call that was removed from there must not be sent again.
    Agents pass an answer on with its blocks, as a human message or a tool's result.

    Args:
        block: A content block of any provider's form.
    """
    kind = str(block.get("type"))
    return not ("cachePoint" in block or kind in _NOT_CONTENT or kind.endswith(_CALLED))


def write_content(content: str | list[Any]) -> str | list[Part]:
    """Return a message's content as the payload holds it: a string, or a list of parts.

    Args:
        content: A LangChain message's content.

    Raises:
        BasetenRequestError: If a block cannot be sent; the message says which, and why.
    """
    if isinstance(content, str):
        return content
    parts = [part for block in content for part in write_block(block)]
    return parts or ""


def write_block(block: Any) -> list[Part]:
    """Return the parts for one block: one, or none where it is no content (`is_content`).

    Args:
        block: A content block: a string, or a dict of any provider's form.

    Raises:
        BasetenRequestError: If the block cannot be sent.
    """
    if isinstance(block, str):
        return [{"type": "text", "text": block}]
    if not isinstance(block, dict):
        raise _unsendable(block, "a content block must be a string or a dict")
    if not is_content(block):
        return []
    writer = _WRITERS.get(str(block.get("type")))
    if writer is None:
        raise _unsendable(block, "its type is not one that Baseten takes")
    try:
        return [writer(block)]
    except (KeyError, TypeError, AttributeError) as flaw:
        reason = f"it is incomplete ({type(flaw).__name__}: {flaw})"
    raise _unsendable(block, reason)


def _unsendable(block: Any, reason: str) -> BasetenRequestError:
    shown = {k: shorten(str(v), 40) for k, v in block.items()} if isinstance(block, dict) else block
    return BasetenRequestError(
        f"A content block cannot be sent: {reason}. Received {shorten(str(shown), 200)}. "
        f"Baseten takes these types: {', '.join(sorted(_WRITERS.keys() - {'video'}))}."
    )


def _write_text(block: Mapping[str, Any]) -> Part:
    return {"type": "text", "text": block["text"]}


def _write_refusal(block: Mapping[str, Any]) -> Part:
    return {"type": "text", "text": block["refusal"]}


def _write_image_url(block: Mapping[str, Any]) -> Part:
    image = block["image_url"]
    if not isinstance(image, str | dict):
        raise _unsendable(block, "its image_url is neither a URL nor an object with one")
    return {"type": "image_url", "image_url": {"url": image} if isinstance(image, str) else image}


def _write_image(block: Mapping[str, Any]) -> Part:
    extras = block.get("extras") or {}
    detail = block.get("detail") or extras.get("detail")
    image = {"url": _locate(block, "image")}
    return {"type": "image_url", "image_url": {**image, **({"detail": detail} if detail else {})}}


def _locate(block: Mapping[str, Any], kind: str) -> str:
    """Return the URL of a block's data: its own, or a data URL made from its base64."""
    source = block.get("source") or block  # Anthropic nests the fields that others write flat
    if source.get("url"):
        return _url_of(source)
    if not (data := _data_of(source)):
        raise _unsendable(block, f"its {kind} has neither a URL nor base64 data")
    mime = source.get("mime_type") or source.get("media_type")
    if not mime or not isinstance(mime, str):
        raise _unsendable(block, "base64 data needs a mime_type")
    return f"data:{mime};base64,{data}"


def _url_of(block: Mapping[str, Any]) -> str:
    url = block["url"]
    if not isinstance(url, str):
        raise _unsendable(block, "its URL must be a string")
    return url


def _data_of(block: Mapping[str, Any]) -> str:
    """Return the base64 text of a block's data, or an empty string where it has none.

    Bytes that are base64 text are that text; other bytes are encoded.
    """
    data = block.get("base64") or block.get("data")
    if not data or isinstance(data, str):
        return data or ""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise _unsendable(block, "its data must be base64 text or bytes")
    given = b"".join(bytes(data).split())
    try:
        base64.b64decode(given, validate=True)
    except binascii.Error:
        # A codec's name has many spellings.
        return base64.b64encode(data).decode("ascii")  # pragma: no mutate
    return given.decode("ascii")  # pragma: no mutate  a codec's name has many spellings


def _write_audio(block: Mapping[str, Any]) -> Part:
    if block.get("url"):
        return {"type": "audio_url", "audio_url": {"url": _url_of(block)}}
    data, mime = _data_of(block), block.get("mime_type")
    if not data or not isinstance(mime, str) or "/" not in mime:
        raise _unsendable(block, "audio needs a URL, or base64 data with its mime_type")
    subtype = mime.partition("/")[2].partition(";")[0].strip().lower()
    audio = {"data": data, "format": _AUDIO_FORMATS.get(subtype, subtype)}
    return {"type": "input_audio", "input_audio": audio}


def _write_file(block: Mapping[str, Any]) -> Part:
    if isinstance(block.get("file"), dict):
        return {"type": "file", "file": block["file"]}
    is_id = block.get("source_type") == "id" or block.get("id", "").startswith("file-")
    if file_id := block.get("file_id") or (is_id and block["id"]):
        return {"type": "file", "file": {"file_id": file_id}}
    source = block.get("source") or block
    if source.get("text") or source.get("type") == "text":
        return {"type": "text", "text": source.get("text") or source["data"]}
    if source.get("type") == "content":
        return {"type": "text", "text": _join_texts(source["content"])}
    if source.get("url"):
        raise _unsendable(block, "a file goes as base64 data, not as a URL")
    name = _find_file_name(block) or block.get("title") or "file"
    return {"type": "file", "file": {"filename": name, "file_data": _locate(block, "file")}}


def _find_file_name(block: Mapping[str, Any]) -> Any:
    extras = block.get("extras") or {}
    # v0 blocks have it under "metadata", which langchain-core moves into the extras.
    metadata = block.get("metadata") or extras.get("metadata") or {}
    return next(filter(None, (each.get("filename") for each in (block, extras, metadata))), None)


def _write_search_result(block: Mapping[str, Any]) -> Part:
    text = "\n".join([block["title"], block["source"], _join_texts(block["content"])])
    return {"type": "text", "text": text}


def _join_texts(content: str | list[Any]) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)


def _write_plain_text(block: Mapping[str, Any]) -> Part:
    return _write_text(block) if block.get("text") else _write_file(block)


def _write_as_it_is(name: str) -> Callable[[Mapping[str, Any]], Part]:
    return lambda block: {"type": name, name: block[name]}


def _write_non_standard(block: Mapping[str, Any]) -> Part:
    parts = write_block(block["value"])
    if not parts:
        raise _unsendable(block, "its value holds nothing to send")
    return parts[0]


def _refuse_video(block: Mapping[str, Any]) -> Part:
    raise _unsendable(
        block,
        "ChatBaseten has no video input. A deployment that takes video takes it as "
        '{"type": "video_url", "video_url": {"url": …}}',
    )


_WRITERS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _write_text,
    "input_text": _write_text,
    "output_text": _write_text,
    "refusal": _write_refusal,
    "image_url": _write_image_url,
    "image": _write_image,
    "audio": _write_audio,
    "input_audio": _write_as_it_is("input_audio"),
    "audio_url": _write_as_it_is("audio_url"),
    "video_url": _write_as_it_is("video_url"),
    "video": _refuse_video,
    "file": _write_file,
    "document": _write_file,
    "search_result": _write_search_result,
    "text-plain": _write_plain_text,
    "non_standard": _write_non_standard,
}
