"""The reference server: what Baseten would answer, as far as its contract is public.

Joins the lanes: key, route, rules, answer, wording. Pure: the same request always gets the same
answer. Must not open sockets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.reference import model_apis as gateway
from conformance.reference import vllm as engine
from conformance.reference.answers import Order, compose_answer
from conformance.reference.catalogue import HOSTED, Model, find_served
from conformance.reference.dialects import DIALECTS
from conformance.reference.embeddings import embed
from conformance.reference.error_bodies import (
    EDGE_HEADERS,
    ENGINE_HEADERS,
    engine_error,
    refuse_at_edge,
    refuse_by_engine,
    refuse_by_truss,
    refuse_empty_key,
    refuse_hosted,
    refuse_route,
    refuse_without_key,
)
from conformance.reference.exchange import AnswerPlan, ReceivedRequest, plan_json
from conformance.reference.ids import CREATED, Stamp
from conformance.reference.lanes import Route, find_route
from conformance.reference.model_apis_validation import find_invalid, find_malformed
from conformance.reference.prompts import read_prompt
from conformance.reference.vllm_validation import Complaint, complain_shape, find_refusal

_LARGEST_BODY = {"model-apis": 5_000_000, "dedicated": 100_000_000}
_METHODS = {"chat": "POST", "embeddings": "POST", "predict": "POST", "models": "GET"}


@dataclass(frozen=True, slots=True)
class ReferenceServer:
    """A responder that answers both lanes.

    Attributes:
        key: The only key accepted; None accepts every key that does not start with `bad`.
        context: Context length that replaces the models' own, to overflow with short prompts.
    """

    key: str | None = None
    context: int | None = None

    def __repr__(self) -> str:
        return f"ReferenceServer(context={self.context})"

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        """Answer a request.

        Args:
            request: Any request, in any lane.

        Returns:
            The plan of the whole answer.
        """
        route = find_route(request.host, request.path)
        if request.header("authorization") is None:
            return refuse_without_key()
        if route.operation == "unknown":
            return _miss(route, 404)
        if request.method != _METHODS[route.operation]:
            return _miss(route, 405, {"allow": _METHODS[route.operation]})
        if len(request.body) > _LARGEST_BODY[route.lane]:
            return refuse_at_edge(413, "Request body too large")
        operation = _OPERATIONS[route.lane, route.operation]
        # The gateway reads the body of a chat before the key.
        refused = None if operation is _chat_hosted else self.refuse_key(request)
        return refused or operation(self, request)

    def refuse_key(self, request: ReceivedRequest) -> AnswerPlan | None:
        """Return the refusal of a request's key, None for a good one."""
        scheme, _, key = (request.header("authorization") or "").strip().partition(" ")
        if not key:
            return refuse_empty_key()
        good = key == self.key if self.key is not None else not key.startswith("bad")
        if good and scheme.lower() in ("bearer", "api-key"):
            return None
        return refuse_at_edge(403, "please check the api-key you provided")

    def fit(self, model: Model) -> Model:
        """Return the model with this responder's context length."""
        return model if self.context is None else replace(model, context=self.context)


def _miss(route: Route, status: int, headers: Mapping[str, str] | None = None) -> AnswerPlan:
    if route.lane == "dedicated":
        return refuse_route(status, headers)
    reported = {404: "Not Found", 405: "Method Not Allowed"}[status]
    return refuse_hosted(status, reported, wrapped=True, headers=headers)


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _list_hosted(responder: ReferenceServer, request: ReceivedRequest) -> AnswerPlan:
    listing = {"data": [model.listing() for model in HOSTED.values()]}
    return plan_json(200, listing, EDGE_HEADERS)


def _chat_hosted(responder: ReferenceServer, request: ReceivedRequest) -> AnswerPlan:
    body = _decode(request.body)
    if not isinstance(body, dict):
        return refuse_at_edge(400, "Invalid request body")
    if malformed := find_malformed(body):
        return refuse_hosted(400, malformed, wrapped=False)
    if refused := responder.refuse_key(request):
        return refused
    model = HOSTED.get(body["model"])
    if model is None:
        return refuse_at_edge(404, "please check the model you provided")
    return _serve_hosted(body, responder.fit(model), Stamp(request.body))


def _serve_hosted(body: Mapping[str, Any], model: Model, stamp: Stamp) -> AnswerPlan:
    order = read_order(body, model)
    wording = gateway.Wording(
        model=model.slug,
        dialect=DIALECTS[model.family],
        stamp=stamp,
        json_mode=order.json_mode,
        usage=_usage_wanted(body.get("stream_options") or {}),
    )
    invalid = find_invalid(body, model)
    if invalid:
        headers = gateway.headers_for(wording)
        return refuse_hosted(400, invalid, wrapped=wording.dialect.wrapped_errors, headers=headers)
    answer = compose_answer(order)
    return (gateway.word_stream if body.get("stream") else gateway.word_whole)(answer, wording)


def _usage_wanted(options: Mapping[str, Any]) -> str:
    if not options.get("include_usage"):
        return "none"
    return "every" if options.get("continuous_usage_stats", True) else "last"


def read_order(body: Mapping[str, Any], model: Model) -> Order:
    """Read what a request asks for, in the terms that both lanes share.

    Args:
        body: A request body.
        model: The model it is for.

    Returns:
        The order.
    """
    stops = body.get("stop") or ()
    served = model.family == "vllm"
    budget = body.get("max_completion_tokens")
    return Order(
        prompt=read_prompt(body["messages"], body.get("tools") or []),
        tools=body.get("tools") or (),
        choice=body.get("tool_choice"),
        # Recorded: `required` gave one call from this engine, whatever was asked for.
        parallel=body.get("parallel_tool_calls", True) is not False
        and not (served and body.get("tool_choice") == "required"),
        form=body.get("response_format"),
        stops=(stops,) if isinstance(stops, str) else tuple(stops),
        budget=budget if budget is not None else body.get("max_tokens"),
        thinks=_thinks(body, model),
        effort=body.get("reasoning_effort"),
        framed=served,
        remarks=not served and DIALECTS[model.family].text_with_calls,
    )


def _thinks(body: Mapping[str, Any], model: Model) -> bool:
    arguments = body.get("chat_template_args") or body.get("chat_template_kwargs") or {}
    effort = body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")
    kind = (body.get("thinking") or {}).get("type")
    if model.thinks == "never" or effort == "none" or kind == "disabled":
        return False
    requested = arguments.get("enable_thinking")
    return model.thinks == "default" or kind == "enabled" if requested is None else bool(requested)


def _list_served(responder: ReferenceServer, request: ReceivedRequest) -> AnswerPlan:
    models = [
        {
            "id": model.slug,
            "object": "model",
            "created": CREATED,
            "owned_by": "vllm",
            "root": f"/models/{model.slug}",
            "parent": None,
            "max_model_len": model.context,
        }
        for model in filter(None, map(find_served, ("omni", "tiny")))
    ]
    listing = {"object": "list", "data": models}
    return plan_json(200, listing, ENGINE_HEADERS)


def _chat_served(responder: ReferenceServer, request: ReceivedRequest) -> AnswerPlan:
    body = _decode(request.body)
    if not isinstance(body, dict):
        return _complain(_unreadable(request.body, body))
    name = body.get("model")
    model = find_served(name)
    if model is None:
        reported = f"The model `{name}` does not exist. Valid aliases: omni, tiny."
        return refuse_by_engine(reported, kind="NotFoundError", status=404, param="model")
    return _serve_engine(body, responder.fit(model), Stamp(request.body))


def _unreadable(body: bytes, decoded: Any) -> Complaint:
    if not body:
        return complain_shape("missing", "body", "Field required", "None")
    if isinstance(decoded, list):
        reported = "Input should be a valid dictionary or object to extract fields from"
        given = f"<list of {len(decoded)} items>"
        return complain_shape("model_attributes_type", "body", reported, given)
    place = f"body.{len(body)}"
    return complain_shape("json_invalid", place, "JSON decode error", "<dict of 0 items>")


def _serve_engine(body: Mapping[str, Any], model: Model, stamp: Stamp) -> AnswerPlan:
    options = body.get("stream_options") or {}
    setting = engine.Setting(
        model=body.get("model") or model.slug,
        stamp=stamp,
        choices=body.get("n") or 1,
        logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        forced=body.get("tool_choice") not in (None, "auto", "none"),
        named=isinstance(body.get("tool_choice"), Mapping),
        usage=bool(options.get("include_usage")),
        running=bool(options.get("include_usage") and options.get("continuous_usage_stats")),
    )
    complaint = find_refusal(body, model)
    if complaint and complaint.late and body.get("stream"):
        return engine.stream_refusal(_error(complaint), setting)
    if complaint:
        return _complain(complaint)
    answer = compose_answer(read_order(body, model))
    return (engine.word_stream if body.get("stream") else engine.word_whole)(answer, setting)


def _error(complaint: Complaint) -> dict[str, Any]:
    return engine_error(complaint.message, complaint.kind, 400, complaint.param)


def _complain(complaint: Complaint) -> AnswerPlan:
    return refuse_by_engine(complaint.message, kind=complaint.kind, param=complaint.param)


def _embed_served(responder: ReferenceServer, request: ReceivedRequest) -> AnswerPlan:
    body = _decode(request.body)
    return embed(body if isinstance(body, dict) else {})


def _predict(responder: ReferenceServer, request: ReceivedRequest) -> AnswerPlan:
    """`/predict` takes what the model's author chose, never an OpenAI body."""
    reported = "predict expects `prompt`; chat completions are served under /sync/v1"
    return refuse_by_truss(400, reported, 600)


_OPERATIONS: Mapping[tuple[str, str], Callable[[ReferenceServer, ReceivedRequest], AnswerPlan]] = {
    ("model-apis", "chat"): _chat_hosted,
    ("model-apis", "models"): _list_hosted,
    ("dedicated", "chat"): _chat_served,
    ("dedicated", "models"): _list_served,
    ("dedicated", "embeddings"): _embed_served,
    ("dedicated", "predict"): _predict,
}

respond = ReferenceServer()
"""The reference server with its defaults."""
