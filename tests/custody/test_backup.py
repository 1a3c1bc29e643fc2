"""A backup holds all that is not made again by itself, as it was at one moment, and nothing that could do harm."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from audit.audit_room import an_event, open_room
from custody.homes import FILES, NOT_FILES, YOU, back_up, furnish, taking, write_some

from daemon.audit.at_rest import verify_at_rest
from daemon.core.failures import Failure
from daemon.custody.contents import RESTORED, SNAPSHOT, belongs
from daemon.custody.restoring import restore
from daemon.custody.unpacking import check


async def test_a_backup_has_what_makes_a_home_and_nothing_that_is_made_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    furnish(home)
    async with open_room(home) as room:
        packed = await back_up(room, tmp_path / "backup")
    expected = {*FILES, *SNAPSHOT, RESTORED, "ca/audit.key"}
    assert set(packed.manifest.files) == expected
    assert check(tmp_path / "backup") == packed.manifest
    assert not any(belongs(path) for path in NOT_FILES)
    assert not any(belongs(path.upper()) for path in NOT_FILES)
    assert not list((home / "backups").iterdir())


async def test_the_log_in_a_backup_is_whole_while_others_go_on_writing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with open_room(home, checkpoint_every=7) as room:
        await write_some(room, 20)
        stop = asyncio.Event()

        async def write() -> int:
            count = 0
            while not stop.is_set():
                await room.log.append(*(an_event(count) for _ in range(3)))
                count += 1
            return count

        writers = [asyncio.create_task(write()) for _ in range(4)]  # noqa: TID251 - held in the list
        backups = []
        for number in range(4):
            packed = await back_up(room, tmp_path / f"backup-{number}")
            backups.append(packed.manifest.about)
        stop.set()
        assert all(await asyncio.gather(*writers))
        assert room.verify_live().ok
    assert [about.head_seq for about in backups] == sorted({about.head_seq for about in backups})
    for number, about in enumerate(backups):
        restored = restore(tmp_path / f"backup-{number}", tmp_path / f"home-{number}", stamp="x")
        report = verify_at_rest(restored.home / "aileron.db", restored.home / "ca" / "audit.key")
        assert (report.ok, report.head_seq, report.head_hash) == (True, about.head_seq, about.head_hash)
        async with open_room(restored.home, checkpoint_every=7) as again:
            assert not again.log.status().damage
            await write_some(again, 3)
            assert again.verify_live().ok
            (last,) = [event for event in again.events() if event.seq == about.head_seq]
            assert last.type != "audit.recovered"


async def test_a_damaged_log_is_not_backed_up_as_if_it_were_whole(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await write_some(room, 5)
    with closing(sqlite3.connect(room.path)) as connection, connection:
        connection.execute("UPDATE audit_events SET actor = 'person:other' WHERE seq = 3")
    async with open_room(tmp_path) as room:
        with taking(room) as made, pytest.raises(Failure, match="damaged"):
            await made.take(actor=YOU, session=None)
        assert not list((tmp_path / "backups").iterdir())


async def test_a_link_is_packed_as_what_it_leads_to_and_what_cannot_be_packed_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "actions").mkdir(parents=True)
    (tmp_path / "elsewhere.md").write_text("mine")
    (home / "actions" / "linked.md").symlink_to(tmp_path / "elsewhere.md")
    (home / "actions" / "nowhere.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "mine").write_text("mine, too")
    (home / "attachments").symlink_to(tmp_path / "dotfiles")
    (home / "actions" / "folder").symlink_to(tmp_path / "dotfiles")
    os.mkfifo(home / "actions" / "pipe")
    (home / "actions" / ("l" * 250)).write_text("x")
    async with open_room(home) as room:
        packed = await back_up(room, tmp_path / "backup")
    assert packed.followed == ["actions/linked.md"]
    assert packed.left_out[0] == "actions/folder (a link to a folder)"
    assert [each.split()[0] for each in packed.left_out[1:]] == [
        "actions/" + "l" * 250,
        "actions/nowhere.md",
        "actions/pipe",
    ]
    restored = restore(tmp_path / "backup", tmp_path / "again", stamp="x")
    assert (restored.home / "actions" / "linked.md").read_text() == "mine"
    assert not (restored.home / "actions" / "linked.md").is_symlink()
    assert (restored.home / "attachments" / "mine").read_text() == "mine, too"
    assert not (restored.home / "attachments").is_symlink()


async def test_what_a_killed_command_has_left_goes_at_the_next_start_and_after_a_day(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        with taking(room) as made:
            old, young = tmp_path / "backups" / "snapshot-old", tmp_path / "backups" / "snapshot-young"
            for folder in (old, young):
                folder.mkdir()
            os.utime(old, (1_000_000_000, 1_000_000_000))
            taken = await made.take(actor=YOU, session=None)
            assert (old.exists(), young.exists(), taken.folder.exists()) == (False, True, True)
            made.clear()
            assert list((tmp_path / "backups").iterdir()) == []
