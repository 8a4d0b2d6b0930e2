"""The judge: claims, the checks that are bound to them, and the verdicts. Never in the wheel.

Knows nothing but the one exception with which any part of the suite owns up to a fault of its own.
"""

from __future__ import annotations

__all__ = ["SuiteFault"]


class SuiteFault(Exception):  # noqa: N818 - the suite's word for it; "error" would blame the client
    """Something in the suite itself is wrong: a check that meets it is `broken`, not failed."""
