"""A daemon with a temporary home, as a process of its own."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aileron_testing.command import VARIABLE, find_command
from aileron_testing.errors import AileronError

if TYPE_CHECKING:
    import httpx

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02


class Daemon:
    """Starts with an empty home, stops, and takes the home with it."""

    def __init__(self, *, settings: str = "", aileron: str | os.PathLike[str] | None = None) -> None:
        import httpx  # noqa: PLC0415 - pytest loads this package in every suite, and this takes 0.1 s

        self._command = find_command(aileron, os.environ)
        self._folder = tempfile.TemporaryDirectory(prefix="aileron-testing-", ignore_cleanup_errors=True)
        self.home = Path(self._folder.name) / "home"
        (self.home / "actions").mkdir(mode=0o700, parents=True)
        self.home.chmod(0o700)
        config = self.home / "config.toml"
        config.write_text(settings)
        config.chmod(0o600)
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(trust_env=False, timeout=120.0)

    def start(self) -> None:
        """Start it, and return when it answers."""
        # PYTHONPATH and the like are meant for the Python of the suite, and the daemon runs with another one.
        foreign = ("AILERON_", "PYTHON")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        output = self.home.parent / "daemon.out"
        try:
            with output.open("wb") as file:
                self._process = subprocess.Popen(
                    [self._command, "daemon", "run"],
                    env=inherited | {"AILERON_HOME": str(self.home)},
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                )
        except OSError as problem:
            raise AileronError(f"{self._command} cannot be run: {problem.strerror}") from problem
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AileronError(f"The daemon did not start: {self._last_words(output)}")
            with contextlib.suppress(OSError, ValueError):
                found = json.loads((self.home / "daemon.json").read_text())
                self._http.base_url = str(found["control_url"])
                self._http.headers["Authorization"] = f"Bearer {found['token']}"
                _must_be_of_one_release(str(found["version"]), self._command)
                return
            time.sleep(_POLL_SECONDS)
        raise AileronError(f"The daemon did not come up in {_START_SECONDS:g} s: {self._last_words(output)}")

    def _last_words(self, output: Path) -> str:
        said = output.read_text(errors="replace").strip()[-2000:]
        return (
            f"{said or 'it said nothing'} (the program is {self._command}; if that is another one of the same name, "
            f"name ours with {VARIABLE} or with AileronSandbox(aileron=...))"
        )

    def stop(self) -> None:
        """Stop it, and remove its home."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_SECONDS)
        self._http.close()
        self._folder.cleanup()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> Any:
        """Call the control API as the person would; raise AileronError with what it says."""
        answer = self._http.request(method, path, json=body, params=query)
        if answer.status_code >= 400:
            raise AileronError(_message(answer))
        return answer.json() if answer.content else None

    def stream(self, path: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        """Return a streamed answer, to be used in a `with`."""
        return self._http.stream(method, path, json=body, timeout=None)


def _must_be_of_one_release(daemon: str, command: Path) -> None:
    """Raise AileronError if the daemon is of another release: what this package asks of it may not be there."""
    try:
        ours = version("aileron-testing")
    except PackageNotFoundError:
        return  # used from a checkout, without being installed
    if daemon.split(".")[:2] != ours.split(".")[:2]:
        raise AileronError(f"aileron-testing is {ours}, and {command} is {daemon}. Install both of one release.")


def _message(answer: "httpx.Response") -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return f"the daemon answered {answer.status_code}"
