"""What can go wrong while a daemon is started or stopped."""


class SpawnError(Exception):
    """The daemon did not start or did not stop; the message says why and what to do."""
