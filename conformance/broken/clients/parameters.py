"""Clients that are careless with what they are given: parameters, reasoning, arguments.

They know the client's insides and must not know which claims that breaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import hear_with
from langchain_baseten import ChatBaseten, _structured_output, chat_models
from langchain_baseten._config import settings as client_settings
from langchain_baseten._protocol import messages as messages_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch


def drops_the_effort(patch: Patch) -> None:
    _fields(patch, lambda fields: _without(fields, "reasoning_effort"))


def drops_the_stop(patch: Patch) -> None:
    _fields(patch, lambda fields: _without(fields, "stop"))


def drops_zeros(patch: Patch) -> None:
    _fields(patch, lambda fields: {name: value for name, value in fields.items() if value})


def drops_extras(patch: Patch) -> None:
    _fields(patch, lambda fields: _without(fields, "top_k"))
    hear_with(patch, chat_models, "build_body", 2, lambda _: {})


def sends_a_temperature(patch: Patch) -> None:
    _fields(patch, lambda fields: {"temperature": 0.7, **fields})


def calls_side_by_side_anyway(patch: Patch) -> None:
    _fields(patch, lambda fields: _without(fields, "parallel_tool_calls"))


def lets_the_constructor_win(patch: Patch) -> None:
    def reorder(layers: Any) -> Any:
        extra, own, now, of_call = layers
        return [extra, now, of_call, own]

    hear_with(patch, chat_models, "build_parameters", 0, reorder)


def asks_a_deployment_for_no_model(patch: Patch) -> None:
    _fields(patch, lambda fields: {**fields, "model": "model"} if _is_derived(fields) else fields)


def keeps_reasoning_here(patch: Patch) -> None:
    patch.setattr(messages_module, "_own_reasoning", lambda _message: "")


def replays_foreign_reasoning(patch: Patch) -> None:
    patch.setattr(
        messages_module,
        "_own_reasoning",
        lambda m: m.additional_kwargs.get("reasoning_content", ""),
    )


def replays_reasoning_always(patch: Patch) -> None:
    real = messages_module.write_messages
    patch.setattr(chat_models, "write_messages", lambda messages, **_: real(messages))


def overlooks_refusals(patch: Patch) -> None:
    patch.setattr(_structured_output, "raise_if_refused", lambda _result: None)


def reads_the_older_variable_first(patch: Patch) -> None:
    patch.setattr(client_settings, "BASE_VARIABLES", client_settings.BASE_VARIABLES[::-1])


def forgets_an_argument(patch: Patch) -> None:
    real: Any = ChatBaseten.__init__

    def init(self: Any, **given: Any) -> None:
        if "stop_sequences" in given:
            raise TypeError("unexpected keyword argument 'stop_sequences'")
        real(self, **given)

    patch.setattr(ChatBaseten, "__init__", init)


def _fields(patch: Patch, change: Callable[[Any], Any]) -> None:
    hear_with(patch, chat_models, "build_body", 1, change)


def _is_derived(fields: Any) -> bool:
    return str(fields.get("model")).startswith("model-")


def _without(table: Any, *names: str) -> Any:
    return {key: value for key, value in table.items() if key not in names}
