"""What the reference server is asked in many tests: tools, messages with media."""

from __future__ import annotations

from typing import Any

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
TWO = "weather in Paris and Rome"

HELLO = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}


def seen(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a conversation in which the user shows something."""
    return [{"role": "user", "content": [{"type": "text", "text": "Look"}, *parts]}]
