"""Secrets: no spelling of a key that a server repeats is shown, and no credential is written."""

from __future__ import annotations

import html
import json
import logging
import pickle
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from traceback import walk_tb
from typing import Any
from urllib.parse import quote

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from pydantic import SecretStr

from conformance.checks.features.call_modes import every_way
from conformance.checks.features.questions import GREETING, ONE_CITY, TALE, get_weather
from conformance.checks.features.responders import (
    REQUEST_ID,
    change_answers,
    find_wire_parts,
    mount,
    name_requests,
    note_bodies,
    note_requests,
)
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import plan_bytes, plan_json
from conformance.subjects.expected_errors import catch, expect
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only(
    "hiding secrets everywhere is an addition of langchain-baseten"
)

_KEY = 'k3y0000a.S3cret/S3cret"S3cret&S3cret+S3cret~?>S3'
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "json": lambda key: json.dumps(key)[1:-1],
    "json by numbers": lambda key: key.replace("S", "\\u0053"),
    "url": lambda key: quote(key, safe=""),
    "html": html.escape,
    "hexadecimal": lambda key: key.encode().hex(),
    "base64": lambda key: b64encode(f"user:{key}".encode()).decode(),
    "base64 behind another letter": lambda key: b64encode(f"user-:{key}".encode()).decode(),
    "base64 behind two": lambda key: b64encode(f"user--:{key}".encode()).decode(),
    "base64 of URLs": lambda key: urlsafe_b64encode(key.encode()).decode(),
    "cut": lambda key: key[:24],
    "cut at its beginning": lambda key: key[-24:],
}
_BEGUN = re.compile(r"\w+(?=\[redacted\])")
"""What stands before a key in base64."""


def _show(error: BaseException) -> str:
    reported = [str(value) for value in vars(error).values()]
    package = type(error).__module__.partition(".")[0]
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    held = [
        f"{name}={value!r}"
        for frame in frames
        if frame.f_globals["__name__"].partition(".")[0] == package
        for name, value in frame.f_locals.items()
    ]
    chained = f"{error.__cause__!r} {error.__context__!r}"
    return f"{error} {error!r} {reported} {held} {chained} {pickle.dumps(error).decode('latin-1')}"


@pytest.mark.claim("errors.key.hidden")
@every_way
@pytest.mark.parametrize("spell", _SPELLINGS.values(), ids=_SPELLINGS)
def test_no_spelling_of_a_key_that_the_server_repeats_is_shown(
    evidence: Evidence, ask: Ask, spell: Callable[[str], str]
) -> None:
    spelt = spell(_KEY)
    model = mount(
        "model-apis",
        evidence,
        lambda _: plan_json(401, {"error": f"Bad key <{spelt}>, {spelt}."}, {"x-key": spelt}),
        api_key=_KEY,
    )
    with expect("any") as caught:
        ask(model, GREETING)
    error = caught.value
    assert spelt not in _show(error)
    reported = (str(error).partition(" (")[0], error.body["error"], error.response.headers["x-key"])
    sentence = "Bad key <[redacted]>, [redacted]."
    assert tuple(_BEGUN.sub("", text) for text in reported) == (sentence, sentence, "[redacted]")


@pytest.mark.claim("errors.key.hidden")
@every_way
@pytest.mark.parametrize(
    ("key", "hidden"),
    [("s3cr3t", "<[redacted]>, not as3cr3tz."), ("EMPTY", "<EMPTY>, not aEMPTYz.")],
)
def test_a_short_key_is_hidden_where_it_stands_alone_and_is_no_word(
    evidence: Evidence, ask: Ask, key: str, hidden: str
) -> None:
    refusal = plan_json(401, {"error": f"Bad key <{key}>, not a{key}z."})
    with expect("any") as caught:
        ask(mount("model-apis", evidence, lambda _: refusal, api_key=key), GREETING)
    assert str(caught.value).startswith(f"Bad key {hidden}")


@pytest.mark.claim("errors.key.hidden")
@every_way
def test_the_key_of_an_earlier_try_is_hidden_as_well(
    evidence: Evidence, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_baseten._http.retries.choose_wait", lambda _: 0)
    keys, seen = [_SECRET, f"{_KEY}-2"], []

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(str(request.header("authorization")))
        return plan_json(503, {"error": f"Bad {' and '.join(seen)}"})

    rotating = {"api_key": lambda: keys[len(seen) > 0], "max_retries": 1}
    with expect("any", match="Bad Bearer .* and Bearer ") as caught:
        ask(mount("model-apis", evidence, answer, **rotating), GREETING)
    assert len(seen) > 1
    assert "S3cret" not in _show(caught.value)


@pytest.mark.claim("errors.key.hidden")
@every_way
@pytest.mark.parametrize("place", ["default_headers", "default_query", "extra_headers"])
def test_nor_is_a_credential_of_a_gateway(evidence: Evidence, ask: Ask, place: str) -> None:
    given = {place: {"x-functions-key" if "headers" in place else "code": _SECRET}}
    of_call = given if place == "extra_headers" else {}
    model = mount(
        "model-apis",
        evidence,
        lambda _: plan_json(401, {"error": f"Bad key <{_SECRET}>."}),
        **({} if of_call else given),
    )
    with expect("any", match="Bad key") as caught:
        ask(model, GREETING, **of_call)
    assert _SECRET not in _show(caught.value)


@pytest.mark.claim("errors.key.hidden")
@every_way
def test_no_log_of_a_request_shows_the_credentials_in_its_query(
    evidence: Evidence, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ask(mount("model-apis", evidence, default_query={"code": _SECRET}), GREETING)
    assert "/chat/completions" in caplog.text
    assert _SECRET not in f"{caplog.text} {[vars(record) for record in caplog.records]}"


@pytest.mark.claim("errors.key.hidden")
@every_way
def test_a_key_inside_a_response_is_hidden_but_in_the_words_of_the_model(
    evidence: Evidence, ask: Ask
) -> None:
    texts = iter([f"You have {_KEY}."])

    def repeat(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            if part.get("content"):
                part["content"] = next(texts, "")
        echo = {_KEY: _KEY, "headers": _SECRET, "query": [_SIGNATURE]}
        return payload | {"system_fingerprint": _KEY, "echo": echo}

    own = {
        "default_headers": {"x-functions-key": _SECRET},
        "default_query": {"sig": _SIGNATURE},
    }
    answer = name_requests(f"req-{_KEY}", change_answers(repeat))
    model = mount("model-apis", evidence, answer, api_key=_KEY, **own)
    message = ask(model, TALE, include_response_headers=True)
    assert _KEY in (message.text or _KEY), "what the model wrote was hidden"
    reported = message.response_metadata
    assert "[redacted]" in reported.get("system_fingerprint", "[redacted]")
    shown = [secret for secret in ("S3cret", _SIGNATURE) if secret in str(reported)]
    assert not shown, "the response metadata repeat the key or a credential"


@pytest.mark.claim("errors.key.hidden")
@every_way
def test_a_key_in_a_call_or_in_reasoning_is_as_the_model_wrote_it(
    evidence: Evidence, ask: Ask
) -> None:
    def repeat(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            for call in part.get("tool_calls") or ():
                begins = bool(call["function"].get("name"))
                part["reasoning_content"] = _KEY if begins else ""
                call["id"] = _KEY
                call["function"]["arguments"] = json.dumps({"city": _KEY}) if begins else ""
        for choice in payload["choices"]:
            choice["logprobs"] = {"content": [{"token": _KEY}]}
        return payload

    model = mount("model-apis", evidence, change_answers(repeat), api_key=_KEY)
    message = ask(model.bind_tools([get_weather]), ONE_CITY)
    # That each of them arrives is what other checks ask; here what arrives is not hidden.
    reported = [text for call in message.tool_calls for text in (call["id"], call["args"])]
    reported.append(message.additional_kwargs.get("reasoning_content"))
    reported.append(message.response_metadata.get("logprobs"))
    assert any(reported), "nothing of what the model wrote arrived"
    hidden = [part for part in reported if part and _KEY not in str(part)]
    assert not hidden, "what the model wrote was hidden as if it were the client's key"


@pytest.mark.claim("errors.key.hidden")
@every_way
def test_a_key_in_an_error_behind_the_200_is_hidden(evidence: Evidence, ask: Ask) -> None:
    def fail(payload: Any) -> Any:
        return {"error": {"message": f"Bad key {_KEY}", "code": 500}}

    page = {"x-region": _KEY, REQUEST_ID: _KEY}, f"<html>Bad key {_KEY}</html>".encode()
    for answer in (change_answers(fail), lambda _: plan_bytes(200, "text/html", page[1], page[0])):
        model = mount("model-apis", evidence, name_requests(f"req-{_KEY}", answer), api_key=_KEY)
        with expect("any", match="Bad key") as caught:
            ask(model, TALE)
        assert "S3cret" not in _show(caught.value), "the error repeats the key"


@pytest.mark.claim("errors.sentence.kept")
@every_way
def test_an_error_holds_no_control_characters_and_what_was_received(
    lane: str, evidence: Evidence, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="langchain_baseten")
    sentence = "Le \x1b[31mphare\x1b[0m est fermé\u202e, 灯台は\x07\x84\u200b閉まって\r\nいます。"
    nested: list[Any] = []
    for _ in range(90):  # of 100 levels that are read
        nested = [nested]
    body = {"error": sentence, "about": nested}
    headers = {"x-baseten-request-id": "req-8\x1b[1m"}
    model = mount(lane, evidence, lambda _: plan_json(400, body, headers))
    with expect("invalid-request") as caught:
        ask(model, GREETING)
    error, text = caught.value, str(caught.value)
    assert all(each.isprintable() for each in text), f"control characters are in {text!r}"
    assert all(word in text for word in ("phare", "est fermé", "灯台は", "います。"))
    assert error.body == body
    assert json.loads(error.response.text) == body
    assert (error.response.status_code, error.request_id) == (400, "req-8")
    assert "\x1b" not in caplog.text


@pytest.mark.claim("metadata.finish.reason")
@every_way
def test_kept_headers_hold_no_cookies(lane: str, evidence: Evidence, ask: Ask) -> None:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        named = (("set-cookie", "a=1"), ("x-region", "eu"))
        return type(plan)(plan.status, (*plan.headers, *named), plan.chunks, plan.ending)

    reported = ask(mount(lane, evidence, answer, include_response_headers=True), GREETING)
    headers = reported.response_metadata["headers"]
    assert headers["x-region"] == "eu"
    assert "set-cookie" not in headers


class _Trace(BaseCallbackHandler):
    def __init__(self) -> None:
        self.starts: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **about: Any) -> None:
        self.starts.append((serialized, about))


_SECRET = "S3cret-4f9a8b7c6d5e4f3a2b1c"
_SIGNATURE = "91ab72cd63ef54"
_CREDENTIALS: dict[str, dict[str, Any]] = {
    "x-functions-key": {"default_headers": {"x-functions-key": _SECRET}},
    "X-Amz-Security-Token": {"default_headers": {"X-Amz-Security-Token": _SECRET}},
    "Cookie": {"default_headers": {"Cookie": f"session={_SECRET}"}},
    "bearer": {"default_headers": {"x-forward": f"Bearer {_SECRET}"}},
    "sig": {"default_query": {"sig": _SECRET}},
    "code": {"default_query": {"code": _SECRET}},
    "web token": {"default_headers": {"x-user": f"eyJhbGciOiJIUzI1NiJ9.{_SECRET}"}},
    "random letters": {"default_query": {"v": "S3cret4f9A8b7C6d5E4f3A2b1C"}},
    "secret text": {
        "default_headers": {"x-api-key": SecretStr(_SECRET), "x-team": SecretStr(_SECRET)}
    },
    "url": {"base_url": f"https://inference.baseten.co/v1?code={_SECRET}&team=harbour"},
}


@pytest.mark.claim("package.serialise.key")
@pytest.mark.parametrize("settings", _CREDENTIALS.values(), ids=_CREDENTIALS)
def test_no_credential_of_a_gateway_is_written(settings: dict[str, Any]) -> None:
    model = chosen().make(**{"model": "zai-org/GLM-5.2", "api_key": FAKE_KEY, **settings})
    written = {
        "repr": f"{model!r} {model}",
        "dump": f"{model.model_dump()} {model.model_dump_json()} {dumps(model)}",
        "pickle": pickle.dumps(model).decode("latin-1"),
        "cache key": model._get_llm_string(),
        "bound": repr(model.bind(stop=["a"])),
    }
    assert [name for name, text in written.items() if "S3cret" in text] == []
    assert "harbour" not in f"{written['repr']} {model.default_query}"
    assert "S3cret" in f"{model.default_headers} {model.default_query}"
    if "base_url" in settings:
        plain = chosen().make(model="zai-org/GLM-5.2", api_key=FAKE_KEY)
        assert plain.model_copy(update=settings).default_query == model.default_query


@pytest.mark.claim("metadata.tracing.parameters")
@every_way
def test_no_credential_of_a_model_or_a_call_is_traced(evidence: Evidence, ask: Ask) -> None:
    trace = _Trace()
    seen: list[ReceivedRequest] = []
    given = {"default_headers": {"x-functions-key": _SECRET}, "default_query": {"sig": _SECRET}}
    model = mount("model-apis", evidence, note_requests(seen), **given)
    ask(
        model,
        GREETING,
        extra_headers={"x-api-key": f"{_SECRET}-8"},
        extra_query={"code": f"{_SECRET}-9"},
        config={"callbacks": [trace]},
    )
    assert len(trace.starts) == 1
    assert "S3cret" not in str(trace.starts), "the trace shows what authenticates"
    assert {("x-functions-key", _SECRET), ("x-api-key", f"{_SECRET}-8")} <= {*seen[0].headers}
    assert seen[0].target.endswith(f"?sig={_SECRET}&code={_SECRET}-9")


@pytest.mark.claim("package.serialise.key")
def test_calls_that_differ_in_credentials_alone_have_one_cache_key() -> None:
    model = chosen().make(model="zai-org/GLM-5.2", api_key=FAKE_KEY)
    options = (
        {"extra_headers": {"x-api-key": f"{_SECRET}-{number}"}, "extra_query": {"sig": str(number)}}
        for number in (1, 2)
    )
    assert len({model._get_llm_string(**each) for each in options}) == 1
    assert model._get_llm_string(temperature=0.1) != model._get_llm_string()


_ELSEWHERE = f"https://elsewhere.example/{_SECRET}"
_SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("api_key", "baseten_api_key", "http_client", "http_async_client"), _SECRET),
    **dict.fromkeys(("base_url", "baseten_api_base", "model_url"), _ELSEWHERE),
    **dict.fromkeys(("max_response_bytes", "max_event_bytes", "http_socket_options"), 1),
    **dict.fromkeys(("disabled_params", "streaming"), True),
}


@pytest.mark.claim("parameters.given.sent")
@every_way
@pytest.mark.parametrize("place", ["itself", "model_kwargs"])
def test_a_setting_of_the_client_is_rejected_as_an_option_of_a_call(
    lane: str, evidence: Evidence, ask: Ask, place: str
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    for name, value in _SETTINGS.items():
        option = {name: value}
        with expect("unsendable", match=name) as caught:
            ask(model, GREETING, **(option if place == "itself" else {place: option}))
        assert "S3cret" not in str(caught.value), "the error shows what authenticates"
        assert sent == [], f"{name} was given as an option of a call, and a request was sent"
    with pytest.raises(ValueError, match="no_such_setting"):
        chosen().make(model="zai-org/GLM-5.2", api_key=FAKE_KEY, no_such_setting=1)
    assert not issubclass(ValueError, catch("any"))
