"""The thing a suite uses: Aileron with what the test installed, and programs that reach nothing else."""

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aileron_testing.daemon import Daemon
from aileron_testing.errors import AileronError
from aileron_testing.runs import Run

_USER = 1000
_POLL_SECONDS = 0.05


class AileronSandbox:
    """A daemon with a temporary home. Start it with `with`, or with start() and stop()."""

    def __init__(
        self,
        *,
        actions: str | os.PathLike[str] | None = None,
        connectors: Iterable[str | os.PathLike[str]] = (),
        allow_private: Iterable[str] = (),
        settings: str = "",
        image: str | None = None,
        agent: str = "codex",
        aileron: str | os.PathLike[str] | None = None,
    ) -> None:
        """Say what to install: a folder of action files, folders or tarballs of connectors.

        Services of the test on private or loopback addresses are named in allow_private, as host:port. Programs run in
        the image of an agent, or in an image of yours. The command `aileron` is searched for if it is
        not named.
        """
        self._actions = None if actions is None else Path(actions)
        self._connectors = [Path(connector) for connector in connectors]
        self._image = image
        self._agent = agent
        allowed = f"[network]\nallow_private = {json.dumps(list(allow_private))}\n"
        self._daemon = Daemon(settings=allowed + settings, aileron=aileron)
        self._runs: list[Run] = []
        self.installed: dict[str, str] = {}
        """The hash of each connector, by its name, for action files that are written in a test."""

    def start(self) -> Self:
        """Start the daemon and install; what goes wrong half way leaves nothing behind."""
        try:
            self._daemon.start()
            self._daemon.ask("POST", "/v1/vault/create", {"passphrase": secrets.token_hex(16)})
            for connector in self._connectors:
                self.install_connector(connector)
            if self._actions is not None:
                for file in sorted(self._actions.glob("*.md")):
                    self.install_action(file)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every program, stop the daemon, remove its home."""
        for run in self._runs:
            run.stop()
        self._daemon.stop()

    @property
    def home(self) -> Path:
        """Return the temporary home, for whoever wants to look into it."""
        return self._daemon.home

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def install_connector(self, source: str | os.PathLike[str]) -> str:
        """Install a connector, signed or not; return its hash."""
        place = Path(source).resolve().as_uri()
        plan = self._daemon.ask("POST", "/v1/connectors/inspect", {"source": place})
        body = {"source": place, "expected_hash": plan["hash"], "allow_unsigned": True}
        self._daemon.ask("POST", "/v1/connectors", body)
        self.installed[str(plan["name"])] = str(plan["hash"])
        return str(plan["hash"])

    def install_action(self, file: str | os.PathLike[str]) -> None:
        """Install an action file; raise AileronError if it is broken."""
        name = Path(file).stem
        shutil.copy(file, self._daemon.home / "actions" / f"{name}.md")
        shown = self._daemon.ask("GET", f"/v1/actions/{name}")
        if shown["state"] == "broken":
            raise AileronError(f"{file}: {shown['problems']}")

    def bind(self, connector: str, *, api_key: str) -> None:
        """Bind a key to a connector, or to a provider of models (`provider://openai`)."""
        self._daemon.ask("POST", "/v1/bindings", {"connector": connector, "value": {"type": "api_key", "key": api_key}})

    def start_program(
        self, command: Sequence[str], *, workspace: str | os.PathLike[str], live: bool = False, **environment: str
    ) -> Run:
        """Start a program on the jailed network, in a layer over the workspace, or in the folder itself.

        It finds AILERON_URL, AILERON_TOKEN and AILERON_CA_FILE in its environment, and the program aileron-mcp.
        """
        place = Path(workspace).resolve()
        home = self._daemon.home.resolve()
        if place.is_relative_to(home) or home.is_relative_to(place):
            raise AileronError(f"{place} is the home of this daemon, or lies in it, or holds it. Name another folder.")
        if os.geteuid() == 0 and place.stat().st_uid == 0:
            os.chown(place, _USER, _USER)  # nothing runs as root in there
        self._build()
        body = {
            "agent": self._agent,
            "image": self._image,
            "command": list(command),
            "workspace": str(place),
            "workspace_way": "live" if live else "auto",
            "environment": environment,
            "owner_pid": os.getpid(),
        }
        run = Run(self._daemon, str(self._daemon.ask("POST", "/v1/sandboxes", body)["id"]))
        self._runs.append(run)
        return run

    def wait_for_approval(self, *, action: str | None = None, seconds: float = 60.0) -> str:
        """Wait until something asks for a decision; return the id of the request."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for item in self._daemon.ask("GET", "/v1/approvals", state="pending")["items"]:
                if action is None or item["action"] == action:
                    return str(item["id"])
            time.sleep(_POLL_SECONDS)
        raise AileronError(f"Nothing asked for a decision in {seconds:g} s.")

    def approve(self, approval: str) -> None:
        """Decide for it."""
        self._daemon.ask("POST", f"/v1/approvals/{approval}/approve", {})

    def deny(self, approval: str) -> None:
        """Decide against it."""
        self._daemon.ask("POST", f"/v1/approvals/{approval}/deny", {})

    def events(self, **wanted: str) -> list[dict[str, Any]]:
        """Return what is in the audit log: by type, session, action, connector or failure_class."""
        return list(self._daemon.ask("GET", "/v1/audit", None, **({"limit": "10000"} | wanted))["items"])

    def assert_event(self, kind: str, *, count: int | None = None, **wanted: str) -> list[dict[str, Any]]:
        """Assert that the log holds such an event, or exactly so many."""
        found = self.events(type=kind, **wanted)
        expected = "at least one" if count is None else str(count)
        assert found if count is None else len(found) == count, (
            f"the log holds {len(found)} events {kind} {wanted or ''}, not {expected}; "
            f"it holds {sorted({event['type'] for event in self.events()})}"
        )
        return found

    def verify(self) -> None:
        """Assert that the log is whole."""
        found = self._daemon.ask("POST", "/v1/audit/verify", {})
        assert found["ok"], found

    def _build(self) -> None:
        with self._daemon.stream("/v1/sandbox-images/build", method="POST", body={"agent": self._agent}) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise AileronError(answer.text)
            for line in answer.iter_lines():
                told = json.loads(line)
                if "error" in told:
                    raise AileronError(told["error"] + "\n" + "\n".join(told["output"]))
