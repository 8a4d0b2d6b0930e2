"""One question to the server: settings, messages and call options to a `Call`.

Knows which of several values wins; must not send anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import uuid4

from langchain_baseten._protocol.tools import (
    requires_call,
    write_response_format,
    write_tool_choice,
    write_tools,
)
from langchain_baseten._http.request import Call
from langchain_baseten.exceptions import BasetenRequestError
from langchain_baseten._protocol.messages import merge_parameters, write_body, write_messages
from langchain_baseten._config.api_key import BearerAuth
from langchain_baseten._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.messages import BaseMessage
    from pydantic import SecretStr

    from langchain_baseten._config.service import BasetenSettings

DEFAULT_RETRIES = 2

_WIRE_FIELDS = (
    "model_name",
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "reasoning_effort",
    "reasoning",
    "service_tier",
    "verbosity",
)
"""Settings that go into the request under their own name."""

_OPTIONS = ("extra_body", "extra_headers", "extra_query", "timeout", "stream_usage")
"""What a single call may set besides request fields, as in OpenAI's client."""

_NOT_SENT = ("stream", "ls_structured_output_format", *_OPTIONS)


class Plan(NamedTuple):
    """A call, and what the reader of its answer needs to know.

    Attributes:
        call: The request.
        about: Fields of the `ResponseContext`.
    """

    call: Call
    about: dict[str, Any]


def plan_call(  # noqa: PLR0913  what LangChain passes, and two facts about the call
    model: BasetenSettings,
    messages: list[BaseMessage],
    stop: list[str] | None,
    options: Mapping[str, Any],
    *,
    stream: bool,
    on_retry: Callable[..., Any] | None,
) -> Plan:
    """Return the call that asks for an answer.

    Args:
        model: The settings.
        messages: The conversation.
        stop: Stop sequences of this call; they beat the model's.
        options: Request fields and options of this call; they beat the model's.
        stream: Whether to ask for a stream.
        on_retry: Told before each wait.

    Raises:
        BasetenRequestError: If the request cannot be written.
        BasetenRequestError: If the tool choice is unknown.
    """
    settings = build_parameters(model, stop, options)
    if stream and settings.get("n", 1) != 1:
        raise BasetenRequestError("A stream is one answer: n must be 1.")
    usage = options.get("stream_usage")
    body = write_body(
        write_messages(messages, replay_reasoning=model.replay_reasoning),
        settings,
        {**(model.extra_body or {}), **(options.get("extra_body") or {})},
        stream=stream,
        stream_usage=model.stream_usage if usage is None else bool(usage),
    )
    headers = _join_headers(model.default_headers, options.get("extra_headers"))
    timeout = options.get("timeout")
    call = Call(
        url=model.endpoint.chat_url,
        body=body,
        headers=_join_headers(_own_headers(stream), headers),
        params={**(model.default_query or {}), **(options.get("extra_query") or {})},
        auth=choose_auth(model, headers),
        timeout=model.request_timeout if timeout is None else timeout,
        idle=model.stream_chunk_timeout or None,
        max_retries=DEFAULT_RETRIES if model.max_retries is None else model.max_retries,
        on_retry=on_retry,
    )
    forced = requires_call(settings.get("tool_choice"))
    name = str(settings.get("model", ""))
    return Plan(call, {"new_id": _new_id, "requested_model": name, "call_required": forced})


def build_parameters(
    model: BasetenSettings, stop: list[str] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request's fields besides the conversation, by their wire names.

    Args:
        model: The settings; `model_kwargs` are the weakest.
        stop: Stop sequences of this call.
        options: Request fields of this call, the strongest.

    Raises:
        BasetenRequestError: If the tool choice is unknown.
    """
    extra, asked = _only_sent(model.model_kwargs), _only_sent(options)
    now = {"stop": stop} if stop else {}
    fields = merge_parameters(extra, request_fields(model), now, asked)
    if not fields.get("stop", True):
        del fields["stop"]
    if isinstance(fields.get("response_format"), type):
        fields["response_format"] = write_response_format(fields["response_format"])
    if fields.get("tools"):
        fields["tools"] = write_tools(fields["tools"], strict=None)
        if "tool_choice" in fields:
            fields["tool_choice"] = write_tool_choice(fields["tool_choice"], fields["tools"])
    disabled = model.disabled_params or {}
    return {k: v for k, v in fields.items() if not _is_disabled(disabled, k, v)}


def _only_sent(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _NOT_SENT}


def _is_disabled(disabled: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in disabled and (disabled[name] is None or value in disabled[name])


def request_fields(model: BasetenSettings) -> dict[str, Any]:
    """Return the settings that go into the request under their own name, where they are set."""
    values = {name: getattr(model, name) for name in _WIRE_FIELDS}
    values["model_name"] = model.wire_model
    return {name: value for name, value in values.items() if value is not None}


def choose_auth(model: BasetenSettings, headers: Mapping[str, str]) -> BearerAuth | None:
    """Return what writes the key, or None where a header of the user's does.

    Raises:
        BasetenRequestError: If there is no key.
    """
    if any(name.lower() == "authorization" for name in headers):
        return None
    if model.baseten_api_key is None:
        raise BasetenRequestError(
            "This model was unpickled without its API key, which never travels in a pickle. "
            "Set BASETEN_API_KEY in this process too."
        )
    return BearerAuth(cast("SecretStr", model.baseten_api_key))


def _join_headers(*layers: Mapping[str, str] | None) -> dict[str, str]:
    # Names know no case: a later layer's `user-agent` takes the place of a `User-Agent`.
    named = {k.lower(): (k, v) for layer in layers for k, v in (layer or {}).items()}
    return dict(named.values())


def _own_headers(stream: bool) -> dict[str, str]:
    return {
        "Accept": "text/event-stream" if stream else "application/json",
        "Content-Type": "application/json",
        "User-Agent": f"langchain-baseten/{VERSION}",
    }


def _new_id() -> str:
    return f"call_{uuid4().hex}"
