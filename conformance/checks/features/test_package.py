"""The package by its name, and a model as a value that can be written down without its key."""

from __future__ import annotations

import copy
import importlib
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import SecretStr

from conformance.checks.features.call_modes import every_way
from conformance.claims.table import load_table
from conformance.subjects.expected_errors import expect
from conformance.subjects.subject import chosen

# Each of these promises is one of the package, not of chat models in general.
pytestmark = pytest.mark.own_client_only(
    "the claim is about the package langchain-baseten", applies=False
)

_KEY = "k3y0000a.S3cretS3cretS3cretS3cretS3cretS3"
_DEDICATED = "https://model-abcd1234.api.baseten.co/environments/production/predict"

_MODELS: dict[str, dict[str, Any]] = {
    "slug": {"model": "zai-org/GLM-5.2"},
    "url": {"model_url": _DEDICATED},
    "base": {"model": "m", "base_url": "https://proxy.example/team/v1"},
    "settings": {
        "model": "zai-org/GLM-5.2",
        "temperature": 0.5,
        "max_tokens": 100,
        "stop": ["END"],
        "logit_bias": {7: -1.0},
        "reasoning_effort": "high",
        "streaming": True,
        "model_kwargs": {"top_k": 40},
        "extra_body": {"min_p": 0.1},
        "default_headers": {"X-Team": "harbour"},
        "timeout": 30,
        "max_retries": 7,
        "output_version": "v1",
        "tags": ["a"],
    },
}

_WRITERS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "dumps": dumps,
    "dumpd": dumpd,
    "pretty": lambda model: dumps(model, pretty=True),
    "to_json": lambda model: model.to_json(),
    "fields": lambda model: model.model_dump(),
    "json": lambda model: model.model_dump_json(),
    "pickle": lambda model: pickle.dumps(model).decode("latin-1"),
    "copy": copy.deepcopy,
    "bound": lambda model: model.bind(stop=["a"]),
    "identity": lambda model: model._identifying_params,
    "cache key": lambda model: model._get_llm_string(),
}


_TRAVELS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301  our own
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
}


@pytest.mark.claim("package.import.name")
def test_the_package_that_the_page_names_has_the_class_that_it_names() -> None:
    table = load_table()
    named = re.search(r"`([\w-]+)`", table.claims["package.import.name"].sentence)
    assert named is not None
    package = importlib.import_module(named[1].replace("-", "_"))
    exported = getattr(package, table.pages["chat"].title)
    assert issubclass(exported, BaseChatModel)
    assert exported.__module__.partition(".")[0] == package.__name__
    assert exported.__name__ in package.__all__


@pytest.mark.claim("package.import.name")
def test_every_public_name_of_the_package_is_there() -> None:
    package = importlib.import_module("langchain_baseten")
    assert package.__all__ == sorted(set(package.__all__))
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


@pytest.mark.claim("drop-in.names.known")
def test_every_parameter_is_described() -> None:
    fields = type(chosen().make(model="zai-org/GLM-5.2", api_key=_KEY)).model_fields
    inherited = BaseChatModel.model_fields.keys()
    assert [name for name in fields.keys() - inherited if not fields[name].description] == []


@pytest.mark.claim("package.serialise.round-trip")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("settings", _MODELS.values(), ids=_MODELS)
def test_a_model_dumps_and_loads_again_equal_to_itself(settings: dict[str, Any]) -> None:
    model = chosen().make(**settings, api_key=_KEY)
    kind = type(model)
    allowed: dict[str, Any] = {
        "allowed_objects": [kind],
        "valid_namespaces": [kind.__module__.partition(".")[0]],
        "secrets_map": {"BASETEN_API_KEY": _KEY},
    }
    for loaded in (loads(dumps(model), **allowed), load(dumpd(model), **allowed)):
        assert type(loaded) is kind
        assert loaded == model.model_copy(update={"tags": None})  # langchain-core dumps no tags
        assert loaded.model_dump() == model.model_dump()
        assert loaded.endpoint == model.endpoint
        assert dumps(loaded) == dumps(model)


@pytest.mark.claim("package.serialise.key")
@pytest.mark.parametrize("place", ["argument", "environment"])
@pytest.mark.parametrize("write", _WRITERS.values(), ids=_WRITERS)
def test_nothing_that_is_written_of_a_model_holds_the_key(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[Any], Any], place: str
) -> None:
    if place == "environment":
        monkeypatch.setenv("BASETEN_API_KEY", _KEY)
    given: dict[str, Any] = {"api_key": _KEY} if place == "argument" else {}
    model = chosen().make(**_MODELS["settings"], **given)
    written = write(model)
    assert isinstance(model.baseten_api_key, SecretStr)
    assert model.baseten_api_key.get_secret_value() == _KEY
    assert written
    assert "S3cret" not in f"{written}{written!r}", "what is written of the model holds its key"


@pytest.mark.claim("package.serialise.key")
@pytest.mark.parametrize("name", ["repr", "str", "dumps", "dumpd", "pickle", "copy", "cache key"])
def test_nor_a_key_that_was_given_as_a_header(name: str) -> None:
    headers = {"Authorization": f"Bearer {_KEY}", "X-Team": "harbour"}
    model = chosen().make(model="zai-org/GLM-5.2", api_key=_KEY, default_headers=headers)
    shown = f"{_WRITERS[name](model)}"
    assert "S3cret" not in shown, "what is written of the model holds the key in its headers"
    assert model.default_headers == headers


@pytest.mark.claim("package.serialise.key")
def test_a_copy_on_disk_finds_the_key_in_the_environment_of_its_reader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "model.pickle"
    file.write_bytes(pickle.dumps(chosen().make(model="zai-org/GLM-5.2", api_key=_KEY)))
    assert b"S3cret" not in file.read_bytes(), "the pickle holds the key"
    # Another process remembers no keys.
    references = importlib.import_module("langchain_baseten._config.references")
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", references.SecretTable())
    monkeypatch.setenv("BASETEN_API_KEY", "the-readers-own")
    with pytest.warns(UserWarning, match="pickled with another API key"):
        read = pickle.loads(file.read_bytes())  # noqa: S301  pickled a few lines above
    assert read.model_name == "zai-org/GLM-5.2"
    assert read.baseten_api_key.get_secret_value() == "the-readers-own"


@pytest.mark.claim("package.pickle.key")
@pytest.mark.parametrize("settings", _MODELS.values(), ids=_MODELS)
@pytest.mark.parametrize("travel", _TRAVELS.values(), ids=_TRAVELS)
def test_a_copy_is_equal_and_finds_its_key_again(
    settings: dict[str, Any], travel: Callable[[Any], Any]
) -> None:
    model = chosen().make(**settings, api_key=_KEY)
    copied = travel(model)
    assert copied is not model
    assert copied == model
    assert copied.model_dump() == model.model_dump()
    assert copied.endpoint == model.endpoint
    assert copied.baseten_api_key.get_secret_value() == _KEY


@pytest.mark.claim("package.pickle.key")
@pytest.mark.parametrize("travel", [_TRAVELS[name] for name in ("deep copy", "pickle")])
def test_what_is_changed_in_a_deep_copy_stays_there(travel: Callable[[Any], Any]) -> None:
    model = chosen().make(
        model="zai-org/GLM-5.2", api_key=_KEY, model_kwargs={"new": {"a": 1}}, stop=["END"]
    )
    copied = travel(model)
    copied.model_kwargs["new"]["a"] = 2
    copied.stop.append("two")
    assert (model.model_kwargs, model.stop) == ({"new": {"a": 1}}, ["END"])


@pytest.mark.claim("package.pickle.key")
def test_a_pickle_holds_no_key() -> None:
    model = chosen().make(**_MODELS["settings"], api_key=_KEY)
    assert b"S3cret" not in pickle.dumps(model), "the pickle holds the key"


@pytest.mark.claim("package.pickle.key")
@pytest.mark.parametrize("travel", _TRAVELS.values(), ids=_TRAVELS)
def test_a_copy_has_all_headers_and_parameters_of_the_query(travel: Callable[[Any], Any]) -> None:
    given = {
        "default_headers": {"X-Team": "harbour", "Ocp-Apim-Subscription-Key": _KEY},
        "default_query": {"version": "7", "code": _KEY},
    }
    copied = travel(chosen().make(model="zai-org/GLM-5.2", api_key=_KEY, **given))
    assert {name: dict(getattr(copied, name)) for name in given} == given


@pytest.mark.claim("package.serialise.round-trip")
@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.model_copy(update={"temperature": 0.25}),
        lambda model: _assign(copy.copy(model), temperature=0.25),
        lambda model: _assign(copy.deepcopy(model), temperature=0.25),
    ],
    ids=["model_copy", "copy", "deepcopy"],
)
def test_a_copy_dumps_its_own_values(change: Callable[[Any], Any]) -> None:
    model = chosen().make(model="zai-org/GLM-5.2", api_key=_KEY, temperature=0.5)
    assert model._serialized  # what langchain-core keeps for traces
    copied = change(model)
    assert copied._serialized["kwargs"]["temperature"] == 0.25
    assert dumpd(copied)["kwargs"]["temperature"] == 0.25
    assert dumpd(model)["kwargs"]["temperature"] == 0.5


def _assign(model: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(model, name, value)
    return model


@pytest.mark.claim("package.pickle.key")
def test_chains_and_limiters_of_rate_travel_with_a_model() -> None:
    limiter = InMemoryRateLimiter(
        requests_per_second=7, check_every_n_seconds=0.01, max_bucket_size=3
    )
    model = chosen().make(model="zai-org/GLM-5.2", api_key=_KEY, rate_limiter=limiter)
    travel = _TRAVELS["pickle"]
    reported = travel(model).rate_limiter
    assert (
        reported.requests_per_second,
        reported.check_every_n_seconds,
        reported.max_bucket_size,
    ) == (
        7,
        0.01,
        3,
    )
    for include_raw in (False, True):
        chain = model.with_structured_output({"title": "Visit"}, include_raw=include_raw)
        written = pickle.dumps(chain)
        assert b"S3cret" not in written
        assert travel(chain).first.bound.baseten_api_key.get_secret_value() == _KEY


@pytest.mark.claim("package.pickle.key")
@every_way
@pytest.mark.parametrize(
    ("field", "name"),
    [("default_headers", "Ocp-Apim-Subscription-Key"), ("default_query", "code")],
)
def test_a_copy_whose_credentials_nobody_remembers_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Any], field: str, name: str
) -> None:
    given = {field: {"team": "harbour", name: _KEY}}
    written = pickle.dumps(chosen().make(model="zai-org/GLM-5.2", api_key=_KEY, **given))
    references = importlib.import_module("langchain_baseten._config.references")
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", references.SecretTable())
    monkeypatch.setenv("BASETEN_API_KEY", _KEY)
    read = pickle.loads(written)  # noqa: S301  pickled a few lines above
    with expect("unsendable", match=name):
        ask(read, "Hello")
    setattr(read, field, given[field])
    assert getattr(read, field) == given[field]


def _read_key() -> str:
    return _KEY


@pytest.mark.claim("package.pickle.key")
def test_a_function_that_gives_the_key_travels_by_its_name_or_not_at_all() -> None:
    model = chosen().make(model="zai-org/GLM-5.2", api_key=_read_key)
    written = pickle.dumps(model)
    assert (b"_read_key" in written, b"S3cret" in written) == (True, False)
    copied = pickle.loads(written)  # noqa: S301  pickled a few lines above
    assert copied.baseten_api_key == model.baseten_api_key
    with pytest.raises(TypeError, match="api_key"):
        pickle.dumps(chosen().make(model="zai-org/GLM-5.2", api_key=lambda: _KEY))


@pytest.mark.claim("package.pickle.key")
def test_a_key_that_was_forgotten_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    references = importlib.import_module("langchain_baseten._config.references")
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", references.SecretTable(1))
    monkeypatch.setenv("BASETEN_API_KEY", "the-environments-own")
    models = [
        chosen().make(model="zai-org/GLM-5.2", api_key=key) for key in (_KEY, "the-second-key")
    ]
    written = [pickle.dumps(model) for model in models]
    forgotten = pickle.loads(written[0])  # noqa: S301  pickled a line above
    with expect("any", match="without its API key"):
        forgotten.invoke("Hello")


@pytest.mark.claim("package.pickle.key")
@pytest.mark.parametrize("used", ["written", "read"])
def test_the_key_that_was_used_last_is_forgotten_last(
    monkeypatch: pytest.MonkeyPatch, used: str
) -> None:
    references = importlib.import_module("langchain_baseten._config.references")
    assert references.SecretTable()._limit == 10_000
    monkeypatch.setattr(references, "_SECRETS_BY_REFERENCE", references.SecretTable(2))
    keys = ("the-first-key", "the-second-key", "the-third-key")
    first, second, third = (chosen().make(model="zai-org/GLM-5.2", api_key=key) for key in keys)
    written = [pickle.dumps(model) for model in (first, second)]
    if used == "written":
        pickle.dumps(first)
    else:
        pickle.loads(written[0])  # noqa: S301  pickled a line above
    pickle.dumps(third)
    kept, lost = (pickle.loads(each).baseten_api_key for each in written)  # noqa: S301  as above
    assert (kept.get_secret_value(), lost) == ("the-first-key", None)
