"""Errors: typed for LangChain, with the server's own sentence, and never with the key."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from langchain_core import exceptions as core

from conformance.checks.features.call_modes import TAKES, every_way
from conformance.checks.features.questions import GREETING, TALE
from conformance.checks.features.responders import (
    change_answers,
    change_plans,
    make_clients,
    mount,
    mount_refused,
    name_requests,
    note_requests,
)
from conformance.reference import AnswerPlan, BodyChunk, ReceivedRequest, Responder
from conformance.reference.exchange import encode_event, plan_bytes, plan_json
from conformance.subjects.expected_errors import (
    catch,
    catching,
    expect,
    expect_class,
    expect_status,
    says,
)
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

_KEY = "k3y0000a.S3cretS3cretS3cretS3cretS3cretS3"
_SENTENCE = "The <old> lighthouse (маяк, 灯台 🗼, Türme) is closed today."
_TOO_LONG = (
    "This model's maximum context length is 2048 tokens. However, you requested 9000 tokens."
)

_CLASSES: dict[int, type[Exception]] = {
    400: core.ModelInvalidRequestError,
    401: core.ModelAuthenticationError,
    402: core.ModelPermissionDeniedError,
    403: core.ModelPermissionDeniedError,
    404: core.ModelNotFoundError,
    408: core.ModelTimeoutError,
    413: core.ContextOverflowError,
    422: core.ModelInvalidRequestError,
    429: core.ModelRateLimitError,
    500: core.ModelAPIError,
    502: core.ModelAPIError,
    503: core.ModelAPIError,
    504: core.ModelAPIError,
    529: core.ModelAPIError,
}
_WORDINGS: dict[str, Any] = {
    "gateway": {"error": _SENTENCE},
    "engine": {"error": {"message": _SENTENCE, "type": "BadRequestError", "code": 400}},
    "flat": {"object": "error", "message": _SENTENCE, "code": 400},
    "framework": {"detail": _SENTENCE},
    "details": {"detail": [{"msg": "A field is missing."}, {"loc": ["body"], "msg": _SENTENCE}]},
    "detail": {"detail": {"error": _SENTENCE}},
    "nested": {"error": {"message": _SENTENCE, "type": None, "param": None, "code": None}},
    "text": _SENTENCE,
    "behind others": {"error": f"{'The harbour is full. ' * 15}{_SENTENCE}"},
    "long": {"trace": "at harbour.py " * 2_000, "error": _SENTENCE},
}
_UNRECORDED = {"detail", "details", "text", "behind others", "long"}


def _refuse(status: int, body: Any) -> Responder:
    headers = {"x-request-id": "req-7", "set-cookie": "a=1"}
    if isinstance(body, str):
        return lambda request: plan_bytes(status, "text/plain", body.encode(), headers)
    return lambda request: plan_json(status, body, headers)


@pytest.mark.claim("errors.types.core")
@every_way
@pytest.mark.parametrize(("status", "kind"), _CLASSES.items(), ids=map(str, _CLASSES))
def test_an_error_has_langchains_type_the_status_and_the_requests_id(
    lane: str, evidence: Evidence, ask: Callable[..., Any], status: int, kind: type[Exception]
) -> None:
    model = mount(lane, evidence, _refuse(status, {"error": "No."}))
    with expect_class(kind, status) as caught:
        ask(model, GREETING)
    if chosen().ours:
        assert isinstance(caught.value, catch("any"))
        reported: Any = caught.value
        assert (reported.status_code, reported.request_id) == (status, "req-7")
        assert reported.body == reported.response.json() == {"error": "No."}
        assert reported.response.headers["x-request-id"] == "req-7"
        assert "set-cookie" not in reported.response.headers
        travelled = pickle.loads(pickle.dumps(reported))  # noqa: S301  our own
        assert vars(travelled) == vars(reported)


_NAMES = {
    401: "BasetenAuthenticationError",
    403: "BasetenPermissionDeniedError",
    409: "BasetenConflictError",
    413: "BasetenRequestTooLargeError",
    422: "BasetenUnprocessableError",
}


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("the classes are those of langchain-baseten")
@every_way
def test_what_langchain_has_no_class_for_has_one_of_its_own(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    reported = {}
    for status in _NAMES:
        with expect("any") as caught:
            ask(mount(lane, evidence, _refuse(status, {"error": "No."}), max_retries=0), GREETING)
        reported[status] = type(caught.value).__name__
    assert reported == _NAMES


_TREE = {
    "BasetenConflictError": ("BasetenError",),
    "BasetenContextOverflowError": ("BasetenInvalidRequestError", core.ContextOverflowError),
    "BasetenIncompleteStreamError": ("BasetenAPIError",),
    "BasetenInvalidKeyError": ("BasetenAuthenticationError", "BasetenPermissionDeniedError"),
    "BasetenInvalidResponseError": ("BasetenAPIError",),
    "BasetenRequestError": ("BasetenInvalidRequestError", ValueError),
    "BasetenRequestTooLargeError": ("BasetenContextOverflowError",),
    "BasetenUnprocessableError": ("BasetenInvalidRequestError",),
    "EndpointError": ("BasetenRequestError",),
}


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("the classes are those of langchain-baseten")
def test_each_class_of_error_is_caught_as_those_above_it(lane: str, evidence: Evidence) -> None:
    evidence.came_from("reference")
    package: Any = importlib.import_module("langchain_baseten")
    for name, above in _TREE.items():
        kinds = [getattr(package, each) if isinstance(each, str) else each for each in above]
        assert all(issubclass(getattr(package, name), kind) for kind in kinds), f"{name}: {above}"


_OF_A_KEY = {
    "Unknown API key.": True,
    "This API key has no permission to call this model.": False,
    "This workspace may not call this model.": False,
}


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("that Baseten rejects a key with 403 is for its client to know")
@every_way
@pytest.mark.parametrize("text", _OF_A_KEY)
def test_a_403_about_the_key_itself_is_one_of_authentication(
    lane: str, evidence: Evidence, ask: Callable[..., Any], text: str
) -> None:
    with pytest.raises(core.ModelPermissionDeniedError) as caught:
        ask(mount(lane, evidence, _refuse(403, {"error": text})), GREETING)
    assert isinstance(caught.value, core.ModelAuthenticationError) is _OF_A_KEY[text]


@pytest.mark.claim("errors.types.core")
@every_way
@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_prompt_that_is_too_long_is_told_apart(
    lane: str, evidence: Evidence, ask: Callable[..., Any], status: int
) -> None:
    if status != 400 and not chosen().ours:
        evidence.not_applicable("with which other statuses it is told is for each maker to know")
    body = {"error": {"message": _TOO_LONG, "type": "BadRequestError", "code": status}}
    with expect_class(core.ContextOverflowError, status):
        ask(mount(lane, evidence, _refuse(status, body)), GREETING)


@pytest.mark.claim("errors.types.core")
@every_way
def test_a_page_in_the_place_of_an_answer_is_an_error(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    page = plan_bytes(502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>")
    with expect_class(core.ModelAPIError, 502) as caught:
        ask(mount(lane, evidence, lambda request: page), GREETING)
    expect_status(caught.value, 502)
    if chosen().ours:
        assert "502" in str(caught.value)


@pytest.mark.claim("errors.sentence.kept")
@every_way
@pytest.mark.parametrize("wording", _WORDINGS)
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "in pieces"])
def test_an_error_says_what_the_server_said(
    lane: str, evidence: Evidence, ask: Callable[..., Any], wording: str, is_cut: bool
) -> None:
    def refuse(request: ReceivedRequest) -> AnswerPlan:
        plan = _refuse(400, _WORDINGS[wording])(request)
        chunks = (plan.body[at : at + 500] for at in range(20, len(plan.body), 500))
        return plan.with_body(plan.body[:20], *chunks) if is_cut else plan

    if wording in _UNRECORDED and not chosen().ours:
        evidence.not_applicable("which other forms of an error are read is for each maker to say")
    with catching() as errors:
        ask(mount(lane, evidence, refuse), GREETING)
    assert errors, "the service refused a request, and nothing was raised"
    assert isinstance(errors[0], core.ModelInvalidRequestError) or not chosen().ours
    assert says(errors[0], _SENTENCE), (
        f"the service said {_WORDINGS[wording]}; neither the error's text nor an attribute of it "
        f"says so: {errors[0]}"
    )


@pytest.mark.claim("errors.sentence.kept")
@every_way
def test_an_error_of_the_service_itself_says_its_sentence(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    observed: list[str] = []

    def listen(plan: AnswerPlan) -> AnswerPlan:
        observed.append(plan.body.decode())
        return plan

    with catching() as errors:
        ask(mount_refused(lane, evidence, change_plans(listen)), GREETING)
    assert errors, "the service refused a request, and nothing was raised"
    assert isinstance(errors[0], core.ModelInvalidRequestError) or not chosen().ours
    assert any(says(errors[0], word) for word in observed[0].split('"') if len(word) > 20), (
        f"the service said {observed[0]}; neither the error's text nor an attribute of it says so: "
        f"{errors[0]}"
    )


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may have one type of error for all that breaks a stream")
@every_way
@pytest.mark.parametrize("status", [400, 401, 404, 429, 503])
@pytest.mark.parametrize("write", [int, str])
def test_an_error_sent_after_the_200_has_the_type_of_its_own_status(
    lane: str, evidence: Evidence, ask: Callable[..., Any], status: int, write: Callable[..., Any]
) -> None:
    code = write(status)

    def fail(_: Any) -> Any:
        return {"error": {"message": _SENTENCE, "type": None, "param": None, "code": code}}

    model = mount(lane, evidence, name_requests("req-9", change_answers(fail)))
    with expect_class(_CLASSES[status], status) as caught:
        ask(model, GREETING)
    assert _SENTENCE in str(caught.value)
    reported: Any = caught.value
    assert (reported.status_code, reported.request_id, reported.body) == (
        status,
        "req-9",
        fail(None),
    )


_LABELS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "limit": ({"type": "rate_limit_error"}, core.ModelRateLimitError),
    "key": ({"code": "authentication_error"}, core.ModelAuthenticationError),
    "permission": ({"type": "permission_error"}, core.ModelPermissionDeniedError),
    "model": ({"type": "NotFoundError"}, core.ModelNotFoundError),
    "model by its code": ({"code": "model_not_found"}, core.ModelNotFoundError),
    "request": ({"type": "invalid_request_error"}, core.ModelInvalidRequestError),
    "request of vLLM": ({"type": "BadRequestError"}, core.ModelInvalidRequestError),
    "request by its status": ({"type": "Bad Request"}, core.ModelInvalidRequestError),
    "time": ({"type": "timeout_error"}, core.ModelTimeoutError),
    "length by its code": ({"code": "context_length_exceeded"}, core.ContextOverflowError),
    "length by its words": ({"message": _TOO_LONG}, core.ContextOverflowError),
    "status": ({"status": 429}, core.ModelRateLimitError),
    "status by its longer name": ({"status_code": "404"}, core.ModelNotFoundError),
    "server": ({"type": "server_error"}, core.ModelAPIError),
}


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may have one type of error for all that breaks a stream")
@every_way
@pytest.mark.parametrize(("about", "kind"), _LABELS.values(), ids=_LABELS)
def test_an_error_sent_after_the_200_without_a_number_has_the_type_of_its_label(
    lane: str,
    evidence: Evidence,
    ask: Callable[..., Any],
    about: dict[str, Any],
    kind: type[Exception],
) -> None:
    model = mount(lane, evidence, change_answers(lambda _: {"error": {"message": "No.", **about}}))
    with pytest.raises(kind) as caught:
        ask(model, GREETING)
    assert isinstance(caught.value, catch("any"))


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may wrap what their users' own code raises")
@every_way
@pytest.mark.parametrize("trouble", [OSError("Mine."), UnicodeError("Mine."), LookupError("Mine.")])
def test_what_a_hook_of_the_users_client_raises_is_passed_on_as_it_is(
    lane: str, evidence: Evidence, ask: Callable[..., Any], trouble: Exception
) -> None:
    def fail(_: Any) -> None:
        raise trouble

    with pytest.raises(type(trouble)) as caught:
        ask(mount(lane, evidence, **make_clients(fail)), GREETING)
    assert caught.value is trouble


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may leave to the hook what it raises")
@every_way
def test_what_a_hook_raises_of_the_http_library_is_an_error_as_any_other(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    def judge(response: Any) -> None:
        response.raise_for_status()

    busy = plan_json(429, {"error": "Not now."})
    clients = make_clients(judge, "response", lambda _: busy)
    with expect("any") as caught:
        ask(mount(lane, evidence, **clients), GREETING)
    assert isinstance(caught.value, core.ModelRateLimitError)


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may wrap what their users' own code raises")
@every_way
def test_what_the_users_own_code_raises_is_passed_on_as_it_is(
    lane: str, evidence: Evidence, ask: Callable[..., Any]
) -> None:
    trouble = LookupError("A hook of mine.")
    seen: list[ReceivedRequest] = []

    def answer(_: ReceivedRequest) -> AnswerPlan:
        raise trouble

    with pytest.raises(LookupError) as caught:
        ask(mount(lane, evidence, note_requests(seen, answer), max_retries=2), GREETING)
    assert caught.value is trouble
    assert len(seen) == 1


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may read their environment when they are made")
@every_way
@pytest.mark.parametrize("flaw", ["certificates", "proxy", "copy"])
@pytest.mark.usefixtures("unshared")
def test_what_keeps_a_request_from_being_sent_is_an_error_as_any_other(
    lane: str,
    evidence: Evidence,
    ask: Callable[..., Any],
    flaw: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def miss(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/no/such/file.pem")

    if flaw == "certificates":
        for kind in (httpx2.HTTPTransport, httpx2.AsyncHTTPTransport):
            monkeypatch.setattr(kind, "__init__", miss)
    if flaw == "proxy":
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:port")
    model = mount(lane, evidence, http_client=None, http_async_client=None)
    if flaw == "copy":
        model = model.model_copy(update={"model_url": "https://chain-abcd1234.api.baseten.co"})
    with expect("any") as caught:
        ask(model, GREETING)
    assert isinstance(caught.value, core.ModelError)


@pytest.mark.claim("errors.key.hidden")
@every_way
@pytest.mark.parametrize("status", [401, 500])
def test_a_key_that_the_server_repeats_stands_in_no_error(
    evidence: Evidence, ask: Callable[..., Any], status: int
) -> None:
    def repeat(request: ReceivedRequest) -> AnswerPlan:
        received = request.header("authorization") if chosen().ours else "of yours"
        return plan_json(status, {"error": f"Bad header {received}"})

    with expect("any") as caught:
        ask(mount("model-apis", evidence, repeat, api_key=_KEY), GREETING)
    error = caught.value
    if not chosen().ours:  # What a server repeats, others need not hide.
        assert "S3cret" not in f"{error} {error!r}", "the error shows the key"
        return
    expect_status(error, status)
    shown = f"{error} {error!r} {[str(value) for value in vars(error).values()]}"
    assert "Bad header" in shown
    assert "S3cret" not in shown, "the error repeats the key that the service repeated"


@pytest.mark.claim("errors.key.hidden")
@pytest.mark.own_client_only("what a server repeats, others need not hide")
@pytest.mark.parametrize("take", TAKES)
def test_nor_does_it_in_one_that_breaks_a_stream(
    evidence: Evidence, take: Callable[..., None]
) -> None:
    event = {"error": {"message": f"Bad header {_KEY}", "code": 500}}

    def repeat(plan: AnswerPlan) -> AnswerPlan:
        return replace(plan, chunks=(*plan.chunks[:8], BodyChunk(encode_event(event))))

    model = mount("model-apis", evidence, change_plans(repeat), api_key=_KEY)
    with expect("any", match="Bad header") as caught:
        take(model, TALE, [])
    assert caught.value.partial.text
    shown = f"{caught.value!r} {[str(value) for value in vars(caught.value).values()]}"
    assert "S3cret" not in shown, "the error repeats the key that the service repeated"


@pytest.mark.claim("errors.key.hidden")
def test_no_log_line_shows_the_key(
    evidence: Evidence, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    caplog.set_level(logging.DEBUG)
    model = mount("dedicated", evidence, api_key=_KEY)
    model.invoke(GREETING)
    asyncio.run(model.ainvoke(GREETING))
    text = _KEY if chosen().ours else _SENTENCE  # What a server repeats, others need not hide.
    failing = mount("model-apis", evidence, _refuse(503, {"error": text}), api_key=_KEY)
    with expect("any"):
        _ask_all(failing)
    assert caplog.records
    logged = f"{caplog.text} {[vars(record) for record in caplog.records]}"
    assert "S3cret" not in logged, "a line of the log shows the key"


def _ask_all(model: Any) -> None:
    _ = [chunk.text for chunk in model.stream(GREETING)]
