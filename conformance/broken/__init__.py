"""Proof that the suite can fail: broken clients and servers, and the canary."""
