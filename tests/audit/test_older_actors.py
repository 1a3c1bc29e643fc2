"""A log that versions before principals wrote is read, verified and continued as it is."""

from pathlib import Path

from audit.audit_room import an_event, open_room
from sqlalchemy import insert

from daemon.audit.events import GENESIS, chain_hash
from daemon.core.principal import in_words
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.tables import audit_events

NAMES = [column.name for column in audit_events.columns]
TIME = "2026-11-20T21:00:00.000Z"


async def test_events_that_say_user_stay_readable_and_verify_and_new_ones_follow_them(tmp_path: Path) -> None:
    migrate(tmp_path / "aileron.db", backups=tmp_path / "backups", now_ms=1)
    engine = open_engine(tmp_path / "aileron.db")
    before, rows = GENESIS, []
    for seq, actor in enumerate(("user", "agent", "daemon"), start=1):
        fields = (seq, f"aud_{seq}", TIME, "approval.approved", "ses_1", actor, None, None, None, "{}", before)
        before = chain_hash(*fields)
        rows.append(dict(zip(NAMES, (*fields, before), strict=True)))
    with engine.execution_options(aileron_writes=True).begin() as connection:
        connection.execute(insert(audit_events), rows)
    engine.dispose()
    async with open_room(tmp_path) as room:
        await room.log.append(an_event(1))
        assert room.verify().ok
        told = [event.actor for event in room.events()]
    assert told[:3] == ["user", "agent", "daemon"]
    assert told[-1] == "agent:ses_1"
    assert [in_words(actor) for actor in told[:3]] == ["you", "the agent", "the daemon"]
