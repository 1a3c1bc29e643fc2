"""Decisions carried out on real folders: what was shown is what lands, once, and the log tells by whose word."""

import asyncio
import errno
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from workspaces.conftest import Machine

from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import IdSource
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.principal import Means, Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.workspaces.carrying_out import Files
from daemon.workspaces.commits.commits import CheckBounds
from daemon.workspaces.commits.committing import Commits
from daemon.workspaces.decisions import Decision, How, Mode
from daemon.workspaces.layers.layer import Layer, State
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.site import survey
from daemon.workspaces.looking import filing
from daemon.workspaces.service import Workspaces
from daemon.workspaces.values import Changes, Way

YOU = Principal.person(Means.CLI)

SESSION = "ses_019ab000-1111-7111-8111-0000abcd1234"
LATER = ".vscode/tasks.json"


class NoEngine:
    """Stands where there is no engine: a folder without git needs none."""

    async def pack(self, layer: Layer, file: Path, **_: Any) -> None:
        raise AssertionError(f"{layer.session} has no repository, so nothing is packed into {file}")


class FullDisk:
    """Lets a landing fail at a point, once."""

    def __init__(self) -> None:
        self.at = ""

    def hit(self, name: str) -> None:
        if name == self.at:
            self.at = ""
            raise OSError(errno.ENOSPC, "No space left on device")


class Room:
    """One layer over the project of a person, and the service over it."""

    def __init__(self, machine: Machine, layers: Layers, service: Workspaces, engine: Any, faults: FullDisk) -> None:
        self.machine = machine
        self.faults = faults
        self.layers = layers
        self.service = service
        self._engine = engine
        self.project = machine.project
        (self.project / "app.py").write_text("one\n")
        (self.project / "old.txt").write_text("old\n")
        time.sleep(0.05)  # the kernel's clock for files goes in steps; what was changed in the last one is not known
        site = survey(self.project, machine.off_limits)
        layer = layers.create(SESSION, site, agent="codex", label="", way=Way.OVERLAY, user="1000:1000")
        site.close()
        self.upper = layer.upper(layer.work)

    def wrote(self, path: str, content: str) -> None:
        """Let the agent have written a file."""
        place = self.upper / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def deleted(self, path: str) -> None:
        """Let the agent have deleted a file, as the kernel marks it."""
        os.mknod(self.upper / path, 0o20000, 0)

    async def shown(self) -> str:
        """Look at it as a person does; return the digest of what was shown."""
        return str((await self.service.changes(SESSION))["plan"])

    def events(self) -> list[tuple[str, str, str]]:
        """Return what the log says of workspaces: type, actor, payload."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                text("SELECT type, actor, payload FROM audit_events WHERE type LIKE 'workspace.%' ORDER BY seq")
            )
            return [(row.type, row.actor, row.payload) for row in rows]

    def kept(self) -> list[str]:
        """Return what was kept aside of the agent's."""
        found = self.layers.get(SESSION).kept.rglob("*")
        return [each.read_text() for each in found if each.is_file()]

    def here(self) -> dict[str, str]:
        """Return what the person has."""
        found = (each for each in self.project.rglob("*") if each.is_file())
        return {str(each.relative_to(self.project)): each.read_text() for each in found}


def make_repository(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", folder], check=True)


def decide(plan: str, **what: Any) -> Decision:
    return Decision(**({"by": YOU, "how": How.QUESTION, "plan": plan} | what))


@pytest.fixture
async def room(machine: Machine, layers: Layers, tmp_path: Path) -> AsyncIterator[Room]:
    """Offer a room with a log of its own."""
    database = tmp_path / "aileron.db"
    migrate(database, backups=tmp_path / "backups", now_ms=machine.clock.now_ms())
    engine = open_engine(database)
    ids = IdSource(clock=machine.clock, entropy=os.urandom)
    signer = CheckpointSigner.open(tmp_path / "audit.key")
    audit = AuditLog.open(engine=engine, clock=machine.clock, ids=ids, signer=signer, boot="x")
    draw: Callable[[], str] = lambda: ids.new(IdPrefix.AUDIT)  # noqa: E731 - it is a value
    faults = FullDisk()
    files = Files(layers=layers, audit=audit, faults=faults, draw_id=draw)
    commits = Commits(layers=layers, packer=NoEngine(), audit=audit, auto_yes=(), bounds=CheckBounds())
    service = Workspaces(layers=layers, files=files, commits=commits, auto_yes=("scripts/*",))
    yield Room(machine, layers, service, engine, faults)
    service.close()
    await audit.close()
    engine.dispose()


async def test_what_was_shown_and_chosen_lands_and_the_rest_stays(room: Room) -> None:
    room.wrote("app.py", "two\n")
    room.wrote("new/file.txt", "new\n")
    room.deleted("old.txt")
    room.wrote(LATER, "{}")
    outcome = await room.service.land(SESSION, decide(await room.shown()))
    assert sorted(each.path for each in outcome.landed) == ["app.py", "new/file.txt", "old.txt"]
    assert [each.path for each in outcome.left] == [LATER]
    assert room.here() == {"app.py": "two\n", "new/file.txt": "new\n"}
    again = await room.service.land(SESSION, decide(await room.shown(), yes_to=frozenset({LATER})))
    assert [each.path for each in again.landed] == [LATER]


async def test_what_the_agent_changed_after_the_look_does_not_land_and_nothing_else_does(room: Room) -> None:
    room.wrote("app.py", "two\n")
    room.wrote("other.txt", "x\n")
    plan = await room.shown()
    room.wrote("app.py", "something else\n")
    with pytest.raises(Failure, match=r"Not as it was when you looked: 'app\.py'") as refused:
        await room.service.land(SESSION, decide(plan))
    assert refused.value.failure_class is FailureClass.HASH_MISMATCH
    assert room.here() == {"app.py": "one\n", "old.txt": "old\n"}
    outcome = await room.service.land(SESSION, decide(plan, paths=("other.txt",)))
    assert [each.path for each in outcome.landed] == ["other.txt"]


async def test_what_is_new_after_the_look_stays_and_is_told(room: Room) -> None:
    room.wrote("a.txt", "a")
    plan = await room.shown()
    room.wrote("b.txt", "b")
    outcome = await room.service.land(SESSION, decide(plan))
    assert [each.path for each in outcome.landed] == ["a.txt"]
    assert "1 more paths changed after you looked" in outcome.notes[0]
    assert "b.txt" not in room.here()


async def test_a_digest_that_nobody_was_shown_lands_nothing(room: Room) -> None:
    room.wrote("a.txt", "a")
    with pytest.raises(Failure, match="not as it was when you looked"):
        await room.service.land(SESSION, decide("sha256:guessed"))
    assert "a.txt" not in room.here()
    assert room.events() == []


async def test_the_same_decision_twice_and_at_once_lands_once_and_fails_neither_time(room: Room) -> None:
    room.wrote("app.py", "two\n")
    room.deleted("old.txt")
    decision = decide(await room.shown())
    first, second = await asyncio.gather(room.service.land(SESSION, decision), room.service.land(SESSION, decision))
    assert sorted(len(each.landed) for each in (first, second)) == [0, 2]
    assert room.here() == {"app.py": "two\n"}
    assert [kind for kind, _, _ in room.events()].count("workspace.landing_started") == 1


async def test_a_conflict_is_kept_aside_and_does_not_stop_the_rest(room: Room) -> None:
    room.wrote("app.py", "agent\n")
    room.wrote("new.txt", "new\n")
    (room.project / "app.py").write_text("person\n")
    outcome = await room.service.land(SESSION, decide(await room.shown()))
    assert [each.path for each in outcome.landed] == ["new.txt"]
    assert [each.path for each in outcome.aside] == ["app.py"]
    assert room.here()["app.py"] == "person\n"
    assert room.kept() == ["agent\n"]


async def test_what_the_person_changes_between_the_look_and_the_yes_is_a_conflict_and_stops_nothing(
    room: Room,
) -> None:
    room.wrote("app.py", "agent\n")
    room.wrote("new.txt", "new\n")
    plan = await room.shown()
    (room.project / "app.py").write_text("person\n")
    outcome = await room.service.land(SESSION, decide(plan))
    assert [each.path for each in outcome.landed] == ["new.txt"]
    assert [each.path for each in outcome.aside] == ["app.py"]
    assert room.here()["app.py"] == "person\n"
    assert room.kept() == ["agent\n"]


async def test_a_landing_goes_on_to_its_end_when_whoever_asked_has_gone_away(room: Room) -> None:
    room.wrote("app.py", "two\n")
    asking = asyncio.ensure_future(room.service.land(SESSION, decide(await room.shown())))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    for _ in range(500):
        if "workspace.landed" in [kind for kind, _, _ in room.events()]:
            break
        await asyncio.sleep(0.01)
    assert room.here()["app.py"] == "two\n"
    assert room.events()[-1][0] == "workspace.landed"


@pytest.mark.parametrize("point", ["landing.written_down", "landing.after_step", "landing.synced"])
async def test_a_landing_that_failed_was_undone_and_lands_afterwards_as_if_it_had_not_been_tried(
    room: Room, point: str
) -> None:
    room.wrote("app.py", "two\n")
    room.wrote("new.txt", "new\n")
    room.deleted("old.txt")
    room.faults.at = point
    with pytest.raises(Failure, match="no space left"):
        await room.service.land(SESSION, decide(await room.shown()))
    assert room.here() == {"app.py": "one\n", "old.txt": "old\n"}
    assert room.events()[-1][0] == "workspace.landing_failed"
    outcome = await room.service.land(SESSION, decide(await room.shown()))
    assert not outcome.aside
    assert room.here() == {"app.py": "two\n", "new.txt": "new\n"}


async def test_a_landing_that_failed_makes_no_change_of_the_persons_count_as_none(room: Room) -> None:
    room.wrote("app.py", "agent\n")
    room.wrote("new.txt", "new\n")
    (room.project / "app.py").write_text("person\n")
    room.faults.at = "landing.synced"
    with pytest.raises(Failure, match="no space left"):
        await room.service.land(SESSION, decide(await room.shown()))
    outcome = await room.service.land(SESSION, decide(await room.shown()))
    assert [each.path for each in outcome.aside] == ["app.py"]
    assert room.here()["app.py"] == "person\n"


async def test_auto_lands_nothing_that_would_run_later_but_what_the_settings_name(room: Room) -> None:
    room.wrote("a.txt", "a")
    room.wrote(LATER, "{}")
    room.wrote("scripts/run.sh", "x")
    (room.upper / "scripts/run.sh").chmod(0o755)
    plan = await room.shown()
    outcome = await room.service.land(SESSION, decide(plan, mode=Mode.AUTO, how=How.AUTO))
    assert sorted(each.path for each in outcome.landed) == ["a.txt", "scripts/run.sh"]
    assert [each.path for each in outcome.left] == [LATER]


async def test_the_log_says_by_whom_and_how_before_anything_lands_and_what_was_left(room: Room) -> None:
    room.wrote("app.py", "two\n")
    room.wrote(LATER, "{}")
    await room.service.land(SESSION, decide(await room.shown(), how=How.PAGE))
    events = room.events()
    kinds = [kind for kind, _, _ in events]
    assert kinds[0] == "workspace.landing_started"
    assert kinds[-1] == "workspace.landed"
    assert {actor for _, actor, _ in events} == {"person:owner"}
    assert '"aileron.workspace.decided":"page"' in events[0][2]
    left = next(payload for kind, _, payload in events if kind == "workspace.landing_left")
    assert LATER in left
    assert "said yes to it by name" in left


async def test_a_log_that_cannot_be_written_lands_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.wrote("app.py", "two\n")
    plan = await room.shown()

    async def fails(*_: Any, **__: Any) -> None:
        raise Failure(FailureClass.AUDIT_UNAVAILABLE, "full", boundary=Boundary.RUNTIME)

    monkeypatch.setattr(room.service._files._audit, "append", fails)
    with pytest.raises(Failure, match="full"):
        await room.service.land(SESSION, decide(plan))
    assert room.here()["app.py"] == "one\n"


async def test_an_agent_at_work_is_not_thrown_away_and_throwing_away_twice_is_once(room: Room) -> None:
    room.wrote("a.txt", "a")
    with pytest.raises(Failure, match="still at work"):
        await room.service.discard(SESSION, by=YOU, how=How.OPTION)
    assert room.layers.end(SESSION) is not None
    for _ in range(2):
        await room.service.discard(SESSION, by=YOU, how=How.OPTION)
    assert [kind for kind, _, _ in room.events()] == ["workspace.discarded"]
    assert "a.txt" not in room.here()
    assert await room.service.list() == []


async def test_a_layer_is_looked_at_when_a_person_saw_it_and_not_by_a_script(room: Room) -> None:
    room.wrote("a.txt", "a")
    await room.service.changes(SESSION, by_person=False)
    assert not room.layers.get(SESSION).looked_at
    await room.shown()
    assert room.layers.get(SESSION).looked_at


async def test_what_landed_is_known_and_the_agent_can_go_on(room: Room) -> None:
    room.wrote("app.py", "two\n")
    await room.service.land(SESSION, decide(await room.shown()))
    assert (await room.service.changes(SESSION))["changes"] == []
    room.wrote("app.py", "three\n")
    outcome = await room.service.land(SESSION, decide(await room.shown()))
    assert [each.path for each in outcome.landed] == ["app.py"]
    assert not outcome.aside


async def test_a_layer_that_is_removed_while_it_is_looked_at_is_said_to_be_gone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = room.layers.get(SESSION)
    look = filing.look

    def removed_first(layer: Layer) -> Changes:
        layer.folder.rename(layer.folder.with_name(".gone"))
        return look(layer)

    monkeypatch.setattr(filing, "look", removed_first)
    with pytest.raises(Failure, match="removed or resumed meanwhile") as gone:
        await room.service.changes(SESSION)
    assert gone.value.failure_class is FailureClass.NOT_FOUND
    layer.folder.with_name(".gone").rename(layer.folder)


async def test_differences_are_of_what_the_digest_means(room: Room) -> None:
    room.wrote("app.py", "two\n")
    told = await room.service.difference(SESSION)
    assert told["plan"] == await room.shown()
    assert {"mark": "added", "text": "+two"} in told["lines"]
    assert (await room.service.difference(SESSION, ("nowhere",)))["lines"] == []


async def test_the_content_of_a_file_is_given_and_of_nothing_else(room: Room) -> None:
    room.wrote("a.txt", "a")
    (room.upper / "link").symlink_to("/etc/passwd")
    os.mkfifo(room.upper / "pipe")
    assert await room.service.content(SESSION, "a.txt") == b"a"
    for path in ("link", "pipe", "nowhere", "../../record.json", "/etc/passwd"):
        with pytest.raises((Failure, OSError)):
            await room.service.content(SESSION, path)


async def test_a_record_that_cannot_be_read_is_listed_and_nothing_of_it_is_removed(room: Room) -> None:
    layer = room.layers.get(SESSION)
    (layer.folder / "record.json").write_text("{")
    (item,) = await room.service.list()
    assert (item["session"], item["state"]) == (SESSION, "unreadable")
    assert await room.service.take_up() == 0
    assert layer.folder.exists()


async def test_layers_of_an_earlier_daemon_are_taken_up(room: Room) -> None:
    room.wrote("a.txt", "a")
    assert await room.service.take_up() == 1
    assert room.layers.get(SESSION).state is State.ENDED


async def test_the_lock_that_a_killed_landing_left_on_the_index_goes_at_the_next_start(room: Room) -> None:
    make_repository(room.project)
    lock = room.project / ".git" / "index.lock"
    lock.write_bytes(b"held by aileron while commits land\n")
    await room.service.take_up()
    assert not lock.exists()
    lock.write_bytes(b"of a git command of the person's")
    await room.service.take_up()
    assert lock.exists()
