"""status, daemon, stop, doctor and vault, against a stand-in."""

from pathlib import Path
from typing import Any

import pytest

from daemon.cli.failure import ExitCode

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 4711,
    "started_at": "2026-11-20T20:00:00.000Z",
    "uptime_seconds": 7200.0,
    "home": "/home/u/.aileron",
    "control_url": "http://127.0.0.1:1",
    "agent_url": "http://127.0.0.1:2",
    "vault": {"state": "unlocked", "auto_lock_seconds": 900},
    "audit": {"available": True, "reason": None, "head_seq": 12, "head_hash": "h", "checkpoint_seq": 10},
    "storage": {
        "state": "ok",
        "used_bytes": 12 * 1024**2,
        "budget_bytes": 8 * 1024**3,
        "database_bytes": 11 * 1024**2,
        "attachment_bytes": 1024**2,
    },
    "approvals": {"pending": 1},
    "runs": {"active": 0},
    "sessions": {"active": 2},
    "actions": {"enabled": 3, "ready": 2, "locked": 0, "blocked": 1, "disabled": 0, "broken": 1},
    "connectors": 1,
}


def test_status_shows_what_the_daemon_does(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/status"] = STATUS
    ended = cli("status")
    assert ended.code == 0
    assert "up 2h" in ended.out
    assert "unlocked (locks after 15m without use)" in ended.out
    assert "2 ready, 1 blocked, 1 broken" in ended.out
    assert "aileron action list" in ended.err
    assert "aileron approval list" in ended.err
    assert cli("status", "--json").json == {"running": True, **STATUS}


def test_status_warns_before_the_log_is_full_and_says_what_to_do(cli: Any, stand_in: Any) -> None:
    for state, said in (("warning", "nearly full"), ("full", "FULL: nothing new is begun")):
        stand_in.answers["GET /v1/status"] = {**STATUS, "storage": {**STATUS["storage"], "state": state}}
        ended = cli("status")
        assert f"12 MiB of 8 GiB ({said})" in ended.out
        assert "[audit] budget" in ended.err


def test_status_does_not_start_the_daemon_and_says_3(cli: Any, stand_in: Any) -> None:
    stand_in.running = False
    ended = cli("status")
    assert ended.code == ExitCode.NOT_RUNNING
    assert "does not run" in ended.out
    assert cli("status", "--json").json["running"] is False
    assert cli("daemon", "status").code == ExitCode.NOT_RUNNING


def test_a_second_start_is_no_start(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /healthz"] = {"status": "ok", "version": "0.1.0", "pid": 4711}
    ended = cli("daemon", "start")
    assert ended.code == 0
    assert "runs already (pid 4711" in ended.out


def test_a_stop_of_nothing_is_fine(cli: Any, stand_in: Any) -> None:
    stand_in.running = False
    for command in (["stop"], ["daemon", "stop"]):
        ended = cli(*command)
        assert (ended.code, ended.out) == (0, "The daemon does not run.\n")


def test_a_stop_says_which_daemon_it_was(cli: Any, stand_in: Any) -> None:
    ended = cli("stop")
    assert (ended.code, ended.out) == (0, "The daemon is stopped (pid 4711).\n")


def test_a_failed_check_fails_the_doctor_and_shows_its_remedy(cli: Any, stand_in: Any) -> None:
    checks = [{"name": "audit log", "status": "failed", "message": "cannot be written", "remedy": "Free some space."}]
    stand_in.answers["GET /healthz"] = {"status": "ok", "version": "0.1.0", "pid": 4711}
    stand_in.answers["GET /v1/checks"] = {"items": checks}
    stand_in.answers["GET /v1/status"] = STATUS
    ended = cli("doctor")
    assert ended.code == ExitCode.FAILED
    assert "FAILED   audit log: cannot be written\n         Free some space.\n" in ended.out
    answer = cli("doctor", "--json").json
    assert answer["ok"] is False
    assert [item["name"] for item in answer["items"]] == ["home", "daemon", "audit log", "agents' door", "docker"]


def test_the_doctor_does_not_need_the_daemon(cli: Any, stand_in: Any) -> None:
    stand_in.running = False
    ended = cli("doctor")
    assert ended.code == 0
    assert "warning  daemon: It does not run" in ended.out


def vault(state: str) -> dict[str, Any]:
    return {"state": state, "entries": 2, "auto_lock_seconds": 900, "locks_at": "2026-11-20T22:05:00.000Z"}


def test_the_passphrase_comes_from_a_file_without_its_line_end(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers |= {"GET /v1/vault": vault("absent"), "POST /v1/vault/create": (201, vault("unlocked"))}
    file = tmp_path / "passphrase"
    file.write_text("correct horse \n")
    ended = cli("vault", "init", "--passphrase-file", str(file))
    assert ended.code == 0
    assert "no way to recover" in ended.err
    assert stand_in.bodies("POST /v1/vault/create") == [{"passphrase": "correct horse "}]


def test_the_passphrase_comes_from_the_environment(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {"GET /v1/vault": vault("locked"), "POST /v1/vault/unlock": vault("unlocked")}
    assert cli("vault", "unlock", environ={"AILERON_VAULT_PASSPHRASE": "pw"}).code == 0
    assert stand_in.bodies("POST /v1/vault/unlock") == [{"passphrase": "pw"}]


def test_the_passphrase_is_asked_for_twice_at_the_terminal(
    cli: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.answers |= {"GET /v1/vault": vault("absent"), "POST /v1/vault/create": (201, vault("unlocked"))}
    typed = iter(["one", "two"] * 3 + ["same", "same"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    ended = cli("vault", "init", terminal=True)
    assert ended.code == ExitCode.FAILED
    assert "differ" in ended.err
    assert cli("vault", "init", terminal=True).code == 0
    assert stand_in.bodies("POST /v1/vault/create") == [{"passphrase": "same"}]


def test_passwd_takes_both_passphrases_from_files(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers["POST /v1/vault/passphrase"] = vault("unlocked")
    (tmp_path / "old").write_text("old\n")
    (tmp_path / "new").write_text("new\n")
    ended = cli(
        *("vault", "passwd", "--passphrase-file", str(tmp_path / "old")),
        *("--new-passphrase-file", str(tmp_path / "new")),
    )
    assert ended.code == 0
    assert stand_in.bodies("POST /v1/vault/passphrase") == [{"old": "old", "new": "new"}]


def test_init_of_a_vault_that_is_there_changes_nothing(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/vault"] = vault("locked")
    ended = cli("vault", "init", environ={"AILERON_VAULT_PASSPHRASE": "pw"})
    assert ended.code == ExitCode.FAILED
    assert "aileron vault passwd" in ended.err


def test_unlock_of_a_vault_that_is_open_asks_nothing(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/vault"] = vault("unlocked")
    assert cli("vault", "unlock").code == 0


def test_no_command_takes_a_secret_as_an_argument() -> None:
    import importlib

    from typer.main import get_command

    from daemon.cli.main import _Root

    for entry in _Root.table.values():
        command = get_command(importlib.import_module(entry.module).app)
        for inner in getattr(command, "commands", {"": command}).values():
            # What takes a file may be called --key; what takes the text itself may not.
            names = {name for one in inner.params if one.metavar != "FILE" for name in one.opts}
            assert not names & {"--passphrase", "--password", "--value", "--key", "--token", "--secret"}


def test_vault_status_says_when_it_locks(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/vault"] = vault("unlocked")
    assert "locks in     5m" in cli("vault", "status").out
