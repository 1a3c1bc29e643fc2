"""The program as a person runs it: real processes, the real daemon, a real connector and a real upstream."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.build import build
from tests.services.upstream import UpstreamProcess
from tests.shell import Shell
from tests.world import API_KEY, PASSPHRASE, WELLBEHAVED, World


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamProcess]:
    """Return the service that the connector talks to."""
    with UpstreamProcess() as running:
        yield running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, upstream: UpstreamProcess) -> Iterator[World]:
    """Return an installation that was set up by the program itself."""
    with World(tmp_path_factory.mktemp("cli"), upstream=upstream.url) as installed:
        yield installed


@pytest.fixture(scope="module")
def shell(world: World) -> Iterator[Shell]:
    """Return a shell in which the vault, a connector, a binding and two actions are set up."""
    run = Shell(world.home, world.folder)
    (world.folder / "passphrase").write_text(f"{PASSPHRASE}\n")
    (world.folder / "key").write_text(f"{API_KEY}\n")
    folder = build("wellbehaved", world.folder / "connector", fqn=WELLBEHAVED, hosts=[world.host_port])
    try:
        run("vault", "init", "--passphrase-file", "passphrase")
        refused = run("connector", "add", str(folder), "--yes", expect=1)
        assert "error (signature_failure)" in refused.stderr
        installed = run("connector", "add", str(folder), "--yes", "--allow-unsigned", "--json")
        world.hashes["wellbehaved"] = json.loads(installed.stdout)["hash"]
        bound = run("binding", "add", WELLBEHAVED, "--yes", "--value-file", "key")
        assert world.host_port in bound.stdout
        assert API_KEY not in bound.stdout + bound.stderr
        world.add_action("post-item")
        world.add_action("ask-first", approval=True)
        yield run
    finally:
        run("stop")


ITEM = {"body": '{"a": 1}'}


def arguments(world: World, path: str = "/items") -> tuple[str, str]:
    return f"url={world.upstream}{path}", f"body={ITEM['body']}"


def test_the_first_command_that_needs_the_daemon_starts_it_and_stop_ends_it(tmp_path: Path) -> None:
    run = Shell(tmp_path / "home", tmp_path)
    assert run("status", expect=3).stdout.startswith("The daemon does not run")
    try:
        assert json.loads(run("vault", "status", "--json").stdout)["state"] == "absent"
        pid = json.loads(run("status", "--json").stdout)["pid"]
        assert f"runs already (pid {pid}" in run("daemon", "start").stdout
    finally:
        assert f"pid {pid}" in run("stop").stdout
    assert run("daemon", "stop").stdout == "The daemon does not run.\n"
    assert run("status", expect=3).returncode == 3


def test_a_daemon_that_cannot_start_is_69_and_says_why(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("nonsense = 1\n")
    ended = Shell(home, tmp_path)("vault", "status", expect=69)
    assert "nonsense" in ended.stderr


def test_the_foreground_daemon_ends_with_ctrl_c(tmp_path: Path) -> None:
    run = Shell(tmp_path / "home", tmp_path)
    daemon = run.start("daemon", "run", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "home" / "daemon.json").exists():
            assert daemon.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "runs already" in run("daemon", "run", expect=1).stderr
        daemon.send_signal(signal.SIGINT)
        _, err = daemon.communicate(timeout=20)
        assert "Traceback" not in err
    finally:
        daemon.kill()
        daemon.wait()


def test_an_action_runs_and_its_result_is_printed(shell: Shell, world: World) -> None:
    ended = shell("action", "run", "post-item", *arguments(world))
    assert json.loads(ended.stdout)
    audit_id = ended.stderr.split()[-1]
    shown = json.loads(shell("audit", "show", audit_id, "--json").stdout)
    assert shown["action"] == "post-item"


def test_an_action_that_needs_approval_is_75_until_a_person_decides(shell: Shell, world: World) -> None:
    waiting = json.loads(shell("action", "run", "ask-first", *arguments(world), "--json", expect=75).stdout)
    approval = waiting["approval_id"]
    shell("action", "result", approval, expect=75)
    assert approval[-8:] in shell("approval", "list").stdout
    shown = shell("approval", "show", approval)
    assert "ask-first 1.0.0" in shown.stdout
    assert f"{WELLBEHAVED}@1.0.0" in shown.stdout
    assert "sha256:" in shown.stdout
    assert shell("approval", "approve", approval, "--reason", "fine").stdout.startswith("Approved")
    assert json.loads(shell("action", "result", approval, "--wait").stdout)
    assert json.loads(shell("approval", "show", approval, "--json").stdout)["decision_reason"] == "fine"
    assert shell("approval", "approve", approval, expect=1).stderr.startswith("error (approval_void)")


def test_a_denied_run_fails_with_the_person_s_reason(shell: Shell, world: World) -> None:
    waiting = shell.start(
        *("action", "run", "ask-first", *arguments(world), "--wait"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    approval = pending(shell)
    shell("approval", "deny", approval, "--reason", "not today")
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (1, "")
    assert "error (approval_denied)" in err
    assert "not today" in err


def test_ctrl_c_while_waiting_is_130_and_says_how_to_come_back(shell: Shell, world: World) -> None:
    waiting = shell.start(
        *("action", "run", "ask-first", *arguments(world), "--wait"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    approval = pending(shell)
    assert waiting.stderr is not None
    while approval not in waiting.stderr.readline():
        assert waiting.poll() is None
    time.sleep(0.5)
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert f"aileron action result {approval} --wait" in err
    assert "Traceback" not in err
    shell("approval", "deny", approval)


def pending(shell: Shell) -> str:
    """Wait for the one request that is pending and return its id."""
    deadline = time.monotonic() + 20
    while True:
        items = json.loads(shell("approval", "list", "--json").stdout)["items"]
        if items:
            return str(items[0]["id"])
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_locked_vault_is_77_and_says_what_to_do(shell: Shell, world: World) -> None:
    shell("vault", "lock")
    try:
        ended = shell("action", "run", "post-item", *arguments(world), expect=77)
        assert "aileron vault unlock" in ended.stderr
        wrong = shell("vault", "unlock", expect=1, AILERON_VAULT_PASSPHRASE="wrong")
        assert "wrong" not in wrong.stdout
    finally:
        shell("vault", "unlock", AILERON_VAULT_PASSPHRASE=PASSPHRASE)


def test_a_new_action_from_a_connector_checks_out(shell: Shell, world: World) -> None:
    path = shell("action", "add", "made-here", "--connector", WELLBEHAVED, "--op", "post_json").stdout.strip()
    assert shell("action", "check", path).stderr == "1 file checked, no problems.\n"
    Path(path).write_text(Path(path).read_text().replace("version = ", "versoin = ", 1))
    ended = shell("action", "check", path, expect=1)
    assert f"{path}:3: " in ended.stdout
    assert "broken" in shell("action", "list").stdout
    Path(path).unlink()


def test_every_operation_of_a_connector_can_be_started_from(shell: Shell, world: World) -> None:
    ops = json.loads(shell("connector", "show", WELLBEHAVED, "--json").stdout)["ops"]
    for op in ops:
        path = shell("action", "add", "tried-out", "--connector", WELLBEHAVED, "--op", op["name"]).stdout.strip()
        shell("action", "check", path)
        Path(path).unlink()


def test_a_disabled_action_does_not_run(shell: Shell, world: World) -> None:
    shell("action", "disable", "post-item")
    try:
        assert "capability_denied" in shell("action", "run", "post-item", *arguments(world), expect=1).stderr
    finally:
        shell("action", "enable", "post-item")


def test_secrets_go_in_and_never_come_out(shell: Shell, world: World) -> None:
    shell("secret", "add", "team/key", "--value-file", "-", stdin="sentinel-value-123")
    listed = shell("secret", "list").stdout + shell("secret", "list", "--json").stdout
    assert "team/key" in listed
    assert "sentinel-value-123" not in listed
    shell("secret", "remove", "team/key", "--yes")
    assert shell("secret", "remove", "team/key", "--yes", expect=1).stderr.startswith("error (not_found)")


def test_a_binding_takes_its_value_from_a_stored_secret_and_can_be_seen_and_removed(shell: Shell, world: World) -> None:
    second = ("binding", "add", WELLBEHAVED, "--identity", "second", "--yes", "--from-secret")
    assert "no secret of that name" in shell(*second, "team/key", expect=1).stderr
    assert "no secret of that name" in shell(*second, "api_key/wellbehaved/default", expect=1).stderr  # no copy of one
    shell("secret", "add", "team/key", "--value-file", "key")
    shell(*second, "team/key")
    shell("secret", "remove", "team/key", "--yes")
    items = {item["identity"]: item for item in json.loads(shell("binding", "list", "--json").stdout)["items"]}
    assert set(items) == {"default", "second"}
    refused = shell("action", "run", "post-item", *arguments(world), expect=1)
    assert "error (binding_required)" in refused.stderr
    assert f"aileron binding use {WELLBEHAVED}" in refused.stderr
    shell("binding", "use", WELLBEHAVED, items["second"]["name"], "--yes")
    shell("action", "run", "post-item", *arguments(world))
    assert world.host_port in shell("binding", "show", items["second"]["name"]).stdout
    shell("binding", "remove", items["second"]["name"], "--yes")
    shell("binding", "use", WELLBEHAVED, items["default"]["name"], "--yes")


def test_the_audit_log_is_listed_exported_and_verified(shell: Shell, world: World) -> None:
    shell("audit", "head", "--output", "head.json")
    shell("action", "run", "post-item", *arguments(world))
    newest = shell("audit", "list", "--since", "1h", "--type", "execution.*", "--limit", "5").stdout.splitlines()
    assert newest[0].split()[:2] == ["TIME", "TYPE"]
    assert all(line.split()[1].startswith("execution.") for line in newest[1:])
    shell("audit", "verify", "--anchor", "head.json")
    head = json.loads(shell("audit", "head").stdout)
    lines = [json.loads(line) for line in shell("audit", "export").stdout.splitlines()]
    exported = [line for line in lines if not line["type"].startswith("export.")]
    assert [event["seq"] for event in exported] == list(range(1, len(exported) + 1))
    assert len(exported) >= head["seq"]
    assert API_KEY not in json.dumps(exported)


def test_an_export_is_verified_on_another_machine_with_the_public_key(shell: Shell, world: World) -> None:
    shell("audit", "export", "--output", "audit.jsonl")
    shell("audit", "key", "--output", "audit.pem")
    elsewhere = {"AILERON_HOME": str(world.folder / "nowhere"), "HOME": str(world.folder / "nowhere")}
    ended = shell("audit", "verify", "audit.jsonl", "--key", "audit.pem", **elsewhere).stdout
    assert "The export is whole" in ended
    assert "true copy of the log from its first event" in ended
    without = shell("audit", "verify", "audit.jsonl", **elsewhere).stdout
    assert "NOT proved: whose log it is" in without
    file = world.folder / "audit.jsonl"
    file.write_text(file.read_text().replace('"person:owner"', '"person:other"', 1))
    ended = shell("audit", "verify", "audit.jsonl", "--key", "audit.pem", "--json", expect=1, **elsewhere)
    assert json.loads(ended.stdout)["problems"]
    assert not (world.folder / "nowhere").exists()


def test_a_reader_that_stops_early_and_a_poor_locale_are_no_defects(shell: Shell, world: World) -> None:
    writing = shell.start("audit", "export", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writing.stdout is not None
    assert writing.stderr is not None
    writing.stdout.close()
    assert writing.wait(30) == 1
    assert writing.stderr.read() == ""
    writing.stderr.close()
    shell("secret", "add", "x", "--value-file", "-", stdin="x")
    poor = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert "\\xfc" in shell("secret", "remove", "\u00fc", "--yes", expect=1, **poor).stderr
    shell("secret", "remove", "x", "--yes")


def test_an_anchor_from_another_log_is_found_out(shell: Shell, world: World) -> None:
    head = json.loads(shell("audit", "head").stdout)
    (world.folder / "other.json").write_text(json.dumps({**head, "seq": head["seq"] + 1000}))
    assert shell("audit", "verify", "--anchor", "other.json", expect=1)


def test_follow_prints_events_as_they_come_and_ends_quietly(shell: Shell, world: World) -> None:
    following = shell.start(
        "audit", "list", "--limit", "1", "--follow", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())
    shell("action", "disable", "post-item")
    shell("action", "enable", "post-item")
    types = [json.loads(following.stdout.readline())["type"] for _ in range(3)]
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=20)
    assert types == ["action.disabled", "action.change_begun", "action.enabled"]
    assert (following.returncode, err) == (130, "")


def test_running_a_broken_action_says_what_is_wrong_with_its_file(shell: Shell, world: World) -> None:
    path = world.home / "actions" / "post-item.md"
    good = path.read_text()
    path.write_text(good.replace("[[execute]]", "[[exekute]]", 1))
    said = shell("action", "run", "post-item", *arguments(world), expect=1).stderr
    path.write_text(good)
    assert f"{path}:" in said
    assert "exekute" in said
    assert "no input" not in said


def test_open_prints_a_link_that_leads_to_the_request(shell: Shell, world: World) -> None:
    waiting = json.loads(shell("action", "run", "ask-first", *arguments(world), "--json", expect=75).stdout)
    url = shell("open", "approval", waiting["approval_id"]).stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    assert shell("open", "approval", "apr_none", expect=1).stderr.startswith("error (not_found)")
    shell("approval", "deny", waiting["approval_id"])


def test_sessions_connectors_and_keys_are_listed(shell: Shell, world: World) -> None:
    sessions = json.loads(shell("session", "list", "--json").stdout)["items"]
    assert sessions[0]["id"] in shell("session", "show", sessions[0]["id"]).stdout
    assert WELLBEHAVED in shell("connector", "list").stdout
    assert "[[requires.connectors]]" in shell("connector", "show", WELLBEHAVED).stdout
    assert shell("keyring", "list", "--json").stdout


def test_a_key_is_trusted_and_revoked(shell: Shell, world: World) -> None:
    from base64 import b64encode

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    shell("keyring", "add", key, "--label", "Acme", "--namespace", "github://acme", "--yes")
    item = json.loads(shell("keyring", "list", "--json").stdout)["items"][-1]
    assert item["label"] == "Acme"
    shell("keyring", "remove", item["key_id"], "--reason", "lost", "--yes")
    assert "revoked" in shell("keyring", "list").stdout


def test_the_doctor_finds_nothing_that_failed(shell: Shell, world: World) -> None:
    answer = json.loads(shell("doctor", "--json").stdout)
    assert answer["ok"]
    assert {"daemon", "vault", "audit log"} <= {item["name"] for item in answer["items"]}


class OnTerminal:
    """A command with a terminal of its own."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.keyboard, program = pty.openpty()
        self.process = shell.start(*arguments, stdin=program, stdout=program, stderr=program, start_new_session=True)
        os.close(program)
        self.seen = ""

    def expect(self, condition: Callable[[str], bool]) -> None:
        """Read until what was written fits."""
        deadline = time.monotonic() + 30
        while not condition(self.seen):
            assert time.monotonic() < deadline, self.seen
            ready, _, _ = select.select([self.keyboard], [], [], 0.2)
            if ready:
                try:
                    self.seen += os.read(self.keyboard, 65536).decode()
                except OSError:
                    break
        assert condition(self.seen), self.seen

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.keyboard, keys.encode())

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(30)
        os.close(self.keyboard)
        return code


def test_on_a_terminal_watch_decides_by_a_word(shell: Shell, world: World) -> None:
    world.add_action("echo-first", op="echo", inputs={"text": "${args.text}"}, approval=True)
    watching = OnTerminal(shell, "approval", "watch")
    watching.expect(lambda seen: "Watching" in seen)
    hostile = "text=\x1b]0;owned\x07\x1b[2J"
    waiting = shell.start(
        *("action", "run", "echo-first", hostile, "--wait"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    watching.expect(lambda seen: "Type approve" in seen)
    assert "Step 1 of 1: call" in watching.seen
    assert "Return the arguments." in watching.seen
    assert "\\u001b]0;owned\\u0007" in watching.seen
    assert "\x1b]0;owned" not in watching.seen
    assert "\x1b[2J" not in watching.seen
    watching.press("a\r")
    watching.expect(lambda seen: "Nothing was decided." in seen)
    watching.press("approve\r")
    watching.expect(lambda seen: "Approved." in seen)
    waiting.communicate(timeout=30)
    watching.press("q\r")
    assert watching.end() == 0


def test_on_a_terminal_enter_alone_approves_nothing_and_a_yes_does(shell: Shell, world: World) -> None:
    waiting = json.loads(shell("action", "run", "ask-first", *arguments(world), "--json", expect=75).stdout)
    approval = waiting["approval_id"]
    for answer, code, state in (("\r", 1, "pending"), ("y\r", 0, "")):
        asking = OnTerminal(shell, "approval", "approve", approval)
        asking.expect(lambda seen: "Approve exactly this, once? [y/N]" in seen)
        assert "Step 1 of 1: call" in asking.seen
        asking.press(answer)
        asking.expect(lambda seen, code=code: ("Approved" if code == 0 else "nothing was changed") in seen)
        assert asking.end() == code
        assert not state or json.loads(shell("approval", "show", approval, "--json").stdout)["state"] == state


def test_on_a_terminal_output_is_coloured_and_questions_are_asked(shell: Shell, world: World) -> None:
    listing = OnTerminal(shell, "action", "list")
    listing.expect(lambda seen: "post-item" in seen and "ask-first" in seen)
    assert "\x1b[" in listing.seen
    assert listing.end() == 0
    removing = OnTerminal(shell, "connector", "remove", WELLBEHAVED)
    removing.expect(lambda seen: "[y/N]" in seen)
    removing.press("n\r")
    removing.expect(lambda seen: "nothing was changed" in seen)
    assert removing.end() == 1


def test_ctrl_c_at_a_passphrase_prompt_is_130_and_quiet(shell: Shell, world: World) -> None:
    asking = OnTerminal(shell, "vault", "passwd")
    asking.expect(lambda seen: "Current vault passphrase" in seen)
    asking.process.send_signal(signal.SIGINT)
    assert asking.end() == 130
