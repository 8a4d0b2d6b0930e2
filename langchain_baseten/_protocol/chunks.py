"""Message chunks as the constructors of langchain-core make them, at less than half of the cost.

Knows which fields most events fill; must not know events. pydantic validates each chunk twice,
which took longer than reading its event. Here the constructor runs once for each set of fields, and
chunks are copies of what it made. Fields with rules of their own, as tool calls, go through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_baseten._protocol.response import PROVIDER

if TYPE_CHECKING:
    from pydantic import BaseModel

    from langchain_baseten._protocol.argument_runs import Fields

ModelT = TypeVar("ModelT", bound="BaseModel")

_PLAIN = frozenset({"content", "additional_kwargs", "response_metadata"})
"""Fields that the constructor takes as they are: a text, and dicts of JSON values."""


class _Template(Generic[ModelT]):
    """Makes copies of a model, each with containers of its own.

    A shallow copy of a pydantic model shares nothing but the values; those that are lists or dicts
    are empty in a template. It is never changed, so any number of threads may use it.

    Args:
        made: What the constructor made.
    """

    # It runs when the module is imported, before any mutant is chosen.
    def __init__(self, made: ModelT) -> None:  # pragma: no mutate block
        self._made = made
        self._fresh = tuple(
            (name, type(value))
            for name, value in made.__dict__.items()
            if isinstance(value, list | dict) and name not in made.model_fields_set
        )

    def fill(self, fields: dict[str, Any]) -> ModelT:
        """Return a copy with other values of the fields that the constructor was given.

        Args:
            fields: Values by field name; valid, and shared with no other model.
        """
        made = self._made.__copy__()
        values = made.__dict__
        for name, kind in self._fresh:
            values[name] = kind()
        values.update(fields)
        return made


_TEXT = _Template(AIMessageChunk(content="", response_metadata={}))
_SIDE_TEXT = _Template(AIMessageChunk(content="", response_metadata={}, additional_kwargs={}))
_GENERATION = _Template(ChatGenerationChunk(message=AIMessageChunk(content="")))


def make_message(fields: Fields) -> AIMessageChunk:
    """Return the message chunk with these fields, equal to what the constructor makes.

    Args:
        fields: Any fields of `AIMessageChunk`; content is a text, empty where it is not among them,
            and the response metadata name the provider.
    """
    metadata = {"model_provider": PROVIDER, **fields.get("response_metadata", {})}
    fields = {"content": "", **fields, "response_metadata": metadata}
    if not fields.keys() <= _PLAIN:  # pragma: no mutate  the constructor's way is only slower
        return AIMessageChunk(**fields)
    return (_SIDE_TEXT if "additional_kwargs" in fields else _TEXT).fill(fields)


def make_generation(message: AIMessageChunk) -> ChatGenerationChunk:
    """Return the generation chunk of a message, equal to what the constructor makes.

    Args:
        message: A message chunk whose content is a text.
    """
    return _GENERATION.fill({"message": message, "text": message.text})


class ChunkWriter:
    """Writes the message chunks of a stream.

    Attributes:
        messages: The chunks so far.
    """

    def __init__(self) -> None:
        self.messages: list[AIMessageChunk] = []

    def write(self, fields: Fields) -> tuple[ChatGenerationChunk]:
        """Return a chunk.

        Args:
            fields: The fields that an event fills.
        """
        message = make_message(fields)
        self.messages.append(message)
        return (make_generation(message),)

    def end(self, fields: Fields, info: dict[str, Any]) -> tuple[ChatGenerationChunk]:
        """Return the last chunk.

        Args:
            fields: Its fields.
            info: Its generation info.
        """
        message = make_message(fields)
        self.messages.append(message)
        return (ChatGenerationChunk(message=message, generation_info=info),)
