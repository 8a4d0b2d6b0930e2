"""Clients that break a promise after something else: a call, an error, words of another kind."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, hear_with
from langchain_baseten import ChatBaseten, _structured_output
from langchain_baseten._config import service, session
from langchain_baseten._http import request, timeouts
from langchain_baseten._protocol import (
    content_blocks,
    error_responses,
    response,
    stream,
    tool_calls,
    typed_events,
)

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def _remember(model: Any, name: str, value: Any) -> Any:
    """Return what was first remembered of a model, which no copy of it knows."""
    return vars(model._connections).setdefault(name, value)


def keeps_what_a_call_was_given(patch: Patch) -> None:
    real = ChatBaseten._build_request

    def build(self: Any, messages: Any, stop: Any, kwargs: Any, *rest: Any, **kind: Any) -> Any:
        for name in ("timeout", "model_kwargs", "reasoning_effort", "replay_reasoning"):
            if name in kwargs:
                _remember(self, name, kwargs[name])
            elif name in vars(self._connections):
                kwargs[name] = vars(self._connections)[name]
        return real(self, messages, stop, kwargs, *rest, **kind)

    patch.setattr(ChatBaseten, "_build_request", build)


def sends_no_headers_after_an_error(patch: Patch) -> None:
    def note(model: Any, refuse: Any, *args: Any) -> Any:
        _remember(model, "failed", "once")
        return refuse(*args)

    real = service.BasetenService._build_http_request

    def build(self: Any, *args: Any, **options: Any) -> Any:
        built: Any = real(self, *args, **options)
        if "failed" in vars(self._connections):
            built.headers = {k: v for k, v in built.headers.items() if k[:2].lower() != "x-"}
        built.error_from_status = partial(note, self, built.error_from_status)
        return built

    patch.setattr(service.BasetenService, "_build_http_request", build)


def retries_without_the_query(patch: Patch) -> None:
    real = request.HttpRequest.build

    def build(self: Any, client: Any) -> Any:
        self.params = {} if self.sent else self.params
        return real(self, client)

    patch.setattr(request.HttpRequest, "build", build)


def overlooks_headers_that_are_assigned_late(patch: Patch) -> None:
    real = service.BasetenService._build_http_request

    def build(self: Any, *args: Any, **options: Any) -> Any:
        given = self.default_headers
        vars(self)["default_headers"] = _remember(self, "headers", given)
        try:
            return real(self, *args, **options)
        finally:
            vars(self)["default_headers"] = given

    patch.setattr(service.BasetenService, "_build_http_request", build)


def tells_callbacks_nothing_in_a_thread(patch: Patch) -> None:
    real = session.SessionModel._in_thread

    def enter(self: Any, config: Any) -> Any:
        model = real(self, config)
        if model is not self:
            vars(model)["callbacks"] = None
        return model

    patch.setattr(session.SessionModel, "_in_thread", enter)


def batches_in_one_thread(patch: Patch) -> None:
    real = ChatBaseten.batch

    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> Any:
        first = config[0] if isinstance(config, list) else config
        return real(self, inputs, first, **options)

    patch.setattr(ChatBaseten, "batch", batch)


def overlooks_the_config_of_earlier_events(patch: Patch) -> None:
    real = session.SessionModel.astream_events

    def tell(self: Any, requested: Any, config: Any = None, **options: Any) -> Any:
        return real(self, requested, config if options.get("version") == "v3" else None, **options)

    patch.setattr(session.SessionModel, "astream_events", tell)


def tells_no_reasoning_beside_text(patch: Patch) -> None:
    real = content_blocks.translate_delta
    patch.setattr(
        typed_events,
        "translate_delta",
        lambda text, side, calls: real(text, {} if text else side, calls),
    )


def drops_null_from_structured_answers(patch: Patch) -> None:
    def drop(value: Any) -> Any:
        held = isinstance(value, dict)
        return {k: v for k, v in value.items() if v is not None} if held else value

    answer_with(patch, _structured_output, "_read_json", drop)


def takes_no_call_of_a_cut_response(patch: Patch) -> None:
    real = tool_calls.read_calls

    def read(raw: Any, ids: Any, *, cut: bool = False) -> Any:
        valid, invalid = real(raw, ids, cut=cut)
        text = [{**c, "args": json.dumps(c["args"]), "error": "cut"} for c in valid if cut]
        kind = {"type": "invalid_tool_call"}
        return [] if cut else valid, invalid + [{**call, **kind} for call in text]

    patch.setattr(response, "read_calls", read)


def gives_up_when_a_stream_begins_with_an_error(patch: Patch) -> None:
    def give_up(error: Any) -> Any:
        error.is_retryable = False
        return error

    for module in (response, stream):
        answer_with(patch, module, "error_from_event", give_up)


def takes_a_stream_without_words_for_whole(patch: Patch) -> None:
    real = stream.StreamReader._check_end
    patch.setattr(
        stream.StreamReader,
        "_check_end",
        lambda self: None if self._has_choices and not self.started else real(self),
    )


def loses_log_probabilities_beside_no_text(patch: Patch) -> None:
    def lose(fields: Any) -> Any:
        kept = "content" in fields
        return {k: v for k, v in fields.items() if kept or k != "response_metadata"}

    answer_with(patch, stream.StreamReader, "_read_choice", lose)


def overlooks_the_time_limit_of_a_client(patch: Patch) -> None:
    patch.setattr(request, "choose_timeouts", lambda own, _client: own or timeouts.DEFAULT)


def tells_the_first_of_several_complaints(patch: Patch) -> None:
    hear_with(
        patch,
        error_responses,
        "find_sentence",
        0,
        lambda body: body[:1] if isinstance(body, list) else body,
    )
