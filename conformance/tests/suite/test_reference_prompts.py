from __future__ import annotations

from typing import Any

from conformance.reference.prompts import read_prompt, read_text

URL = "data:image/png;base64,aGk="
USER = {"role": "user", "content": "Hi", "name": "ada"}
SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "42"}


def test_a_conversation_is_boiled_down() -> None:
    developer = {"role": "developer", "content": [{"type": "text", "text": "In rhyme."}]}
    prompt = read_prompt([SYSTEM, developer, USER, CALL, RESULT, RESULT], [])
    assert prompt.text == "Hi"
    assert prompt.system == "Be brief. In rhyme."
    assert prompt.speaker == "ada"
    assert prompt.results == ("42", "42")
    assert prompt.turns == 6
    assert prompt.answers_tool


def test_only_results_at_the_end_are_to_be_answered() -> None:
    prompt = read_prompt([USER, CALL, RESULT, USER], [])
    assert prompt.results == ()
    assert not prompt.answers_tool
    assert read_prompt([RESULT], []).results == ("42",)


def test_a_conversation_without_a_user_has_no_text() -> None:
    prompt = read_prompt([SYSTEM], [])
    assert (prompt.text, prompt.speaker, prompt.media) == ("", None, ())


def test_media_are_described_where_they_are_to_be_answered() -> None:
    parts: list[Any] = [
        {"type": "text", "text": "Look "},
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "audio_url", "audio_url": "https://example.com/a.mp3"},
        {"type": "text", "text": "here"},
        "stray",
    ]
    shown = {"role": "tool", "content": [{"type": "video_url", "video_url": {"url": "v"}}]}
    prompt = read_prompt([{"role": "user", "content": parts}, CALL, shown], [])
    assert prompt.text == "Look here"
    assert prompt.media == (
        "image (image/png, 26 characters)",
        "audio (wav, 4 characters)",
        "audio (https://example.com/a.mp3, 25 characters)",
        "video (v, 1 characters)",
    )


def test_tokens_count_messages_media_calls_and_tools() -> None:
    assert read_prompt([USER], []).tokens == 5
    assert read_prompt([USER, USER], []).tokens == 10
    assert read_prompt([USER], [{"type": "function"}]).tokens == 5 + 12
    seen = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}
    assert read_prompt([seen], []).tokens == 260
    assert read_prompt([CALL], []).tokens > 4


def test_text_of_nothing_is_empty() -> None:
    assert read_text(None) == read_text({"content": None}) == read_text({"content": 7}) == ""
