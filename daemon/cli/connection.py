"""How the program finds its home and the daemon, and starts or stops the daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure, ExitCode

if TYPE_CHECKING:
    from daemon.base.home import Home
    from daemon.cli.client import ControlClient
    from daemon.lifecycle.discovery import Discovery


class DaemonConnection:
    """The way to the daemon of this user."""

    other_version: str | None = None
    """The version of the daemon that was found, if it is not that of this command."""

    def home(self) -> "Home":
        """Return the Aileron home that the environment names."""
        from daemon.base.home import Home

        return Home.find()

    def open(self) -> "ControlClient":
        """Return a client of the daemon, which is started first when it does not run."""
        with _translated():
            return self._client(self._running_now() or _started(self.home()))

    def open_if_running(self) -> "ControlClient | None":
        """Return a client of the daemon if it runs."""
        found = self._running()
        return None if found is None else self._client(found)

    def stop(self) -> int | None:
        """Stop the daemon and wait for its end; return its process number, or None if none was running."""
        from daemon.lifecycle.errors import SpawnError
        from daemon.lifecycle.spawn import stop_daemon

        found = self._running()
        if found is None:
            return None
        try:
            stop_daemon(self.home())
        except SpawnError as error:
            raise CliFailure(str(error)) from error
        return found.pid

    def local_checks(self) -> list[dict[str, Any]]:
        """Check what can be seen without the daemon."""
        from daemon.cli.local_checks import local_checks

        return local_checks(self.home())

    def run_in_foreground(self) -> None:
        """Become the daemon; this does not return."""
        import os
        import sys

        # -P: a folder called `daemon` where the person happens to stand must not be what runs.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "daemon"])  # noqa: S606 - no shell is what we want

    def _client(self, found: "Discovery") -> "ControlClient":
        from daemon.cli.client import ControlClient
        from daemon.version import VERSION

        self.other_version = found.version if found.version != VERSION else None
        return ControlClient(url=found.control_url, token=found.token)

    def _running(self) -> "Discovery | None":
        with _translated():
            return self._running_now()

    def _running_now(self) -> "Discovery | None":
        from daemon.lifecycle.discovery import read_discovery

        return read_discovery(self.home().discovery_path)


def _started(home: "Home") -> "Discovery":
    # What starts a daemon is imported only where none runs.
    from daemon.lifecycle.spawn import ensure_daemon

    return ensure_daemon(home)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what keeps a daemon from being found or started into what a person can act on."""
    from daemon.lifecycle.discovery import DiscoveryError
    from daemon.lifecycle.errors import SpawnError

    try:
        yield
    except (DiscoveryError, SpawnError) as error:
        raise CliFailure(str(error), exit_code=ExitCode.UNREACHABLE, remedy="See also: aileron doctor") from error
    except OSError as error:
        from daemon.core.named_errors import in_words

        raise CliFailure(
            f"the daemon cannot be reached or started: {in_words(error)}",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See also: aileron doctor",
        ) from error
