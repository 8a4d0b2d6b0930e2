"""Clients that forget a rarer way: of losing a response, naming an error, changing a model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import change_reading, wrap
from langchain_baseten import BasetenConnectionError, BasetenIncompleteStreamError, ChatBaseten
from langchain_baseten._config import api_key, endpoint
from langchain_baseten._config.settings import KEY_NAMES
from langchain_baseten._http import request, transport_errors
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._protocol import error_responses, response, stream, tool_calls

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def gives_up_on_streams_that_are_lost_at_once(patch: Patch) -> None:
    real = HttpRequest.error_from_exception

    def tell(self: Any, exception: Any, reader: Any = None, **more: Any) -> Any:
        error = real(self, exception, reader, **more)
        has_begun = reader is not None and reader.headers
        if has_begun and isinstance(error, BasetenConnectionError):
            return BasetenIncompleteStreamError(str(error))
        return error

    patch.setattr(HttpRequest, "error_from_exception", tell)


def logs_credentials_of_a_query(patch: Patch) -> None:
    patch.setattr(request, "redact_logs", lambda _redact: None)


def copies_limiters_of_rate(patch: Patch) -> None:
    real = ChatBaseten.__deepcopy__

    def deepcopy(self: Any, memo: Any = None) -> Any:
        copied = real(self, memo)
        copied.__dict__["rate_limiter"] = copy.deepcopy(self.rate_limiter)
        return copied

    patch.setattr(ChatBaseten, "__deepcopy__", deepcopy)


def keeps_the_key_that_it_was_made_with(patch: Patch) -> None:
    real = ChatBaseten._settle
    patch.setattr(
        ChatBaseten,
        "_settle",
        lambda self, values: real(self, {k: v for k, v in values.items() if k not in KEY_NAMES}),
    )


def replaces_keys_that_were_forgotten(patch: Patch) -> None:
    patch.setattr(api_key, "is_own", lambda _reference: False)


def knows_long_prompts_of_streams_by_labels(patch: Patch) -> None:
    wrap(patch, error_responses, "_class_by_label", lambda real: lambda body, _: real(body, ""))


def knows_no_label_of_a_limit(patch: Patch) -> None:
    rows = tuple(row for row in error_responses._BY_LABEL if row[0] != "rate_limit")
    patch.setattr(error_responses, "_BY_LABEL", rows)


def takes_errors_of_hooks_for_lost_connections(patch: Patch) -> None:
    patch.setattr(transport_errors, "_is_of_callback", lambda _exception: False)


def reports_no_usage_without_words(patch: Patch) -> None:
    def count(real: Any) -> Any:
        return lambda usage: real(usage) if (usage or {}).get("completion_tokens") else None

    for module in (response, stream):
        wrap(patch, module, "read_usage", count)


def reads_arguments_of_text_only(patch: Patch) -> None:
    patch.setattr(
        tool_calls,
        "write_arguments",
        lambda arguments: "" if arguments is None else str(arguments),
    )


def ends_every_base_in_v1(patch: Patch) -> None:
    patch.setattr(endpoint, "_keep", endpoint._end_in_v1)


def estimates_no_tokens(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "get_num_tokens", lambda *_: 0)


def names_no_model_unless_told(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, *args, **options: _without_model(real(self, *args, **options))

    wrap(patch, ChatBaseten, "_build_request", make)


def _without_model(built: Any) -> Any:
    request, context = built
    return request, context._replace(requested_model="")


def forgets_ids_of_requests(patch: Patch) -> None:
    change_reading(
        patch,
        "read_header_metadata",
        lambda reported: {name: value for name, value in reported.items() if name != "request_id"},
    )


def takes_every_403_for_a_permission(patch: Patch) -> None:
    patch.setattr(error_responses, "_WRONG_KEY", r"(?!)")
