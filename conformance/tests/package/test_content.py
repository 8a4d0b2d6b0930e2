"""Content blocks of every origin to parts, and clear errors for those that cannot be sent."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.content import _write_as_it_is, write_block, write_content
from langchain_baseten.exceptions import BasetenRequestError

URL = "https://example.com/a"


def image(url: str, **other: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **other}}


def file(**other: Any) -> dict[str, Any]:
    return {"type": "file", "file": other}


def sound(kind: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": "AA==", "format": kind}}


PDF = {"filename": "file", "file_data": "data:application/pdf;base64,AA=="}

# block -> part
PARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a string": ("a", {"type": "text", "text": "a"}),
    "text": ({"type": "text", "text": "a", "annotations": []}, {"type": "text", "text": "a"}),
    "input_text": ({"type": "input_text", "text": "a"}, {"type": "text", "text": "a"}),
    "output_text": ({"type": "output_text", "text": "a"}, {"type": "text", "text": "a"}),
    "image_url": (image(URL), image(URL)),
    "image_url with detail": (image(URL, detail="low"), image(URL, detail="low")),
    "image_url as a string": ({"type": "image_url", "image_url": URL}, image(URL)),
    "image, v1 URL": ({"type": "image", "url": URL}, image(URL)),
    "image, v1 base64": (
        {"type": "image", "base64": "AA==", "mime_type": "image/png"},
        image("data:image/png;base64,AA=="),
    ),
    "image, v1 extras": (
        {"type": "image", "url": URL, "extras": {"detail": "low"}},
        image(URL, detail="low"),
    ),
    "image, v0 URL": ({"type": "image", "source_type": "url", "url": URL}, image(URL)),
    "image, v0 base64": (
        {"type": "image", "source_type": "base64", "data": "AA==", "mime_type": "image/png"},
        image("data:image/png;base64,AA=="),
    ),
    "image, detail of its own": (
        {"type": "image", "url": URL, "detail": "low"},
        image(URL, detail="low"),
    ),
    "image, Anthropic's base64": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        image("data:image/png;base64,AA=="),
    ),
    "image, Anthropic's URL": (
        {"type": "image", "source": {"type": "url", "url": URL}},
        image(URL),
    ),
    "audio, URL": ({"type": "audio", "url": URL}, {"type": "audio_url", "audio_url": {"url": URL}}),
    "audio, base64": ({"type": "audio", "base64": "AA==", "mime_type": "audio/wav"}, sound("wav")),
    "audio, v0": ({"type": "audio", "data": "AA==", "mime_type": "audio/wav"}, sound("wav")),
    "audio, another name": (
        {"type": "audio", "base64": "AA==", "mime_type": "audio/mpeg"},
        sound("mp3"),
    ),
    "audio, with parameters": (
        {"type": "audio", "base64": "AA==", "mime_type": "audio/X-WAV ; rate=8"},
        sound("wav"),
    ),
    "audio, unknown": ({"type": "audio", "base64": "AA==", "mime_type": "audio/ogg"}, sound("ogg")),
    "input_audio": (sound("wav"), sound("wav")),
    "audio_url": (
        {"type": "audio_url", "audio_url": {"url": URL}, "id": "x"},
        {"type": "audio_url", "audio_url": {"url": URL}},
    ),
    "video_url": (
        {"type": "video_url", "video_url": {"url": URL}},
        {"type": "video_url", "video_url": {"url": URL}},
    ),
    "file, OpenAI's": (file(file_id="f"), file(file_id="f")),
    "file, id": ({"type": "file", "file_id": "f"}, file(file_id="f")),
    "file, v0 id": ({"type": "file", "source_type": "id", "id": "f"}, file(file_id="f")),
    "file, v0 name": (
        {
            "type": "file",
            "source_type": "base64",
            "data": "AA==",
            "mime_type": "application/pdf",
            "metadata": {"filename": "a"},
        },
        file(**PDF | {"filename": "a"}),
    ),
    "file, v0 name, moved by langchain-core": (
        {
            "type": "file",
            "base64": "AA==",
            "mime_type": "application/pdf",
            "extras": {"metadata": {"filename": "a"}},
        },
        file(**PDF | {"filename": "a"}),
    ),
    "file, OpenAI's id": ({"type": "file", "id": "file-1"}, file(file_id="file-1")),
    "file, base64": (
        {"type": "file", "base64": "AA==", "mime_type": "application/pdf"},
        file(**PDF),
    ),
    "file, a block's own id": (
        {"type": "file", "id": "lc_1", "base64": "AA==", "mime_type": "application/pdf"},
        file(**PDF),
    ),
    "file, name": (
        {"type": "file", "base64": "AA==", "mime_type": "application/pdf", "filename": "a"},
        file(**PDF | {"filename": "a"}),
    ),
    "file, name in extras": (
        {
            "type": "file",
            "data": "AA==",
            "mime_type": "application/pdf",
            "extras": {"filename": "a"},
        },
        file(**PDF | {"filename": "a"}),
    ),
    "file, text": ({"type": "file", "text": "a"}, {"type": "text", "text": "a"}),
    "document, Anthropic's base64": (
        {
            "type": "document",
            "title": "a",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
        },
        file(**PDF | {"filename": "a"}),
    ),
    "document, Anthropic's text": (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
        {"type": "text", "text": "a"},
    ),
    "document, Anthropic's text in a string": (
        {"type": "document", "source": {"type": "content", "content": "a"}},
        {"type": "text", "text": "a"},
    ),
    "document, Anthropic's texts": (
        {"type": "document", "source": {"type": "content", "content": [{"text": "a"}] * 2}},
        {"type": "text", "text": "a\na"},
    ),
    "search_result": (
        {"type": "search_result", "title": "t", "source": URL, "content": [{"text": "a"}]},
        {"type": "text", "text": f"t\n{URL}\na"},
    ),
    "text-plain": ({"type": "text-plain", "text": "a"}, {"type": "text", "text": "a"}),
    "text-plain with an id": (
        {"type": "text-plain", "text": "a", "file_id": "file-1"},
        {"type": "text", "text": "a"},
    ),
    "text-plain, base64": (
        {"type": "text-plain", "base64": "AA==", "mime_type": "text/plain"},
        file(filename="file", file_data="data:text/plain;base64,AA=="),
    ),
    "non_standard": ({"type": "non_standard", "value": image(URL)}, image(URL)),
}


@in_each(("block", "part"), PARTS)
def test_a_block_becomes_a_part_and_stays_as_it_was(block: Any, part: dict[str, Any]) -> None:
    before = repr(block)

    assert write_block(block) == [part]
    assert repr(block) == before


SOUNDS = {
    "mp3": ["mpeg", "mpeg3", "mpga", "x-mpeg", "mp3", "MPEG"],
    "wav": ["x-wav", "wave", "vnd.wave", "wav"],
    "m4a": ["mp4", "x-m4a", "m4a"],
    "flac": ["x-flac", "flac"],
    "ogg": ["ogg", "ogg; codecs=opus", "ogg; profile=a/wav"],
}


@in_each("kind", SOUNDS.keys())
def test_audio_formats_have_the_names_that_engines_use(kind: str) -> None:
    blocks = [
        {"type": "audio", "base64": "AA==", "mime_type": f"audio/{subtype}"}
        for subtype in SOUNDS[kind]
    ]

    assert write_content(blocks) == [sound(kind)] * len(blocks)


MARKS = [{"cachePoint": {"type": "default"}}, {"type": "cache_point"}]


@pytest.mark.parametrize("mark", MARKS, ids=["cachePoint", "cache_point"])
def test_cache_marks_of_other_providers_are_left_out(mark: dict[str, Any]) -> None:
    assert write_content([mark, "a"]) == [{"type": "text", "text": "a"}]
    assert write_content([mark]) == ""


CONTENTS: dict[str, tuple[Any, Any]] = {
    "a string": ("a", "a"),
    "an empty string": ("", ""),
    "no blocks": ([], ""),
    "strings and blocks": (
        ["a", {"type": "text", "text": "b"}],
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    ),
}


@in_each(("content", "written"), CONTENTS)
def test_content_is_a_string_or_a_list_of_parts(content: Any, written: Any) -> None:
    assert write_content(content) == written


# block -> what is wrong with it
UNSENDABLE: dict[str, tuple[Any, str]] = {
    "a number": (7, "a content block must be a string or a dict. Received 7."),
    "nothing": (None, "a content block must be a string or a dict. Received None."),
    "no type": ({"text": "a"}, "its type is not one that Baseten takes. Received"),
    "an unknown type": ({"type": "hologram"}, "Received {'type': 'hologram'}."),
    "a type that is no string": ({"type": ["text"]}, "its type is not one"),
    "text without text": ({"type": "text"}, "it is incomplete (KeyError: 'text')"),
    "image_url that is null": (
        {"type": "image_url", "image_url": None},
        "its image_url is neither a URL nor an object with one. Received",
    ),
    "image_url without a URL": ({"type": "image_url"}, "it is incomplete (KeyError: 'image_url')"),
    "an image without anything": ({"type": "image"}, "its image has neither a URL nor base64"),
    "an image without a MIME type": (
        {"type": "image", "base64": "AA=="},
        "base64 data needs a mime_type. Received",
    ),
    "an image whose source is no object": (
        {"type": "image", "source": "x"},
        "it is incomplete (AttributeError: 'str' object has no attribute 'get')",
    ),
    "audio without data": (
        {"type": "audio", "mime_type": "audio/wav"},
        "audio needs a URL, or base64 data with its mime_type. Received",
    ),
    "audio without a MIME type": (
        {"type": "audio", "base64": "AA=="},
        "with its mime_type. Received",
    ),
    "audio with half a MIME type": (
        {"type": "audio", "base64": "AA==", "mime_type": "wav"},
        "with its mime_type. Received",
    ),
    "input_audio without audio": ({"type": "input_audio"}, "it is incomplete"),
    "a file as a URL": ({"type": "file", "url": URL}, "not as a URL. Received"),
    "a file without anything": ({"type": "file"}, "its file has neither a URL nor base64 data"),
    "a file with a null id": ({"type": "file", "id": None}, "it is incomplete"),
    "a document whose text is missing": (
        {"type": "document", "source": {"type": "text"}},
        "it is incomplete (KeyError: 'data')",
    ),
    "a document of a picture": (
        {"type": "document", "source": {"type": "content", "content": [{}]}},
        "it is incomplete (KeyError: 'text')",
    ),
    "a video": (
        {"type": "video", "url": URL},
        (
            "sent: ChatBaseten has no video input. A deployment that takes video takes it as "
            '{"type": "video_url", "video_url": {"url": …}}. Received'
        ),
    ),
    "non_standard without a value": ({"type": "non_standard"}, "it is incomplete"),
    "non_standard with a mark": (
        {"type": "non_standard", "value": {"cachePoint": {}}},
        "its value holds nothing to send. Received",
    ),
    "non_standard with a number": ({"type": "non_standard", "value": 7}, "Received 7."),
}


@in_each(("block", "words"), UNSENDABLE)
def test_a_block_that_cannot_be_sent_is_refused_with_the_reason(block: Any, words: str) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_content(["a", block])

    inner = block["value"] if isinstance(block, dict) and block.get("value") == 7 else block
    quoted = {k: str(v) for k, v in inner.items()} if isinstance(inner, dict) else inner
    assert str(caught.value).startswith("A content block cannot be sent: ")
    assert words in str(caught.value)
    assert f". Received {quoted}. Baseten takes" in str(caught.value)
    assert str(caught.value).endswith("text, text-plain, video_url.")


def test_a_value_is_quoted_up_to_40_characters_and_a_block_up_to_200() -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_block({"type": "hologram", "a": "A" * 41, "b": "B" * 40})

    assert f"Received {{'type': 'hologram', 'a': '{'A' * 39}…', 'b': '{'B' * 40}'}}." in str(
        caught.value
    )

    with pytest.raises(BasetenRequestError) as caught:
        write_block({"type": "hologram", **{str(n): "A" * 40 for n in range(9)}})

    quoted = str(caught.value).partition("Received ")[2].partition(". Baseten")[0]
    assert (len(quoted), quoted[-1]) == (200, "…")


@in_each("name", ["input_audio", "audio_url", "video_url"])
def test_a_native_part_keeps_its_name_and_value(name: str) -> None:
    block = {"type": name, name: {"url": URL}, "extra": 1}

    assert _write_as_it_is(name)(block) == {"type": name, name: {"url": URL}}


RAW = b"\x89PNG\r\n"
RAW_TEXT = "iVBORw0K"

# data -> base64 text
DATA: dict[str, tuple[Any, str]] = {
    "text": ("AA==", "AA=="),
    "base64 text as bytes": (b"AA==", "AA=="),
    "base64 text in lines": (b"AA\nAA\n", "AAAA"),
    "raw bytes": (RAW, RAW_TEXT),
    "a bytearray": (bytearray(RAW), RAW_TEXT),
    "a memoryview": (memoryview(RAW), RAW_TEXT),
    "bytes that are nearly base64": (b"AA=", "QUE9"),
    "base64 text with another character": (b"AA!AA", "QUEhQUE="),
}


@in_each(("data", "text"), DATA)
def test_data_can_be_bytes(data: Any, text: str) -> None:
    def write(kind: str, mime: str, **more: Any) -> Any:
        return write_block({"type": kind, "mime_type": mime, **more})

    url = f"data:image/png;base64,{text}"
    assert write("image", "image/png", base64=data) == [image(url)]
    assert write("image", "image/png", data=data) == [image(url)]
    source = {"type": "base64", "media_type": "image/png", "data": data}
    assert write_block({"type": "image", "source": source}) == [image(url)]
    (audio,) = write("audio", "audio/wav", base64=data)
    assert audio["input_audio"] == {"data": text, "format": "wav"}
    (pdf,) = write("file", "application/pdf", base64=data)
    assert pdf["file"]["file_data"] == f"data:application/pdf;base64,{text}"


@in_each("data", [7, ["AA=="], {"a": 1}, object()])
@in_each(
    ("kind", "mime"), [("image", "image/png"), ("audio", "audio/wav"), ("file", "application/pdf")]
)
def test_data_of_another_type_is_refused(kind: str, mime: str, data: Any) -> None:
    with pytest.raises(BasetenRequestError, match="must be base64 text or bytes"):
        write_block({"type": kind, "mime_type": mime, "base64": data})


@in_each(
    ("block", "words"),
    [
        ({"type": "image", "url": b"https://a"}, "its URL must be a string"),
        ({"type": "audio", "url": b"https://a"}, "its URL must be a string"),
        ({"type": "image", "base64": "AA==", "mime_type": b"image/png"}, "needs a mime_type"),
        ({"type": "audio", "base64": "AA==", "mime_type": b"audio/wav"}, "its mime_type"),
    ],
)
def test_a_url_or_type_that_is_no_text_is_refused(block: dict[str, Any], words: str) -> None:
    with pytest.raises(BasetenRequestError, match=words):
        write_block(block)
