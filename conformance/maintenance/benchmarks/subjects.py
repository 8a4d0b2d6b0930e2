"""The subjects of a benchmark: a class, its import statement and the interpreter that runs it."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FLOOR", "OURS", "THIRD_PARTY", "Subject", "choose_subjects", "install"]

FLOOR = "floor"
OURS = "ours"
_SHARED = ("langchain-core", "pydantic", "httpx2", "httpx")


@dataclass(frozen=True, slots=True)
class Subject:
    """A chat model that is measured.

    Attributes:
        name: What it is called in reports.
        spec: `MODULE:CLASS` of a chat model that takes `model`, `base_url` and `api_key`.
        imports: The statement whose cost is that of importing it.
        requirement: The release to install into an environment of its own; empty if installed here.
        python: The interpreter of its environment.
    """

    name: str
    spec: str
    imports: str
    requirement: str = ""
    python: str = sys.executable

    @classmethod
    def of(cls, name: str, spec: str, requirement: str = "") -> Subject:
        """Return the subject of a `MODULE:CLASS`, imported as an application imports it."""
        module, _, model = spec.partition(":")
        return cls(name, spec, f"from {module} import {model}", requirement)


_HERE = (
    Subject(
        FLOOR,
        "conformance.maintenance.benchmarks.floor:FloorModel",
        "import httpx2; from langchain_core.language_models.chat_models import BaseChatModel",
    ),
    Subject.of(OURS, "langchain_baseten:ChatBaseten"),
)
THIRD_PARTY = {
    "incumbent": Subject.of(
        "incumbent", "langchain_baseten:ChatBaseten", "langchain-baseten==0.2.5"
    ),
    "openai": Subject.of("openai", "langchain_openai:ChatOpenAI", "langchain-openai==1.7.4"),
}
"""Third-party clients, each installed in its own environment."""


def choose_subjects(third_party: Iterable[str], others: Iterable[str]) -> list[Subject]:
    """Return the floor, our own client, and the other requested subjects.

    Args:
        third_party: Names in `THIRD_PARTY`.
        others: `NAME=MODULE:CLASS`, any other chat model.

    Raises:
        ValueError: An option is not of that form.
    """
    chosen = [*_HERE, *(THIRD_PARTY[name] for name in third_party)]
    for option in others:
        name, _, spec = option.partition("=")
        if not name or not spec:
            raise ValueError(f"{option!r} is not NAME=MODULE:CLASS")
        chosen.append(Subject.of(name, spec))
    return chosen


def install(subject: Subject, folder: Path) -> Subject:
    """Return a subject with its own environment, which is created if it does not exist.

    The shared dependencies are installed in the same releases as in this environment, so that only
    the clients differ.

    Args:
        subject: A subject; one without a requirement is returned as it is.
        folder: Where environments are kept.

    Raises:
        subprocess.CalledProcessError: pip could not install it.
    """
    if not subject.requirement:
        return subject
    pins = [f"{name}=={metadata.version(name)}" for name in _SHARED]
    wanted = "\n".join((subject.requirement, *pins))
    place = folder / subject.name
    python, note = place / "bin" / "python", place / "installed.txt"
    if not note.is_file() or note.read_text(encoding="utf-8") != wanted:
        venv.create(place, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", subject.requirement, *pins]
        subprocess.run(command, check=True)  # noqa: S603  our own command in a new environment
        note.write_text(wanted, encoding="utf-8")
    return replace(subject, python=str(python))
