"""What is kept of the log outside the database: after a kill, a power loss, an upgrade, a full disk; and going on."""

import asyncio
import hmac
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from audit.audit_room import AuditRoom, an_event, open_room
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import select

from daemon.audit.events import chain_hash
from daemon.audit.signing import CheckpointSigner
from daemon.core.failures import Failure, FailureClass
from daemon.core.principal import Means, Principal
from daemon.db.tables import audit_checkpoints

YOU = Principal.person(Means.CLI)


def as_killed(folder: Path, target: Path) -> Path:
    """Copy a home whose log is open: what a kill at this moment would leave."""
    with closing(sqlite3.connect(folder / "aileron.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    return target


async def left_by_a_kill(tmp_path: Path, *, events: int = 5, boot: str = "this boot") -> Path:
    """Return a home whose daemon was killed with events behind the last checkpoint."""
    folder = tmp_path / "written"
    folder.mkdir()
    async with open_room(folder, boot=boot) as room:
        for number in range(events):
            await room.log.append(an_event(number))
        return as_killed(folder, tmp_path / "killed")


@contextmanager
def unwritable(folder: Path, name: str) -> Iterator[None]:
    """Keep a file beside the key from being replaced: a folder lies where its new version would be written."""
    obstacle = folder / "ca" / f".{name}.aileron-draft"
    obstacle.mkdir()
    try:
        yield
    finally:
        obstacle.rmdir()


def checkpoints(room: AuditRoom) -> list[int]:
    with room.engine.connect() as connection:
        return list(connection.execute(select(audit_checkpoints.c.seq).order_by(audit_checkpoints.c.seq)).scalars())


def forge(folder: Path, *, seq: int) -> None:
    """Put a row behind the end, with a hash to fit."""
    with closing(sqlite3.connect(folder / "aileron.db")) as connection:
        last = connection.execute("SELECT * FROM audit_events WHERE seq = ?", (seq - 1,)).fetchone()
        fields = [seq, f"aud_forged_{seq}", *last[2:10], last[11]]
        connection.execute(f"INSERT INTO audit_events VALUES ({','.join('?' * 12)})", [*fields, chain_hash(*fields)])
        connection.commit()


async def test_what_a_killed_daemon_left_unsigned_is_signed_at_start_before_anything_else(tmp_path: Path) -> None:
    home = await left_by_a_kill(tmp_path)
    async with open_room(home) as room:
        assert checkpoints(room) == [5]
        assert len(room.events()) == 5
        assert room.verify_live().ok
        assert room.verify_live().unvouched == []


async def test_what_was_found_after_a_power_loss_is_named_for_ever(tmp_path: Path) -> None:
    home = await left_by_a_kill(tmp_path)
    running = home / "ca" / "audit.running"
    # The disk has the events, which were synced, and an older page of the running head, which was not.
    async with open_room(home) as room:
        await room.log.append(an_event(6))
        old = running.read_bytes()
        await room.log.append(an_event(7), an_event(8))
        lost = as_killed(home, tmp_path / "lost")
    (lost / "ca" / "audit.running").write_bytes(old)
    async with open_room(lost, boot="the next boot") as room:
        recovered = room.events()[-1]
        assert recovered.type == "audit.recovered"
        assert '"aileron.audit.first":7,"aileron.audit.last":8' in recovered.payload
        assert checkpoints(room)[-1] == recovered.seq
        await room.log.append(an_event(9))
    for boot in ("the next boot", "another"):
        async with open_room(lost, boot=boot) as room:
            report = room.verify_live()
            assert (report.ok, report.unvouched) == (True, [(7, 8)])


async def test_a_second_kill_does_not_make_genuine_what_nobody_vouches_for(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class KillBeforeCommit:
        def hit(self, name: str) -> None:
            if name == "audit.before_commit":
                raise Killed

    home = await left_by_a_kill(tmp_path)
    forge(home, seq=6)
    with pytest.raises(Killed):
        async with open_room(home, boot="the next boot", faults=KillBeforeCommit()):
            pass
    async with open_room(home, boot="the next boot") as room:
        assert room.verify_live().unvouched == [(6, 6)]


async def test_within_one_boot_nothing_is_taken_for_a_power_loss(tmp_path: Path) -> None:
    home = await left_by_a_kill(tmp_path)
    forge(home, seq=6)
    async with open_room(home) as room:
        assert [(one.kind, one.seq) for one in room.log.status().damage] == [("inserted", 6)]
        assert checkpoints(room) == []


async def test_an_acknowledged_event_cannot_be_taken_back_by_a_kill(tmp_path: Path) -> None:
    home = await left_by_a_kill(tmp_path)
    with closing(sqlite3.connect(home / "aileron.db")) as connection:
        connection.execute("DELETE FROM audit_events WHERE seq = 5")
        connection.commit()
    async with open_room(home) as room:
        assert [(one.kind, one.seq) for one in room.log.status().damage] == [("truncated", 5)]


async def a_home_of_the_version_before(tmp_path: Path, *, unsigned: int) -> Path:
    """Return a home with a key and a log, a checkpoint of the first form, and no seal."""
    folder = tmp_path / "before"
    folder.mkdir()
    async with open_room(folder) as room:
        for number in range(5):
            await room.log.append(an_event(number))
        await room.log.checkpoint()
        head = room.log.head()
        for number in range(unsigned):
            await room.log.append(an_event(number))
        home = as_killed(folder, tmp_path / "upgraded")
    signature = room.signer.sign(purpose="checkpoint", seq=5, head=head.hash, time=head.time)
    with closing(sqlite3.connect(home / "aileron.db")) as connection:
        connection.execute("UPDATE audit_checkpoints SET signature = ?, time = ?", (signature, head.time))
        connection.commit()
    key = home / "ca" / "audit.key"
    key.write_bytes(b"".join(line for line in key.read_bytes().splitlines(True) if not line.startswith(b"#")))
    for name in ("audit.seal", "audit.running"):
        (home / "ca" / name).unlink()
    return home


@pytest.mark.parametrize("unsigned", [0, 2])
async def test_a_home_of_the_version_before_starts_and_verifies(tmp_path: Path, unsigned: int) -> None:
    home = await a_home_of_the_version_before(tmp_path, unsigned=unsigned)
    async with open_room(home) as room:
        assert room.log.status().damage == ()
        await room.log.append(an_event(9))
    async with open_room(home) as room:
        report = room.verify_live()
        assert report.ok, report.problems
        assert report.unvouched == ([(6, 7)] if unsigned else [])
        with closing(sqlite3.connect(home / "aileron.db")) as connection:
            connection.execute("DELETE FROM audit_checkpoints WHERE seq = 5")
            connection.commit()
        assert [(one.kind, one.seq) for one in room.verify_live().problems] == [("missing_checkpoint", 5)]


async def test_a_damaged_home_of_the_version_before_is_not_signed(tmp_path: Path) -> None:
    home = await a_home_of_the_version_before(tmp_path, unsigned=2)
    with closing(sqlite3.connect(home / "aileron.db")) as connection:
        connection.execute("UPDATE audit_events SET payload = '{}' WHERE seq = 3")
        connection.commit()
    async with open_room(home) as room:
        assert [(one.kind, one.seq) for one in room.log.status().damage] == [("modified", 3)]
    assert not (home / "ca" / "audit.seal").exists()


async def test_a_seal_that_was_deleted_is_no_upgrade(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.log.append(an_event())
    for name in ("audit.seal", "audit.running"):
        (tmp_path / "ca" / name).unlink()
    assert CheckpointSigner.open(tmp_path / "ca" / "audit.key").sealed
    async with open_room(tmp_path) as room:
        assert "audit.seal is missing" in str(room.log.status().reason)


async def test_a_person_goes_on_with_a_damaged_log_and_every_verification_names_it(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        for number in range(5):
            await room.log.append(an_event(number))
    with closing(sqlite3.connect(tmp_path / "aileron.db")) as connection:
        connection.execute("UPDATE audit_events SET payload = '{}' WHERE seq = 3")
        connection.execute("DELETE FROM audit_events WHERE seq = 5")
        connection.commit()
    done = []

    async def take_up() -> None:
        done.append((await room.log.append(an_event(7))).records[0].seq)

    async with open_room(tmp_path) as room:
        room.log.when_resumed(take_up)
        record = await room.log.resume(because="a restored copy", actor=YOU, session=None)
        assert record.seq == 6
        assert done == [7]
        assert room.log.status().available
        await room.log.append(an_event(8))
    for _ in range(2):
        async with open_room(tmp_path) as room:
            assert room.log.status().available
            report = room.verify_live()
            assert not report.ok
            assert {("modified", 3), ("truncated", 5), ("resumed", 6)} <= report.places
            assert all(problem.known for problem in report.problems)
            assert "a restored copy" in str([problem.message for problem in report.problems])
            with pytest.raises(Failure) as caught:
                await room.log.resume(because="again", actor=YOU, session=None)
            assert caught.value.failure_class is FailureClass.INVALID_ARGUMENTS
    with closing(sqlite3.connect(tmp_path / "aileron.db")) as connection:
        connection.execute("UPDATE audit_events SET payload = '{}' WHERE seq = 8")
        connection.commit()
    async with open_room(tmp_path) as room:
        assert [(one.kind, one.seq) for one in room.log.status().damage] == [("modified", 8)]


async def test_of_events_around_the_moment_in_which_a_person_goes_on_the_later_ones_are_written(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.log.append(an_event())
    (tmp_path / "ca" / "audit.seal").unlink()
    async with open_room(tmp_path) as room:
        append, resume = room.log.append, room.log.resume(because="x", actor=YOU, session=None)
        before, after = [append(an_event(n)) for n in range(3)], [append(an_event(n)) for n in range(3)]
        answers = await asyncio.gather(*before, resume, *after, return_exceptions=True)
        assert all(isinstance(each, Failure) for each in answers[:3])
        assert [answers[3].seq, *(each.records[0].seq for each in answers[4:])] == [2, 3, 4, 5]


async def test_going_on_that_is_cut_off_leaves_the_damage_to_be_found_again(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.log.append(an_event())
    (tmp_path / "ca" / "audit.seal").unlink()

    async with open_room(tmp_path) as room:
        with unwritable(tmp_path, "audit.seal"), pytest.raises(Failure, match=r"audit\.seal"):
            await room.log.resume(because="x", actor=YOU, session=None)
        assert room.log.status().damage
    async with open_room(tmp_path) as room:
        assert room.log.status().damage
        await room.log.resume(because="x", actor=YOU, session=None)
        await room.log.append(an_event())
        assert room.log.status().available


async def test_an_older_copy_of_everything_is_found_with_an_exported_head_and_only_so(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    async with open_room(folder) as room:
        await room.log.append(an_event())
    older = shutil.copytree(folder, tmp_path / "older")
    async with open_room(folder) as room:
        await room.log.append(an_event())
        anchor = room.log.head()
    async with open_room(older) as room:
        assert room.verify_live().ok
        with room.engine.connect() as connection:
            report = room.log.verify(connection, anchor=anchor)
        assert [(one.kind, one.seq) for one in report.problems] == [("truncated", 2)]


async def test_a_head_of_another_installation_stops_nothing(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with open_room(tmp_path / "other") as room:
        await room.log.append(an_event())
        anchor = room.log.head()
    async with open_room(tmp_path / "one") as room:
        with room.engine.connect() as connection:
            assert not room.log.verify(connection, anchor=anchor).ok
        await room.log.append(an_event())


async def test_an_event_waits_no_longer_for_a_checkpoint_than_the_setting_says(tmp_path: Path) -> None:
    async with open_room(tmp_path, checkpoint_seconds=0.05) as room:
        await room.log.append(an_event())
        for _ in range(200):
            if room.log.status().checkpoint_seq == 1:
                break
            await asyncio.sleep(0.05)
        assert checkpoints(room) == [1]
        await asyncio.sleep(0.2)
        assert checkpoints(room) == [1], "there was nothing new to sign"


async def test_no_stretch_between_two_checkpoints_is_longer_than_the_setting_says(tmp_path: Path) -> None:
    async with open_room(tmp_path, checkpoint_every=10) as room:
        await room.log.append(*(an_event(number) for number in range(35)))
        assert checkpoints(room) == [10, 20, 30]
        assert room.verify_live().ok


async def test_another_setting_after_a_restart_is_no_damage(tmp_path: Path) -> None:
    for every in (1000, 10, 1000):
        async with open_room(tmp_path, checkpoint_every=every) as room:
            assert room.log.status().damage == ()
            await room.log.append(*(an_event(number) for number in range(40)))
            assert room.verify_live().ok


async def test_while_the_seal_cannot_be_written_what_was_written_stands_and_the_next_waits(tmp_path: Path) -> None:
    async with open_room(tmp_path, checkpoint_every=2) as room:
        await room.log.append(an_event(1))
        with unwritable(tmp_path, "audit.seal"):
            assert (await room.log.append(an_event(2))).records[0].seq == 2
            with pytest.raises(Failure, match=r"audit\.seal"):
                await room.log.append(an_event(3))
            assert not room.log.status().available
        assert (await room.log.append(an_event(4))).records[0].seq == 3
        assert room.verify_live().ok
    async with open_room(tmp_path) as room:
        assert room.verify_live().ok


async def test_a_kill_behind_a_commit_of_several_checkpoints_and_before_its_seal_is_no_damage(tmp_path: Path) -> None:
    folder = tmp_path / "written"
    folder.mkdir()
    async with open_room(folder, checkpoint_every=2) as room:
        await room.log.append(an_event(1))
        with unwritable(folder, "audit.seal"):
            await room.log.append(*(an_event(number) for number in range(2, 10)))
            home = as_killed(folder, tmp_path / "killed")
    (home / "ca" / ".audit.seal.aileron-draft").rmdir()
    async with open_room(home, checkpoint_every=2) as room:
        assert len(checkpoints(room)) >= 4
        assert room.log.status().damage == ()
        await room.log.append(an_event(10))
        assert room.verify_live().ok


def test_the_code_of_what_is_kept_outside_is_the_hmac_that_earlier_versions_wrote(tmp_path: Path) -> None:
    signer = CheckpointSigner.open(tmp_path / "audit.key")
    key = load_pem_private_key((tmp_path / "audit.key").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    outside = hmac.digest(key.private_bytes_raw(), b"aileron-audit-outside-v1", "sha256")
    for text in (b"", b"running\n{}", b"x" * 1000):
        assert signer.authenticate(text) == hmac.digest(outside, text, "sha256").hex()
