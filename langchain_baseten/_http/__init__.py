"""The only I/O of the package."""
