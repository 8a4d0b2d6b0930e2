"""The key: read, sent, and missed by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from conformance.checks.features.call_modes import BOTH_WAYS, EVERY_WAY, every_way
from conformance.checks.features.questions import GREETING
from conformance.checks.features.responders import mount, note_requests
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import catch, tolerate
from conformance.subjects.subject import chosen
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

_BEARER = "Bearer your-api-key"
_TEXT_ALONE = "others may take the key as a text alone"


@pytest.mark.claim("credentials.key.environment")
@every_way
@pytest.mark.parametrize("written", ["from-the-shell", " from-the-shell\n"], ids=["bare", "padded"])
def test_the_key_of_the_environment_is_sent_as_a_bearer_token(
    monkeypatch: pytest.MonkeyPatch, evidence: Evidence, ask: Callable[..., Any], written: str
) -> None:
    seen: list[ReceivedRequest] = []
    monkeypatch.setenv("BASETEN_API_KEY", written)
    model = mount("model-apis", evidence, note_requests(seen), api_key=None)
    assert ask(model, GREETING).text
    assert [each.header("authorization") for each in seen] == ["Bearer from-the-shell"]


@pytest.mark.claim("credentials.key.environment")
async def test_the_key_of_the_environment_is_sent_asynchronously_as_well(
    monkeypatch: pytest.MonkeyPatch, evidence: Evidence
) -> None:
    seen: list[ReceivedRequest] = []
    monkeypatch.setenv("BASETEN_API_KEY", "from-the-shell")
    model = mount("dedicated", evidence, note_requests(seen), api_key=None)
    await model.ainvoke(GREETING)
    assert [chunk async for chunk in model.astream(GREETING)]
    assert [each.header("authorization") for each in seen] == ["Bearer from-the-shell"] * 2


@pytest.mark.claim("credentials.key.argument")
@pytest.mark.parametrize("environment", [None, "from-the-shell"], ids=["alone", "both"])
@pytest.mark.parametrize("name", ["api_key", "baseten_api_key"])
@pytest.mark.parametrize("kind", [str, SecretStr])
def test_the_key_given_as_an_argument_is_sent_and_beats_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    evidence: Evidence,
    environment: str | None,
    name: str,
    kind: Callable[[str], Any],
) -> None:
    if name == "baseten_api_key" and not chosen().ours:
        evidence.not_applicable("the argument's other name is langchain-baseten's own")
    seen: list[ReceivedRequest] = []
    if environment:
        monkeypatch.setenv("BASETEN_API_KEY", environment)
    given = {"api_key": None, name: kind("your-api-key")}
    try:
        # Other makers' clients may know of one lane alone.
        lanes = LANES if chosen().ours else ("model-apis",)
        models = [mount(each, evidence, note_requests(seen), **given) for each in lanes]
    except (TypeError, ValueError):
        if chosen().ours or kind is str:
            raise
        evidence.not_applicable(_TEXT_ALONE)
    for model in models:
        with tolerate():
            model.invoke(GREETING)
    is_sent = [each.header("authorization") for each in seen] == [_BEARER] * len(models)
    if kind is SecretStr and not is_sent and not chosen().ours:
        evidence.not_applicable(_TEXT_ALONE)
    assert is_sent, "the key that was given as an argument is not the one that is sent"


@pytest.mark.claim("credentials.key.missing")
@pytest.mark.parametrize("settings", [{"model": "zai-org/GLM-5.2"}, {}], ids=["slug", "nothing"])
def test_without_any_key_the_error_names_the_variable(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="BASETEN_API_KEY"):
        chosen().make(**settings)


@pytest.mark.claim("credentials.key.missing")
@pytest.mark.parametrize("blank", ["", "  \n"], ids=["empty", "white space"])
@pytest.mark.parametrize("place", ["argument", "environment"])
def test_a_key_that_is_only_blank_is_missed_as_well(
    monkeypatch: pytest.MonkeyPatch, blank: str, place: str
) -> None:
    if place == "environment":
        monkeypatch.setenv("BASETEN_API_KEY", blank)
    given: dict[str, Any] = {"api_key": blank} if place == "argument" else {}
    with pytest.raises(ValueError, match="BASETEN_API_KEY"):
        chosen().make(model="zai-org/GLM-5.2", **given)


@pytest.mark.own_client_only("keys that rotate are an addition of langchain-baseten", applies=False)
@pytest.mark.claim("credentials.key.rotates")
async def test_a_function_is_asked_for_the_key_of_each_request(evidence: Evidence) -> None:
    seen: list[ReceivedRequest] = []
    keys: list[str] = []

    def rotate() -> str:
        keys.append(f"rotated-key-{len(keys)}")
        return keys[-1]

    model = mount("model-apis", evidence, note_requests(seen), api_key=rotate)
    model.invoke(GREETING)
    list(model.stream(GREETING))
    await model.ainvoke(GREETING)
    assert [chunk async for chunk in model.astream(GREETING)]
    assert [each.header("authorization") for each in seen] == [f"Bearer {key}" for key in keys]
    assert len(keys) == len(set(keys)) == 4
    shown = f"{model!r}{model.model_dump()}"
    assert "rotate" not in shown, "the model shows its function, or a key that this gave"


@pytest.mark.own_client_only("keys that rotate are an addition of langchain-baseten", applies=False)
@pytest.mark.claim("credentials.key.rotates")
@every_way
def test_a_retry_has_the_key_of_its_own_moment(
    evidence: Evidence, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_baseten._http.retries.choose_wait", lambda _: 0)
    seen: list[ReceivedRequest] = []
    keys = iter(["old-rotated-key", "new-rotated-key"])

    def rotate() -> str:
        return next(keys)

    async def rotate_awaited() -> str:
        return next(keys)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        return respond(request) if len(seen) > 1 else plan_json(503, {"error": "later"})

    key = rotate_awaited if ask in EVERY_WAY[2:] else rotate
    settings = {"api_key": key, "max_retries": 1}
    model = mount("model-apis", evidence, note_requests(seen, answer), **settings)
    assert ask(model, GREETING).text
    assert [each.header("authorization") for each in seen] == [
        "Bearer old-rotated-key",
        "Bearer new-rotated-key",
    ]


@pytest.mark.own_client_only("keys that rotate are an addition of langchain-baseten", applies=False)
@pytest.mark.claim("credentials.key.rotates")
async def test_a_function_runs_in_a_thread_where_the_call_is_awaited(evidence: Evidence) -> None:
    requested: list[int] = []

    def rotate() -> str:
        requested.append(threading.get_ident())
        return "rotated-key"

    model = mount("model-apis", evidence, api_key=rotate)
    await model.ainvoke(GREETING)
    assert [chunk async for chunk in model.astream(GREETING)]
    assert len(requested) == 2
    assert threading.get_ident() not in requested


@pytest.mark.own_client_only("keys that rotate are an addition of langchain-baseten", applies=False)
@pytest.mark.claim("credentials.key.rotates")
def test_what_a_function_raises_is_passed_on_and_an_awaited_one_serves_awaited_calls(
    evidence: Evidence,
) -> None:
    seen: list[ReceivedRequest] = []
    trouble = LookupError("The vault is shut.")

    def refuse() -> str:
        raise trouble

    async def rotate() -> str:
        return "rotated-key"

    for key, kind in ((refuse, LookupError), (rotate, catch("any"))):
        model = mount("model-apis", evidence, note_requests(seen), api_key=key)
        for ask in EVERY_WAY if key is refuse else BOTH_WAYS:
            with pytest.raises(kind) as caught:
                ask(model, GREETING)
            assert key is rotate or caught.value is trouble
    assert seen == []


async def _read_key(key: str) -> str:
    return key


class _Vault:
    async def __call__(self) -> str:
        return "rotated-key"


@pytest.mark.own_client_only("keys that rotate are an addition of langchain-baseten", applies=False)
@pytest.mark.claim("credentials.key.rotates")
@pytest.mark.parametrize("ask", EVERY_WAY[2:])
@pytest.mark.parametrize(
    "read",
    [
        partial(_read_key, "rotated-key"),
        lambda: _read_key("rotated-key"),
        lambda: SecretStr("rotated-key"),
        _Vault(),
    ],
    ids=["partial", "lambda", "secret", "object"],
)
def test_a_function_of_any_form_gives_the_key_where_the_call_is_async(
    evidence: Evidence, ask: Callable[..., Any], read: Any
) -> None:
    seen: list[ReceivedRequest] = []
    ask(mount("model-apis", evidence, note_requests(seen), api_key=read), GREETING)
    assert seen[0].header("authorization") == "Bearer rotated-key"


@pytest.mark.own_client_only(
    "models of other makers need not be changed once they are made", applies=False
)
@pytest.mark.claim("credentials.key.argument")
@every_way
@pytest.mark.parametrize("name", ["api_key", "baseten_api_key"])
def test_a_key_that_is_assigned_is_sent(
    evidence: Evidence, ask: Callable[..., Any], name: str
) -> None:
    seen: list[ReceivedRequest] = []
    model = mount("model-apis", evidence, note_requests(seen), api_key="the-first-key")
    copied = model.model_copy(update={name: "the-third-key"})
    setattr(model, name, "the-second-key")
    for each in (model, copied):
        ask(each, GREETING)
        assert "-key" not in f"{each!r} {each.model_dump()}"
    received = [each.header("authorization") for each in seen]
    assert received == ["Bearer the-second-key", "Bearer the-third-key"]
