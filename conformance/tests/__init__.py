"""Tests of the package, of this suite, and of whole commands end to end."""
