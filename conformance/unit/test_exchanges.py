"""What the page shows of a cassette: the first exchange, named, sourced, shortened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from conformance import SuiteFault, cassettes
from conformance.exchanges import MOST, find_exchange

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = {
    "evidence": "reference",
    "source": "reference peer",
    "recorded": "2026-11-22",
    "client": "1.0",
    "recorder": "vcrpy 8",
}
HEADERS = {"accept": ["a/b", "c/d"]}


def record(folder: Path, name: str, count: int = 1, answer: Any = "hello") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    interaction = {
        "request": {"method": "POST", "uri": "https://h/v1", "headers": HEADERS, "body": "{}"},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["text/plain"]},
            "body": {"string": answer},
        },
    }
    path.write_text(yaml.safe_dump({"interactions": [interaction] * count}), encoding="utf-8")
    cassettes.write_provenance(folder, ABOUT)
    cassettes.read_provenance.cache_clear()


def test_an_exchange_shows_request_and_answer_with_their_headers(tmp_path: Path) -> None:
    record(tmp_path, "dedicated/tools/test_a.yaml", count=3)
    found = find_exchange("conformance/features/test_tools.py::test_a", "dedicated", tmp_path)
    assert found is not None
    assert found.request == "POST https://h/v1\naccept: a/b, c/d\n\n{}"
    assert found.response == "200 OK\ncontent-type: text/plain\n\nhello"
    assert found.cassette == "dedicated/tools/test_a.yaml"
    assert found.source == "reference: reference peer, recorded on 2026-11-22"
    assert found.more == 2


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("x/test_tools.py::test_a[client-b]", "client/tools/test_a[client-b].yaml"),
        ("x/test_unit.py::TestLane::test_a[m0]", "client/unit/TestLane.test_a[m0].yaml"),
        ("test_tools.py::test_a[/v1/?x=1:a]", "client/tools/test_a[-v1--x=1-a].yaml"),
        ("test_tools.py::test_a[a::b%]", "client/tools/test_a[a--b-].yaml"),
    ],
)
def test_a_cassette_is_named_after_its_check(tmp_path: Path, check: str, name: str) -> None:
    record(tmp_path, name)
    assert find_exchange(check, "client", tmp_path) is not None
    assert find_exchange(check, "dedicated", tmp_path) is None


def test_the_committed_cassettes_are_found() -> None:
    checks = {
        "conformance/standard/test_integration.py::TestDedicated::test_invoke": "dedicated",
        "conformance/features/test_audio.py::"
        "test_a_text_model_refuses_audio_with_a_typed_error[model-apis]": "model-apis",
    }
    assert all(find_exchange(check, lane) for check, lane in checks.items())


def test_long_bodies_are_shortened_and_say_by_how_much(tmp_path: Path) -> None:
    record(tmp_path, "client/a/test_a.yaml", answer="x" * MOST)
    found = find_exchange("test_a.py::test_a", "client", tmp_path)
    assert found is not None
    assert found.response.endswith("\n\n" + "x" * MOST)
    record(tmp_path, "client/a/test_a.yaml", answer="x" * (MOST + 7))
    found = find_exchange("test_a.py::test_a", "client", tmp_path)
    assert found is not None
    assert found.response.endswith("x\n… and 7 more characters")
    assert found.response.count("x") - found.response.count("text") == MOST


def test_bytes_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    record(tmp_path, "client/a/test_a.yaml", answer=b"a\xff")
    found = find_exchange("test_a.py::test_a", "client", tmp_path)
    assert found is not None
    assert found.response.endswith("\n\na\ufffd")


def test_a_cassette_without_provenance_says_so(tmp_path: Path) -> None:
    record(tmp_path, "client/a/test_a.yaml")
    (tmp_path / "provenance.json").write_text("{}", encoding="utf-8")
    cassettes.read_provenance.cache_clear()
    found = find_exchange("test_a.py::test_a", "client", tmp_path)
    assert found is not None
    assert found.source == "no provenance"
    (tmp_path / "provenance.json").unlink()
    cassettes.read_provenance.cache_clear()
    with pytest.raises(SuiteFault, match=r"no readable provenance\.json"):
        find_exchange("test_a.py::test_a", "client", tmp_path)


@pytest.mark.parametrize("text", ["interactions: []", "interactions: [1]", "[", "x: 1", ""])
def test_what_is_no_cassette_is_the_suites_fault(tmp_path: Path, text: str) -> None:
    record(tmp_path, "client/a/test_a.yaml")
    (tmp_path / "client/a/test_a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SuiteFault, match=r"^client/a/test_a\.yaml is not a cassette: "):
        find_exchange("test_a.py::test_a", "client", tmp_path)
