"""The judge: claims, the checks that are bound to them, and the verdicts. Never in the wheel.

Knows nothing but where the suite lies, and the one exception with which any part of it owns up to a
fault of its own.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER", "SuiteFault"]

FOLDER = Path(__file__).parent
"""The suite: its tables lie in it, the cassettes beside it."""


class SuiteFault(Exception):  # noqa: N818 - the suite's word for it; "error" would blame the client
    """Something in the suite itself is wrong: a check that meets it is `broken`, not failed."""
