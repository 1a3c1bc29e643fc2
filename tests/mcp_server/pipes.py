"""For tests of aileron-mcp: a client that writes the protocol by hand, and the environment the server is started in."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, Self

from world import ROOT, World

COMMAND = (sys.executable, "-m", "aileron_mcp")
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "by-hand", "version": "1"}}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "by-hand", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def environment(**variables: str) -> dict[str, str]:
    """Return this environment without any AILERON_* but the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
    return kept | {"PYTHONPATH": str(ROOT)} | variables


def launched(world: World, **wanted: Any) -> dict[str, str]:
    """Return the variables a launch would set, for a session of its own."""
    session, token = world.session(**wanted)
    return environment(AILERON_URL=world.agent_url, AILERON_TOKEN=token, AILERON_SESSION_ID=session)


class ByHand:
    """Speaks JSON-RPC over the pipes of a server process."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True
        )
        self.notifications: list[dict[str, Any]] = []
        self.meta: dict[str, Any] = {}
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def write(self, text: str) -> None:
        """Write one line as it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def write_bytes(self, raw: bytes) -> None:
        """Write one line of any bytes."""
        assert self.process.stdin is not None
        self.process.stdin.flush()
        self.process.stdin.buffer.write(raw + b"\n")
        self.process.stdin.buffer.flush()

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request and wait for nothing; return its id."""
        self._id += 1
        self.write(json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}}))
        return self._id

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a notification."""
        self.write(json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}}))

    def next(self, seconds: float = 30.0) -> dict[str, Any]:
        """Return the next message of the server."""
        try:
            message: dict[str, Any] = json.loads(self._lines.get(timeout=seconds))
        except queue.Empty:
            ended = self.process.poll()
            words = "" if ended is None or self.process.stderr is None else self.process.stderr.read()
            raise AssertionError(f"nothing came in {seconds} s; the server's exit code is {ended}: {words}") from None
        return message

    def answer(self, request: int, seconds: float = 30.0) -> dict[str, Any]:
        """Return the answer to a request; what comes before it is kept."""
        while True:
            message = self.next(seconds)
            if message.get("id") == request and "method" not in message:
                return message
            self.notifications.append(message)

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return its answer."""
        return self.answer(self.send(method, params))

    def initialize(self) -> dict[str, Any]:
        """Shake hands the older way."""
        answer = self.ask("initialize", HANDSHAKE)
        self.notify("notifications/initialized")
        return answer

    def call(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Call a tool and return the result."""
        result: dict[str, Any] = self.ask("tools/call", {"name": tool, "arguments": arguments or {}} | more)["result"]
        return result

    def tools(self) -> set[str]:
        """Return the names of the tools."""
        return {tool["name"] for tool in self.ask("tools/list")["result"]["tools"]}

    def wait_for_notification(self, method: str, seconds: float = 40.0) -> dict[str, Any]:
        """Return the next notification of a kind."""
        for message in self.notifications:
            if message.get("method") == method:
                self.notifications.remove(message)
                return message
        while True:
            message = self.next(seconds)
            if message.get("method") == method:
                return message

    def end_input(self, seconds: float = 10.0) -> int:
        """Close the pipe and wait for the end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(seconds)

    def signal(self, number: signal.Signals, seconds: float = 10.0) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(seconds)
