"""A home whose daemon has servers that ask back, and an agent that cannot answer."""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from servers.served_world import ServedWorld
from waiting import wait_until

ERAS = {"older": "handshake", "newer": "modern", "ruled": "modern"}
INQUIRER = str(Path(__file__).parent / "inquirer.py")
COLOUR: dict[str, Any] = {
    "message": "Which colour?",
    "requestedSchema": {
        "type": "object",
        "properties": {"colour": {"type": "string", "minLength": 2}, "deep": {"type": "boolean", "default": True}},
        "required": ["colour"],
    },
}


class AskedWorld(ServedWorld):
    """An installation with the servers `older` and `newer`, one of each era, and `ruled`, for tests of rules."""

    def __init__(self, folder: Path, *, settings: str = "") -> None:
        self.ledger = folder / "ledger"
        servers = {name: (sys.executable, INQUIRER, era, str(self.ledger)) for name, era in ERAS.items()}
        super().__init__(folder, servers, upstream="http://127.0.0.1:9", settings=settings)

    def begin(self) -> None:
        """Start the daemon, and have both servers looked at."""
        self.start()
        token = self.session()[1]
        for name in ERAS:
            self.look(token, f"{name}__ask")

    def call(
        self, token: str, ask: Mapping[str, Any] = COLOUR, *, server: str = "older", **more: Any
    ) -> httpx.Response:
        """Call a tool that asks back, as an agent that does not listen."""
        arguments = {"ask": dict(ask), **more}
        return self.agent("POST", f"/v1/tools/{server}__ask/call", {"arguments": arguments}, token=token)

    def asked(self, token: str, ask: Mapping[str, Any] = COLOUR, **more: Any) -> tuple[str, dict[str, Any]]:
        """Call it so; return by what its result is asked for, and the question that the person is shown."""
        answer = self.call(token, ask, **more)
        assert answer.status_code == 202, answer.text
        body = answer.json()
        question = self.ok("GET", f"/v1/questions/{body['review_url'].rpartition('/')[2]}")
        return body["approval_id"], question

    def open(self) -> list[dict[str, Any]]:
        """Return the questions that wait."""
        found: list[dict[str, Any]] = self.ok("GET", "/v1/questions?state=open")["items"]
        return found

    def answer(self, question: Mapping[str, Any], action: str = "accept", **given: Any) -> httpx.Response:
        """Answer as the person at the terminal."""
        return self.control("POST", f"/v1/questions/{question['id']}/answer", {"action": action, **given})

    def became(self, token: str, call: str) -> dict[str, Any]:
        """Wait until a call is over, and return what its agent is told."""
        body: dict[str, Any] = {}

        def over() -> bool:
            answer = self.agent("GET", f"/v1/action-approvals/{call}/result?wait=30", token=token)
            assert answer.is_success, answer.text
            body.update(answer.json())
            return bool(body["status"] != "running")

        wait_until(over)
        return body

    def told(self, token: str, call: str) -> list[Any]:
        """Return what the server was answered, as its result says."""
        became = self.became(token, call)
        assert became["status"] == "completed", became
        answers: list[Any] = json.loads(became["content"][0]["text"])["answers"]
        return answers

    def begun(self) -> list[str]:
        """Return the calls that began at the servers."""
        return self.ledger.read_text().split() if self.ledger.exists() else []

    def processes_of(self, server: str) -> list[int]:
        """Return the processes of a server of this installation."""
        wanted = {INQUIRER.encode(), ERAS[server].encode(), str(self.ledger).encode()}
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and wanted <= set((entry / "cmdline").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
        assert found
        return found
