"""The gallery: its table is strict, its lies are short, and each gets where the checks meet it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

import langchain_baseten
from conformance import SuiteFault
from conformance.broken import registry as gallery
from conformance.broken.canary import CANARY
from conformance.broken.registry import find_lie, install, load_gallery, read_lies
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.reference import make_request, respond
from conformance.tests.suite.sample_suite import CLAIMS
from conformance.verdicts.verdicts import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conformance.claims.table import Table

CHAT = "https://inference.baseten.co/v1/chat/completions"
ASKED = {"model": "zai-org/GLM-5.2", "messages": [{"role": "user", "content": "Say hello."}]}
ROW = """
[client.never-calls]
lie = "No tool is ever called."
kills = ["calls.invoke.once@dedicated", "keys.read.environment"]
because = ["assert 0"]
"""
EVERY_LIE = [
    (f"{kind}:{name}", lie)
    for kind in ("reference", "client")
    for name, lie in read_lies(kind).items()
]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    file = tmp_path / "claims.toml"
    file.write_text(CLAIMS, encoding="utf-8")
    return load_table(file)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "broken.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_every_lie_is_declared_and_every_declaration_is_told() -> None:
    told = {target for target, _ in EVERY_LIE} - {CANARY.replace("replay:", "client:")}
    assert set(load_gallery(load_table())) == told


@pytest.mark.parametrize("lie", [lie for _, lie in EVERY_LIE], ids=[name for name, _ in EVERY_LIE])
def test_a_lie_is_short(lie: Callable[..., object]) -> None:
    assert len(inspect.getsource(lie).rstrip().splitlines()) <= 15


def test_a_row_names_whole_claims_or_single_lanes(
    table: Table, write: Callable[[str], Path]
) -> None:
    [(target, deviant)] = load_gallery(table, write(ROW)).items()
    assert target == deviant.target == "client:never-calls"
    assert deviant.kills == {
        Place("calls.invoke.once", "dedicated"),
        Place("keys.read.environment", "client"),
    }
    assert deviant.because == ("assert 0",)


def test_a_suite_may_have_no_gallery(table: Table) -> None:
    assert load_gallery(table, None) == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("client.never", "clients.never", "unknown key `clients`"),
        ("because", "why", "unknown key `why`"),
        ("calls.invoke.once@dedicated", "calls.invoke.twice", "'calls.invoke.twice' is no judged"),
        ("once@dedicated", "once@client", "'calls.invoke.once@client' is no judged claim, or not"),
        ("calls.invoke.once@dedicated", "badges.count.downloads", "is no judged claim"),
        ("keys.read.environment", "calls.invoke.once", "names one claim and lane twice"),
        ('["assert 0"]', "[]", "because: expected a list, not empty"),
        ("kills", "fells", "unknown key `fells`"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(
    table: Table, write: Callable[[str], Path], old: str, new: str, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        load_gallery(table, write(ROW.replace(old, new)))


def test_a_lie_that_nobody_tells_is_the_suites_fault() -> None:
    with pytest.raises(SuiteFault, match=r"reference:is-honest: no such deviant"):
        find_lie("reference:is-honest")


def test_two_lies_of_one_name_are_the_suites_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = ("conformance.broken.clients.life", "conformance.broken.clients.life")
    monkeypatch.setattr(gallery, "_MODULES", {"client": twice})
    with pytest.raises(SuiteFault, match="two lies are called answers_from_a_thread"):
        read_lies("client")


@pytest.mark.parametrize("target", ["replay", "reference", "live"])
def test_an_honest_target_changes_nothing(target: str) -> None:
    before = respond(make_request(CHAT, ASKED))
    with pytest.MonkeyPatch.context() as patch:
        install(target, patch)
        assert respond(make_request(CHAT, ASKED)) == before


def test_whoever_asks_the_reference_server_gets_the_liar_until_it_is_taken_away() -> None:
    honest = respond(make_request(CHAT, ASKED))
    with pytest.MonkeyPatch.context() as patch:
        install("reference:names-another-model", patch)
        assert b"some/other-model" in respond(make_request(CHAT, ASKED)).body
    assert respond(make_request(CHAT, ASKED)) == honest


@pytest.mark.parametrize("where", ["client", "replay"])
def test_a_broken_client_is_broken_until_it_is_repaired(where: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        install(f"{where}:hides-its-class", patch)
        assert "ChatBaseten" not in langchain_baseten.__all__
    assert "ChatBaseten" in langchain_baseten.__all__
