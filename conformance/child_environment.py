"""The environment of a run: what the user's own may set, and what it may not change.

Knows variables and pytest's plugins by name; must not know what runs.
"""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["child_environment", "find_foreign_secrets", "list_plugins", "mask"]

_PLUGINS = ("asyncio", "anyio", "hypothesispytest", "recording")
"""What the checks use; any other plugin stays out of the run."""
_OF_STANDARD = ("benchmark", "syrupy")
"""What LangChain's standard suites use besides; the first starts seven processes in each run."""

_DROPPED = re.compile(
    r"""(?x)
    PYTEST_ .*                            # another pytest's options and workers
    | LANGCHAIN_ .* | LANGSMITH_ (?!GATEWAY$) .* | LC_OUTPUT_VERSION    # tracing, other messages
    | PYTHON (?: OPTIMIZE                 # leaves out the checks' assertions
      | WARNINGS | DEVMODE | ASYNCIODEBUG # turn into failures what no check is about
      | IOENCODING | SAFEPATH | INSPECT )
    """
)
_PROXIES = re.compile(r"(?i)(?:all|ftp|http|https|no)_proxy")
_OUTSIDE = {"engine", "live"}
_SECRET = re.compile(r"(?i).*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)")
_SHORTEST = 12


def child_environment(
    target: str = "replay", environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment of a run, with this package and the working folder to import.

    Args:
        target: Where requests go; only those that leave this machine may need the user's proxies.
        environment: The user's.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not _DROPPED.fullmatch(name) and (target in _OUTSIDE or not _PROXIES.fullmatch(name))
    }
    search = [str(FOLDER.parent), str(Path.cwd()), environment.get("PYTHONPATH", "")]
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, search)),
        "PYTHONUTF8": "1",
    }


def list_plugins(checks: Iterable[str]) -> list[str]:
    """Return the options that load the declared plugins, those of them that are installed.

    Args:
        checks: Folders, files or ids of the checks to run; `standard` is the folder of LangChain's.
    """
    found = {entry.name: entry.value for entry in metadata.entry_points(group="pytest11")}
    standard = any("standard" in check.partition("::")[0].split("/") for check in checks)
    wanted = (*_PLUGINS, *(_OF_STANDARD if standard else ()))
    # By module: pytest takes `-p asyncio` for the standard library's as well, and warns of it.
    return [word for name in wanted if name in found for word in ("-p", found[name])]


def find_foreign_secrets(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the values of variables that are called a key, a token or a password; longest first.

    Args:
        environment: Where they stand.
    """
    values = {value.strip() for name, value in environment.items() if _SECRET.fullmatch(name)}
    long = (each for each in values if len(each) >= _SHORTEST)
    return tuple(sorted(long, key=lambda each: (-len(each), each)))


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return a text with `***` in the place of each secret.

    Args:
        text: What a client or a service wrote.
        secrets: The longer before what is a part of it.
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
