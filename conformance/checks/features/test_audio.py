"""Audio input: what leaves the client, who takes it, and who refuses it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from conformance.checks.assets import make_wav
from conformance.checks.features.call_modes import every_way
from conformance.checks.features.other_makers import at_model, refer, referring
from conformance.checks.features.readings import judge_refusal, judge_taking, tapped
from conformance.checks.features.responders import mount, note_bodies, refuse_noted
from conformance.subjects.expected_errors import catching, expect
from conformance.subjects.subject import chosen
from conformance.subjects.traffic import TrafficLog
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.usefixtures("lane")

TEXT = "What do you hear?"
DATA = b64encode(make_wav()).decode("ascii")
FORMS: dict[str, dict[str, Any]] = {
    "standard": {"type": "audio", "base64": DATA, "mime_type": "audio/wav"},
    "older-standard": {
        "type": "audio",
        "source_type": "base64",
        "data": DATA,
        "mime_type": "audio/wav",
    },
    "wire": {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
}
FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/WAVE; codecs=1": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mpeg3": "mp3",
    "audio/x-mpeg": "mp3",
}
RARE = {"audio/WAVE; codecs=1", "audio/mpeg3", "audio/x-mpeg"}


def ask_about(block: dict[str, Any]) -> list[HumanMessage]:
    return [HumanMessage([{"type": "text", "text": TEXT}, block])]


def find_audio(traffic: TrafficLog) -> dict[str, str]:
    """Return the one sound in the last message of the last request."""
    parts = traffic.sent[-1]["messages"][-1]["content"]
    sent = type(parts).__name__
    kinds = [part["type"] for part in parts] if isinstance(parts, list) else []
    if "input_audio" not in kinds:
        refer("audio.dedicated.data", "audio is not sent as the wire has it")
    assert kinds, f"one input_audio was given; the content is sent as {sent}"
    assert kinds.count("input_audio") == 1, (
        f"one input_audio was given; the parts that are sent are {kinds}"
    )
    return _find_sound(parts[kinds.index("input_audio")])


def _find_sound(part: dict[str, Any]) -> dict[str, str]:
    """Return what a part of audio holds."""
    assert "input_audio" in part, f"audio is sent as a part that holds no input_audio: {part}"
    return dict(part["input_audio"])


@pytest.mark.claim("audio.dedicated.data")
@pytest.mark.parametrize("block", FORMS.values(), ids=FORMS)
def test_audio_given_as_data_arrives_unchanged(model: BaseChatModel, block: dict[str, Any]) -> None:
    with tapped(model) as (tapped_model, traffic):
        answer = tapped_model.invoke(ask_about(block))
    sound = find_audio(traffic)
    assert b64decode(sound["data"]) == make_wav()
    assert sound["format"] == "wav"
    assert answer.text


@pytest.mark.claim("audio.dedicated.data")
@pytest.mark.own_client_only("what a service takes is not for its client to say")
def test_audio_changes_what_is_counted_or_said(model: BaseChatModel) -> None:
    judge_taking(model, *ask_about(FORMS["standard"]))


@pytest.mark.claim("audio.dedicated.data")
@every_way
def test_long_audio_and_several_pieces_arrive_unchanged_in_their_order(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    sent: list[dict[str, Any]] = []
    sounds = [DATA, b64encode(bytes(range(256)) * 4_096).decode("ascii"), "QUJD"]
    content: list[Any] = []
    for number, data in enumerate(sounds):
        content.append({"type": "text", "text": f"Piece {number}:"})
        content.append({"type": "audio", "base64": data, "mime_type": "audio/wav"})
    with expect("refused"):
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), [HumanMessage(content)])
    assert sent, "audio was given, and nothing was sent"
    parts = sent[0]["messages"][0]["content"]
    assert isinstance(parts, list), f"audio was given; the content is sent as {parts!r:.99}"
    reported = [
        part["text"] if part["type"] == "text" else _find_sound(part)["data"] for part in parts
    ]
    wanted = [text for n, data in enumerate(sounds) for text in (f"Piece {n}:", data)]
    assert list(map(len, reported)) == list(map(len, wanted)), "audio was cut, dropped or moved"
    is_same = reported == wanted
    assert is_same, "the data that is sent is not what was given"


@pytest.mark.claim("audio.dedicated.format")
@pytest.mark.parametrize(
    ("mime", "name"),
    FORMATS.items(),
    ids=[mime[6:].replace("; codecs=", "-codec-") for mime in FORMATS],
)
def test_a_mime_type_goes_under_the_wires_name(
    model: BaseChatModel, evidence: Evidence, mime: str, name: str
) -> None:
    if mime in RARE and not chosen().ours:
        evidence.not_applicable("rare names of WAV and MP3 need not be known")
    reason = "LangChain's own block of audio"
    with tapped(model) as (tapped_model, traffic), referring("audio.dedicated.data", reason):
        answer = tapped_model.invoke(
            ask_about({"type": "audio", "base64": DATA, "mime_type": mime})
        )
    sound = find_audio(traffic)
    assert sound["data"] == DATA, "the data that is sent is not what was given"
    sent = sound["format"]
    # One cause, whichever MIME type shows it: reports tell reasons apart by what precedes the JSON.
    assert sent == name, (
        "the format is sent under a name that the API does not have: "
        f"{json.dumps({mime: sent})} is {name}"
    )
    assert answer.text


@pytest.mark.claim("audio.model-apis.text-model")
def test_a_text_model_refuses_audio_with_a_typed_error(model: BaseChatModel) -> None:
    with tapped(model) as (tapped_model, traffic):
        named, options = at_model(tapped_model, "zai-org/GLM-5.2")
        assert named.invoke(TEXT, **options).text
        with catching("invalid-request") as errors:
            named.invoke(ask_about(FORMS["standard"]), **options)
    assert b64decode(find_audio(traffic)["data"]) == make_wav()
    judge_refusal(errors, "does not support multimodal")
    assert "does not support multimodal" in traffic.answers[-1]
    assert traffic.sent[1]["model"] == "zai-org/GLM-5.2"
