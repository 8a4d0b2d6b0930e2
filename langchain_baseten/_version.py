"""The version, in the one place that the build and the code both read."""

VERSION = "0.3.0"
