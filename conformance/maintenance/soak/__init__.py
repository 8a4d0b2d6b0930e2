"""The soak: random load from threads and event loops against a server that misbehaves.

One seed decides which calls are made. `behaviours` is what the server does, `calls` what callers
do, and `checks` alone decides what is a fault.
"""
