"""Parse JSON bytes to what Python's own parser returns, with the faster one where it is installed.

Knows where the two differ; must not know what the values mean. langsmith, which langchain-core
needs, installs orjson.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_fast_loads: Callable[[bytes], Any] | None = None
with suppress(ImportError):
    from orjson import loads as _fast_loads

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
"""What numbers look like that may not fit into 64 bits, of which orjson makes floats."""


def parse_bytes(data: bytes) -> Any:
    """Return the value that JSON bytes hold.

    orjson refuses what only Python accepts: NaN, Infinity, lone surrogates, numbers above the
    largest float, many levels, a byte order mark and broken UTF-8, whose bytes become replacement
    characters. All of that is parsed again.

    Args:
        data: JSON as UTF-8.

    Raises:
        ValueError: If it is not JSON.
        RecursionError: If it is nested too deeply for the parser.
    """
    if _fast_loads is not None and _LONG_NUMBER not in data.translate(_ZEROS):
        try:
            return _fast_loads(data)
        except ValueError:
            pass
    return json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff"))
