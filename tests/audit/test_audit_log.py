"""The one writer: durable when it returns, all or nothing, and nobody pays for another's mistake."""

import asyncio
import itertools
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit.audit_room import AuditRoom, an_event, open_room, stored_payload
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError

from daemon.audit.events import GENESIS, AuditEvent, chain_hash
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import DAEMON, Principal
from daemon.db.tables import audit_checkpoints, audit_events, sessions


def a_session(name: str) -> Callable[[Connection], str]:
    """Return an effect that stores a session and answers with its name."""

    def store(connection: Connection) -> str:
        connection.execute(
            insert(sessions).values(
                id=name, kind="terminal", label="", created_ms=1, expires_ms=2, ended_ms=None, capabilities="[]"
            )
        )
        return name

    return store


def stored_sessions(room: AuditRoom) -> set[str]:
    with room.engine.connect() as connection:
        return set(connection.execute(select(sessions.c.id)).scalars())


class Gate:
    """Holds the writer at a fault point until it is opened, so that a group gathers behind it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.opened = threading.Event()
        self.reached = threading.Event()
        self.groups = 0

    def hit(self, name: str) -> None:
        if name == "audit.after_commit":
            self.groups += 1
        if name == self.name:
            self.reached.set()
            assert self.opened.wait(20)


async def reached(gate: Gate) -> None:
    """Wait until the writer stands at the gate."""
    await asyncio.get_running_loop().run_in_executor(None, gate.reached.wait, 20)


async def gathered(gate: Gate, room: AuditRoom, *calls: Any) -> list[Any]:
    """Run calls so that all but the first share one group."""
    first = asyncio.ensure_future(room.log.append(an_event()))
    await reached(gate)
    rest = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0.05)
    gate.opened.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


async def test_what_append_returns_is_in_the_file(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        appended = await room.log.append(an_event(1), an_event(2))
        stored = room.events()
    assert [(e.seq, e.id, e.time, e.hash) for e in stored] == [(r.seq, r.id, r.time, r.hash) for r in appended.records]
    assert [e.prev_hash for e in stored] == [GENESIS, stored[0].hash]
    assert stored[0].payload == stored_payload(1)
    assert room.verify().ok


async def test_the_chain_goes_on_where_the_last_daemon_left_it(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        last = (await room.log.append(an_event())).records[0]
    async with open_room(tmp_path) as room:
        assert room.log.status().head_hash == last.hash
        assert (await room.log.append(an_event())).records[0].seq == 2
        assert room.events()[1].prev_hash == last.hash
    assert room.verify().ok


async def test_those_who_wait_at_once_share_one_commit(tmp_path: Path) -> None:
    gate = Gate("audit.before_commit")
    async with open_room(tmp_path, faults=gate) as room:
        answers = await gathered(gate, room, *(room.log.append(an_event(n)) for n in range(100)))
        assert gate.groups == 2
        assert [a.records[0].seq for a in answers] == list(range(2, 102))
    assert room.verify().events == 101


async def test_an_effect_and_its_event_are_one_transaction(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        appended = await room.log.append(an_event(), effect=a_session("ses_a"))
        assert appended.value == "ses_a"
        assert stored_sessions(room) == {"ses_a"}


async def test_an_effect_that_raises_leaves_the_others_of_its_group_alone(tmp_path: Path) -> None:
    gate = Gate("audit.before_commit")

    def half(connection: Connection) -> None:
        a_session("ses_half")(connection)
        raise LookupError("no")

    async with open_room(tmp_path, faults=gate) as room:
        calls = [room.log.append(an_event(n), effect=a_session(f"ses_{n}")) for n in range(10)]
        calls.insert(4, room.log.append(an_event(99), effect=half))
        calls.insert(8, room.log.append(an_event(98), effect=a_session("ses_0")))
        answers = await gathered(gate, room, *calls)
        refused = [place for place, answer in enumerate(answers) if isinstance(answer, Exception)]
        assert refused == [4, 8]
        assert isinstance(answers[4], LookupError)
        assert isinstance(answers[8], IntegrityError)
        assert [a.value for a in answers if not isinstance(a, Exception)] == [f"ses_{n}" for n in range(10)]
        assert stored_sessions(room) == {f"ses_{n}" for n in range(10)}
        assert {e.payload for e in room.events()}.isdisjoint(map(stored_payload, (98, 99)))
        assert room.log.status().available
        assert gate.groups == 2
    assert room.verify().ok


async def test_a_hundred_refusals_in_a_group_cost_one_retry(tmp_path: Path) -> None:
    gate = Gate("audit.before_commit")
    runs = 0

    def only_one(connection: Connection) -> bool:
        nonlocal runs
        runs += 1
        if connection.execute(select(sessions.c.id)).first() is not None:
            raise Failure(FailureClass.APPROVAL_VOID, "spent", boundary=Boundary.USER)
        a_session("ses_winner")(connection)
        return True

    async with open_room(tmp_path, faults=gate) as room:
        answers = await gathered(gate, room, *(room.log.append(an_event(n), effect=only_one) for n in range(100)))
    assert sum(not isinstance(a, Exception) for a in answers) == 1
    assert runs <= 200


async def test_an_id_that_is_taken_refuses_its_own_call_only(tmp_path: Path) -> None:
    gate = Gate("audit.before_commit")
    async with open_room(tmp_path, faults=gate) as room:
        answers = await gathered(
            gate,
            room,
            room.log.append(an_event(1, event_id="aud_1")),
            room.log.append(an_event(2, event_id="aud_1"), effect=a_session("ses_2")),
            room.log.append(an_event(3)),
        )
        assert [type(a).__name__ for a in answers] == ["Appended", "ValueError", "Appended"]
        with pytest.raises(ValueError, match="aud_1"):
            await room.log.append(an_event(4, event_id="aud_1"))
        assert stored_sessions(room) == set()
        assert room.log.status().available
        assert [e.payload for e in room.events()] == [stored_payload(n) for n in (0, 1, 3)]


async def test_a_caller_who_is_cancelled_does_not_disturb_the_writer(tmp_path: Path) -> None:
    gate = Gate("audit.before_commit")
    async with open_room(tmp_path, faults=gate) as room:
        waiting = [asyncio.ensure_future(room.log.append(an_event(n))) for n in range(50)]
        await reached(gate)
        for task in waiting[::2]:
            task.cancel()
        gate.opened.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(isinstance(a, asyncio.CancelledError) for a in answers) == 25
        assert (await room.log.append(an_event())).records[0].seq == 51
    assert room.verify().ok


async def test_an_error_nobody_thought_of_does_not_end_the_writer(tmp_path: Path) -> None:
    class Defect:
        broken = True

        def hit(self, name: str) -> None:
            if self.broken and name == "audit.before_commit":
                raise RuntimeError("a defect")

    defect = Defect()
    async with open_room(tmp_path, faults=defect) as room:
        with pytest.raises(Failure, match="a defect") as caught:
            await room.log.append(an_event())
        assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
        assert room.log.status().reason == "a defect"
        assert room.log.status().head_seq == 0
        defect.broken = False
        assert (await room.log.append(an_event())).records[0].seq == 1
        assert room.log.status().available


async def test_a_commit_that_reports_failure_but_landed_is_continued(tmp_path: Path) -> None:
    class Lying:
        lies = True

        def hit(self, name: str) -> None:
            if self.lies and name == "audit.after_commit":
                self.lies = False
                raise OSError("the answer was lost")

    async with open_room(tmp_path, faults=Lying()) as room:
        with pytest.raises(Failure, match="the answer was lost"):
            await room.log.append(an_event(1))
        assert (await room.log.append(an_event(2))).records[0].seq == 2
        assert [e.payload for e in room.events()] == [stored_payload(n) for n in (1, 2)]
    assert room.verify().ok


async def test_a_locked_database_is_a_failure_and_then_works_again(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        # The writer waits five seconds for a lock; this test has not the time.
        impatience = "PRAGMA busy_timeout=20"
        await room.log.append(an_event(), effect=lambda connection: connection.exec_driver_sql(impatience).close())
        with room.engine.execution_options(aileron_writes=True).begin() as holder:
            holder.execute(text("UPDATE sessions SET label = label"))
            with pytest.raises(Failure, match="locked") as caught:
                await room.log.append(an_event())
            assert caught.value.retriable
            assert not room.log.status().available
        assert (await room.log.append(an_event())).records[0].seq == 2
    assert room.verify().ok


async def test_without_a_free_descriptor_an_append_is_refused_and_works_once_there_is_one(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        usual = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, usual[1]))
        try:
            with pytest.raises(Failure, match="too many open files") as caught:
                await room.log.append(an_event())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
        assert (await room.log.append(an_event())).records[0].seq == 1


async def test_an_event_that_someone_else_wrote_stops_the_log_and_is_not_signed(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.log.append(an_event(1))
        with room.engine.execution_options(aileron_writes=True).begin() as other:
            (row,) = other.execute(select(audit_events)).mappings().all()
            fields = {**row, "seq": 2, "id": "aud_forged", "prev_hash": row["hash"]}
            fields["hash"] = chain_hash(*list(fields.values())[:11])
            other.execute(insert(audit_events).values(fields))
        for number in (3, 4):
            with pytest.raises(Failure) as caught:
                await room.log.append(an_event(number))
            assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
        assert "damaged" in caught.value.message
        assert "aileron audit verify" in caught.value.message
        assert [(one.kind, one.seq) for one in room.log.status().damage] == [("inserted", 2)]
        await room.log.close()
        with room.engine.connect() as connection:
            assert list(connection.execute(select(audit_checkpoints.c.seq)).scalars()) == []


async def test_every_so_many_events_the_head_is_signed_and_at_the_end(tmp_path: Path) -> None:
    async with open_room(tmp_path, checkpoint_every=10) as room:
        for n in range(25):
            await room.log.append(an_event(n))
        assert room.log.status().checkpoint_seq == 20
        await room.log.checkpoint()
        assert room.log.status().checkpoint_seq == 25
        await room.log.checkpoint()
        await room.log.append(an_event(), an_event())
        await room.log.close()
        with room.engine.connect() as connection:
            signed = list(connection.execute(select(audit_checkpoints.c.seq)).scalars())
        assert signed == [10, 20, 25, 27]
    assert room.verify().ok


async def test_an_append_after_the_end_says_that_the_log_is_closed(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        waiting = [asyncio.ensure_future(room.log.append(an_event(n))) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.gather(room.log.close(), room.log.close())
        assert [(await task).records[0].seq for task in waiting] == list(range(1, 21))
        with pytest.raises(Failure) as caught:
            await room.log.append(an_event())
        assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
        assert room.log.status().reason == "the log is closed"
        assert not any(thread.name == "audit-writer" for thread in threading.enumerate())


_NOT_LINES = ["a\nb", "a\x00b", "a\u2028b", "a\ud800b", "x" * 501]
_BAD_FIELDS = [
    *itertools.product(["type", "session", "action", "connector", "failure_class", "id"], ["", "-", *_NOT_LINES]),
    *(("actor", Principal.agent(value)) for value in _NOT_LINES),
]


@pytest.mark.parametrize(("field", "value"), _BAD_FIELDS)
async def test_a_field_that_would_make_the_hashed_text_ambiguous_is_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    fields: dict[str, Any] = {"type": "test.x", "session": None, "actor": DAEMON, "payload": {}, field: value}
    async with open_room(tmp_path) as room:
        with pytest.raises(ValueError, match="cannot be the"):
            await room.log.append(AuditEvent(**fields))
        assert room.log.status().head_seq == 0


async def test_a_payload_that_is_not_json_is_refused(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        with pytest.raises(ValueError, match="is not JSON"):
            await room.log.append(AuditEvent(type="test.x", session=None, actor=DAEMON, payload={"n": float("nan")}))
