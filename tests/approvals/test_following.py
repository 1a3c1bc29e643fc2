"""Approvals follow the end of a session also when the log cannot be written at that moment."""

import asyncio
from pathlib import Path

import pytest
from approval_room import ApprovalRoom, open_room

from daemon.approvals.following import SessionFollower
from daemon.core.principal import Means, Principal
from daemon.sessions.service import SessionKind

YOU = Principal.person(Means.CLI)


class Disk:
    """A fault at the log's insert, for as long as it is full."""

    def __init__(self) -> None:
        self.full = False

    def hit(self, name: str) -> None:
        if self.full and name == "audit.before_insert":
            raise OSError("no space left on device")


async def until_closed(room: ApprovalRoom, approval_id: str) -> str:
    return (await room.approvals.wait(approval_id, session=None, seconds=20)).state.value


async def test_an_end_that_cannot_be_written_down_is_tried_again_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.approvals.following._AGAIN_SECONDS", 0.01)
    disk = Disk()
    async with open_room(tmp_path, faults=disk) as room:
        follower = SessionFollower(approvals=room.approvals)
        room.sessions.on_end(follower.session_ended)
        asked = await room.ask(session="ses_gone")
        kept = await room.ask(session="ses_open")
        following = asyncio.ensure_future(follower.follow(is_open=lambda _: True))
        disk.full = True
        follower.session_ended("ses_gone")
        await asyncio.sleep(0.1)
        assert await room.state(asked) == "pending"
        disk.full = False
        assert await until_closed(room, asked.id) == "void"
        assert await room.state(kept) == "pending"
        assert room.event_types().count("approval.void") == 1
        following.cancel()


async def test_a_session_that_expired_while_no_daemon_ran_takes_its_approvals_along_at_the_start(
    tmp_path: Path,
) -> None:
    async with open_room(tmp_path) as room:
        session, _ = await room.sessions.open(
            kind=SessionKind.API, label="test", capabilities=(), lifetime_ms=1000, actor=YOU
        )
        asked = await room.ask(session=session.id)
        clock = room.clock
    clock.move(wall=5, steady=5)
    async with open_room(tmp_path, clock=clock) as room:
        follower = SessionFollower(approvals=room.approvals)
        following = asyncio.ensure_future(follower.follow(is_open=room.sessions.is_open))
        assert await until_closed(room, asked.id) == "void"
        following.cancel()
