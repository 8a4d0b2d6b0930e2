"""Clients that know one form of an option and not the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_parameters, hear_with
from langchain_baseten import chat_models
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import retries
from langchain_baseten._protocol import error_responses, schemas
from langchain_baseten._protocol import tools as tools_module

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def ignores_choice_dicts(patch: Patch) -> None:
    hear_with(
        patch,
        chat_models,
        "write_tool_choice",
        0,
        lambda choice: "auto" if isinstance(choice, dict) else choice,
    )


def ignores_true_as_a_choice(patch: Patch) -> None:
    hear_with(
        patch,
        chat_models,
        "write_tool_choice",
        0,
        lambda choice: "auto" if choice is True else choice,
    )


def forgets_strict_formats(patch: Patch) -> None:
    real = schemas.write_response_format
    patch.setattr(chat_models, "write_response_format", lambda schema, **_: real(schema))


def forgets_strict_tools(patch: Patch) -> None:
    real = tools_module.write_tools
    patch.setattr(chat_models, "write_tools", lambda tools, **_: real(tools, strict=None))


def drops_default_headers(patch: Patch) -> None:
    real = BasetenService._build_http_request

    def build(self: Any, *args: Any, **options: Any) -> Any:
        bare = self.model_copy(update={"default_headers": None})
        return real(bare, *args, **options)

    patch.setattr(BasetenService, "_build_http_request", build)


def ignores_dates_to_retry_after(patch: Patch) -> None:
    patch.setattr(retries, "_read_date", lambda _text: None)


def knows_one_wording_of_overflow(patch: Patch) -> None:
    patch.setattr(
        error_responses, "reports_overflow", lambda text: "maximum context length" in text
    )


def sends_a_stop_letter_by_letter(patch: Patch) -> None:
    def split(fields: Any) -> Any:
        stop = fields.get("stop")
        return {**fields, "stop": list(stop)} if isinstance(stop, str) else fields

    change_parameters(patch, split)


def makes_the_first_tool_strict(patch: Patch) -> None:
    def loosen(tools: Any) -> Any:
        for tool in tools[1:]:
            tool["function"].pop("strict", None)
        return tools

    answer_with(patch, chat_models, "write_tools", loosen)


def knows_authorization_in_one_case(patch: Patch) -> None:
    real = BasetenService._choose_auth

    def choose(self: Any, headers: Any) -> Any:
        return real(self, {k: v for k, v in headers.items() if k != "authorization"})

    patch.setattr(BasetenService, "_choose_auth", choose)
