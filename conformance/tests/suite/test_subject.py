from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr

from conformance.child_environment import child_environment, list_plugins
from conformance.runner import HERE
from conformance.subjects import subject
from conformance.subjects.subject import OwnClient, SubjectError, choose, chosen, read_spec
from langchain_baseten import ChatBaseten

HOME = "conformance.tests.suite.factories"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    choose("")


def test_our_own_client_is_judged_unless_a_factory_is_named() -> None:
    assert isinstance(chosen(), OwnClient)
    assert chosen().ours
    assert chosen().kind is ChatBaseten
    assert chosen().name.startswith("ChatBaseten of langchain-baseten ")
    assert isinstance(chosen().make(model="m", api_key="k"), ChatBaseten)


def test_a_factory_is_judged_once_it_is_named_and_says_whose_it_is() -> None:
    found = choose(f"{HOME}:of_canned_words")
    assert chosen() is found
    assert not found.ours
    assert found.package == "langchain-core"
    assert found.name.startswith("FakeListChatModel of langchain-core ")
    assert found.name.endswith(f", made by {HOME}:of_canned_words")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("of_a_subclass", True),
        ("of_ours", False),  # says so itself
        ("of_a_subclass_with_its_own_clients", False),
        ("of_canned_words", False),
    ],
)
def test_what_derives_from_our_client_counts_as_ours_where_it_can_be_connected_so(
    name: str, ours: bool
) -> None:
    assert choose(f"{HOME}:{name}").ours is ours


def test_models_of_our_client_are_not_kept() -> None:
    kept = len(subject.MADE)
    choose(f"{HOME}:of_a_subclass").make(model="m", api_key="k")
    assert len(subject.MADE) == kept


def test_a_class_from_no_package_is_named_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_list_distributions", dict)
    assert choose(f"{HOME}:of_canned_words").name.startswith("FakeListChatModel, made by ")


def test_a_version_that_nobody_knows_is_said_to_be_unknown() -> None:
    assert subject._find_version("no-such-package-anywhere") == "(not installed)"


def test_what_is_none_is_left_out() -> None:
    given: list[dict[str, Any]] = []

    def build(**settings: Any) -> Any:
        given.append(settings)
        return FakeListChatModel(responses=[])

    subject.Factory("a:b", build).make(model="m", api_key=None)
    assert given[0] == {"model": "m"}


def test_what_a_factory_cannot_take_leaves_the_check_untested() -> None:
    made = choose(f"{HOME}:of_canned_words")
    with pytest.raises(pytest.skip.Exception, match="the factory says: words in cans"):
        made.make(temperature=0.5)


class _Narrow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str
    n: int = 1


def _take_a_model_alone(*, model: str) -> Any:
    return model


@pytest.mark.parametrize("build", [_Narrow, _take_a_model_alone])
def test_an_argument_that_a_constructor_does_not_know_does_not_apply(build: Any) -> None:
    made = subject.Factory("a:b", build)
    with pytest.raises(pytest.skip.Exception, match="makes takes no argument top_k"):
        made.make(model="m", top_k=7)


class _Deaf(FakeListChatModel):
    """Ignores what it has no field for, as pydantic's models do unless they are told otherwise."""

    responses: tuple[str, ...] = ()  # type: ignore[assignment]  # none is ever given
    limit: int | None = Field(default=None, alias="max_tokens")
    other: int | None = Field(default=None, validation_alias=AliasChoices("top_k", "topk"))
    extra: dict[str, Any] = Field(default_factory=dict)
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)


def _deaf(*, seed: int = 0, user: str = "", **settings: Any) -> Any:
    """Hand two arguments on in places of their own."""
    made = _Deaf(extra={"seed": seed}, **settings)
    made._given["user"] = user
    return made


class _Round:
    """A part that cannot be shown, as one that holds itself."""

    def __repr__(self) -> str:
        raise RecursionError("maximum recursion depth exceeded")


def _round(**settings: Any) -> Any:
    return _Deaf(extra={"round": _Round()}, **settings)


class _Curious(_Deaf):
    model_config = ConfigDict(extra="allow")


class _Named(_Deaf):
    model_config = ConfigDict(populate_by_name=True)


def _forgetful(*, cache: Any = None, **settings: Any) -> Any:
    return _Deaf(**settings)


@pytest.mark.parametrize(
    ("build", "given"),
    [
        (_deaf, {"stop": ["END"]}),
        (_deaf, {"limit": 7}),
        (_forgetful, {"cache": InMemoryCache()}),
        (_round, {"stop": ["END"]}),
    ],
)
def test_an_argument_that_leaves_no_trace_does_not_apply(build: Any, given: Any) -> None:
    with pytest.raises(pytest.skip.Exception, match=f"ignores the argument {min(given)}: it has"):
        subject.Factory("a:b", build).make(model="m", max_retries=0, **given)


@pytest.mark.parametrize(
    ("build", "given"),
    [
        (_Named, {"limit": None}),
        (_Named, {"limit": 7}),
        (_deaf, {"cache": InMemoryCache()}),
        (_forgetful, {"disable_streaming": False}),
    ],
)
def test_an_argument_that_every_model_has_is_judged_where_it_is_taken(
    build: Any, given: Any
) -> None:
    assert isinstance(subject.Factory("a:b", build).make(model="m", **given), _Deaf)


@pytest.mark.parametrize("build", [_deaf, _Curious])
@pytest.mark.parametrize("name", ["max_tokens", "top_k", "topk", "seed", "user"])
def test_an_argument_that_left_a_trace_in_what_is_made_is_judged(build: Any, name: str) -> None:
    given = {"model": "m", "api_key": "k", "base_url": "u", "max_retries": 0, name: 7}
    assert isinstance(subject.Factory("a:b", build).make(**given), _Deaf)


def test_no_argument_is_ignored_that_only_the_suite_gave() -> None:
    made = subject.Factory("a:b", _deaf)
    assert isinstance(made.make(max_retries=0), _Deaf)
    with pytest.raises(pytest.skip.Exception, match="ignores the argument max_retries"):
        made.make(max_retries=1)


def test_a_factory_that_demands_what_every_factory_gets_need_not_make_anything_without() -> None:
    made = subject.Factory("a:b", _take_a_model_alone)
    with pytest.raises(pytest.skip.Exception, match="makes nothing without the argument model"):
        made.make()


def _demand_gold(*, gold: str, **_: Any) -> Any:
    return gold


@pytest.mark.parametrize(
    ("build", "given"),
    [
        (_Narrow, {"model": "m", "n": "many"}),
        (_Narrow, {"model": "m", "api_key": "k"}),
        (_take_a_model_alone, {"model": "m", "api_key": "k"}),
        (_demand_gold, {"model": "m"}),
    ],
)
def test_any_other_failure_of_a_constructor_is_its_own(build: Any, given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        subject.Factory("a:b", build).make(**given)


def test_the_standard_suite_sees_a_class() -> None:
    kind = choose(f"{HOME}:of_canned_words").kind
    assert isinstance(kind(model="m"), FakeListChatModel)
    assert kind.bind_tools is BaseChatModel.bind_tools


@pytest.mark.parametrize("spec", ["a", "a:", ":b", "a:b:c", "a.b", "a b:c", "a.:b", "a:b()"])
def test_a_factory_is_written_as_module_and_callable(spec: str) -> None:
    with pytest.raises(SubjectError, match=r"package\.module:callable"):
        read_spec(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such_module_here:make", "cannot be imported: No module named"),
        (f"{HOME}:of_gold", "cannot be imported: module"),
        (f"{HOME}:of_nothing", "returned NoneType, no BaseChatModel"),
        (f"{HOME}:of_trouble", "could not make a model: OSError('no such model here')"),
        (f"{HOME}:of_no_use", "the factory says: never"),
        (f"{HOME}:number", "could not make a model: TypeError"),
    ],
)
def test_a_factory_of_no_use_is_refused_with_the_reason(spec: str, message: str) -> None:
    with pytest.raises(SubjectError) as refusal:
        choose(spec)
    assert message in str(refusal.value)
    assert chosen().ours


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Write a module with a factory; return the factory's spec."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"factory_{tmp_path.name}"

    def write(first: str) -> str:
        (tmp_path / f"{name}.py").write_text(f"{first}\nfrom {HOME} import of_canned_words as make")
        return f"{name}:make"

    yield write
    sys.modules.pop(name, None)


def test_a_module_that_fails_to_import_is_refused_with_the_reason(write: Any) -> None:
    with pytest.raises(SubjectError, match="cannot be imported: ZeroDivisionError"):
        choose(write("1 / 0"))


def test_a_module_that_warns_while_it_is_imported_is_judged(write: Any) -> None:
    with pytest.warns(UserWarning, match="shadows"):
        assert choose(write("import warnings; warnings.warn('shadows')")).name


def test_defaults_of_a_class_that_derives_from_ours_are_known_by_ours() -> None:
    assert choose("").usual == choose(f"{HOME}:of_a_subclass").usual == {}
    assert choose(f"{HOME}:of_canned_words").usual == {}
    found = choose(f"{HOME}:of_a_subclass_with_defaults").usual
    assert found == {"temperature": None, "max_tokens": None}


def test_nothing_that_judges_others_imports_our_client(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(
        "import sys\n"
        "sys.modules['langchain_baseten'] = None\n"
        "from conformance.tests.suite.factories import of_canned_words\n"
    )
    plugins = list_plugins(["checks/standard"])
    command = [sys.executable, "-m", "pytest", *plugins, "-q", "--collect-only"]
    folders = [f"conformance/checks/{name}" for name in ("features", "standard")]
    done = subprocess.run(  # noqa: S603  our own interpreter and our own checks
        [*command, "--target=reference", "--factory=alone:of_canned_words", *folders],
        cwd=HERE.root,
        env=child_environment() | {"PYTHONPATH": f"{HERE.root}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
