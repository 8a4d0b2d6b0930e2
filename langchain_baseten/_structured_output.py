"""Parsers and chains of `with_structured_output`.

Knows messages and what they must hold; must not know the request or the model.

Partial responses of a stream are repaired and parsed. A finished response is parsed strictly: one
that was cut is an error and never a shorter object.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

import pydantic
import pydantic.v1
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, BaseMessageChunk
from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import RunnableLambda
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.json_text import parse_object, parse_strictly
from langchain_baseten._protocol.schemas import describes_object, name_of
from langchain_baseten.exceptions import BasetenRefusalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_baseten._protocol.schemas import Method

_ENCLOSED = re.compile(r"```\w*(.*)```", re.DOTALL)
_REFUSAL = 2000
"""Maximum number of characters of a refusal in a message: it is said to be read."""

_FENCE = re.compile(r"^[ \t]*```[^`\n]*$", re.MULTILINE)


def choose_parser(schema: Any, method: Method) -> Runnable[Any, Any]:
    """Return the parser that turns a response into what the schema describes.

    Args:
        schema: The requested schema; a pydantic class gives instances, anything else dicts.
        method: How it was requested.

    Returns:
        A parser that raises `BasetenRefusalError` if the model refused, and
        `OutputParserException` if the response does not hold what was requested.
    """
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    pydantic_class = schema if is_class else None
    if method == "function_calling":
        return ToolCallParser(pydantic_class=pydantic_class, tool_name=name_of(schema))
    if is_class:
        return JsonTextParser(pydantic_class=pydantic_class, objects_only=False)
    return JsonTextParser(objects_only=method == "json_mode" or describes_object(schema))


def with_raw(model: Runnable[Any, Any], parser: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return a chain that returns the message, the parsed output, and the parsing error, if any.

    Args:
        model: Gives the message.
        parser: Parses it.

    Returns:
        A chain that gives `{"raw", "parsed", "parsing_error"}`, streamed as one chunk.
    """
    parse, aparse = partial(_parse_raw, parser), partial(_aparse_raw, parser)
    return model | RunnableLambda(parse, aparse, name="parse_with_raw")


def _parse_raw(parser: Runnable[Any, Any], message: Any, config: RunnableConfig) -> dict[str, Any]:
    try:
        return {"raw": message, "parsed": parser.invoke(message, config), "parsing_error": None}
    except Exception as error:  # noqa: BLE001  a user's validators may raise anything
        return {"raw": message, "parsed": None, "parsing_error": error}


async def _aparse_raw(
    parser: Runnable[Any, Any], message: Any, config: RunnableConfig
) -> dict[str, Any]:
    try:
        parsed = await parser.ainvoke(message, config)
    except Exception as error:  # noqa: BLE001  as above
        return {"raw": message, "parsed": None, "parsing_error": error}
    return {"raw": message, "parsed": parsed, "parsing_error": None}


def raise_if_refused(result: Sequence[Generation]) -> None:
    """Raise if the model refused.

    Args:
        result: The generations of one response.

    Raises:
        BasetenRefusalError: With the refusal's text and the message that holds it.
    """
    message = _message_of(result)
    if message is not None and (refusal := message.additional_kwargs.get("refusal")):
        raise BasetenRefusalError(
            f"The model refused to produce the requested output: {shorten(str(refusal), _REFUSAL)}",
            raw_message=message,
        )


def raise_on_invalid_call(result: Sequence[Generation], tool_name: str) -> None:
    """Raise if the arguments of the requested call are not a JSON object.

    Args:
        result: The generations of one response.
        tool_name: Name of the requested call. Another invalid call counts where no call is valid.

    Raises:
        OutputParserException: With the call's raw arguments.
    """
    valid, invalid = _read_calls(_message_of(result))
    if any(name == tool_name for name, _ in valid):
        return
    for name, arguments in invalid:
        if name == tool_name or not valid:
            raise OutputParserException(
                f"The model called {shorten(str(name), 100)} with arguments that are not a JSON "
                f"object{_cut_note(result)}: {shorten(arguments or '')}",
                llm_output=arguments,
            )


def raise_on_missing_call(result: Sequence[Generation], tool_name: str) -> None:
    """Raise if the model did not make the requested call.

    Args:
        result: The generations of one response.
        tool_name: Name of the requested call.

    Raises:
        OutputParserException: With the text of the response.
    """
    valid, _ = _read_calls(_message_of(result))
    if any(name == tool_name for name, _ in valid):
        return
    text = _text_of(result)
    instead = f", it called {_join_names(valid)}" if valid else ""
    raise OutputParserException(
        f"The model made no call of {tool_name}{instead}{_cut_note(result)}. "
        f"Its text: {shorten(text) or '(none)'}",
        llm_output=text,
    )


class _Parser(BaseTransformOutputParser[Any]):
    """Parses partial responses leniently, and the end of a stream strictly."""

    pydantic_class: Any = None

    @property
    def OutputType(self) -> Any:  # noqa: N802  LangChain's name
        return self.pydantic_class or Any

    def parse(self, text: str) -> Any:
        return self.parse_result([Generation(text=text)])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        if not partial:
            raise_if_refused(result)
            return self._parse_final(result)
        message = _message_of(result)
        if message is not None and message.additional_kwargs.get("refusal"):
            return None  # More may arrive; at the end of the stream it is raised.
        try:
            return self._parse_partial(result)
        except Exception:  # noqa: BLE001  a user's validators may raise anything at a part of it
            return None

    @abstractmethod
    def _parse_final(self, result: list[Generation]) -> Any:
        """Return what a finished response holds, or raise."""

    @abstractmethod
    def _parse_partial(self, result: list[Generation]) -> Any:
        """Return the parsed part of a response so far; None or a `ValueError` if there is none."""

    # langchain-core 1.8 never parses the end of a stream: a cut response stays as it was repaired.

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002
        received, last = None, None
        for chunk in input:
            received = _join(received, chunk)
            parsed = self.parse_result([_as_generation(received)], partial=True)
            if parsed is not None and parsed != last:
                yield parsed
                last = parsed
        if received is not None:
            parsed = self.parse_result([_as_generation(received)])
            if parsed != last:
                yield parsed

    async def _atransform(
        self,
        input: AsyncIterator[str | BaseMessage],  # noqa: A002  LangChain's name
    ) -> AsyncIterator[Any]:
        received, last = None, None
        async for chunk in input:
            received = _join(received, chunk)
            parsed = await self.aparse_result([_as_generation(received)], partial=True)
            if parsed is not None and parsed != last:
                yield parsed
                last = parsed
        if received is not None:
            parsed = await self.aparse_result([_as_generation(received)])
            if parsed != last:
                yield parsed


class ToolCallParser(_Parser):
    """Returns the arguments of the requested call; named without underscore as traces show it.

    Attributes:
        tool_name: Name of the requested call.
    """

    tool_name: str

    def _parse_final(self, result: list[Generation]) -> Any:
        raise_on_invalid_call(result, self.tool_name)
        raise_on_missing_call(result, self.tool_name)
        valid, _ = _read_calls(_message_of(result))
        return self._build(next(args for name, args in valid if name == self.tool_name))

    def _parse_partial(self, result: list[Generation]) -> Any:
        message = _message_of(result)
        calls = message.tool_calls if message is not None else []
        found = (call["args"] for call in calls if call["name"] == self.tool_name)
        arguments = next(found, None)
        return None if arguments is None else self._build(arguments)

    def _build(self, arguments: dict[str, Any]) -> Any:
        return self.pydantic_class(**arguments) if self.pydantic_class else arguments


class JsonTextParser(_Parser):
    """Returns the JSON value that a response's text is; named without underscore as traces show it.

    Attributes:
        objects_only: Whether a value that is no object is an error.
    """

    objects_only: bool

    def _parse_final(self, result: list[Generation]) -> Any:
        value = _read_json(result)
        if self.objects_only and not isinstance(value, dict):
            raise _text_error("The response is JSON, but not an object", result)
        try:
            return self._build(value)
        except (pydantic.ValidationError, pydantic.v1.ValidationError) as error:
            name = self.pydantic_class.__name__
            problem = f"The response does not match {name} ({shorten(str(error))})"
            raise _text_error(problem, result) from error

    def _parse_partial(self, result: list[Generation]) -> Any:
        value = parse_json_markdown(_text_of(result))
        return self._build(value) if isinstance(value, dict) or not self.objects_only else None

    def _build(self, value: Any) -> Any:
        kind = self.pydantic_class
        if kind is None:
            return value
        return (
            kind.model_validate(value) if hasattr(kind, "model_validate") else kind.parse_obj(value)
        )


def _read_json(result: Sequence[Generation]) -> Any:
    text = _text_of(result).strip()
    if not text:
        raise _text_error("The response has no text", result)
    try:
        return parse_strictly(text)
    except ValueError as error:
        for block in _find_blocks(text):
            try:
                return parse_strictly(block)
            except ValueError:
                continue
        raise _text_error(f"The response is not valid JSON ({error})", result) from error


def _find_blocks(text: str) -> Iterator[str]:
    """Yield the content of the fences around a text, or of the only fenced block in it."""
    if enclosed := _ENCLOSED.fullmatch(text):
        yield enclosed[1]
    fences = list(_FENCE.finditer(text))
    if len(fences) == 2:  # noqa: PLR2004  one opens the block, one closes it
        yield text[fences[0].end() : fences[1].start()]


def _text_error(problem: str, result: Sequence[Generation]) -> OutputParserException:
    text = _text_of(result)
    valid, _ = _read_calls(_message_of(result))
    called = (
        f", the model called {', '.join(shorten(str(name)) for name, _ in valid)}" if valid else ""
    )
    shown = f": {shorten(text)}" if text.strip() else "."
    return OutputParserException(f"{problem}{called}{_cut_note(result)}{shown}", llm_output=text)


def _join_names(calls: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(shorten(str(name), 100) for name, _ in calls)


def _cut_note(result: Sequence[Generation]) -> str:
    message = _message_of(result)
    cut = message is not None and message.response_metadata.get("finish_reason") == "length"
    return " (it was cut at the token limit)" if cut else ""


def _message_of(result: Sequence[Generation]) -> AIMessage | None:
    message = getattr(result[0], "message", None) if result else None
    return message if isinstance(message, AIMessage) else None


def _text_of(result: Sequence[Generation]) -> str:
    message = _message_of(result)
    return result[0].text if message is None else str(message.text)


def _read_calls(
    message: AIMessage | None,
) -> tuple[list[tuple[str, Any]], list[tuple[str | None, Any]]]:
    """Return names and arguments of a finished message's calls, the valid and the invalid."""
    if message is None:
        return [], []
    if not isinstance(message, AIMessageChunk):
        valid = [(call["name"], call["args"]) for call in message.tool_calls]
        return valid, [(call["name"], call["args"]) for call in message.invalid_tool_calls]
    # A chunk's `tool_calls` are repaired: only its raw arguments show that they were cut.
    raw = [(call["name"], call["args"] or "") for call in message.tool_call_chunks]
    read = [(name, text, parse_object(text if text.strip() else "{}")) for name, text in raw]
    valid = [(name or "", arguments) for name, _, arguments in read if arguments is not None]
    return valid, [(name, text) for name, text, arguments in read if arguments is None]


def _join(received: Any, chunk: Any) -> Any:
    # With `disable_streaming` the model yields one message that is no chunk.
    kinds: tuple[Any, ...] = (str, BaseMessageChunk)
    if any(isinstance(received, kind) and isinstance(chunk, kind) for kind in kinds):
        return received + chunk
    return chunk


def _as_generation(received: Any) -> Generation:
    if isinstance(received, BaseMessage):
        return ChatGeneration(message=received)
    return Generation(text=received)
