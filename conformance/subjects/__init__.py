"""Factories of other people's chat models, for `python -m conformance --factory`.

Each knows one package, and how its class is called; none may import our client.
"""
