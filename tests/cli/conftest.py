"""Runs the command line inside the test, against a stand-in that answers what the control API would."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.stand_in_server import StandInServer

from daemon.base.home import Home
from daemon.cli.client import ControlClient
from daemon.cli.connection import DaemonConnection
from daemon.cli.invocation import Invocation
from daemon.cli.main import run
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
Answer = Any
LISTS = {"/v1/approvals": "apr", "/v1/questions": "qst", "/v1/sessions": "ses"}


def envelope(failure_class: str, message: str, **details: Any) -> dict[str, Any]:
    """Return a failure the way the API answers it."""
    return {
        "error": {
            "class": failure_class,
            "message": message,
            "retriable": False,
            "boundary": "user",
            "audit_id": "aud_1",
            "details": details,
        }
    }


@dataclass
class StandIn:
    """Answers by method and path, and remembers what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    running: bool = True
    otherwise: Answer = None
    """What is answered where nothing is said; not found, if it is None."""

    def _listed(self, prefix: str) -> dict[str, Any]:
        """Return what the list would hold: everything that there is an answer about."""
        ids = sorted({found for path in self.answers for found in re.findall(rf"{prefix}_\w+", path)})
        return {"items": [{"id": each, "label": f"label of {each}"} for each in ids], "next": None}

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}")
        if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, httpx.Response):
            return answer
        if answer is None:
            answer = self.otherwise
        if answer is None and request.url.path in LISTS:
            answer = self._listed(LISTS[request.url.path])
        if answer is None:
            return httpx.Response(404, json=envelope("not_found", f"no {request.method} {request.url.path}"))
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=body)

    def bodies(self, call: str) -> list[Any]:
        """Return the JSON bodies that came in for a method and path."""
        return [json.loads(r.content) for r in self.requests if f"{r.method} {r.url.path}" == call]

    def queries(self, call: str) -> list[dict[str, str]]:
        """Return the queries that came in for a method and path."""
        return [dict(r.url.params) for r in self.requests if f"{r.method} {r.url.path}" == call]


class StandInConnection(DaemonConnection):
    """Leads to the stand-in."""

    def __init__(self, stand_in: StandIn, url: str, home: Path) -> None:
        self._stand_in = stand_in
        self._url = url
        self._home = home

    def home(self) -> Home:
        return Home(self._home)

    def open(self) -> ControlClient:
        return ControlClient(url=self._url, token="t")

    def open_if_running(self) -> ControlClient | None:
        return self.open() if self._stand_in.running else None

    def stop(self) -> int | None:
        if not self._stand_in.running:
            return None
        self._stand_in.running = False
        return 4711

    def local_checks(self) -> list[dict[str, Any]]:
        return [{"name": "home", "status": "ok", "message": "fine", "remedy": ""}]


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def stand_in() -> StandIn:
    """Return the stand-in of the control API."""
    return StandIn()


@pytest.fixture
def open_vault(stand_in: StandIn) -> None:
    """Have an unlocked vault without a credential, as what asks for one looks for first."""
    stand_in.answers |= {"GET /v1/vault": {"state": "unlocked"}, "GET /v1/bindings": {"items": []}}


@pytest.fixture
def cli(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ended]]:
    """Return a function that runs one command line."""
    server = StandInServer(stand_in.handle)

    def call(
        *arguments: str, stdin: str = "", terminal: bool = False, environ: Mapping[str, str] | None = None
    ) -> Ended:
        kind = Terminal if terminal else io.StringIO
        streams = {"stdin": kind(stdin), "stdout": kind(), "stderr": kind()}
        with monkeypatch.context() as patch:
            for name, stream in streams.items():
                patch.setattr(f"sys.{name}", stream)
            variables = {"TERM": "dumb", **(environ or {})}
            output = Output(out=streams["stdout"], err=streams["stderr"], environ=variables)
            code = run(
                arguments,
                Invocation(
                    output=output,
                    prompts=Prompts(stdin=streams["stdin"], output=output, environ=variables),
                    connection=StandInConnection(stand_in, server.url, tmp_path),
                    environ=variables,
                    now=lambda: NOW,
                ),
            )
        return Ended(code, streams["stdout"].getvalue(), streams["stderr"].getvalue())

    with server:
        yield call


@pytest.fixture(autouse=True)
def _plain_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the width of help texts from depending on where the tests run."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
