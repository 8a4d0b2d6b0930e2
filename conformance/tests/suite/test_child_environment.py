"""The environment of a run: what a user's own settings cannot change, and what is never shown."""

from __future__ import annotations

import pytest

from conformance.child_environment import (
    child_environment,
    find_foreign_secrets,
    list_plugins,
    mask,
)

UNWANTED = {
    "LANGCHAIN_TRACING_V2": "true",
    "LANGSMITH_TRACING": "true",
    "LC_OUTPUT_VERSION": "v1",
    "PYTEST_ADDOPTS": "-n 2",
    "PYTEST_PLUGINS": "freezegun",
    "PYTEST_XDIST_WORKER": "gw0",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "cp1252",
}
PROXIES = {
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "x",
}
KEPT = {"PATH": "/bin", "LC_ALL": "C", "LANGSMITH_GATEWAY": "https://g.example", "ACME_HOME": "/a"}


@pytest.mark.parametrize(
    ("target", "proxies"),
    [("replay", {}), ("reference:x", {}), ("live", PROXIES), ("engine", PROXIES)],
)
def test_only_what_cannot_change_a_verdict_reaches_the_run(
    target: str, proxies: dict[str, str]
) -> None:
    found = child_environment(target, UNWANTED | PROXIES | KEPT)
    declared = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTHONPATH", "PYTHONUTF8"}
    assert {name: value for name, value in found.items() if name not in declared} == (
        KEPT | proxies
    )
    assert (found["PYTEST_DISABLE_PLUGIN_AUTOLOAD"], found["PYTHONUTF8"]) == ("1", "1")


def test_only_declared_plugins_are_loaded() -> None:
    plugins = list_plugins(["checks/features", "checks/standard/test_unit.py::Test::test_it"])
    assert {"pytest_asyncio.plugin", "pytest_recording.plugin", "syrupy"} < set(plugins)
    assert not any(name.startswith(("xdist", "langsmith", "pytest_codspeed")) for name in plugins)
    assert plugins[::2] == ["-p"] * (len(plugins) // 2)
    without = set(plugins) - set(list_plugins(["checks/features", "--claim=standard"]))
    assert without == {"pytest_benchmark.plugin", "syrupy"}


def test_secrets_of_other_services_are_found_by_the_names_of_their_variables() -> None:
    environment = {
        "ACME_API_KEY": "acme-key-of-some-length",
        "ACME_API_KEY_2": "no name of a secret",
        "github_token": "acme-key-of-some-length-and-more",
        "SHORT_KEY": "passed",
        "DB_PASSWORD": " pass word of a database ",
    }
    found = find_foreign_secrets(environment)
    assert found == (
        "acme-key-of-some-length-and-more",
        "acme-key-of-some-length",
        "pass word of a database",
    )
    output = "a acme-key-of-some-length-and-more b acme-key-of-some-length c passed"
    assert mask(output, found) == "a *** b *** c passed"
