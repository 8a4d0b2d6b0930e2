from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.maintenance.engines import __main__ as engines
from conformance.maintenance.engines.serve import EngineError
from conformance.maintenance.engines.training_data import Lesson

# Stand in for the trainer: one that notes that it was called, one that fails.
LEARNS = "import sys, pathlib as p; d = p.Path(sys.argv[2]); d.mkdir(); (d / 'w').write_text('w')"
FAILS = "raise SystemExit(3)"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engines.Parts:
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / engines._TRAINER).write_text(LEARNS, encoding="utf-8")
    (folder / engines._EXPORTER).write_text(
        "import sys, pathlib as p; p.Path(sys.argv[2]).write_text('g')", encoding="utf-8"
    )
    (folder / "chat.jinja").write_text("", encoding="utf-8")
    monkeypatch.setattr(engines, "_FOLDER", folder)
    lesson = Lesson([{"role": "user", "content": "Hi"}], [], "", "Ho")
    monkeypatch.setattr(engines, "gather_lessons", lambda: [lesson])
    (tmp_path / "cache").mkdir()
    return engines.Parts(tmp_path / "cache", sys.executable, "")


def test_the_scripts_that_an_engine_runs_are_there() -> None:
    names = (engines._TRAINER, engines._EXPORTER, "chat.jinja")
    assert [name for name in names if not (engines._FOLDER / name).is_file()] == []


def test_a_model_is_trained_once_and_its_lessons_are_kept_beside_it(parts: engines.Parts) -> None:
    model = engines.prepare_model(parts)
    assert (model / "w").is_file()
    (model / "kept").touch()
    assert engines.prepare_model(parts) == model
    assert (model / "kept").exists()
    [row] = json.loads((parts.cache / "lessons.json").read_text(encoding="utf-8"))
    assert row["answer"] == "Ho"


def test_other_lessons_or_another_trainer_need_another_model(
    parts: engines.Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = engines.prepare_model(parts)
    (engines._FOLDER / "chat.jinja").write_text("other", encoding="utf-8")
    second = engines.prepare_model(parts)
    monkeypatch.setattr(engines, "gather_lessons", list)
    assert len({first, second, engines.prepare_model(parts)}) == 3


def test_a_model_that_did_not_learn_is_not_kept(parts: engines.Parts) -> None:
    (engines._FOLDER / engines._TRAINER).write_text(FAILS, encoding="utf-8")
    with pytest.raises(EngineError, match=r"train_model.py failed \(exit code 3\)"):
        engines.prepare_model(parts)
    assert not list(parts.cache.glob("tiny-*"))


def test_an_interpreter_without_vllm_is_told_and_what_is_named_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFORMANCE_VLLM_PYTHON", sys.executable)
    monkeypatch.setenv("CONFORMANCE_LLAMA_SERVER", "/opt/llama-server")
    with pytest.raises(EngineError, match="CONFORMANCE_VLLM_PYTHON"):
        engines.find_parts(tmp_path)
    python, cache = tmp_path / "python", tmp_path / "cache"
    python.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    python.chmod(0o700)
    monkeypatch.setenv("CONFORMANCE_VLLM_PYTHON", str(python))
    assert engines.find_parts(cache) == engines.Parts(cache, str(python), "/opt/llama-server")
    assert cache.is_dir()


def test_truss_is_found_beside_the_interpreter_or_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONFORMANCE_TRUSS", raising=False)
    python = tmp_path / "bin/python"
    with pytest.raises(EngineError, match="pip install --no-deps truss"):
        engines.find_truss(str(python))
    package = tmp_path / "lib/python3.11/site-packages/truss"
    package.mkdir(parents=True)
    assert engines.find_truss(str(python)) == package
    monkeypatch.setenv("CONFORMANCE_TRUSS", str(tmp_path))
    assert engines.find_truss(str(python)) == tmp_path
    monkeypatch.setenv("CONFORMANCE_TRUSS", str(tmp_path / "none"))
    with pytest.raises(EngineError, match="CONFORMANCE_TRUSS"):
        engines.find_truss(str(python))


def test_llama_needs_its_server_and_gets_weights_of_its_own(parts: engines.Parts) -> None:
    model = parts.cache / "tiny-1"
    with pytest.raises(EngineError, match="CONFORMANCE_LLAMA_SERVER"):
        engines.ENGINES["llama.cpp"](parts, model, 8100)
    named = engines.Parts(parts.cache, parts.python, "/opt/llama-server")
    line = list(engines.ENGINES["llama.cpp"](named, model, 8100).line)
    assert line[line.index("--model") + 1] == str(model.with_suffix(".gguf"))
    assert model.with_suffix(".gguf").read_text(encoding="utf-8") == "g"


@pytest.fixture
def judged(
    parts: engines.Parts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[list[str]]:
    """Engines that start in no time, and the command lines that judge them."""
    called: list[list[str]] = []

    @contextlib.contextmanager
    def serve(name: str, *rest: Any) -> Iterator[str]:
        if name == "llama.cpp":
            raise EngineError("no nginx")
        yield "http://127.0.0.1:1"

    def judge(line: list[str], **rest: Any) -> Any:
        called.append(line)
        return type("Done", (), {"returncode": int("--red" in line)})

    monkeypatch.setattr(engines, "find_parts", lambda cache: parts)
    monkeypatch.setattr(engines, "serve", serve)
    monkeypatch.setattr(engines, "prepare_model", lambda parts: tmp_path)
    monkeypatch.setattr("subprocess.run", judge)
    return called


@pytest.mark.parametrize(("more", "code"), [([], 0), (["--", "--red"], 1)])
def test_each_engine_is_judged_with_the_options_behind_the_dashes(
    judged: list[list[str]], more: list[str], code: int
) -> None:
    assert engines.main(more) == code
    [line] = judged
    judge = ["-m", "conformance", "verify", "--target=engine", "--engine-url=http://127.0.0.1:1"]
    assert line[1:] == judge + more[1:]


def test_what_is_missing_is_told_and_no_verdict(
    judged: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert engines.main(["--engine", "llama.cpp"]) == 2
    assert "cannot begin: no nginx" in capsys.readouterr().err
    assert judged == []
