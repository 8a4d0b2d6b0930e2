"""`python -m conformance`; `conformance.cli` has the commands."""

import sys

try:
    from conformance.cli.main import main
except ModuleNotFoundError as error:  # a package that the suite needs
    sys.exit(
        f"cannot begin: the suite needs {error.name}; in a checkout, run\n"
        "    python -m pip install -U pip && pip install -e . --group test\n"
        "or, to judge another chat model in an environment of its own,\n"
        "    python -m pip install -r conformance/requirements.txt"
    )
except KeyboardInterrupt:  # while what it needs is imported, which takes a second
    sys.stderr.write("interrupted: nothing was judged\n")
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
