"""The rows of the matrix: the page's columns, its other cells, and finer rows of our own.

Knows what each row may hold; must not know the claims that fill it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field, model_validator

from conformance.claims.rows import Row, Text, Texts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LANES", "Column", "Correction", "Lane", "OtherCell", "SubFeature"]

Lane = Literal["model-apis", "dedicated", "client"]
LANES: tuple[str, ...] = get_args(Lane)


class Correction(Row):
    """What a cell of the page should say instead, lane by lane, because it is coarse or stale.

    Attributes:
        why: What the page's one cell hides or has outlived.
    """

    why: Text
    model_apis: Text | None = Field(default=None, alias="model-apis")
    dedicated: Text | None = None
    client: Text | None = None

    @property
    def cells(self) -> Mapping[str, str]:
        """The corrected text of each lane that the correction is about, in the matrix' order."""
        texts = zip(LANES, (self.model_apis, self.dedicated, self.client), strict=True)
        return {lane: text for lane, text in texts if text is not None}

    @model_validator(mode="after")
    def _names_a_lane(self) -> Correction:
        if not self.cells:
            raise ValueError(f"corrects no lane; name one of {', '.join(LANES)}")
        return self


class Column(Row):
    """One column of the page's feature table: its heading, and the mark in its only row."""

    key: Text
    heading: Text
    statement: Text
    mark: Literal["✅", "❌"]
    proposed: Correction | None = None


class SubFeature(Row):
    """A row of ours that the page's table does not have.

    Attributes:
        under: Key of the column that it is a part of, and that all of its claims count for as
            well; None if it stands by itself.
    """

    key: Text
    statement: Text
    under: Text | None = None


class OtherCell(Row):
    """A cell outside the feature table that should say something else; `claims` show what."""

    heading: Text
    statement: Text
    mark: Text
    claims: Texts
    proposed: Correction
