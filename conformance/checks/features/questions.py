"""What several checks ask: prompts, and a tool to call."""

from __future__ import annotations

__all__ = ["GREETING", "ONE_CITY", "TALE", "TWO_CITIES", "get_weather"]

GREETING = "Say hello to Ada."
TALE = "Write a short story about a harbour."
ONE_CITY = "What is the weather in Paris?"
TWO_CITIES = "What is the weather in Paris and in Rome?"


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}."
