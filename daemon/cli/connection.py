"""How the program finds its home and the daemon, and starts the daemon when it is needed."""

from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure, ExitCode

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.lifecycle.home import Home


class Connection:
    """The way to the daemon of this user."""

    def home(self) -> "Home":
        """Return the Aileron home that the environment names."""
        raise NotImplementedError

    def open(self) -> "ControlClient":
        """Return a client of the daemon, which is started first when it does not run."""
        raise NotImplementedError

    def open_if_running(self) -> "ControlClient | None":
        """Return a client of the daemon if it runs."""
        raise NotImplementedError

    def is_running(self, pid: int) -> bool:
        raise NotImplementedError

    def local_checks(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def run_in_foreground(self) -> int:
        raise NotImplementedError
