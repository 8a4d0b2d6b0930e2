"""The registry: its table is strict, its defects are short and get where checks meet them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import langchain_baseten
from conformance import SuiteFault
from conformance.broken import registry
from conformance.broken.canary import CANARY
from conformance.broken.registry import (
    BrokenImplementation,
    find_defect,
    install,
    load_registry,
    read_defects,
)
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.reference import make_request, respond
from conformance.runner import Selection
from conformance.tests.suite.sample_suite import load_small
from conformance.verdicts.verdicts import Place

CHAT = "https://inference.baseten.co/v1/chat/completions"
REQUESTED = {"model": "zai-org/GLM-5.2", "messages": [{"role": "user", "content": "Say hello."}]}
ROW = """
[client.never-calls]
defect = "No tool is ever called."
must_fail = ["calls.invoke.once@dedicated", "keys.read.environment"]
messages = ["assert 0"]
"""
EVERY_DEFECT = [
    (f"{kind}:{name}", defect)
    for kind in ("reference", "client")
    for name, defect in read_defects(kind).items()
]


def load(folder: Path, text: str) -> dict[str, BrokenImplementation]:
    path = folder / "broken.toml"
    path.write_text(text, encoding="utf-8")
    return load_registry(load_small(folder), path)


def test_every_defect_is_declared_and_every_declaration_exists() -> None:
    known = {target for target, _ in EVERY_DEFECT} - {CANARY.replace("replay:", "client:")}
    registry = load_registry(load_table())
    undeclared, missing = sorted(known - registry.keys()), sorted(registry.keys() - known)
    assert undeclared == [], "functions without a row of their own in broken.toml"
    assert missing == [], "rows of broken.toml without a function of this name in broken/"
    bare = [target for target, broken in registry.items() if not broken.must_fail]
    assert bare == [], "python -m conformance broken NAME --write says what these make fail"


def test_every_judged_claim_has_a_broken_implementation_in_each_lane() -> None:
    table = load_table()
    declared = {p for broken in load_registry(table).values() for p in broken.must_fail}
    caught_by_none = [str(p) for p in Selection().places(table) if p not in declared]
    assert caught_by_none == []


def test_a_defect_is_short() -> None:
    lines = {name: inspect.getsource(d).rstrip().count("\n") + 1 for name, d in EVERY_DEFECT}
    assert {name: number for name, number in lines.items() if number > 15} == {}


def test_a_row_names_whole_claims_or_single_lanes(tmp_path: Path) -> None:
    [(target, broken)] = load(tmp_path, ROW).items()
    assert target == broken.target == "client:never-calls"
    assert broken.must_fail == {
        Place("calls.invoke.once", "dedicated"),
        Place("keys.read.environment", "client"),
    }
    assert broken.messages == ("assert 0",)


def test_a_row_that_no_run_has_filled_yet_declares_nothing(tmp_path: Path) -> None:
    [broken] = load(tmp_path, ROW.partition("must_fail")[0]).values()
    assert (broken.must_fail, broken.messages) == (frozenset(), ())


def test_a_suite_may_have_no_registry(tmp_path: Path) -> None:
    assert load_registry(load_small(tmp_path), None) == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("client.never", "clients.never", "unknown key `clients`"),
        ("messages", "why", "unknown key `why`"),
        ("calls.invoke.once@dedicated", "calls.invoke.twice", "'calls.invoke.twice' is no judged"),
        ("once@dedicated", "once@client", "'calls.invoke.once@client' is no judged claim, or not"),
        ("calls.invoke.once@dedicated", "badges.count.downloads", "is no judged claim"),
        ("keys.read.environment", "calls.invoke.once", "names one claim and lane twice"),
        ('["assert 0"]', "[]", "messages: expected a list, not empty"),
        ("must_fail", "may_fail", "unknown key `may_fail`"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(TableError, match=message):
        load(tmp_path, ROW.replace(old, new))


def test_an_unknown_defect_is_the_suites_fault() -> None:
    with pytest.raises(SuiteFault, match=r"broken/servers\.py has no function is_honest"):
        find_defect("reference:is-honest")


def test_two_defects_of_one_name_are_the_suites_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    life = "conformance.broken.clients.life"
    monkeypatch.setattr(registry, "_list_modules", lambda _: [life, life])
    with pytest.raises(SuiteFault, match="two defects are called answers_from_a_thread"):
        read_defects("client")


@pytest.mark.parametrize("target", ["replay", "reference", "live"])
def test_a_target_without_a_defect_changes_nothing(target: str) -> None:
    before = respond(make_request(CHAT, REQUESTED))
    with pytest.MonkeyPatch.context() as patch:
        install(target, patch)
        assert respond(make_request(CHAT, REQUESTED)) == before


def test_a_broken_server_answers_until_the_patch_is_undone() -> None:
    honest = respond(make_request(CHAT, REQUESTED))
    with pytest.MonkeyPatch.context() as patch:
        install("reference:names-another-model", patch)
        assert b"some/other-model" in respond(make_request(CHAT, REQUESTED)).body
    assert respond(make_request(CHAT, REQUESTED)) == honest


@pytest.mark.parametrize("where", ["client", "replay"])
def test_a_broken_client_is_broken_until_it_is_repaired(where: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        install(f"{where}:hides-its-class", patch)
        assert "ChatBaseten" not in langchain_baseten.__all__
    assert "ChatBaseten" in langchain_baseten.__all__
