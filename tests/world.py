"""A whole installation for black-box tests: a home, the real daemon as a process, an upstream, and nothing mocked."""

import json
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from prepared import keep_compiled, put_compiled, put_vault
from processes import Process, start_process

from connectors.build import build

ROOT = Path(__file__).parent.parent
PASSPHRASE = "correct horse battery staple"
WELLBEHAVED = "file://aileron/wellbehaved"
HOSTILE = "file://aileron/hostile"
API_KEY = "sentinel-7f3a9c51e2d84b60-key"
START_SECONDS = 30.0


class World:
    """One home and, while it runs, its daemon."""

    module = "daemon"
    """What is run as the daemon."""

    def __init__(
        self,
        folder: Path,
        *,
        upstream: str,
        settings: str = "",
        open_files: int | None = None,
        fresh: bool = False,
        **environment: str,
    ) -> None:
        self.folder = folder
        self._fresh = fresh  # each daemon is started as a person's is, and not forked (see processes.py)
        self._prefix = [] if open_files is None else ["sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh"]
        self.home = folder / "home"
        self.upstream = upstream.rstrip("/")
        self.host_port = self.upstream.split("://", 1)[1]
        self.home.mkdir(mode=0o700, exist_ok=True)
        (self.home / "actions").mkdir(mode=0o700, exist_ok=True)
        config = f'[network]\nallow_private = ["{self.host_port}"]\n{settings}'
        (self.home / "config.toml").write_text(config)
        (self.home / "config.toml").chmod(0o600)
        self.process: Process | None = None
        self.discovery: dict[str, Any] = {}
        self.hashes: dict[str, str] = {}
        self._environment = environment
        self._client = httpx.Client(timeout=60.0, trust_env=False, limits=httpx.Limits(max_connections=500))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._client.close()

    def start(self, **environment: str) -> None:
        """Start the daemon and wait until it answers."""
        self.process = self.spawn(**environment)
        self.wait_until_healthy()

    def spawn(self, **environment: str) -> Process:
        """Start a daemon process and wait for nothing."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
        with (self.folder / "daemon.out").open("ab") as output:
            return start_process(
                self.module,
                environment=kept | {"AILERON_HOME": str(self.home)} | self._environment | environment,
                output=output.fileno(),
                fresh=self._fresh or self.module != "daemon",
                prefix=self._prefix,
            )

    def wait_until_healthy(self) -> None:
        """Wait for the discovery file of the running process, and for its first answer."""
        deadline = time.monotonic() + START_SECONDS
        assert self.process is not None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.output()[-3000:]}")
            try:
                self.discovery = json.loads((self.home / "daemon.json").read_text())
                if self.discovery["pid"] == self.process.pid:
                    self._client.get(self.discovery["control_url"] + "/healthz").raise_for_status()
                    return
            except (OSError, ValueError, httpx.HTTPError):
                pass
            time.sleep(0.01)
        raise AssertionError(f"the daemon did not come up: {self.output()[-3000:]}")

    def output(self) -> str:
        """Return what the daemon processes have printed."""
        path = self.folder / "daemon.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self, seconds: float = 30.0) -> int:
        """Ask the daemon to stop, and wait for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code

    def kill(self) -> None:
        """End the daemon the hard way."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def wait_dead(self, seconds: float = 30.0) -> int:
        """Wait until the daemon has died by itself."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.process = None
        return code

    @property
    def control_url(self) -> str:
        """Return where the control API is."""
        return str(self.discovery["control_url"])

    @property
    def agent_url(self) -> str:
        """Return where the agent API is."""
        return str(self.discovery["agent_url"])

    def control(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Call the control API as the person at the terminal."""
        headers = {"Authorization": f"Bearer {self.discovery['token']}"} | options.pop("headers", {})
        return self._client.request(method, self.control_url + path, json=body, headers=headers, **options)

    def agent(self, method: str, path: str, body: Any = None, *, token: str, **options: Any) -> httpx.Response:
        """Call the agent API with a session token."""
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        return self._client.request(method, self.agent_url + path, json=body, headers=headers, **options)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API and expect success."""
        answer = self.control(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def session(self, **wanted: Any) -> tuple[str, str]:
        """Open an agent's session; return its id and token."""
        opened = self.ok("POST", "/v1/sessions", {"kind": "api", "label": "test"} | wanted)
        return opened["id"], opened["token"]

    def set_up(self, *names: str) -> None:
        """Put a vault there and unlock it, install connectors, bind a key to each."""
        self.set_up_vault()
        for name in names or ("wellbehaved",):
            self.install(name)
            self.ok(
                "POST",
                "/v1/bindings",
                {"connector": f"file://aileron/{name}", "value": {"type": "api_key", "key": API_KEY}},
            )

    def set_up_vault(self) -> None:
        """Put a vault there and unlock it."""
        put_vault(self.home, PASSPHRASE)
        self.unlock()

    def unlock(self) -> None:
        """Unlock the vault."""
        self.ok("POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE})

    def install(self, name: str, **options: Any) -> str:
        """Build a connector from source, install it, and return its hash."""
        options = {"fqn": f"file://aileron/{name}"} | options
        folder = build(name, self.folder / f"connector-{name}", hosts=[self.host_port], **options)
        source = folder.resolve().as_uri()
        compiled = self.home / "cache" / "wasm"
        put_compiled(compiled, folder / "connector.wasm")
        plan = self.ok("POST", "/v1/connectors/inspect", {"source": source})
        self.ok("POST", "/v1/connectors", {"source": source, "expected_hash": plan["hash"], "allow_unsigned": True})
        keep_compiled(compiled, folder / "connector.wasm")
        self.hashes[name] = plan["hash"]
        return str(plan["hash"])

    def add_action(
        self,
        name: str,
        *,
        op: str = "post_json",
        connector: str = "wellbehaved",
        capabilities: tuple[str, ...] = ("items:read", "items:write"),
        inputs: dict[str, str] | None = None,
        approval: bool = False,
        extra: str = "",
        version: str = "1.0.0",
        timeout: str = "10s",
    ) -> Path:
        """Write an action of one step."""
        given = {"url": "${args.url}", "body": "${args.body}"} if inputs is None else inputs
        used = sorted({text[7:-1] for text in given.values() if text.startswith("${args.")})
        declared = "".join(f'[[inputs]]\nname = "{n}"\ntype = "string"\ndescription = "{n}"\n' for n in used)
        step_inputs = "".join(f"{key} = {json.dumps(text)}\n" for key, text in given.items())
        text = (
            f'+++\nname = "{name}"\nversion = "{version}"\n[[requires.connectors]]\nname = "file://aileron/{connector}"\n'
            f'version = "1.0.0"\nhash = "{self.hashes[connector]}"\ncapabilities = {json.dumps(list(capabilities))}\n'
            f"{declared}[approval]\nrequired = {json.dumps(approval)}\n{extra}"
            f'[[execute]]\nid = "call"\nconnector = "file://aileron/{connector}"\nop = "{op}"\ntimeout = "{timeout}"\n'
            f"[execute.inputs]\n{step_inputs}+++\n# {name}\n\nA test action.\n"
        )
        path = self.home / "actions" / f"{name}.md"
        path.write_text(text)
        return path

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return audit events, the oldest first."""
        answer = self.control("GET", "/v1/audit", params={"limit": 10_000} | wanted)
        assert answer.is_success, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def verify(self) -> dict[str, Any]:
        """Verify the whole log through the daemon."""
        report: dict[str, Any] = self.ok("POST", "/v1/audit/verify", {})
        return report
