"""A session that ends while the log cannot be written stays ended, also after a restart."""

from pathlib import Path

import pytest
from approvals.approval_room import open_room

from daemon.core.failures import Failure
from daemon.core.principal import Means, Principal
from daemon.sessions.service import SessionKind
from daemon.sessions.tokens import Capability

YOU = Principal.person(Means.CLI)


async def test_an_end_that_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        session, _ = await room.sessions.open(
            kind=SessionKind.API,
            label="test",
            capabilities=frozenset({Capability.RUN_ACTIONS}),
            lifetime_ms=60_000,
            actor=YOU,
        )
        with room.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
            )
        with pytest.raises(Failure):
            await room.sessions.end(session.id, reason="ended by the person", actor=YOU)
        assert not room.sessions.is_open(session.id)
        with pytest.raises(Failure):
            await room.sessions.end_expired()
        with room.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER full")
        await room.sessions.end_expired()
        await room.sessions.end_expired()
        assert room.event_types().count("session.ended") == 1
    async with open_room(tmp_path) as room:
        assert not room.sessions.is_open(session.id)
        assert (await room.sessions.get(session.id)).end_reason == "ended by the person"
