"""Everything that an exception or a message shows to whoever writes it down.

Knows tracebacks, chains and pickles; must not know what is secret.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

PACKAGE = "/langchain_baseten/"


class Exposed:
    """What a call shows: its result or error, its log, and the locals of the package's frames.

    Attributes:
        places: Texts, by where they were found.
    """

    def __init__(self) -> None:
        self.places: list[tuple[str, str]] = []
        self._seen: dict[int, Any] = {}

    def where(self, secret: str) -> list[str]:
        """Return where a text stands."""
        return [place for place, text in self.places if secret in text]

    def look_at(self, value: Any, place: str) -> None:
        """Add everything that a value shows."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, str | bytes):
            self.places.append((place, value if isinstance(value, str) else value.decode("latin1")))
        elif isinstance(value, dict):
            for key, inner in list(value.items()):
                self.look_at(key, f"{place} (name)")
                self.look_at(inner, f"{place}[{key!r}]")
        elif isinstance(value, list | tuple | set):
            for inner in value:
                self.look_at(inner, place)
        elif isinstance(value, BaseException):
            self._look_at_error(value, place)
        elif value is not None:
            self.places.append((f"repr of {place}", repr(value)))
            if type(value).__module__.startswith("langchain_core.messages"):
                self.look_at(vars(value), place)

    def _look_at_error(self, error: BaseException, place: str) -> None:
        self.places += [(f"str of {place}", str(error)), (f"repr of {place}", repr(error))]
        self.look_at(error.args, f"{place}.args")
        self.look_at(dict(vars(error)), f"vars of {place}")
        self.look_at(error.__cause__, f"{place}.__cause__")
        self.look_at(error.__context__, f"{place}.__context__")
        with suppress(TypeError):  # pydantic's own errors cannot be pickled
            self.places.append((f"pickle of {place}", pickle.dumps(error).decode("latin1")))
        for name, local in _read_locals(error):
            self.look_at(local, f"local {name} of {place}")
            self.places.append((f"repr of local {name} of {place}", repr(local)))


def _read_locals(error: BaseException) -> Iterator[tuple[str, Any]]:
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        if PACKAGE in code.co_filename:
            for name, local in list(entry.tb_frame.f_locals.items()):
                yield f"{code.co_name}.{name}", local
        entry = entry.tb_next


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(level=1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.args!r}")


def expose(call: Callable[[], Any]) -> Exposed:
    """Return what a call shows, whether it returns or raises."""
    found, keeper, root = Exposed(), _Keeper(), logging.getLogger()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(1)
    try:
        found.look_at(call(), "the result")
    except Exception as error:  # noqa: BLE001  whatever is raised is looked at
        found.look_at(error, "the error")
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
    found.look_at(keeper.lines, "the log")
    return found
