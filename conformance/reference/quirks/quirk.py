"""What a quirk is: a row of the tables in this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from conformance.reference.exchange import Responder

Ends: TypeAlias = Literal["same", "otherwise", "cut", "refused", "unreadable"]
Mount: TypeAlias = Callable[[Responder], Responder]


@dataclass(frozen=True, slots=True)
class Quirk:
    """One way of wording.

    Attributes:
        seen: The engine, and how it came to it.
        mount: Puts the quirk over a responder. What holds no answer passes unchanged.
        ends: For the client: the same answer, an answer that says something else (each such row
            has a test of its own), a cut stream, an error of the service, a body that is no
            answer.
        status: Of the error, where the service names one.
        says: What the error must repeat.
        ways: How it must be asked to show the quirk.
    """

    seen: str
    mount: Mount
    ends: Ends = "same"
    status: int | None = None
    says: str = ""
    ways: tuple[str, ...] = ("whole", "streamed")
