"""Which deployment is judged, and with what budget of requests and tokens."""
