"""What the log may take: each session its share of an hour, and all together a budget (row R3)."""

from pathlib import Path

import pytest
from audit.audit_room import StillClock
from hypothesis import given
from hypothesis import strategies as st

from daemon.audit.budget import HOUR_SECONDS, LogBudget
from daemon.core.failures import Failure, FailureClass

MIB = 1024 * 1024


def a_budget(folder: Path, clock: StillClock, *, budget: int = 10 * MIB, hourly: int = MIB) -> LogBudget:
    return LogBudget(clock=clock, database=folder / "aileron.db", budget=budget, session_hourly=hourly)


def test_a_session_that_wrote_its_share_is_refused_until_time_has_gone_by(tmp_path: Path) -> None:
    clock = StillClock()
    budget = a_budget(tmp_path, clock)
    budget.charge("ses_a", MIB)
    budget.admit("ses_a")
    budget.charge("ses_a", MIB // 2)
    with pytest.raises(Failure) as refused:
        budget.admit("ses_a")
    assert refused.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
    assert refused.value.retriable
    assert "30 min" in refused.value.message
    clock.ms += int(HOUR_SECONDS / 2 * 1000)
    budget.admit("ses_a")


def test_what_one_session_wrote_is_not_held_against_another(tmp_path: Path) -> None:
    budget = a_budget(tmp_path, StillClock())
    budget.charge("ses_a", 100 * MIB)
    budget.admit("ses_b")


@given(st.lists(st.tuples(st.integers(0, 2 * MIB), st.floats(0, 4000)), max_size=40))
def test_no_session_writes_more_than_its_burst_and_its_hourly_share(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float]]
) -> None:
    clock = StillClock()
    budget = a_budget(tmp_path_factory.getbasetemp(), clock)
    began, written, largest = clock.monotonic(), 0, 0
    for size, pause in steps:
        clock.ms += int(pause * 1000)
        try:
            budget.admit("ses_a")
        except Failure:
            continue
        budget.charge("ses_a", size)
        written, largest = written + size, max(largest, size)
    hours = (clock.monotonic() - began) / HOUR_SECONDS
    assert written <= MIB * (1 + hours) + largest + 1


def test_the_budget_warns_before_it_stops_work(tmp_path: Path) -> None:
    clock = StillClock()
    budget = a_budget(tmp_path, clock)
    database = tmp_path / "aileron.db"
    states = []
    for size in (1 * MIB, 8 * MIB, 10 * MIB):
        database.write_bytes(bytes(size))
        clock.ms += 2000
        states.append(budget.usage().state)
    assert states == ["ok", "warning", "full"]
    with pytest.raises(Failure, match=r"\[audit\] budget"):
        budget.admit("ses_a")


def test_attachments_and_what_is_not_yet_in_the_database_file_count_too(tmp_path: Path) -> None:
    budget = a_budget(tmp_path, StillClock())
    (tmp_path / "aileron.db").write_bytes(bytes(10))
    (tmp_path / "aileron.db-wal").write_bytes(bytes(20))
    budget.attached(30)
    assert budget.usage().used == 60
