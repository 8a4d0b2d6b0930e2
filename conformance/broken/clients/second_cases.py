"""Clients that keep a promise in its usual case and break it in the next one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx2
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.runnables.configurable import RunnableConfigurableFields

from conformance.broken.clients import answer_with, change_message, change_reading, wrap
from langchain_baseten import BasetenError, ChatBaseten, _structured_output
from langchain_baseten._config import service
from langchain_baseten._config.trace_dump import TraceDump
from langchain_baseten._http import bodies, retries, transport
from langchain_baseten._http.bodies import AsyncBody
from langchain_baseten._http.deadlines import Deadline
from langchain_baseten._http.receipts import ErrorResponseBody, WholeResponse
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._http.timeouts import IdleTimer
from langchain_baseten._protocol import (
    error_responses,
    invalid_responses,
    messages,
    parameters,
    response,
    sse,
    stream,
)
from langchain_baseten._protocol.argument_runs import ArgumentRun
from langchain_baseten._protocol.parameters import ParameterTable
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import EventWriter

if TYPE_CHECKING:
    from conformance.broken.clients import Patch

_BAD_REQUEST = 400


def mixes_calls_that_arrive_together(patch: Patch) -> None:
    real = ArgumentRun.add

    def add(self: Any, fields: Any) -> Any:
        if self._call and len(fields.get("tool_call_chunks", ())) == 1:
            fields["tool_call_chunks"][0]["index"] = self._call["index"]
        return real(self, fields)

    patch.setattr(ArgumentRun, "add", add)


def loses_arguments_that_came_with_an_error(patch: Patch) -> None:
    real = StreamReader._read

    def read(self: Any, event: Any) -> Any:
        try:
            return real(self, event)
        except BasetenError:
            self._arguments = ArgumentRun()
            raise

    patch.setattr(StreamReader, "_read", read)


def ends_lines_at_separators(patch: Patch) -> None:
    patch.setattr(sse, "_LINE_END", re.compile(rb"\r\n|\n|\r|\xe2\x80\xa8"))


def ignores_errors_behind_the_end(patch: Patch) -> None:
    real = StreamReader._read_payload

    def read(self: Any, payload: Any, name: str) -> Any:
        is_late = self._finish_reason is not None and "error" in {*payload, payload.get("object")}
        return [] if is_late else real(self, payload, name)

    patch.setattr(StreamReader, "_read_payload", read)


def takes_failures_of_engines_for_ends(patch: Patch) -> None:
    patch.setattr(stream, "ENGINE_FAILURES", ())


def keeps_the_first_of_what_else_was_sent(patch: Patch) -> None:
    real = StreamReader._read_choice

    def read(self: Any, choice: Any) -> Any:
        kept = dict(self._extras)
        fields = real(self, choice)
        self._extras = kept or self._extras
        return fields

    patch.setattr(StreamReader, "_read_choice", read)


def drops_what_else_was_sent_if_it_is_zero(patch: Patch) -> None:
    change_reading(patch, "read_extras", lambda found: {k: v for k, v in found.items() if v})


def keeps_log_probabilities_of_single_tokens(patch: Patch) -> None:
    def keep(reported: Any) -> Any:
        return reported if len(reported.get("logprobs", {}).get("content") or ()) == 1 else {}

    answer_with(patch, stream, "_read_logprobs", keep)


def counts_no_sum_of_its_own(patch: Patch) -> None:
    def count(real: Any) -> Any:
        def read(usage: Any) -> Any:
            reported = real(usage)
            return reported and {**reported, "total_tokens": usage.get("total_tokens") or 0}

        return read

    for module in (response, stream):
        wrap(patch, module, "read_usage", count)


def tells_typed_events_no_details(patch: Patch) -> None:
    real = EventWriter.end

    def end(self: Any, fields: Any, info: Any) -> Any:
        usage = {k: v for k, v in (fields["usage_metadata"] or {}).items() if "details" not in k}
        return real(self, {**fields, "usage_metadata": usage}, info)

    patch.setattr(EventWriter, "end", end)


def forgets_names_beside_blocks(patch: Patch) -> None:
    def forget(turn: Any) -> Any:
        is_plain = isinstance(turn.get("content"), str)
        return turn if is_plain else {k: v for k, v in turn.items() if k != "name"}

    change_message(patch, forget)


def sends_no_refusals_of_the_history(patch: Patch) -> None:
    def write(real: Any) -> Any:
        return lambda message: message.content if message.content == "" else real(message)

    wrap(patch, messages, "_assistant_text", write)


def forbids_tools_for_a_choice_of_false(patch: Patch) -> None:
    real = ChatBaseten.bind_tools

    def bind(self: Any, tools: Any, *, tool_choice: Any = None, **more: Any) -> Any:
        choice = "none" if tool_choice is False else tool_choice
        return real(self, tools, tool_choice=choice, **more)

    patch.setattr(ChatBaseten, "bind_tools", bind)


def sends_choices_of_a_call_as_they_are(patch: Patch) -> None:
    patch.setattr(parameters, "write_tool_choice", lambda choice, _tools: choice)


def lets_bound_stop_sequences_win(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "bind", BaseChatModel.bind)


def lets_model_kwargs_of_a_call_win(patch: Patch) -> None:
    real = ChatBaseten._build_parameters
    patch.setattr(
        ChatBaseten,
        "_build_parameters",
        lambda self, stop, of_call, more: real(self, stop, {**(more or {}), **of_call}, None),
    )


def replaces_model_kwargs_by_those_of_a_call(patch: Patch) -> None:
    real = ChatBaseten._build_parameters

    def build(self: Any, stop: Any, of_call: Any, more: Any) -> Any:
        bound = self.model_copy(update={"model_kwargs": {}}) if more else self
        return real(bound, stop, of_call, more)

    patch.setattr(ChatBaseten, "_build_parameters", build)


def streams_nothing_once_it_is_configured(patch: Patch) -> None:
    def mark(prepared: Any) -> Any:
        prepared[0].model_fields_set.add("streaming")
        return prepared

    answer_with(patch, RunnableConfigurableFields, "_prepare", mark)


def limits_silence_of_calls_without_a_limit(patch: Patch) -> None:
    def keep(split: Any) -> Any:
        body, client = split
        return body, {k: v for k, v in client.items() if v or k != "stream_chunk_timeout"}

    answer_with(patch, ParameterTable, "split_options", keep)


def limits_silence_before_the_first_event(patch: Patch) -> None:
    real = IdleTimer.__init__
    patch.setattr(
        IdleTimer, "__init__", lambda self, first, later: real(self, later or first, later)
    )


def lets_awaited_responses_drip(patch: Patch) -> None:
    def read(body: Any, limit: int, deadline: Any) -> Any:
        return WholeResponse(body, limit, Deadline() if isinstance(body, AsyncBody) else deadline)

    patch.setattr(transport, "WholeResponse", read)


def doubles_a_wait_once(patch: Patch) -> None:
    patch.setattr(retries, "_back_off", lambda attempt: 0.5 * min(attempt, 2))


def keeps_the_key_of_an_awaited_stream(patch: Patch) -> None:
    real = HttpRequest.arenew_key

    async def renew(self: Any) -> None:
        if not (self.sent and b'"stream":true' in self.body):
            await real(self)

    patch.setattr(HttpRequest, "arenew_key", renew)


def reads_the_beginning_of_an_error(patch: Patch) -> None:
    answer_with(patch, ErrorResponseBody, "take", lambda _more: False)


def knows_codes_that_are_numbers_only(patch: Patch) -> None:
    def read(real: Any) -> Any:
        def code_of(payload: Any) -> Any:
            inner = error_responses._inner(payload)
            return real({"code": c} if isinstance(c := inner.get("code"), int) else {})

        return code_of

    wrap(patch, error_responses, "_code_of", read)


def knows_long_prompts_by_a_400_only(patch: Patch) -> None:
    def choose(real: Any) -> Any:
        return lambda status, sentence, body: (
            real(status, sentence, body) if status == _BAD_REQUEST else real(status, "", {})
        )

    wrap(patch, error_responses, "_class_of", choose)


def shares_answers_between_deployments(patch: Patch) -> None:
    def read(real: Any) -> Any:
        def key(self: Any, stop: Any = None, **options: Any) -> str:
            url = "https://model-abcd1234.api.baseten.co" if self.model_url else None
            return str(real(self.model_copy(update={"model_url": url}), stop, **options))

        return key

    wrap(patch, ChatBaseten, "_get_llm_string", read)


def spells_a_stop_sequence_in_traces(patch: Patch) -> None:
    real = ChatBaseten._get_ls_params

    def tell(self: Any, stop: Any = None, **more: Any) -> Any:
        own = list(self.stop) if isinstance(self.stop, str) else None
        return real(self, stop=stop or own, **more)

    patch.setattr(ChatBaseten, "_get_ls_params", tell)


def pickles_no_plain_parameters_beside_credentials(patch: Patch) -> None:
    real = ChatBaseten.__setstate__

    def restore(self: Any, state: Any) -> None:
        hidden = state["references"]["default_query"]
        real(self, state)
        if hidden:
            query = self.__dict__["default_query"]
            self.__dict__["default_query"] = {k: v for k, v in query.items() if k in hidden}

    patch.setattr(ChatBaseten, "__setstate__", restore)


def dumps_the_original_of_a_copy(patch: Patch) -> None:
    read, separate = TraceDump.read, service.BasetenService._separate

    def share(model: Any) -> None:
        shared = model._trace_dump
        separate(model)
        model._trace_dump = shared

    patch.setattr(TraceDump, "read", lambda dump, model: dump._kept[1] or read(dump, model))
    patch.setattr(service.BasetenService, "_separate", share)


def parses_the_last_call(patch: Patch) -> None:
    answer_with(patch, _structured_output, "_read_calls", lambda found: (found[0][-1:], found[1]))


def refuses_lists_of_a_schema(patch: Patch) -> None:
    patch.setattr(_structured_output, "describes_object", lambda _schema: True)


def passes_on_what_no_client_can_be_made_of(patch: Patch) -> None:
    real = HttpRequest.error_from_exception

    def translate(self: Any, exception: Exception, *args: Any, **options: Any) -> Any:
        mine = isinstance(exception, OSError | httpx2.InvalidURL)
        return None if mine else real(self, exception, *args, **options)

    patch.setattr(HttpRequest, "error_from_client", lambda *_: None)
    patch.setattr(HttpRequest, "error_from_exception", translate)


def reads_no_compression(patch: Patch) -> None:
    patch.setattr(bodies, "choose_decoder", lambda _: None)


def reads_utf_16(patch: Patch) -> None:
    answer_with(patch, invalid_responses, "decode_body", lambda read: (read[0], "UTF-8"))


def passes_on_what_hooks_raise_of_the_library(patch: Patch) -> None:
    real = HttpRequest.error_from_exception

    def translate(self: Any, exception: Exception, *args: Any, **options: Any) -> Any:
        mine = isinstance(exception, httpx2.HTTPStatusError)
        return None if mine else real(self, exception, *args, **options)

    patch.setattr(HttpRequest, "error_from_exception", translate)


def tells_nothing_of_where_it_was_sent(patch: Patch) -> None:
    patch.setattr(error_responses, "_REDIRECT_HINT", "It redirects.")


def forgets_what_an_error_inside_a_stream_held(patch: Patch) -> None:
    def forget(error: Any) -> Any:
        error.body = error.request_id = None
        return error

    for module in (response, stream):
        answer_with(patch, module, "error_from_event", forget)
