"""Two HTTP apps: control (loopback, everything) and agent (what a session token may do)."""
