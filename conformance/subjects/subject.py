"""Who is judged: our own client, or what somebody's factory makes.

Knows how a model is made and named, and that our client is imported only when it is the one that
is judged. Must not know how a model is met (`connect`) nor what counts as a typed error.
"""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import httpx2
import pytest
from pydantic import ValidationError

from conformance.subjects.silence import listen
from conformance.targets import LANES, choose_settings
from conformance.verdicts.evidence import end_inapplicable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from langchain_core.language_models import BaseChatModel

__all__ = [
    "MADE",
    "Factory",
    "OwnClient",
    "Subject",
    "SubjectError",
    "choose",
    "chosen",
    "is_defect",
    "read_spec",
]

_EVERYBODYS = {"model", "api_key", "base_url", "model_url"}
"""What each factory has to take."""
_NOWHERE = "http://127.0.0.1:9"
"""A sample is made for its class alone; nothing is ever sent there."""
_OWN_BASE = "langchain_baseten._config.service"
"""A module that only this repository's package has: release 0.2.5 has the same import name."""


MADE: list[tuple[Any, dict[str, Any]]] = []
"""What a factory made for the running check, each with its arguments; none that are `ours`."""


class SubjectError(ValueError):
    """The factory cannot be used; the message says what is wrong with it and what to do."""


class Subject(Protocol):
    """Who is judged: `OwnClient` or a `Factory`, which says what each of these is."""

    @property
    def ours(self) -> bool: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def package(self) -> str: ...
    @property
    def usual(self) -> Mapping[str, Any]: ...
    def make(self, **settings: Any) -> Any: ...


class OwnClient:
    """The client of this repository."""

    ours = True
    package = "langchain-baseten"
    usual: Mapping[str, Any] = MappingProxyType({})

    @property
    def name(self) -> str:
        """Name and version."""
        return f"ChatBaseten of {self.package} {_find_version(self.package)}"

    @cached_property
    def kind(self) -> Any:
        """The class, imported when first asked for."""
        return importlib.import_module("langchain_baseten").ChatBaseten

    def make(self, **settings: Any) -> Any:
        """Make a model from constructor's arguments."""
        return self.kind(**settings)


class _AsClass:
    """What LangChain's standard suite takes for a class: it calls it, and looks at its methods."""

    def __init__(self, factory: Factory, kind: type[BaseChatModel]) -> None:
        self._factory = factory
        self._kind = kind

    def __call__(self, **settings: Any) -> BaseChatModel:
        return self._factory.make(**settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kind, name)


@dataclass(frozen=True)
class Factory:
    """What somebody's callable makes.

    Attributes:
        spec: Where the callable stands: `package.module:callable`.
        build: The callable. It gets keyword arguments only: `model`, `api_key`, one of `base_url`
            and `model_url`, `max_retries`, and what a check varies (`temperature`, `max_tokens`,
            `stop`, `stream_usage`, ...). It raises NotImplementedError, with a reason, for what it
            cannot take: the check does then not apply, and the report says why. Nor does it where
            the constructor knows no argument of that name, whether it raises or ignores it. If it
            has an attribute `third_party` that is true, what it makes is judged as another maker's,
            even where it derives from ChatBaseten.
    """

    spec: str
    build: Callable[..., Any]

    @cached_property
    def ours(self) -> bool:
        """Whether what is made derives from ChatBaseten, and can be answered inside this process.

        Checks that look inside our client connect it by the arguments for HTTP clients.
        """
        bases = {base.__module__ for base in self._class.__mro__}
        if getattr(self.build, "third_party", False) or _OWN_BASE not in bases:
            return False
        clients = {"http_client": httpx2.Client(), "http_async_client": httpx2.AsyncClient()}
        try:
            made = self._build_sample(**clients)
        except (Exception, pytest.skip.Exception):  # noqa: BLE001  somebody's code may raise anything
            return False
        return all(getattr(made, name) is client for name, client in clients.items())

    @cached_property
    def usual(self) -> Mapping[str, Any]:
        """ChatBaseten's defaults, where the class of what is made has others."""
        fields = OwnClient().kind.model_fields if self.ours else {}
        own = self._class.model_fields
        return {n: f.default for n, f in fields.items() if f.default != own[n].default}

    def make(self, **settings: Any) -> BaseChatModel:
        """Make a model; what is None is left out, as if it were not there.

        Raises:
            SubjectError: What came back is no LangChain chat model.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        made = self._build(given)
        if name := self._find_ignored(made, given):
            end_inapplicable(f"what the factory makes ignores the argument {name}: it has none")
        if not self.ours:
            MADE.append((made, given))
            listen(type(made))
        return made

    def _build(self, given: dict[str, Any]) -> BaseChatModel:
        try:
            made = self.build(**given)
        except NotImplementedError as reason:
            end_inapplicable(f"the factory says: {reason}")
        except (TypeError, ValueError) as error:
            if name := _find_unknown(error, given.keys() - _EVERYBODYS):
                end_inapplicable(f"what the factory makes takes no argument {name}")
            if name := _find_demanded(error, _EVERYBODYS - given.keys()):
                end_inapplicable(f"the factory makes nothing without the argument {name}")
            raise
        # Imported late: whoever only reads a factory's name need not wait a second for it.
        from langchain_core.language_models import BaseChatModel  # noqa: PLC0415  see above

        if not isinstance(made, BaseChatModel):
            raise SubjectError(f"{self.spec} returned {type(made).__name__}, no BaseChatModel")
        return made

    def _find_ignored(self, made: BaseChatModel, given: dict[str, Any]) -> str:
        """Return an argument that pydantic ignored for want of a field; empty if there is none.

        A factory may hand an argument on in another place, so a model made without the argument has
        to look the same.

        Args:
            made: What was made.
            given: What it was made from. `max_retries=0` is given by the suite, and asks nothing.
        """
        from langchain_core.language_models import BaseChatModel  # noqa: PLC0415  as above

        # A field that LangChain gives to every model is no sign that a factory knows of it.
        inherited = BaseChatModel.model_fields
        known = _list_arguments(type(made)) - inherited.keys()
        usual = {name: field.default for name, field in inherited.items()} | {"max_retries": 0}
        return next(
            (
                name
                for name in sorted(given.keys() - _EVERYBODYS - known)
                if (name not in usual or given[name] != usual[name])
                and _describe(self._build({k: v for k, v in given.items() if k != name}))
                == _describe(made)
            ),
            "",
        )

    def _build_sample(self, **settings: Any) -> BaseChatModel:
        given = choose_settings(LANES["dedicated"], "reference", _NOWHERE)
        return self._build({**given, "max_retries": 0, **settings})

    @cached_property
    def _class(self) -> type[BaseChatModel]:
        return type(self._build_sample())

    @property
    def kind(self) -> Any:
        """The class of what is made; calling it calls the factory."""
        return _AsClass(self, self._class)

    @property
    def package(self) -> str:
        """The distribution that the model's class comes from."""
        top = self._class.__module__.partition(".")[0]
        return next(iter(_list_distributions().get(top, [])), "")

    @property
    def name(self) -> str:
        """Class, package and version, and the factory."""
        of = f" of {self.package} {_find_version(self.package)}" if self.package else ""
        return f"{self._class.__name__}{of}, made by {self.spec}"


def _find_unknown(error: Exception, given: Collection[str]) -> str:
    """Return the argument that a constructor does not know; empty if it raised for another reason.

    Args:
        error: What it raised.
        given: Names of the arguments that it may not know.
    """
    if isinstance(error, ValidationError):
        extra = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
        names = [str(place[0]) for place in extra if len(place) == 1]
    else:
        names = re.findall(r"unexpected keyword argument '(\w+)'", str(error))
    return next((name for name in names if name in given), "")


def _find_demanded(error: Exception, left: Collection[str]) -> str:
    """Return the argument that a factory demands; empty if it raised for another reason.

    Args:
        error: What it raised.
        left: Names of the arguments that it was not given.
    """
    demanded = re.search(r"missing \d+ required .*argument", str(error))
    names = re.findall(r"'(\w+)'", str(error)) if demanded else []
    return next((name for name in names if name in left), "")


def _list_arguments(kind: type[BaseChatModel]) -> set[str]:
    """Return the names under which a constructor takes its fields.

    The own name of a field that has an alias is none of them unless the class says so.
    """
    config = kind.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    names: set[Any] = set()
    for name, field in kind.model_fields.items():
        given = field.validation_alias
        names |= {field.alias, *getattr(given, "choices", (given,))}
        names |= {name} if by_name or given is None else set()
    return names


def _describe(model: BaseChatModel) -> str:
    """Return a model's fields as text, without the addresses of what it holds."""
    parts = model.__dict__, model.__pydantic_extra__, model.__pydantic_private__
    shown = [(name, _show(value)) for part in parts for name, value in (part or {}).items()]
    return re.sub(r" at 0x[0-9a-f]+", "", str(shown))


def _show(value: object) -> str:
    """Return a value as text, or its class where that fails: some clients hold themselves."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  somebody's code may raise anything
        return type(value).__name__


def is_defect(error: BaseException | None) -> bool:
    """Tell whether the judged client raised an error: while it was made, or in its own package.

    Args:
        error: What ended a check, or what prepares or cleans up after it.
    """
    step = error.__traceback__ if error else None
    while step:
        module = str(step.tb_frame.f_globals.get("__name__"))
        if (module, step.tb_frame.f_code.co_name) == (__name__, "make"):
            return True
        if module.partition(".")[0] == "langchain_baseten" and chosen().ours:
            return True
        step = step.tb_next
    return False


@cache
def _list_distributions() -> Mapping[str, list[str]]:
    """Return the distributions of each top-level package; finding them reads every one's files."""
    return metadata.packages_distributions()


def _find_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def read_spec(spec: str) -> tuple[str, str]:
    """Return module and name of `package.module:callable`.

    Raises:
        SubjectError: It is not written so.
    """
    module, colon, name = spec.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), name]):
        raise SubjectError(f"{spec!r:.80} is no factory; write it as package.module:callable")
    return module, name


def load(spec: str) -> Factory:
    """Import a factory and make one model with it, sending nothing.

    Raises:
        SubjectError: It cannot be imported or called, or does not return a chat model.
    """
    module, name = read_spec(spec)
    with warnings.catch_warnings():
        # pytest makes an error of each by now; of what somebody else warns is no matter here.
        warnings.simplefilter("default")
        try:
            factory = Factory(spec, getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError) as error:
            raise SubjectError(f"{spec} cannot be imported: {error}") from error
        except Exception as error:  # somebody's code may raise anything
            raise SubjectError(f"{spec} cannot be imported: {error!r:.300}") from error
        try:
            factory.name  # noqa: B018  the name needs a model
        except SubjectError:
            raise
        except (Exception, pytest.skip.Exception) as error:  # as above
            raise SubjectError(f"{spec} could not make a model: {error!r:.300}") from error
    return factory


_CHOSEN: list[Subject] = [OwnClient()]


def choose(spec: str) -> Subject:
    """Choose who is judged from now on, in this process.

    Args:
        spec: A factory as `package.module:callable`; empty for our own client.

    Raises:
        SubjectError: As `load`.
    """
    _CHOSEN[0] = load(spec) if spec else OwnClient()
    return _CHOSEN[0]


def chosen() -> Subject:
    """Return who is judged."""
    return _CHOSEN[0]
