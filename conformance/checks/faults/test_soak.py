"""A short soak in every run: everything at once, and nothing left, mixed up or untyped.

The seed is fixed, and the report's last line says how to do the same again, for longer.
"""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_short_soak_leaves_nothing_behind() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "conformance", "soak", "--seed=3", "--minutes=0.02", "--threads=12"],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert "GREEN" in ran.stdout
