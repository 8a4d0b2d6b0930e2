"""The version, in the one place that the build and the code both read."""

VERSION = "1.0.0a1"
