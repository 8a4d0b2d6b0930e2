"""The table of parameters, derived from marks on a model's fields.

Knows which field is sent under which name, which is never sent, and which a call may override.
Must not know what a parameter does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic_core import PydanticUndefined

from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._protocol.schemas import write_response_format
from langchain_baseten._protocol.tools import write_tool_choice, write_tools
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel


class Sent(NamedTuple):
    """Marks a field that is sent in the request body.

    Attributes:
        name: Its name in the body; the field's own where empty.
        also: Further names that callers may use for it.
    """

    name: str = ""
    also: tuple[str, ...] = ()


class ClientOnly(NamedTuple):
    """Marks a field that is never sent in the request body. A field without a mark is not either.

    Attributes:
        per_call: The name under which a single call may set it; empty where none may.
    """

    per_call: str = ""


class Parameter(NamedTuple):
    """One row of the table.

    Attributes:
        field: The attribute of the model.
        names: Every name that callers may use for it.
        body_name: Its name in the request body, None where it is never sent.
        per_call: The name under which a single call may set it, empty where none may.
        none_counts: Whether None is a value of its own, such as "no limit".
    """

    field: str
    names: frozenset[str]
    body_name: str | None
    per_call: str = ""
    none_counts: bool = False


OPENAI_ONLY: dict[str, str] = {
    "openai_api_key": "Use api_key.",
    "openai_api_base": "Use base_url.",
    "openai_organization": "Baseten keys belong to one workspace; leave it out.",
    "organization": "Baseten keys belong to one workspace; leave it out.",
    "openai_proxy": "Use http_client=httpx2.Client(proxy=…), or HTTPS_PROXY.",
    "client": "Use http_client.",
    "async_client": "Use http_async_client.",
    "root_client": "Use http_client.",
    "root_async_client": "Use http_async_client.",
    "use_responses_api": "ChatBaseten uses chat completions only; leave it out.",
    "use_previous_response_id": "ChatBaseten uses chat completions only; leave it out.",
    "context_management": "ChatBaseten uses chat completions only; leave it out.",
    "include": "ChatBaseten uses chat completions only; leave it out.",
    "store": "Baseten stores no conversations; leave it out.",
    "truncation": "Baseten does not shorten inputs; use trim_messages.",
    "tiktoken_model_name": "Tokens are counted approximately, without downloads; leave it out.",
}
"""Settings of OpenAI's client that release 0.2 took and that have no meaning at Baseten."""

_NEVER_SENT = frozenset({"stream", "ls_structured_output_format"})
"""Call options of langchain-core."""


class ParameterTable:
    """Every parameter of one class of models.

    Args:
        model: The class. Marks and aliases that a subclass does not repeat are inherited.

    Attributes:
        title: The name of the class, for messages.
        rows: One row for each field.
        by_name: The rows by every name that callers may use.
        by_call: The rows that a single call may set, by the name that it uses.
        sent: The fields that go into the request body, and their names there.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self.title = model.__name__
        self.rows = [_read_row(model, name) for name in model.model_fields]
        self.by_name = {name: row for row in self.rows for name in row.names}
        self.by_call = {row.per_call: row for row in self.rows if row.per_call}
        self.sent = {row.field: row.body_name for row in self.rows if row.body_name}
        self._order = {name: place for place, name in enumerate(self.sent)}
        self._with_defaults = [
            name for name in self.sent if model.model_fields[name].default is not None
        ]

    def read_sent(self, model: BaseModel) -> dict[str, Any]:
        """Return the fields that are sent, by name in the order of the class, where they are set.

        Args:
            model: The model. Of its many fields only a few are ever set, so pydantic's record of
                them is read and not each field.
        """
        names = {*self._order.keys() & model.model_fields_set, *self._with_defaults}
        values = model.__dict__
        return {
            name: value
            for name in sorted(names, key=self._order.__getitem__)
            if (value := values[name]) is not None
        }

    def split_options(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a call's options: those for the request body, and those for the client.

        Args:
            options: Keyword arguments of `invoke`, `stream` or `bind`. If they contain two
                names of one parameter, the later one is used: call arguments follow `bind`'s.

        Returns:
            Request parameters by their names in the body, and client settings by field name.

        Raises:
            BasetenRequestError: If an option is a setting that a single call cannot change.
        """
        body: dict[str, Any] = {}
        client: dict[str, Any] = {}
        for name, value in options.items():
            per_call, row = self.by_call.get(name), self.by_name.get(name)
            option = per_call or (row if row and row.per_call else None)
            if option:
                if value is not None or option.none_counts:
                    client[option.field] = value
            elif row and row.body_name:
                body[row.body_name] = value
            elif self.is_client_only(name):
                raise BasetenRequestError(self._explain_client_only(name))
            elif name not in _NEVER_SENT:
                body[name] = value
        return body, client

    def is_client_only(self, name: str) -> bool:
        """Return whether a name is a setting of the client, which is never sent."""
        row = self.by_name.get(name) or self.by_call.get(name)
        return name in OPENAI_ONLY if row is None else row.body_name is None

    def check_model_kwargs(self, parameters: Mapping[str, Any]) -> None:
        """Check that no request parameter is a setting of the client.

        Args:
            parameters: The parameters, by any of their names.

        Raises:
            BasetenRequestError: If one is. Its value is not shown.
        """
        for name in parameters:
            if self.is_client_only(name):
                raise BasetenRequestError(
                    f"{name} is a setting of the client and never sent: take it out of "
                    f"model_kwargs and pass it to {self.title} itself."
                )

    def rename(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return request parameters by their names in the body.

        Args:
            parameters: Parameters by any of their names.

        Raises:
            BasetenRequestError: If one parameter has two values under two names.
        """
        renamed: dict[str, Any] = {}
        for name, value in parameters.items():
            if name in _NEVER_SENT:
                continue
            row = self.by_name.get(name)
            body_name = (row.body_name if row else None) or name
            if value is not None and renamed.get(body_name) not in (None, value):
                raise BasetenRequestError(
                    f"Two values for one parameter: {name}={value!r} and "
                    f"{body_name}={renamed[body_name]!r}. Write one of them."
                )
            renamed[body_name] = renamed.get(body_name) if value is None else value
        return renamed

    def _explain_client_only(self, name: str) -> str:
        if name in OPENAI_ONLY:
            return f"{name} is not a parameter of {self.title}. {OPENAI_ONLY[name]}"
        return (
            f"{name} is a setting of the client, which a single call cannot change, and it is "
            f"never sent. Pass it to {self.title}({name}=…)."
        )


def _read_row(model: type[BaseModel], name: str) -> Parameter:
    owners = [
        cls.__dict__["__pydantic_fields__"][name]
        for cls in model.__mro__
        if name in cls.__dict__.get("__pydantic_fields__", {})
    ]
    mark = next(
        (m for info in owners for m in info.metadata if isinstance(m, Sent | ClientOnly)),
        ClientOnly(),
    )
    info = model.model_fields[name]
    names = {name, *(owner.alias for owner in owners if owner.alias)}
    has_default = info.default is not None and info.default is not PydanticUndefined
    none_counts = has_default and type(None) in get_args(info.annotation)
    if isinstance(mark, ClientOnly):
        return Parameter(name, frozenset(names), None, mark.per_call, none_counts)
    body_name = mark.name or name
    return Parameter(name, frozenset({*names, body_name, *mark.also}), body_name)


def build_parameters(
    layers: Sequence[Mapping[str, Any]], disabled: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request's parameters, merged and converted to JSON values.

    Args:
        layers: Parameters by their names in the body; later layers override earlier ones, and None
            means not set.
        disabled: Parameters that are not sent: None for any value, or a list of values.

    Raises:
        BasetenRequestError: If the tool choice or a schema cannot be converted.
    """
    merged = {name: value for layer in layers for name, value in layer.items()}
    fields = {name: value for name, value in merged.items() if value is not None}
    if not fields.get("stop", True):
        del fields["stop"]
    if isinstance(fields.get("response_format"), type):
        fields["response_format"] = write_response_format(fields["response_format"])
    if "tools" in fields:
        fields["tools"] = write_tools(fields["tools"], strict=None)
        if not fields["tools"]:
            # An empty list of tools, and a choice among them, are HTTP 400 at Baseten.
            for name in ("tools", "tool_choice", "parallel_tool_calls"):
                fields.pop(name, None)
        elif "tool_choice" in fields:
            fields["tool_choice"] = write_tool_choice(fields["tool_choice"], fields["tools"])
    return {k: v for k, v in fields.items() if not _is_disabled(disabled, k, v)}


def _is_disabled(disabled: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in disabled and (disabled[name] is None or value in disabled[name])


def build_body(
    messages: list[dict[str, Any]],
    parameters: Mapping[str, Any],
    extra_body: Mapping[str, Any],
    *,
    stream: bool,
    stream_usage: bool = True,
) -> bytes:
    """Return the request's JSON bytes.

    Args:
        messages: The conversation, as the service takes it.
        parameters: Parameters by their names in the body.
        extra_body: Fields that are sent as they are, and override all others.
        stream: Whether to request a stream.
        stream_usage: Whether to request token counts with the stream.

    Raises:
        BasetenRequestError: If something in it is not JSON.
    """
    body: dict[str, Any] = {"messages": messages, **parameters}
    options = body.pop("stream_options", None)
    if stream:
        body["stream"] = True
        usage = {"include_usage": True} if stream_usage else {}
        if options := {**usage, **(options or {})}:
            body["stream_options"] = options
    return dump_json({**body, **extra_body})
