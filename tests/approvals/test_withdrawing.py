"""A person may withdraw an approval until the run really starts; between the two exactly one wins."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from approval_room import open_room
from sqlalchemy import Connection

from daemon.api.answers import approval_answer
from daemon.approvals.service import StaleApprovalError
from daemon.audit.events import AuditEvent
from daemon.core.principal import Means, Principal

YOU = Principal.person(Means.CLI)
AGENT = Principal.agent("ses_1")

Effect = Callable[[Connection], None]


async def test_a_withdrawn_approval_is_told_to_the_waiting_asker_with_the_reason(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        asked = await room.ask()
        await room.approvals.decide(asked.id, approve=True, by=YOU)
        waiting = asyncio.ensure_future(room.approvals.wait(asked.id, session="ses_1", seconds=30))
        await asyncio.sleep(0)
        withdrawn = await room.approvals.decide(asked.id, approve=False, by=YOU, reason="wrong channel")
        told = await waiting
        assert (told.state.value, told.withdrawn, withdrawn.as_json()["withdrawn"]) == ("denied", True, True)
        answer = bytes(approval_answer(told).body).decode()
        assert "withdrew the approval before it started" in answer
        assert "wrong channel" in answer
        assert '"approval_denied"' in answer
        assert room.event_types()[-3:] == ["approval.requested", "approval.approved", "approval.withdrawn"]


async def test_a_no_to_a_pending_request_is_not_called_a_withdrawal(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        asked = await room.ask()
        assert not (await room.approvals.decide(asked.id, approve=False, by=YOU)).withdrawn
        assert room.event_types()[-1] == "approval.denied"


async def test_after_the_start_a_withdrawal_is_refused_and_says_that_it_has_started(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        asked = await room.ask()
        approved = await room.approvals.decide(asked.id, approve=True, by=YOU)
        with room.engine.begin() as connection:
            room.approvals.spending(approved, execution="exe_1")(connection)
        with pytest.raises(StaleApprovalError, match="it was approved and has started"):
            await room.approvals.decide(asked.id, approve=False, by=YOU)
        assert await room.state(asked) == "running"


async def test_of_a_withdrawal_and_a_start_at_once_exactly_one_wins_a_hundred_times(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        outcomes = set()
        for number in range(100):
            asked = await room.ask()
            approved = await room.approvals.decide(asked.id, approve=True, by=YOU)
            started = AuditEvent(type="execution.started", session="ses_1", actor=AGENT, payload={"n": number})
            spend = room.approvals.spending(approved, execution="exe_1")

            async def start(seconds: float, event: AuditEvent = started, spend: Effect = spend) -> None:
                await asyncio.sleep(seconds)
                await room.audit.append(event, effect=spend)

            withdrawal = room.approvals.decide(asked.id, approve=False, by=YOU)
            results = await asyncio.gather(start(number / 5000), withdrawal, return_exceptions=True)
            # At once is between no head start for the run, and so much that the withdrawal has long been written down.
            lost = [result for result in results if isinstance(result, StaleApprovalError)]
            assert len(lost) == 1
            outcomes.add(await room.state(asked))
        types = room.event_types()
        assert types.count("execution.started") + types.count("approval.withdrawn") == 100
        assert outcomes == {"denied", "running"}


async def test_a_no_holds_also_when_somebody_says_yes_at_the_same_moment(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        for number in range(50):
            asked = await room.ask()
            both = [room.approvals.decide(asked.id, approve=bool((i + number) % 2), by=YOU) for i in range(2)]
            await asyncio.gather(*both, return_exceptions=True)
            assert await room.state(asked) == "denied"
