"""`python -m conformance`; `conformance.cli` has the commands."""

import sys

try:
    from conformance.cli.main import main
except ModuleNotFoundError as error:  # a package that the suite needs
    sys.exit(
        f"cannot begin: the suite needs {error.name}; in a checkout, run\n"
        "    python -m pip install -U pip && pip install -e . --group test"
    )

if __name__ == "__main__":
    sys.exit(main())
