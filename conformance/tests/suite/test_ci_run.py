"""`.ci/run`: which interpreters it shows to tox.

Knows the script and the folders of version managers; must not know tox.ini, nor start tox.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[3] / ".ci/run"
_MANAGED = {
    "pyenv": (".pyenv/versions", "PYENV_ROOT", "versions"),
    "asdf": (".asdf/installs/python", "ASDF_DATA_DIR", "installs/python"),
    "mise": (".local/share/mise/installs/python", "MISE_DATA_DIR", "installs/python"),
}
# Stands in for the first `python3` in PATH: makes a venv whose Python says what PATH it was given.
_PYTHON = """#!/bin/sh
made=.ci/venv/bin/python
mkdir -p "${made%/*}"
printf '#!/bin/sh\\ncase "$2" in tox) shift; echo "$*"; echo "$PATH";; esac\\n' > "$made"
chmod +x "$made"
"""


def _install(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path.parent


def _run(tmp_path: Path, **environment: str) -> tuple[str, list[str]]:
    project = tmp_path / "project"
    _install(project / ".ci/run", _SCRIPT.read_text(encoding="utf-8"))
    own = _install(tmp_path / "own/python3", _PYTHON)
    done = subprocess.run(  # noqa: S603  the script of this repository
        ["/bin/bash", str(project / ".ci/run"), "-e", "lint"],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": f"{own}{os.pathsep}/usr/bin{os.pathsep}/bin", **environment},
    )
    output, path = done.stdout.splitlines()
    first, *found = path.split(os.pathsep)
    assert [first, *found[:2]] == [str(own), "/usr/bin", "/bin"]
    return output, found[2:]


@pytest.mark.parametrize("manager", _MANAGED)
def test_interpreters_of_a_version_manager_come_last_in_path(tmp_path: Path, manager: str) -> None:
    home = tmp_path / "a home"
    below = home / _MANAGED[manager][0]
    wanted = [_install(below / f"3.{minor}.1/bin/python3.{minor}") for minor in (12, 14)]
    _install(below / "3.9.1/bin/python3.9")
    _install(below / "3.13.1/bin/python3.13", mode=0o644)
    output, found = _run(tmp_path, HOME=str(home))
    assert output == "tox run -e lint"
    assert found == [str(path) for path in wanted]


@pytest.mark.parametrize("manager", _MANAGED)
def test_a_version_manager_is_looked_for_where_it_says(tmp_path: Path, manager: str) -> None:
    _, variable, below = _MANAGED[manager]
    wanted = _install(tmp_path / "elsewhere" / below / "3.13.1/bin/python3.13")
    _, found = _run(tmp_path, HOME=str(tmp_path), **{variable: str(tmp_path / "elsewhere")})
    assert found == [str(wanted)]


@pytest.mark.parametrize("environment", [{}, {"HOME": "/nowhere"}], ids=["no home", "no manager"])
def test_path_stays_as_it_is_without_a_version_manager(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert _run(tmp_path, **environment)[1] == []
