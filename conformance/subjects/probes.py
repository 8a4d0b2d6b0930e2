"""What somebody else's model is seen to do before any check: many checks would meet it.

Knows what to ask of it, once; must not know the checks.
"""

from __future__ import annotations

import asyncio
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import create_model
from typing_extensions import TypedDict

from conformance.reference import respond
from conformance.reference.exchange import DONE, encode_event, plan_json
from conformance.subjects.connect import count_requests, serve
from conformance.subjects.expected_errors import has_type
from conformance.subjects.known_faults import ANSWERED, SEEN
from conformance.subjects.silence import AWAITED, CALLED, SILENT
from conformance.subjects.subject import chosen
from conformance.subjects.time_limit import limit_time
from conformance.subjects.wire_answers import find_sentence
from conformance.targets import choose_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest, Responder
    from conformance.targets import Lane

__all__ = [
    "find_blindness",
    "find_broken",
    "find_memory",
    "find_misdirected",
    "find_refusal",
    "find_refusals",
    "find_silence",
]

_ROUTE = "/chat/completions"
_REFUSALS = range(400, 500)
_FINE = 200
_WAYS = 2
_BEGUN = 2
"""Pieces of a stream that arrive before it fails."""
_CITIES = "What is the weather in Paris and in Rome?"
_SENT = [{"city": "Paris"}, {"city": "Rome"}]
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
_TOOL = {"name": "get_weather", "description": "Get the weather.", "parameters": _PARAMETERS}


class _Visit(TypedDict):
    """A visit."""

    city: str


_SCHEMAS: tuple[Any, ...] = (
    create_model("Visit", city=str),
    _Visit,
    {"title": "Visit", "description": "A visit.", **_PARAMETERS},
    {"name": "Visit", "description": "A visit.", "parameters": _PARAMETERS},
)
_USAGE: dict[str, Any] = {
    "prompt_tokens": 9,
    "completion_tokens": 7,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
_IMAGE = "iVBORw0KGgo="
_IMAGES: tuple[dict[str, Any], ...] = (
    {"type": "image", "base64": _IMAGE, "mime_type": "image/png"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_IMAGE}"}},
)
_STOPS = "parameters.stop.ends"
_BINDS = "structured.bind.schemas"
_METHODS = ("function_calling", "json_schema", "json_mode")


def find_misdirected(lane: Lane) -> str:
    """Return what is wrong if somebody else's model asks where no chat completion is answered.

    Args:
        lane: Whose URL the model gets.

    Returns:
        What to do about it; empty if nothing is wrong.
    """
    # The checks say what else is wrong.
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        _make(lane, server).invoke("Hello")
    requested = [request.path for request in server.requests]
    wanted = f"{lane.base_path}{_ROUTE}"
    if not requested or wanted in requested:
        return ""
    if not requested[-1].endswith(_ROUTE):
        return (
            f"what the factory makes asks for {requested[-1]}: it does not speak OpenAI's chat "
            f"completions, which are all that this suite judges, and not for {wanted}."
        )
    return (
        f"given {lane.setting}=…{lane.path}, what the factory makes asks for {requested[-1]}, "
        f"where nothing answers, and not for {wanted}. An OpenAI client wants …{lane.base_path} "
        "as its base URL, and one that adds /v1 itself wants it without: README.md has a factory "
        "to copy. "
        "Or judge the other --lane alone."
    )


def find_memory(lane: Lane) -> str:
    """Return what is wrong if somebody else's model answers a question without asking it again.

    Args:
        lane: Whose URL the model gets.
    """
    counts: list[int] = []
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server)
        for _ in range(_WAYS):
            model.invoke("Hello")
            counts.append(len(server.requests))
    if len(counts) < _WAYS or 0 in counts or len({*counts}) > 1:
        return ""
    return (
        "what the factory makes answers from a cache what it was asked before, and checks ask the "
        "same again. Make it without."
    )


def find_silence(lane: Lane) -> set[str]:
    """Return which claim tells of it if a model refuses each call of one kind, and no other.

    Args:
        lane: Whose URL the model gets.
    """
    silent: set[str] = set()
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server)
        ways = {CALLED: model.invoke, AWAITED: lambda prompt: asyncio.run(model.ainvoke(prompt))}
        for claim, ask in ways.items():
            before = len(server.requests)
            try:
                ask("Hello")
            except Exception:  # noqa: BLE001  somebody's code may raise anything
                silent |= {claim} if len(server.requests) == before else set()
    return silent if len(silent) == 1 else set()


def find_refusal(lane: Lane) -> str:
    """Return why somebody else's model gets no answer to a plain question; empty if it gets one.

    What a service refuses of every request is one fault, and so is what a client misses in every
    response: no check but the one of plain questions may be failed by it.

    Args:
        lane: Whose URL the model gets.

    Returns:
        What the service says to its requests, if it refuses them, or the client of the responses,
        if it can read neither an invoked nor a streamed one, or of the question.
    """
    reported: list[AnswerPlan] = []
    errors: list[Exception] = []

    def note(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        if request.method != "GET":
            reported.append(plan)
        return plan

    with _serve(note) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server)
        for ask in (model.invoke, lambda prompt: list(model.stream(prompt))):
            try:
                ask("Hello")
            except Exception as error:  # noqa: BLE001  somebody's code may raise anything
                errors.append(error)
    if len(errors) == _WAYS and reported and all(plan.status == _FINE for plan in reported):
        return (
            "the client cannot read the response to a plain question, invoked or streamed, as "
            f"messages.invoke.string says: {type(errors[0]).__name__}: {errors[0]}"
        )
    if len(errors) == _WAYS and not reported:
        return (
            "the client asks nobody and raises of a plain question, as messages.invoke.string "
            f"says: {type(errors[0]).__name__}: {errors[0]}"
        )
    if not reported or any(plan.status not in _REFUSALS for plan in reported):
        return ""
    sentence = find_sentence(reported[0].body.decode("utf-8"))
    return (
        f"the service refuses a plain question, as messages.invoke.string says: "
        f"HTTP {reported[0].status}: {sentence}"
    )


def find_broken(lane: Lane) -> set[str]:
    """Return claims that the model breaks wherever it does what they are about.

    Args:
        lane: Whose service refuses a request, sends two calls, fails inside a stream, and counts.
    """
    finders = (
        *(_find_untyped, _find_spoilt, _find_deaf),
        *(_find_threaded, _find_unstreamed, _find_uncounted),
        *(_find_waiting, _find_blind),
    )
    return {claim for find in finders for claim in find(lane)}


def _find_threaded(lane: Lane) -> set[str]:
    """LangChain awaits in a thread what a client has no asynchronous method for."""
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        own = _make(lane, server)._agenerate.__module__
        return {"async.invoke.native"} if own.startswith("langchain_core.") else set()
    return set()


def _find_unstreamed(lane: Lane) -> set[str]:
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        reported = list(_make(lane, server).stream("Hello"))
        requested = [request.json() for request in server.requests if request.method != "GET"]
        streamed = any(body.get("stream") for body in requested)
        return {"streaming.sync.incremental"} if reported and requested and not streamed else set()
    return set()


def _find_uncounted(lane: Lane) -> set[str]:
    def count(payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "usage": _USAGE} if payload.get("usage") else payload

    def answer(request: ReceivedRequest) -> AnswerPlan:
        return respond(request).map_json(count).map_events(count)

    with _serve(answer) as server, suppress(Exception, pytest.skip.Exception):
        usage = _make(lane, server).invoke("Hello").usage_metadata
        if usage is None:
            return {"usage.invoke.once"} if server.requests else set()
        reported = [*(usage.get("input_token_details") or {}).values()]
        reported += (usage.get("output_token_details") or {}).values()
        return set() if any(reported) else {"usage.invoke.details"}
    return set()


def _find_deaf(lane: Lane) -> set[str]:
    def fail(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        error = encode_event({"error": {"message": "No.", "code": 500}})
        return plan.with_body(*(chunk.data for chunk in plan.chunks[:_BEGUN]), error, DONE)

    with _serve(fail) as server, suppress(Exception, pytest.skip.Exception):
        reported = list(_make(lane, server).stream("Hello"))
        return {"streaming.end.error-inside"} if reported and server.requests else set()
    return set()


def _find_waiting(lane: Lane) -> set[str]:
    """Some services end a stream with its finish reason, where a stop sequence ended its text."""
    ends: list[AnswerPlan] = []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        ends.append(plan)
        # The first answer shows that nothing else is in the way.
        return plan if len(ends) > 1 else plan.with_body(plan.body, DONE)

    with _serve(answer) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server)
        list(model.stream("Count from 1 to 9.", stop=["5"]))
        try:
            list(model.stream("Count from 1 to 9.", stop=["5"]))
        except Exception:  # noqa: BLE001  as above
            is_it = ends[-1].is_stream and not ends[-1].says_done
            return {"streaming.end.without-done"} if is_it else set()
    return set()


def _find_blind(lane: Lane) -> set[str]:
    """One that raises of images, `find_blindness` finds."""
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server, model=lane.vision_model)
        for block in _IMAGES:
            model.invoke([HumanMessage([{"type": "text", "text": "What?"}, block])])
        bodies = [request.body for request in server.requests if request.method != "GET"]
        sees = any(_IMAGE.encode() in body for body in bodies)
        return set() if sees or not bodies else {SEEN[lane.name]}
    return set()


def _find_untyped(lane: Lane) -> set[str]:
    refused = plan_json(_REFUSALS.start, {"error": "No."})
    with _serve(lambda _: refused) as server, suppress(pytest.skip.Exception):
        try:
            _make(lane, server).invoke("Hello")
        except Exception as error:  # noqa: BLE001  somebody's code may raise anything
            return set() if has_type("invalid-request", error) else {"errors.types.core"}
    return set()


def _find_spoilt(lane: Lane) -> set[str]:
    found: set[str] = set()
    with _serve(respond) as server, suppress(NotImplementedError, pytest.skip.Exception):
        bound = _make(lane, server).bind_tools([_TOOL])
        waited, _ = _read_calls(lambda: [bound.invoke(_CITIES)])
        streamed, number = _read_calls(lambda: bound.stream(_CITIES))
        if not any(args in _SENT for args in waited):
            found.add("tools.invoke.call")
        if number > len(_SENT):
            found.add("tools.stream.merge-by-index")
        elif not any(args in _SENT for args in streamed):
            found.add("tools.invoke.call, streamed")
        elif number < len(_SENT):
            found.add("tools.invoke.parallel")
    return found


def _read_calls(ask: Callable[[], Iterable[Any]]) -> tuple[list[Any], int]:
    """Return the arguments of all calls of an answer, and how many there are, readable or not."""
    with suppress(Exception):
        first, *rest = ask()
        message = first + rest if rest else first
        calls = [call["args"] for call in message.tool_calls]
        return calls, len(calls) + len(message.invalid_tool_calls)
    return [], 0


def find_refusals(lane: Lane) -> dict[str, str]:
    """Return what the model raises where it does not take what it is given, and who tells of it.

    Args:
        lane: Whose URL the model gets.

    Returns:
        What each error says -> the claim that tells of it.
    """
    found: dict[str, str] = {}
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server)
        with _noting(found, "tools.invoke.call"):
            model.bind_tools([_TOOL])
        found |= _find_unbound(model)
        if CALLED in SILENT:  # Its chains may refuse in words of their own.
            with _noting(found, CALLED):
                model.with_structured_output(_SCHEMAS[0]).made.invoke("Hello")
        found = _find_unasked(model) | found
        list(model.stream("Hello"))
        with _noting(found, "structured.stream.grows"):
            list(model.with_structured_output(_SCHEMAS[-2], method="json_schema").stream("Paris"))
        with _noting(found, _STOPS):
            list(model.stream("Hello", stop=["END"]))
            return found
        with _noting(found, _STOPS):
            asyncio.run(_take(model.astream("Hello", stop=["END"])))
    return found


def _find_unasked(model: Any) -> dict[str, str]:
    """Return what a model says where it takes a method for schemas, and is answered none by it.

    It sends nothing then, or what the service refuses.
    """
    found: dict[str, str] = {}
    for method in _METHODS:
        raised: dict[str, str] = {}
        before = len(ANSWERED)
        with _noting(raised, _name_method(method)):
            model.with_structured_output(_SCHEMAS[0], method=method).invoke("Paris")
        if {*ANSWERED[before:]} <= {*_REFUSALS}:
            found = raised | found
    return found


def _find_unbound(model: Any) -> dict[str, str]:
    """Return what a model says where it takes no schema, or none by one of the methods."""
    plain = _refuse_schemas(model)
    found = dict.fromkeys(plain, _BINDS)
    for method in _METHODS:
        refused = _refuse_schemas(model, method=method)
        unknown = len(refused) == len(_SCHEMAS) > len(plain)
        claim = _name_method(method) if unknown else _BINDS
        found = dict.fromkeys(refused, claim) | found
    return found


def _name_method(method: str) -> str:
    return f"structured.method.{method.replace('_', '-')}"


def _refuse_schemas(model: Any, **options: Any) -> list[str]:
    found: list[str] = []
    for schema in _SCHEMAS:
        errors: dict[str, str] = {}
        with _noting(errors, ""):
            model.with_structured_output(schema, **options)
        found += errors
    return found


def find_blindness(lane: Lane) -> dict[str, str]:
    """Return what the model raises of an image in either form, if it takes none; as above.

    Args:
        lane: As above.
    """
    found: dict[str, str] = {}
    with _serve(respond) as server, suppress(Exception, pytest.skip.Exception):
        model = _make(lane, server, model=lane.vision_model)
        for block in _IMAGES:
            with _noting(found, SEEN[lane.name]):
                model.invoke([HumanMessage([block])])
                return {}
        return {} if any(request.method != "GET" for request in server.requests) else found
    return {}


async def _take(stream: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in stream]


@contextmanager
def _noting(found: dict[str, str], claim: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001  as above
        found.setdefault(repr(error), claim)


@contextmanager
def _serve(responder: Responder) -> Iterator[LoopbackServer]:
    """Give a server; what theirs warns of, or does not end, is for the checks to say."""
    with warnings.catch_warnings(), serve(responder) as server, suppress(pytest.fail.Exception):
        warnings.simplefilter("ignore")
        with limit_time(count_requests):
            yield server


def _make(lane: Lane, server: LoopbackServer, **more: Any) -> Any:
    settings = choose_settings(lane, "reference", server.url)
    made = chosen().make(**{**settings, "max_retries": 0, **more})
    return _Waiting(made) if CALLED in SILENT else made


class _Waiting:
    """Awaits the model, or the chain, that has no synchronous calls, in their place."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def invoke(self, prompt: Any) -> Any:
        return asyncio.run(self.made.ainvoke(prompt))

    def stream(self, prompt: Any, **options: Any) -> Iterator[Any]:
        return iter(asyncio.run(_take(self.made.astream(prompt, **options))))

    def bind_tools(self, tools: Any) -> _Waiting:
        return _Waiting(self.made.bind_tools(tools))

    def with_structured_output(self, schema: Any, **options: Any) -> _Waiting:
        return _Waiting(self.made.with_structured_output(schema, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)
