"""Promise 3 over a backup: what was used after it was made cannot be used again in the home that comes out of it."""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from former import FORMER, turn_back
from services.upstream import UpstreamProcess
from world import API_KEY, ROOT, World

from daemon.custody.contents import SNAPSHOT
from daemon.custody.manifest import About
from daemon.custody.packing import pack

COMMAND = "from daemon.cli.main import main; main()"


def aileron(world: World, *arguments: str, home: Path | None = None) -> dict[str, Any]:
    """Run a command of the command line and return what it says in JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments, "--json"],
        env=kept | {"AILERON_HOME": str(home or world.home), "PYTHONPATH": str(ROOT)},
        cwd=world.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def ask(world: World, token: str, path: str) -> str:
    body = {"arguments": {"url": f"{world.upstream}{path}", "body": '{"n":1}'}}
    answer = world.agent("POST", "/v1/actions/ship/run", body, token=token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval_id"])


def finish(world: World, token: str, approval: str) -> None:
    answer = world.agent("GET", f"/v1/action-approvals/{approval}/result?wait=20", token=token, timeout=60)
    assert answer.json()["status"] == "completed", answer.text


def test_an_approval_that_was_spent_after_the_backup_is_void_after_the_restore(
    world: World, upstream: UpstreamProcess
) -> None:
    world.start()
    world.set_up()
    world.add_action("ship", approval=True)
    session, token = world.session()
    pending, approved = ask(world, token, "/pending"), ask(world, token, "/approved")
    world.ok("POST", "/v1/vault/lock")
    world.ok("POST", f"/v1/approvals/{approved}/approve", {})  # it waits for the vault
    made = aileron(world, "backup", "backup")
    assert (world.folder / "backup").stat().st_mode & 0o777 == 0o600
    assert not list((world.home / "backups").glob("snapshot-*"))
    unpacked = gzip.decompress((world.folder / "backup").read_bytes())
    assert not any(secret.encode() in unpacked for secret in (API_KEY, token, world.discovery["token"]))
    world.unlock()
    world.ok("POST", f"/v1/approvals/{pending}/approve", {})
    finish(world, token, pending)
    finish(world, token, approved)
    assert (len(upstream.seen("/pending")), len(upstream.seen("/approved"))) == (1, 1)
    later = world.ok("GET", "/v1/audit/head")
    world.stop()
    restored = aileron(world, "restore", "backup", "--replace", "--yes")
    assert Path(restored["kept"]).is_dir()

    # Killed while it takes the home up, the next start does all of it again.
    (world.folder / "fault").write_text("restore.taken_up")
    world.process = world.spawn(AILERON_FAULT_FILE=str(world.folder / "fault"))
    world.wait_dead()
    (world.folder / "fault").unlink()
    assert (world.home / "restored.json").exists()
    world.start()
    world.unlock()
    assert not (world.home / "restored.json").exists()
    for approval in (pending, approved):
        assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "void"
        assert world.control("POST", f"/v1/approvals/{approval}/approve", {}).status_code == 409
    assert world.agent("GET", "/v1/actions", token=token).status_code == 401
    assert world.ok("GET", f"/v1/sessions/{session}")["ended_at"] is not None
    last = world.events(type="home.restored")[-1]["payload"]
    assert last["aileron.home.backup.seq"] == made["head_seq"]
    _, fresh = world.session()
    again = ask(world, fresh, "/again")  # which also shows that the dispatcher is at work
    world.ok("POST", f"/v1/approvals/{again}/approve", {})
    finish(world, fresh, again)
    assert (len(upstream.seen("/pending")), len(upstream.seen("/approved"))) == (1, 1)

    # The log is whole, and another one than that which went on: a head of that one shows it.
    assert world.verify()["ok"]
    report = world.ok("POST", "/v1/audit/verify", {"anchor": later})
    assert {problem["kind"] for problem in report["problems"]} & {"spliced", "truncated"}


def test_a_backup_of_the_version_before_is_restored_and_upgraded(world: World, tmp_path: Path) -> None:
    world.start()
    world.stop()
    turn_back(world.home / "aileron.db")
    aside = tmp_path / "aside"
    aside.mkdir()
    for path in SNAPSHOT:
        (aside / Path(path).name).write_bytes((world.home / path).read_bytes())
    with closing(sqlite3.connect(aside / "aileron.db")) as connection:
        seq, digest = connection.execute("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1").fetchone()
    about = About(version="0.0.1", revision=FORMER, made_at="2026-01-01T00:00:00Z", head_seq=seq, head_hash=digest)
    with (world.folder / "backup").open("wb") as file:
        pack(file, world.home, aside, about)
    other = world.folder / "elsewhere"
    assert aileron(world, "restore", "backup", home=other)["kept"] is None
    world.home.rename(world.folder / "old")
    other.rename(world.home)
    world.start()
    assert world.verify()["ok"]
    assert world.events(type="home.restored")
