"""What runs showed, written into the table of broken implementations: in place, and no more."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from conformance.broken.declarations import choose_messages, name_places, write_row
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.tests.suite.sample_suite import write_suite
from conformance.verdicts.verdicts import Place

TABLE = """# How to read it.

[client.first]
defect = "It is wrong."
must_fail = [
    "a.b.c",  # in several lines
    "a.b.d",
]
messages = ["assert [] == [1]"]

# About the second.
[client.second]
defect = "It is wrong, too."
"""


def test_a_list_is_replaced_where_it_stands() -> None:
    written = write_row(TABLE, "client:first", {"must_fail": ["x.y.z"]})
    begin, _, rest = TABLE.partition("must_fail")
    assert written == f'{begin}must_fail = ["x.y.z"]\nmessages{rest.partition("messages")[2]}'
    text = "assert \"[]\" in 'é'"
    written = write_row(TABLE, "client:first", {"messages": [text]})
    assert written.partition("messages")[0] == TABLE.partition("messages")[0]
    assert tomllib.loads(written)["client"]["first"]["messages"] == [text]


def test_a_list_that_a_row_does_not_have_goes_to_its_end() -> None:
    written = write_row(TABLE, "client:second", {"must_fail": ["x.y.z"]})
    assert written == f'{TABLE}must_fail = ["x.y.z"]\n'


def test_a_long_list_takes_a_line_for_each_item() -> None:
    names = [f"a.b.number-{n}" for n in range(9)]
    written = write_row(TABLE, "client:second", {"must_fail": names})
    assert written.endswith('must_fail = [\n    "a.b.number-0",\n' + written.rpartition('0",\n')[2])
    assert tomllib.loads(written)["client"]["second"]["must_fail"] == names
    again = write_row(written, "client:second", {"must_fail": ["x.y.z"]})
    assert again == f'{TABLE}must_fail = ["x.y.z"]\n'


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(TableError, match=r"client:third: the table has no row \[client\.third\]"):
        write_row(TABLE, "client:third", {})


def test_places_are_named_by_claim_where_all_lanes_failed(tmp_path: Path) -> None:
    table = load_table(write_suite(tmp_path).claims)
    once, keys = "calls.invoke.once", "keys.read.environment"
    places = {Place(keys, "client"), Place(once, "dedicated")}
    assert name_places(places, table) == [f"{once}@dedicated", keys]
    assert name_places({*places, Place(once, "model-apis")}, table) == [once, keys]


def test_each_place_gives_the_beginning_of_its_first_reason() -> None:
    assert choose_messages([["a" * 99, "b"], ["a" * 60], ["c"]]) == ["a" * 60, "c"]
