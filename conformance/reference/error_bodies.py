"""The bodies of errors: one function per service that produces them.

Knows shapes and headers. Must not know when an error is due.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from conformance.reference.exchange import AnswerPlan, encode_json, plan_bytes, plan_json

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGE_HEADERS: Mapping[str, str] = {"vary": "Origin", "via": "1.1 google"}
ENGINE_HEADERS: Mapping[str, str] = {"server": "nginx/1.22.1", "vary": "Origin"}


def refuse_at_edge(status: int, message: str) -> AnswerPlan:
    """Return `{"error": "<text>"}`, the body of Baseten's edge for keys, models and bodies.

    Recorded: 403 bad key; observed by other clients: 404 unknown model, 400 unreadable body.
    """
    return plan_bytes(
        status, "application/json", encode_json({"error": message}) + b"\n", EDGE_HEADERS
    )


def refuse_hosted(
    status: int, message: str, *, wrapped: bool, headers: Mapping[str, str] | None = None
) -> AnswerPlan:
    """Return an error of the Model APIs in one of its two recorded shapes.

    Args:
        status: HTTP status, repeated as `code`.
        message: The sentence.
        wrapped: Under an `error` key and tab indented, as engines behind the gateway answer;
            else flat on one line.
        headers: Headers besides the edge's.

    Returns:
        The plan.
    """
    kind = HTTPStatus(status).phrase
    headers = {**EDGE_HEADERS, **(headers or {})}
    if not wrapped:
        return plan_json(status, {"message": message, "type": kind, "code": status}, headers)
    quoted = encode_json(message).decode()
    body = (
        f'{{\n\t"error": {{\n\t\t"code": {status},\n\t\t"message": {quoted},\n'
        f'\t\t"type": "{kind}"\n\t}}\n}}\n'
    )
    return plan_bytes(status, "application/json", body.encode(), headers)


def refuse_without_key() -> AnswerPlan:
    """Return the 401 for a request without an `Authorization` header: plain text, not JSON."""
    body = b"No Authorization header provided"
    return plan_bytes(401, "text/plain; charset=utf-8", body, EDGE_HEADERS)


def refuse_empty_key() -> AnswerPlan:
    """Return the 502 page of the load balancer for `Bearer ` with nothing behind it."""
    body = b"<!DOCTYPE html>\n<title>502 Server Error</title>\n<h1>Error: Server Error</h1>\n"
    return plan_bytes(502, "text/html; charset=UTF-8", body, {"via": "1.1 google"})


def engine_error(message: str, kind: str, status: int, param: str | None) -> dict[str, Any]:
    """Return vLLM's error object, as bodies and as in-band stream events carry it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def refuse_by_engine(
    message: str, *, kind: str = "BadRequestError", status: int = 400, param: str | None = None
) -> AnswerPlan:
    """Return an error of vLLM 0.32 (recorded on loopback).

    Args:
        message: The sentence.
        kind: `BadRequestError` from the engine, `Bad Request` from its request parser.
        status: HTTP status.
        param: The field at fault; vLLM repeats it behind the message where it names one.

    Returns:
        The plan.
    """
    return plan_json(status, engine_error(message, kind, status, param), ENGINE_HEADERS)


def refuse_route(status: int, headers: Mapping[str, str] | None = None) -> AnswerPlan:
    """Return `{"detail": "<phrase>"}`, what the engine's web framework says of unknown routes."""
    body = {"detail": HTTPStatus(status).phrase}
    return plan_json(status, body, {**ENGINE_HEADERS, **(headers or {})})


def refuse_by_truss(
    status: int, error: Any, code: int, headers: Mapping[str, str] | None = None
) -> AnswerPlan:
    """Return an error of the Truss server.

    Args:
        status: HTTP status.
        error: The sentence, or the error object of an engine that is passed on.
        code: 500 unexpected, 600 the model's own, 700 the client's.
        headers: What the model's code set itself.

    Returns:
        The plan, its source marked as Truss (04).
    """
    marks = {"x-baseten-error-source": "04", "x-baseten-error-code": str(code)}
    return plan_json(status, {"error": error}, {**ENGINE_HEADERS, **marks, **(headers or {})})
