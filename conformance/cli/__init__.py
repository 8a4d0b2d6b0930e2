"""What stands behind `python -m conformance`: one parser tree, and its commands."""
