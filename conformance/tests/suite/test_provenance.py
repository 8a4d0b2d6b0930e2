from __future__ import annotations

import re
from dataclasses import replace

import pytest

from conformance import SuiteFault
from conformance.recording import provenance
from conformance.tests.suite.cassette_builders import ABOUT

RECORDING = "interactions:\n- a: 1\nversion: 1\n"


@pytest.mark.parametrize(
    ("hosts", "target", "reported"),
    [
        (["inference.baseten.co"], "live", ("live", "Baseten")),
        (["model-x.api.baseten.co", "inference.baseten.co"], "live", ("live", "Baseten")),
        (["inference.baseten.co"], "engine", ("live", "Baseten")),
        (["127.0.0.1"], "live", ("reference", "a stand-in for Baseten")),
        (["http://inference.baseten.co"], "live", ("reference", "a stand-in for Baseten")),
        (["evilbaseten.co"], "live", ("reference", "a stand-in for Baseten")),
        (["baseten.co.evil.example"], "live", ("reference", "a stand-in for Baseten")),
        (["inference.baseten.co", "127.0.0.1"], "live", ("reference", "a stand-in for Baseten")),
        ([], "live", ("reference", "a stand-in for Baseten")),
        (["http://127.0.0.1"], "reference", ("reference", "reference server")),
        (["http://127.0.0.1"], "engine", ("engine", "vllm 1")),
        (["127.0.0.1"], "engine", ("engine", "vllm 1")),
    ],
)
def test_evidence_follows_who_answered_and_not_who_was_meant_to(
    hosts: list[str], target: str, reported: tuple[str, str]
) -> None:
    assert provenance.derive_evidence(hosts, target, "vllm 1") == reported


def test_a_header_comes_back_as_it_was_written() -> None:
    about = replace(ABOUT, cast={"model": "tiny"}, source="vllm: ünicode 'x'")
    header, recording = provenance.split(provenance.join(about, RECORDING))
    assert recording == RECORDING
    read = provenance.read_header(header, "a")
    assert read is not None
    assert replace(read, sha256="") == about
    assert len(read.sha256) == 64


# Every committed cassette is sealed in this way: to seal otherwise is to record them all anew.
SEALED = """\
provenance:
  evidence: reference
  source: reference server
  recorded: '2026-11-22'
  host: http://127.0.0.1
  lane: dedicated
  model: m
  client: '1.0'
  recorder: vcrpy 8
  requests:
  - deea0f7771b9f0a56298d0fdc590f8b0c7ce655b94bfd162763a86afdd1b4a4f
  sha256: 1f7fe7148495274986ef1e97d4250fef1da1267f36d5203b6aaca2379f2aa804
"""


def test_a_header_is_sealed_and_written_in_one_way_only() -> None:
    assert provenance.join(ABOUT, RECORDING) == SEALED + RECORDING


def test_a_text_of_a_header_stays_on_its_line_with_its_letters() -> None:
    source = "an ümlaut, and more words than any line below would hold, " * 3
    header = provenance.join(replace(ABOUT, source=source), RECORDING)
    assert header.splitlines()[2] == f"  source: '{source}'"


def test_a_text_without_a_header_has_none() -> None:
    assert provenance.split(RECORDING) == ("", RECORDING)
    assert provenance.split("provenance:\n  no recording") == ("", "provenance:\n  no recording")
    noted = f"# by hand\n{RECORDING}"
    assert provenance.split(noted) == ("", noted)
    assert provenance.read_header("", "a") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- a: 1", "- a: 2"),
        ("evidence: reference", "evidence: live"),
        ("recorded: '2026-11-22'", "recorded: '2026-11-23'"),
        ("version: 1\n", "version: 1\n\n"),
    ],
)
def test_every_alteration_is_noticed(old: str, new: str) -> None:
    text = provenance.join(ABOUT, RECORDING)
    assert provenance.find_alteration(text, "a") == ""
    assert old in text
    altered = provenance.find_alteration(text.replace(old, new), "a")
    assert altered == "a: altered since it was recorded"


def test_an_unlabelled_recording_is_a_flaw() -> None:
    assert provenance.find_alteration(RECORDING, "a") == "a: no provenance"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("x: [", "ParserError"),
        ("- 1", "TypeError"),
        ("evidence: reference", "KeyError"),
        ("requests: 5", "TypeError"),
    ],
)
def test_an_unreadable_header_is_the_suites_fault_and_a_flaw(header: str, kind: str) -> None:
    text = f"provenance:\n  {header}\n{RECORDING}"
    why = f"a: its provenance cannot be read ({kind}); record it anew"
    with pytest.raises(SuiteFault, match=re.escape(why)):
        provenance.read_header(provenance.split(text)[0], "a")
    assert provenance.find_alteration(text, "a") == why


@pytest.mark.parametrize("value", ["5", "[a]", "null", "2026-11-22"])
def test_a_header_holds_nothing_but_texts(value: str) -> None:
    header, _ = provenance.split(provenance.join(ABOUT, RECORDING))
    with pytest.raises(SuiteFault, match="cannot be read"):
        provenance.read_header(header.replace("model: m", f"model: {value}"), "a")


def test_equal_bodies_have_equal_hashes_whatever_their_order() -> None:
    first = provenance.hash_request({"a": 1, "b": 2})
    assert first == provenance.hash_request({"b": 2, "a": 1})
    assert first != provenance.hash_request({"a": 1, "b": 3})
