"""The soak: everything at once, at random, for as long as is asked, and what is left afterwards.

Threads, event loops, streams, cancellations, closes and a server that misbehaves and restarts. One
seed decides who does what; `rules` alone decides what is a fault.
"""
