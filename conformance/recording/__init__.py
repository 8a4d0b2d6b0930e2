"""How cassettes come to be: asked for, redacted, scanned, proved, labelled, kept."""

MARK = b"\x1e"
"""Begins what the plugin `recorder` reports, in the pipe that pytest prints to (RFC 7464)."""
