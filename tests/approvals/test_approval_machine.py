"""The states of an approval: one table, no way back, and one way to be spent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.approvals.machine import (
    FINAL_STATES,
    OPEN_STATES,
    ApprovalState,
    IllegalMoveError,
    check_move,
    explain,
    sources_of,
)

STATES = st.sampled_from(ApprovalState)


def test_only_an_approved_request_can_be_spent() -> None:
    assert sources_of(ApprovalState.RUNNING) == (ApprovalState.APPROVED,)


def test_only_a_pending_request_can_be_approved() -> None:
    assert sources_of(ApprovalState.APPROVED) == (ApprovalState.PENDING,)


def test_a_no_is_possible_until_the_run_has_started_and_not_afterwards() -> None:
    assert sources_of(ApprovalState.DENIED) == (ApprovalState.PENDING, ApprovalState.APPROVED)


def test_time_and_change_take_away_what_is_open_and_nothing_else() -> None:
    assert set(sources_of(ApprovalState.VOID)) == set(OPEN_STATES)
    assert set(sources_of(ApprovalState.EXPIRED)) == set(OPEN_STATES)


@given(st.lists(STATES, max_size=30))
def test_no_sequence_of_moves_reaches_running_twice(targets: list[ApprovalState]) -> None:
    state, visits = ApprovalState.PENDING, 0
    for target in targets:
        try:
            check_move(state, target)
        except IllegalMoveError:
            continue
        state = target
        visits += state is ApprovalState.RUNNING
    assert visits <= 1


@given(STATES)
def test_a_final_state_has_no_way_out(target: ApprovalState) -> None:
    for state in FINAL_STATES:
        with pytest.raises(IllegalMoveError, match="cannot go from"):
            check_move(state, target)


@given(STATES)
def test_every_state_explains_itself(state: ApprovalState) -> None:
    assert len(explain(state)) > 10
