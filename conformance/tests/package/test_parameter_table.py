"""The options of a call and a request's parameters, by the names under which they are sent."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from conformance.tests.package.in_each import in_each
from conformance.tests.package.schema_samples import NAMED, OPENAI, Sum
from langchain_baseten._protocol.parameters import (
    ClientOnly,
    ParameterTable,
    Sent,
    build_parameters,
)
from langchain_baseten._protocol.schemas import write_response_format
from langchain_baseten._protocol.tools import write_tools
from langchain_baseten.exceptions import BasetenRequestError


class Sample(BaseModel):
    """A model with a parameter of every kind."""

    slug: Annotated[str, Sent("model", also=("model_id",))] = "m"
    seed: Annotated[int | None, Sent()] = None
    limit: Annotated[float | None, ClientOnly(per_call="timeout")] = 5.0
    retries: Annotated[int | None, ClientOnly(per_call="max_retries")] = None
    fixed: Annotated[int, ClientOnly(per_call="level")] = 1
    required: Annotated[int | None, ClientOnly(per_call="needed")]
    internal: str = ""


@pytest.fixture
def table() -> ParameterTable:
    return ParameterTable(Sample)


# options of a call -> parameters of the body, settings of the client
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a field": ({"seed": 1}, {"seed": 1}, {}),
    "a field that is sent under another name": ({"slug": "x"}, {"model": "x"}, {}),
    "the name in the body": ({"model": "x"}, {"model": "x"}, {}),
    "another name": ({"model_id": "x"}, {"model": "x"}, {}),
    "the later of two names": ({"model": "x", "model_id": "y"}, {"model": "y"}, {}),
    "a field that is None": ({"seed": None}, {"seed": None}, {}),
    "an unknown name": ({"anything": 1}, {"anything": 1}, {}),
    "an option of the client": ({"max_retries": 3}, {}, {"retries": 3}),
    "an option of the client by its field": ({"retries": 3}, {}, {"retries": 3}),
    "an option of the client that is None": ({"max_retries": None}, {}, {}),
    "an option for which None is a value": ({"timeout": None}, {}, {"limit": None}),
    "an option whose type has no None": ({"level": None}, {}, {}),
    "an option without a default": ({"needed": None}, {}, {}),
    "an option of langchain-core": ({"stream": True, "seed": 1}, {"seed": 1}, {}),
    "nothing": ({}, {}, {}),
}


@pytest.mark.parametrize(("options", "body", "client"), OPTIONS.values(), ids=OPTIONS)
def test_options_are_split_into_parameters_and_settings_of_the_client(
    table: ParameterTable,
    options: dict[str, Any],
    body: dict[str, Any],
    client: dict[str, Any],
) -> None:
    assert table.split_options(options) == (body, client)


REFUSED = {
    "internal": (
        "internal is a setting of the client, which a single call cannot change, and it is never "
        "sent. Pass it to Sample(internal=…)."
    ),
    "openai_organization": (
        "openai_organization is not a parameter of Sample. Baseten keys belong to one workspace; "
        "leave it out."
    ),
}


@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_an_option_that_a_call_cannot_change_is_refused(
    table: ParameterTable, name: str, message: str
) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        table.split_options({name: "x"})

    assert str(caught.value) == message


def test_unknown_parameters_keep_their_names(table: ParameterTable) -> None:
    given = {"stream": True, "anything": 1, "model_id": "x"}

    assert table.rename(given) == {"anything": 1, "model": "x"}


# parameters -> parameters as they are sent
BUILT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "stop sequences": ({"stop": ["x"]}, {"stop": ["x"]}),
    "no stop sequences": ({"stop": [], "seed": 1}, {"seed": 1}),
    "a class as response format": (
        {"response_format": Sum},
        {"response_format": write_response_format(Sum)},
    ),
    "a response format": (
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_object"}},
    ),
    "tools": ({"tools": [Sum]}, {"tools": write_tools([Sum], strict=None)}),
    "a tool choice": (
        {"tools": [OPENAI], "tool_choice": "f"},
        {"tools": [OPENAI], "tool_choice": NAMED},
    ),
    "a tool choice without tools": ({"tool_choice": "f"}, {"tool_choice": "f"}),
}


@in_each(("given", "sent"), BUILT)
def test_parameters_are_converted_to_what_is_sent(
    given: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert build_parameters([given], {}) == sent
