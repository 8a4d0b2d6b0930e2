"""Data about models."""
