"""`python -m conformance.maintenance.benchmarks`."""

from __future__ import annotations

import sys

from conformance.maintenance.benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
