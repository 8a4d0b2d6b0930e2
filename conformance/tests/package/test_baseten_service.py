"""The constructor's contract: names, defaults, the environment, and what is refused."""

from __future__ import annotations

import copy
import pickle
import socket
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel, Field, SecretStr

from conformance.tests.package.in_each import in_each
from langchain_baseten import BasetenConnectionError, BasetenEmbeddings, ChatBaseten
from langchain_baseten._config.settings import DEFAULT_API_BASE, DerivedName
from langchain_baseten.chat_models import DEFAULT_MODEL

KEY = "sk-secret-1234567890"
DEDICATED = "https://model-abcd1234.api.baseten.co/environments/production/predict"


def make(**settings: Any) -> ChatBaseten:
    return ChatBaseten(**{"api_key": KEY, **settings})


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


# environment, arguments -> base URL of the requests
BASES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "by default": ({}, {}, DEFAULT_API_BASE),
    "an argument": ({}, {"base_url": "https://a.example/v1"}, "https://a.example/v1"),
    "the old name": ({}, {"baseten_api_base": "https://a.example/v1"}, "https://a.example/v1"),
    "a variable": ({"BASETEN_API_BASE": "https://b.example/v1"}, {}, "https://b.example/v1"),
    "the newer variable first": (
        {"BASETEN_BASE_URL": "https://c.example/v1", "BASETEN_API_BASE": "https://b.example/v1"},
        {},
        "https://c.example/v1",
    ),
    "an empty variable is none": (
        {"BASETEN_BASE_URL": "", "BASETEN_API_BASE": "https://b.example/v1"},
        {},
        "https://b.example/v1",
    ),
    "an argument beats the variables": (
        {"BASETEN_BASE_URL": "https://c.example/v1"},
        {"base_url": "https://a.example/v1"},
        "https://a.example/v1",
    ),
    "a deployment beats them all": (
        {"BASETEN_BASE_URL": "https://c.example/v1"},
        {"model_url": DEDICATED, "base_url": "https://a.example/v1"},
        "https://model-abcd1234.api.baseten.co/environments/production/sync/v1",
    ),
    "a gateway": (
        {"LANGSMITH_GATEWAY": "https://g.example", "LANGSMITH_API_KEY": "ls"},
        {},
        "https://g.example/baseten/v1",
    ),
    "LangSmith's own gateway": (
        {"LANGSMITH_GATEWAY": "true", "LANGSMITH_API_KEY": "ls"},
        {},
        "https://gateway.smith.langchain.com/baseten/v1",
    ),
    **{
        f"a gateway that is switched off by {value!r}": (
            {"LANGSMITH_GATEWAY": value},
            {},
            DEFAULT_API_BASE,
        )
        for value in ("false", "0", "no", "")
    },
    "a deployment is not behind the gateway": (
        {"LANGSMITH_GATEWAY": "https://g.example", "LANGSMITH_API_KEY": "ls"},
        {"model_url": DEDICATED},
        "https://model-abcd1234.api.baseten.co/environments/production/sync/v1",
    ),
}


@pytest.mark.parametrize(
    ("set_variables", "settings", "base"),
    BASES.values(),
    ids=BASES,
    indirect=["set_variables"],
)
@pytest.mark.usefixtures("set_variables")
@pytest.mark.filterwarnings("ignore:model_url and base_url are both given")
def test_the_server_is_the_one_that_was_named(settings: dict[str, Any], base: str) -> None:
    assert make(**settings).endpoint.base_url == base


# arguments -> model name
NAMES: dict[str, tuple[dict[str, Any], str]] = {
    "by default": ({}, DEFAULT_MODEL),
    "an empty name": ({"model": ""}, DEFAULT_MODEL),
    "an argument": ({"model": "a/b"}, "a/b"),
    "the field": ({"model_name": "a/b"}, "a/b"),
    "a deployment's": ({"model_url": DEDICATED}, "model-abcd1234"),
    "a deployment's, by argument": ({"model_url": DEDICATED, "model": "a/b"}, "a/b"),
    "a name that looks like another deployment's": (
        {"model_url": DEDICATED, "model": "model-7b"},
        "model-7b",
    ),
    "a name that looks like a proxy's": (
        {"model_url": DEDICATED, "model": "baseten-model"},
        "baseten-model",
    ),
    "a name that was derived from another URL": (
        {"model_url": DEDICATED, "model": DerivedName("model-zzzz9999")},
        "model-abcd1234",
    ),
    "such a name without a deployment": ({"model": "model-zzzz9999"}, "model-zzzz9999"),
}


@in_each(("settings", "name"), NAMES)
def test_the_model_is_the_one_that_was_named(settings: dict[str, Any], name: str) -> None:
    made = make(**settings)

    assert made.model_name == made.model == name
    assert made._sent_fields()["model"] == name


def test_a_derived_name_follows_the_url_of_a_copy_and_a_chosen_one_does_not() -> None:
    other = "https://model-wxyz9876.api.baseten.co/environments/production/sync/v1"
    copied = make(model_url=DEDICATED).model_copy(update={"model_url": other})

    assert copied.model == copied.model_name == "model-wxyz9876"
    assert make(model_url=DEDICATED, model="a/b").model_copy(update={"model_url": other}).model == (
        "a/b"
    )
    assert make().model_copy(update={"model_url": other}).model == "model-wxyz9876"
    assert make(model_url=DEDICATED).model_copy(update={"model_name": "a/b"}).model == "a/b"
    assert pickle.loads(pickle.dumps(copied)).model == "model-wxyz9876"  # noqa: S301  our own bytes
    configurable: Any = make(model_url=DEDICATED).configurable_fields(
        model_url=ConfigurableField("u")
    )
    configured, _ = configurable.prepare({"configurable": {"u": other}})
    assert configured.model == "model-wxyz9876"


class OwnDefaults(ChatBaseten):
    """A subclass with defaults of its own."""

    baseten_api_base: str = Field("http://127.0.0.1:9/v1", alias="base_url")
    baseten_api_key: SecretStr | None = SecretStr("sk-own-default-0123456789")


class OwnUrl(ChatBaseten):
    """A subclass for one deployment."""

    model_url: str | None = DEDICATED


def test_defaults_of_a_subclass_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_BASE_URL", "https://c.example/v1")
    monkeypatch.setenv("BASETEN_API_KEY", "sk-environment-0123456789")
    own: Any = OwnDefaults
    made = own()

    assert made.endpoint.base_url == "http://127.0.0.1:9/v1"
    assert made.baseten_api_key == SecretStr("sk-own-default-0123456789")
    assert OwnDefaults(base_url="https://a.example/v1").endpoint.base_url == "https://a.example/v1"
    assert OwnUrl().endpoint.deployment == "abcd1234"
    assert OwnUrl().model == "model-abcd1234"


def test_every_alias_is_taken() -> None:
    made = make(model="m", stop_sequences=["x"], timeout=3, max_completion_tokens=5)

    assert (made.model_name, made.stop, made.request_timeout, made.max_tokens) == ("m", ["x"], 3, 5)


def test_a_setting_that_is_none_keeps_its_default() -> None:
    unset = make(model_kwargs=None, streaming=None, base_url=None, stream_chunk_timeout=None)

    assert vars(unset) == vars(make()) | {"stream_chunk_timeout": None}
    assert make().stream_chunk_timeout == 120.0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown name": ({"hologram": 1}, "hologram is not a parameter"),
    "a wrong type": ({"temperature": "hot"}, "temperature"),
    "n of zero": ({"n": 0}, "greater than or equal to 1"),
    "n of a stream": ({"n": 2, "streaming": True}, "a stream is one response"),
    "retries below zero": ({"max_retries": -1}, "greater than or equal to 0"),
    "a header of None": ({"default_headers": {"X": None}}, "default_headers"),
    "a header of a number": ({"default_headers": {"X": 1}}, "default_headers"),
    "a body that is no dict": ({"extra_body": [1]}, "extra_body"),
    "a disabled value outside of a list": ({"disabled_params": {"seed": 5}}, r"write \[5\]"),
    "a disabled value that is a text": ({"disabled_params": {"stop": "a"}}, r"write \['a'\]"),
    "disabled names in a list": ({"disabled_params": ["seed"]}, "disabled_params"),
    "parameters in a list": ({"model_kwargs": [1]}, "model_kwargs"),
    "silence below zero": ({"stream_chunk_timeout": -1}, "stream_chunk_timeout"),
    "silence that is no number": ({"stream_chunk_timeout": float("nan")}, "stream_chunk_timeout"),
    "a timeout in a text": ({"timeout": "30"}, "timeout='30' is not a time limit"),
    "a URL that is none": ({"base_url": "x"}, "https://"),
    "a deployment's URL that is none": ({"model_url": "x"}, "https://"),
}


@in_each(("settings", "words"), REFUSED)
def test_what_cannot_work_is_refused_at_construction(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(**settings)


def test_a_model_can_be_validated_from_a_model() -> None:
    made = make(model="m")

    assert ChatBaseten.model_validate(made) is made


def test_a_model_can_be_validated_from_attributes() -> None:
    given = SimpleNamespace(model_name="m", baseten_api_key=KEY)
    made = ChatBaseten.model_validate(given, from_attributes=True)

    assert (made.model_name, made.baseten_api_key) == ("m", SecretStr(KEY))
    with pytest.raises(ValueError, match="No API key"):
        ChatBaseten.model_validate(SimpleNamespace(model_name="m"), from_attributes=True)


def test_a_copy_keeps_every_setting() -> None:
    made = make(model="m", seed=1, stop=["x"], default_headers={"a": "b", "x-token": "t"})

    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301  our own bytes
        assert vars(other) == vars(made)
        assert other.baseten_api_key == SecretStr(KEY)


def test_a_deep_copy_shares_clients_and_nothing_else() -> None:
    clients = {"http_client": httpx.Client(), "http_async_client": httpx.AsyncClient()}
    made = make(**clients, model_kwargs={"a": [1]})

    for other in (copy.deepcopy(made), made.__deepcopy__()):
        assert other.http_client is clients["http_client"]
        assert other.http_async_client is clients["http_async_client"]
        assert other.model_kwargs == made.model_kwargs
        assert other.model_kwargs["a"] is not made.model_kwargs["a"]


@pytest.mark.parametrize(
    "client",
    [{"http_client": httpx.Client()}, {"http_async_client": httpx.AsyncClient()}],
    ids=["sync", "async"],
)
def test_a_model_with_a_client_of_its_own_does_not_pickle(client: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="connections do not travel"):
        pickle.dumps(make(**client))


def test_every_parameter_is_described() -> None:
    for model, others in ((ChatBaseten, BaseChatModel), (BasetenEmbeddings, BaseModel)):
        own = model.model_fields.keys() - others.model_fields.keys()
        described = {name: model.model_fields[name].description or "" for name in own}
        assert own
        assert [name for name, text in described.items() if not text.endswith(".")] == []


SOURCES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "base_url=": ({}, {"base_url": "https://a.example/v1"}),
    "model_url=": ({}, {"model_url": DEDICATED}),
    "BASETEN_BASE_URL": ({"BASETEN_BASE_URL": "https://a.example/v1"}, {}),
    "BASETEN_API_BASE": ({"BASETEN_API_BASE": "https://a.example/v1"}, {}),
}


@pytest.mark.parametrize(
    ("source", "set_variables", "settings"),
    [(source, *row) for source, row in SOURCES.items()],
    ids=SOURCES,
    indirect=["set_variables"],
)
@pytest.mark.usefixtures("set_variables")
def test_an_error_of_the_connection_names_what_the_url_came_from(
    source: str, settings: dict[str, Any]
) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = httpx.Client(transport=httpx.MockTransport(refuse))
    with pytest.raises(BasetenConnectionError, match=rf":443 \(set by {source}\)"):
        make(max_retries=0, http_client=client, **settings).invoke("a")


def assign(made: ChatBaseten) -> ChatBaseten:
    made.baseten_api_key = KEY
    return made


def assign_by_alias(made: Any) -> Any:
    made.api_key = KEY
    return made


KEYS: dict[str, Any] = {
    "assigned": assign,
    "assigned by its other name": assign_by_alias,
    "a copy's": lambda made: made.model_copy(update={"baseten_api_key": KEY}),
    "past every check": lambda made: made.__dict__.update(baseten_api_key=KEY) or made,
}


@in_each("give", KEYS)
def test_a_plain_key_is_a_secret_whichever_way_it_came(give: Any) -> None:
    made = give(ChatBaseten(model="m", api_key="sk-first-0123456789"))
    request, _ = made._build_request([HumanMessage("a")], None, {}, None, stream=False)

    assert request.auth is not None
    assert request.auth.secrets == [KEY]
    assert KEY not in f"{made!r}{made}{request}"
    assert KEY.encode() not in pickle.dumps(made)


def test_copies_have_connections_of_their_own() -> None:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    made = make()
    others = [copy.copy(made), copy.deepcopy(made), made.model_copy()]
    tuned = made.model_copy(update={"http_socket_options": options})

    assert len({id(other._connections) for other in [made, *others, tuned]}) == 5
    assert tuned._connections._socket_options == tuple(options)
