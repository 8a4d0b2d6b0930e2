"""Proof that the suite can fail: liars, canary, mutants."""
