"""Which service a run asks, and the guard before everything that is sent to it."""
