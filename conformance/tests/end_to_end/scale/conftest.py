"""The engines for many machines run only where they are: `tox -e scale` installs them.

Where neither is installed, nothing here is collected, and a run of this folder alone fails for want
of tests. Where one is missing, its example fails.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if any(map(find_spec, ("ray", "distributed"))) else ["test_*.py"]
