"""Asks servers that were just taken over for their tools, so that an agent has them in its first list."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation

_AT_ONCE = 4
"""A first start may download a program, and several of those at once are not faster."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a server offers, or why it cannot be asked yet."""

    server: str
    tools: int | None
    failure: CliFailure | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        error = None if self.failure is None else self.failure.envelope()["error"]
        return {"server": self.server, "tools": self.tools, "error": error}


def look_at(invocation: Invocation, servers: Sequence[str]) -> list[Looked]:
    """Start each server once, a few at a time. One that cannot be asked hinders no other one."""
    if not servers:
        return []

    def look(server: str) -> Looked:
        try:
            with invocation.connect() as client:
                return Looked(server, int(client.post("/v1/servers/{}/test", server, patient=True)["tools"]), None)
        except CliFailure as failure:
            return Looked(server, None, failure)

    waiting, found = deque(servers), dict[str, Looked]()

    def work() -> None:
        while True:
            try:
                server = waiting.popleft()
            except IndexError:
                return
            found[server] = look(server)

    count = len(servers)
    with invocation.output.progress(f"Starting {servers[0] if count == 1 else f'{count} servers'}"):
        # Ctrl-C does not wait for these threads, because they are of the kind that Python leaves behind.
        threads = [Thread(target=work, daemon=True) for _ in range(min(count, _AT_ONCE))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [found[server] for server in servers]
