"""Every form of a schema: a format already, none at all, a class of pydantic v1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel
from pydantic.v1 import BaseModel as OldBaseModel

from conformance.checks.features.call_modes import every_way
from conformance.checks.features.questions import GREETING, get_weather
from conformance.checks.features.responders import (
    change_answers,
    find_wire_parts,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.subjects.expected_errors import expect
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only(
    "which other forms are understood is for each maker to say"
)


_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Its name"}},
    "required": ["city"],
}


_FORMAT = {"name": "Stop", "description": "A stop.", "schema": _SCHEMA}


_WHOLE = {"type": "json_schema", "json_schema": _FORMAT}


_FORMATS: dict[str, Any] = {"whole": _WHOLE, "named": _FORMAT, "untitled": _SCHEMA}


@pytest.mark.claim("structured.method.json-schema")
@every_way
@pytest.mark.parametrize("form", _FORMATS)
def test_a_format_that_is_one_already_is_sent_as_it_is(
    lane: str, evidence: Evidence, ask: Ask, form: str
) -> None:
    sent: list[dict[str, Any]] = []
    before = str(_FORMATS[form])
    chain = mount(lane, evidence, note_bodies(sent, refuse_noted)).with_structured_output(
        _FORMATS[form], method="json_schema", include_raw=True, tools=[get_weather]
    )
    with expect("invalid-request"):
        ask(chain, GREETING)
    bare = {"type": "json_schema", "json_schema": {"name": "response", "schema": _SCHEMA}}
    assert sent[0]["response_format"] == (bare if form == "untitled" else _WHOLE)
    assert [tool["function"]["name"] for tool in sent[0]["tools"]] == ["get_weather"]
    called = mount(lane, evidence, note_bodies(sent, refuse_noted)).with_structured_output(
        _FORMATS[form], include_raw=True
    )
    with expect("invalid-request"):
        ask(called, GREETING)
    assert [tool["function"]["name"] for tool in sent[1]["tools"]] == [
        "response" if form == "untitled" else "Stop"
    ]
    assert str(_FORMATS[form]) == before


class Stop(BaseModel):
    """A stop on the way."""

    city: str


@pytest.mark.claim("structured.bind.schemas")
def test_a_method_that_there_is_not_or_that_lacks_its_schema_is_refused(
    evidence: Evidence,
) -> None:
    model = mount("model-apis", evidence)
    wrong: list[tuple[Any, Any]] = [
        (Stop, "xml"),
        (None, "json_schema"),
        (None, "function_calling"),
    ]
    for schema, method in wrong:
        with pytest.raises(ValueError, match=r"method="):
            model.with_structured_output(schema, method=method)


class OldStop(OldBaseModel):
    """A stop, as pydantic wrote it before its second version."""

    city: str


@pytest.mark.claim("structured.schema.optional-field")
@every_way
def test_an_answer_that_breaks_an_older_class_is_an_error_of_parsing(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    for text, wanted in (('{"city": "Rome"}', OldStop(city="Rome")), ('{"town": 1}', None)):
        texts = iter([text])

        def say(payload: Any, texts: Any = texts) -> Any:
            for part in find_wire_parts(payload):
                part["content"] = next(texts, "")
            return payload

        model = mount(lane, evidence, change_answers(say))
        chain = model.with_structured_output(OldStop, method="json_schema", include_raw=True)
        answer = ask(chain, GREETING)
        assert answer["parsed"] == wanted
        assert isinstance(answer["parsing_error"], OutputParserException) is (wanted is None)
