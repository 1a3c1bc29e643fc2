"""The composition root: the one place that knows every room, and the order in which they start and stop."""

from daemon.app.daemon import Daemon, start

__all__ = ["Daemon", "start"]
