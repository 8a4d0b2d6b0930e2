"""Parameters, messages and call options to one request: which of several values is sent."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from conformance.tests.package.in_each import in_each
from langchain_baseten import ChatBaseten
from langchain_baseten._http.credentials import reveal
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._http.timeouts import Timeouts
from langchain_baseten._protocol.response import ResponseContext
from langchain_baseten._version import VERSION
from langchain_baseten.exceptions import BasetenRequestError

KEY = "sk-secret-1234567890"


class Sum(BaseModel):
    """A sum."""

    value: int


def build(
    parameters: dict[str, Any],
    options: dict[str, Any] | None = None,
    *,
    stop: list[str] | None = None,
    run_manager: Any = None,
    stream: bool = False,
) -> tuple[HttpRequest, ResponseContext]:
    model = ChatBaseten(**{"model": "m", "api_key": KEY, **parameters})
    return model._build_request(
        [HumanMessage("a")], stop, options or {}, run_manager, stream=stream
    )


def body(parameters: dict[str, Any], options: dict[str, Any] | None = None, **given: Any) -> Any:
    found = json.loads(build(parameters, options, **given)[0].body)
    assert found.pop("messages") == [{"role": "user", "content": "a"}]
    return found


EMPTY = {"type": "object", "properties": {}}
TOOL = {"type": "function", "function": {"name": "f", "description": "", "parameters": EMPTY}}

EVERY: dict[str, Any] = {
    "temperature": 0.0,
    "max_tokens": 1,
    "top_p": 0.5,
    "stop": "x",
    "n": 1,
    "seed": 0,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {"5": 1.0},
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "service_tier": "flex",
    "verbosity": "low",
}
# settings, call options -> body besides the messages
BODIES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing set": ({}, {}, {"model": "m"}),
    "every setting": (EVERY | {"logit_bias": {5: 1.0}}, {}, {"model": "m", **EVERY}),
    "model_kwargs of the model and of a call": (
        {"model_kwargs": {"a": 1, "b": 1}},
        {"model_kwargs": {"b": 2}},
        {"model": "m", "a": 1, "b": 2},
    ),
    "what is the client's in model_kwargs": (
        {"model_kwargs": {"stream": True, "top_kk": 2}},
        {},
        {"model": "m", "top_kk": 2},
    ),
    "the later of two names": (  # bind comes first in what langchain-core passes
        {},
        {"max_tokens": 1, "max_completion_tokens": 2},
        {"model": "m", "max_tokens": 2},
    ),
    "vendor parameters": (
        {"model_kwargs": {"top_k": 40}, "extra_body": {"chat_template_args": {"x": True}}},
        {"min_p": 0.1},
        {"model": "m", "top_k": 40, "min_p": 0.1, "chat_template_args": {"x": True}},
    ),
    "the call beats the field": (
        {"temperature": 1},
        {"temperature": 0},
        {"model": "m", "temperature": 0},
    ),
    "the call takes the field away": ({"temperature": 1}, {"temperature": None}, {"model": "m"}),
    "the call by another name": (
        {"max_tokens": 1},
        {"max_completion_tokens": 2},
        {"model": "m", "max_tokens": 2},
    ),
    "another model": ({}, {"model": "other"}, {"model": "other"}),
    "model_kwargs in the call's favour": (
        {"model_kwargs": {"top_k": 1}},
        {"top_k": 2},
        {"model": "m", "top_k": 2},
    ),
    "the call's extra body beats the model's": (
        {"extra_body": {"a": 1, "b": 1}},
        {"extra_body": {"b": 2}},
        {"model": "m", "a": 1, "b": 2},
    ),
    "an extra body beats all": (
        {"seed": 1},
        {"seed": 2, "extra_body": {"seed": 3}},
        {"model": "m", "seed": 3},
    ),
    "options are not sent": (
        {},
        {
            "timeout": 3,
            "extra_headers": {"a": "b"},
            "extra_query": {"a": "b"},
            "stream": True,
            "stream_usage": True,
            "ls_structured_output_format": {"x": 1},
        },
        {"model": "m"},
    ),
    "no tools": ({}, {"tools": [], "tool_choice": "auto"}, {"model": "m"}),
    "tools": (
        {},
        {"tools": [TOOL], "tool_choice": "any"},
        {"model": "m", "tools": [TOOL], "tool_choice": "required"},
    ),
    "tools in model_kwargs": (
        {"model_kwargs": {"tools": [TOOL], "tool_choice": "f"}},
        {},
        {
            "model": "m",
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    ),
    "a response format": (
        {},
        {"response_format": {"type": "json_object"}},
        {"model": "m", "response_format": {"type": "json_object"}},
    ),
    "a disabled parameter": (
        {"disabled_params": {"parallel_tool_calls": None}},
        {"parallel_tool_calls": False},
        {"model": "m"},
    ),
    "a disabled value": (
        {"disabled_params": {"seed": [1, 2]}, "temperature": 1},
        {"seed": 2},
        {"model": "m", "temperature": 1.0},
    ),
    "a value that is not disabled": (
        {"disabled_params": {"seed": [1, 2]}},
        {"seed": 3},
        {"model": "m", "seed": 3},
    ),
}


@in_each(("parameters", "options", "found"), BODIES)
def test_parameters_override_each_other_in_order(
    parameters: dict[str, Any], options: dict[str, Any], found: dict[str, Any]
) -> None:
    assert body(parameters, options) == found


STOPS: dict[str, tuple[Any, list[str] | None, dict[str, Any], Any]] = {
    "the model's": (["x"], None, {}, ["x"]),
    "the call's": (["x"], ["y"], {}, ["y"]),
    "an empty list of the call is none": (["x"], [], {}, ["x"]),
    "an option": (["x"], None, {"stop": ["z"]}, ["z"]),
    "an option by another name": (["x"], None, {"stop_sequences": ["z"]}, ["z"]),
    "an option of None is none": (["x"], None, {"stop_sequences": None}, ...),
    "an empty list is not sent": ([], None, {}, ...),
    "none": (None, None, {}, ...),
}


@in_each(("own", "stop", "options", "sent"), STOPS)
def test_stop_sequences_of_the_invocation_override_the_models(
    own: Any, stop: list[str] | None, options: dict[str, Any], sent: Any
) -> None:
    assert body({"stop": own}, options, stop=stop).get("stop", ...) == sent


def test_a_class_is_a_response_format() -> None:
    found = body({}, {"response_format": Sum})["response_format"]

    assert found["type"] == "json_schema"
    assert found["json_schema"]["name"] == "Sum"
    assert found["json_schema"]["schema"]["required"] == ["value"]


COUNTED: dict[str, tuple[Any, Any, bool]] = {
    "by default": (None, None, True),
    "disabled by the model": (False, None, False),
    "enabled by the call": (False, True, True),
    "disabled by the call": (True, False, False),
}


@in_each(("own", "requested", "counted"), COUNTED)
def test_a_stream_requests_token_counts_unless_disabled(
    own: Any, requested: Any, counted: bool
) -> None:
    options = {} if requested is None else {"stream_usage": requested}
    found = body({"stream_usage": own}, options, stream=True)

    assert found["stream"] is True
    assert ("stream_options" in found) is counted


@pytest.mark.parametrize("parameters", [{"n": 2}, {"model_kwargs": {"n": 2}}], ids=str)
def test_a_stream_has_one_choice(parameters: dict[str, Any]) -> None:
    with pytest.raises(BasetenRequestError, match="n must be 1"):
        build(parameters, stream=True)
    assert body(parameters)["n"] == 2


OURS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
HEADERS: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "ours": (None, None, {**OURS, "User-Agent": f"langchain-baseten/{VERSION}"}),
    "the model's": (
        {"x-session-affinity": "a", "User-Agent": "mine"},
        None,
        {**OURS, "User-Agent": "mine", "x-session-affinity": "a"},
    ),
    "the call's, whatever their case": (
        {"X-Session-Affinity": "a", "user-agent": "mine"},
        {"x-session-affinity": "b", "USER-AGENT": "yours"},
        {**OURS, "USER-AGENT": "yours", "x-session-affinity": "b"},
    ),
}


@in_each(("own", "requested", "sent"), HEADERS)
def test_headers_are_merged_without_duplicates(
    own: Any, requested: Any, sent: dict[str, str]
) -> None:
    assert build({"default_headers": own}, {"extra_headers": requested})[0].headers == sent


def test_a_stream_is_requested_as_events() -> None:
    assert build({}, stream=True)[0].headers["Accept"] == "text/event-stream"


@in_each("place", ["default_headers", "extra_headers"])
@in_each("name", ["Authorization", "authorization"])
def test_an_authorization_header_replaces_the_key(place: str, name: str) -> None:
    headers = {name: "Api-Key other"}
    own = {"default_headers": headers} if place == "default_headers" else {}
    found, _ = build(own, {} if own else {"extra_headers": headers})

    assert found.auth is None
    assert reveal(found.headers)[name] == "Api-Key other"


def test_the_key_is_written_by_the_request_and_is_in_no_header() -> None:
    found, _ = build({})

    assert found.auth is not None
    assert KEY not in str(found.headers)


# settings, options -> attributes of the call
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "defaults": (
        {},
        {},
        {
            "url": "https://inference.baseten.co/v1/chat/completions",
            "params": {},
            "timeouts": None,
            "idle": 120.0,
            "max_retries": 2,
            "on_retry": None,
        },
    ),
    "another server": (
        {"base_url": "https://example.com/v1"},
        {},
        {"url": "https://example.com/v1/chat/completions"},
    ),
    "the model's timeout": ({"timeout": 5}, {}, {"timeouts": Timeouts(5, 5, 5, 5)}),
    "the call's timeout": (
        {"timeout": 5},
        {"timeout": (1, 0.5)},
        {"timeouts": Timeouts(1, 0.5, 1200, 1200)},
    ),
    "the call's timeout by its other name": (
        {"timeout": 5},
        {"request_timeout": 1},
        {"timeouts": Timeouts(1, 1, 1, 1)},
    ),
    "no timeout of the call": (
        {"timeout": 5},
        {"timeout": None},
        {"timeouts": Timeouts(5, 5, 5, 5)},
    ),
    "silence of the call": ({}, {"stream_chunk_timeout": 3}, {"idle": 3}),
    "silence of the call without end": ({}, {"stream_chunk_timeout": None}, {"idle": None}),
    "retries of the call": ({"max_retries": 5}, {"max_retries": 0}, {"max_retries": 0}),
    "silence": ({"stream_chunk_timeout": 3}, {}, {"idle": 3.0}),
    "silence without end": ({"stream_chunk_timeout": None}, {}, {"idle": None}),
    "silence of zero is without end": ({"stream_chunk_timeout": 0}, {}, {"idle": None}),
    "no retries": ({"max_retries": 0}, {}, {"max_retries": 0}),
    "a query": (
        {"default_query": {"a": 1, "b": 1}},
        {"extra_query": {"b": 2}},
        {"params": {"a": 1, "b": 2}},
    ),
}


@in_each(("parameters", "options", "found"), CALLS)
def test_client_options_are_set_on_the_request(
    parameters: dict[str, Any], options: dict[str, Any], found: dict[str, Any]
) -> None:
    made, _ = build(parameters, options)

    assert {name: getattr(made, name) for name in found} == found


def test_a_model_that_is_not_found_is_compared_with_those_of_model_apis_only() -> None:
    made, _ = build({})

    assert (made.model, "zai-org/GLM-5.2" in made.known_models) == ("m", True)
    assert not build({"model_url": "https://a.test/v1"})[0].known_models


def test_retries_are_reported_to_the_run_manager() -> None:
    def on_retry(state: object) -> None: ...

    manager = SimpleNamespace(on_retry=on_retry)
    assert build({}, run_manager=manager)[0].on_retry is on_retry


FORCED: dict[str, tuple[dict[str, Any], bool]] = {
    "required": ({"tools": [TOOL], "tool_choice": "any"}, True),
    "one tool": ({"tools": [TOOL], "tool_choice": "f"}, True),
    "auto": ({"tools": [TOOL], "tool_choice": "auto"}, False),
    "no choice": ({"tools": [TOOL]}, False),
    "no tools": ({}, False),
}


@in_each(("options", "forced"), FORCED)
def test_the_reader_gets_the_context_of_the_request(options: dict[str, Any], forced: bool) -> None:
    _, context = build({}, {**options, "model": "other"})
    ids = [context.new_id() for _ in range(3)]

    assert context.requested_model == "other"
    assert context.call_required is forced
    assert len(set(ids)) == 3
    assert all(one.startswith("call_") for one in ids)


def test_an_unknown_tool_choice_is_refused() -> None:
    with pytest.raises(BasetenRequestError, match="tool_choice='g' is not understood"):
        build({}, {"tools": [TOOL], "tool_choice": "g"})


# options of one call that cannot be used
UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a header of None": ({"extra_headers": {"X": None}}, r"extra_headers\['X'\] must be text"),
    "a header of a number": ({"extra_headers": {"X": 1}}, r"extra_headers\['X'\] must be text"),
    "a header without a name": (
        {"extra_headers": {1: "x"}},
        "extra_headers must be a dict of names that are text",
    ),
    "headers in pairs": ({"extra_headers": [("X", "y")]}, "extra_headers must be a dict, not list"),
    "headers in a list": ({"extra_headers": ["X"]}, "extra_headers must be a dict, not list"),
    "a body in a list": ({"extra_body": [1]}, "extra_body must be a dict, not list"),
    "a body in a text": ({"extra_body": "a"}, "extra_body must be a dict, not str"),
    "parameters in a list": ({"model_kwargs": [1]}, "model_kwargs must be a dict, not list"),
    "a query in a text": ({"extra_query": "a=b"}, "extra_query must be a dict, not str"),
    "names that are no text": ({"model_kwargs": {1: 2}}, "model_kwargs must be a dict"),
    "a timeout in a text": ({"timeout": "30"}, "timeout='30' is not a time limit"),
    "a timeout of zero": ({"timeout": 0}, "timeout=0 is not a time limit"),
    "retries below zero": ({"max_retries": -1}, "max_retries=-1 is not a number of retries"),
    "retries in a text": ({"max_retries": "2"}, "max_retries='2' is not a number of retries"),
    "half a retry": ({"max_retries": 1.5}, "max_retries=1.5 is not a number of retries"),
    **{
        f"silence of {value!r}": (
            {"stream_chunk_timeout": value},
            "stream_chunk_timeout=.* is not a time limit",
        )
        for value in ("3", -1, float("nan"), float("inf"), True, [3])
    },
}


@in_each(("options", "message"), UNUSABLE)
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BasetenRequestError, match=message):
        build({}, options)
