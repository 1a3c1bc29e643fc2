"""How every command behaves, whatever it does: exit codes, JSON, questions, tracebacks."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from cli.stand_in_server import Broken, Silent, StandInServer

from daemon.cli.client import ControlClient
from daemon.cli.failure import CliFailure, ExitCode

VAULT = {"state": "locked", "entries": 2, "auto_lock_seconds": 900, "locks_at": None}


def failure(failure_class: str, message: str = "m", **details: Any) -> dict[str, Any]:
    """Return an envelope."""
    inner = {"class": failure_class, "message": message, "retriable": False, "boundary": "user", "details": details}
    return {"error": {**inner, "audit_id": "aud_1"}}


@pytest.mark.parametrize(
    ("status", "failure_class", "code"),
    [(404, "not_found", 1), (423, "vault_locked", 77), (503, "audit_unavailable", 1), (500, "internal_error", 1)],
)
def test_a_failure_of_the_api_ends_with_its_exit_code(
    cli: Any, stand_in: Any, status: int, failure_class: str, code: int
) -> None:
    stand_in.answers["GET /v1/secrets"] = (status, failure(failure_class, "it did not work"))
    ended = cli("secret", "list")
    assert ended.code == code
    assert ended.err.startswith(f"error ({failure_class}): it did not work\n")
    assert ended.out == ""


def test_with_json_a_failure_is_the_envelope_on_stdout(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/secrets"] = (423, failure("vault_locked", "locked", command="aileron vault unlock"))
    ended = cli("secret", "list", "--json")
    assert ended.code == ExitCode.VAULT_LOCKED
    assert ended.json["error"]["class"] == "vault_locked"
    assert ended.json["error"]["audit_id"] == "aud_1"
    assert "run: aileron vault unlock" in ended.err


def test_an_answer_without_an_envelope_is_reported_as_such(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/secrets"] = httpx.Response(502, text="<html>")
    ended = cli("secret", "list")
    assert ended.code == ExitCode.FAILED
    assert "answered 502" in ended.err


def test_an_answer_that_is_no_json_is_somebody_else(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/secrets"] = httpx.Response(200, text="hello")
    assert cli("secret", "list").code == ExitCode.UNREACHABLE


def no_answer(request: httpx.Request) -> httpx.Response:
    raise Broken


def half_an_answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Length": "100"}, content=iter([b"["]), extensions={"then_close": True})


def never(request: httpx.Request) -> httpx.Response:
    raise Silent


@pytest.mark.parametrize(("misbehave", "said"), [(no_answer, "broke"), (half_an_answer, "broke"), (never, "too long")])
def test_a_daemon_that_does_not_answer_has_an_exit_code_of_its_own(
    cli: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch, misbehave: Any, said: str
) -> None:
    monkeypatch.setattr("daemon.cli.wire.ANSWER_SECONDS", 0.3)
    stand_in.answers["GET /v1/secrets"] = misbehave
    ended = cli("secret", "list")
    assert ended.code == ExitCode.UNREACHABLE
    assert ended.err.startswith("error: ")
    assert said in ended.err


def test_something_else_on_the_port_is_no_daemon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with ControlClient(url=url, token="t") as client, pytest.raises(CliFailure) as failure:
            client.get("/healthz")
        answering.join()
    assert failure.value.exit_code == ExitCode.UNREACHABLE


def test_a_connection_that_ended_while_nobody_used_it_is_replaced() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={}, extensions={"then_close": True})

    with StandInServer(answer) as server, ControlClient(url=server.url, token="t") as client:
        for _ in range(3):
            client.post("/v1/stop")
            time.sleep(0.05)
    assert len(asked) == 3


def test_one_client_serves_several_threads_at_once() -> None:
    together = threading.Barrier(4)

    def answer(request: httpx.Request) -> httpx.Response:
        together.wait(10)
        return httpx.Response(200, json={"said": request.url.params["n"]})

    with (
        StandInServer(answer) as server,
        ControlClient(url=server.url, token="t") as client,
        ThreadPoolExecutor(4) as threads,
    ):
        answers = list(threads.map(lambda n: client.get("/healthz", n=n)["said"], range(4)))
    assert answers == ["0", "1", "2", "3"]


def test_a_usage_error_is_2(cli: Any) -> None:
    assert cli("vault", "unlok").code == ExitCode.USAGE
    assert cli("audit", "list", "--limit", "many").code == ExitCode.USAGE
    assert cli("audit", "list", "--since", "yesterday").code == ExitCode.USAGE
    assert cli("nothing-like-this").code == ExitCode.USAGE


def test_ctrl_c_ends_quietly_with_130(cli: Any, stand_in: Any) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    stand_in.answers["GET /v1/secrets"] = interrupt
    ended = cli("secret", "list")
    assert (ended.code, ended.out, ended.err) == (ExitCode.INTERRUPTED, "", "")


def test_a_defect_shows_no_traceback_unless_asked(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/secrets"] = {"items": [{"nonsense": 1}]}
    ended = cli("secret", "list")
    assert ended.code == ExitCode.FAILED
    assert "defect of aileron itself" in ended.err
    assert "Traceback" not in ended.err
    with pytest.raises(KeyError):
        cli("--debug", "secret", "list")


def test_debug_shows_the_traceback_of_a_failure(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/secrets"] = (404, failure("not_found"))
    assert "Traceback" in cli("--debug", "secret", "list").err


LISTS: dict[tuple[str, ...], str] = {
    ("secret", "list"): "/v1/secrets",
    ("binding", "list"): "/v1/bindings",
    ("connector", "list"): "/v1/connectors",
    ("keyring", "list"): "/v1/keyring",
    ("action", "list"): "/v1/actions",
    ("approval", "list"): "/v1/approvals",
    ("audit", "list"): "/v1/audit",
    ("session", "list"): "/v1/sessions",
}


@pytest.mark.parametrize("command", LISTS)
def test_an_empty_list_is_empty_on_stdout_and_said_on_stderr(cli: Any, stand_in: Any, command: tuple[str, ...]) -> None:
    stand_in.answers[f"GET {LISTS[command]}"] = {"items": [], "next": None}
    ended = cli(*command)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err
    assert cli(*command, "--json").json == {"items": [], "next": None}


ASKING = [
    ("vault", "init"),
    ("vault", "unlock"),
    ("vault", "passwd"),
    ("secret", "add", "a"),
    ("secret", "remove", "a"),
    ("binding", "add", "github://acme/slack"),
    ("binding", "use", "github://acme/slack", "api_key/slack/default"),
    ("binding", "remove", "api_key/slack/default"),
    ("connector", "add", "github://acme/slack@1.2.0"),
    ("connector", "remove", "github://acme/slack"),
    ("keyring", "add", "a2V5" * 11, "--namespace", "github://acme"),
    ("keyring", "remove", "key_1"),
]
PLAN: dict[str, Any] = {
    "name": "github://acme/slack",
    "version": "1.2.0",
    "hash": "sha256:" + "ab" * 32,
    "description": "Slack.",
    "signature": {"state": "trusted", "key_id": "key_1", "message": "signed"},
    "hosts": ["slack.com:443"],
    "credential": {
        "kind": "api_key",
        "scope": None,
        "hosts": ["slack.com:443"],
        "header": "Authorization",
        "format": "Bearer {secret}",
        "oauth2": None,
    },
    "ops": [{"name": "post", "capability": "chat:write", "idempotent": False, "description": "d", "inputs": []}],
    "limits": {},
    "installed": False,
    "warnings": [],
}


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_nothing_asks_when_stdin_is_not_a_terminal(cli: Any, stand_in: Any, command: tuple[str, ...]) -> None:
    absent = {**VAULT, "state": "absent"}
    stand_in.answers["GET /v1/vault"] = absent if command == ("vault", "init") else VAULT
    stand_in.answers["GET /v1/connectors/show"] = PLAN
    stand_in.answers["POST /v1/connectors/inspect"] = PLAN
    ended = cli(*command, stdin="y\ny\n")
    assert ended.code == ExitCode.USAGE
    assert "there is no terminal to ask on" in ended.err
    assert "Pass --" in ended.err
    changed = {"POST /v1/connectors/inspect"}
    calls = {f"{r.method} {r.url.path}" for r in stand_in.requests if r.method != "GET"}
    assert calls <= changed


def test_a_no_at_the_terminal_changes_nothing(cli: Any, stand_in: Any) -> None:
    ended = cli("secret", "remove", "a", stdin="n\n", terminal=True)
    assert ended.code == ExitCode.FAILED
    assert "nothing was changed" in ended.err
    assert stand_in.requests == []


def test_a_yes_at_the_terminal_goes_on(cli: Any, stand_in: Any) -> None:
    stand_in.answers["DELETE /v1/secrets"] = {}
    ended = cli("secret", "remove", "a", stdin="y\n", terminal=True)
    assert ended.code == 0
    assert stand_in.queries("DELETE /v1/secrets") == [{"name": "a"}]


def test_the_token_goes_into_the_header_and_never_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    with (
        ControlClient(url="http://127.0.0.1:1", token="t") as client,
        pytest.raises(CliFailure, match="does not answer"),
    ):
        client.get("/healthz")


def test_a_name_with_slashes_stays_one_segment(cli: Any, stand_in: Any) -> None:
    cli("action", "show", "../../stop")
    assert stand_in.requests[0].url.raw_path == b"/v1/actions/..%2F..%2Fstop"


@pytest.mark.parametrize("name", [".", "..", ""])
def test_a_name_that_would_climb_out_of_its_path_is_refused(cli: Any, stand_in: Any, name: str) -> None:
    assert cli("action", "show", name).code == ExitCode.USAGE
    assert stand_in.requests == []


def test_version_and_help_need_no_daemon(cli: Any, stand_in: Any) -> None:
    from daemon.version import VERSION

    stand_in.running = False
    assert cli("--version").out == f"aileron {VERSION}\n"
    assert cli("--help").code == 0
    assert stand_in.requests == []
