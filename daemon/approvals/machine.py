"""The states an approval can be in, and the one table of moves between them."""

from enum import StrEnum


class ApprovalState(StrEnum):
    """Where a request for a person's decision stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    VOID = "void"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


_MOVES: dict[ApprovalState, frozenset[ApprovalState]] = {
    ApprovalState.PENDING: frozenset(
        {ApprovalState.APPROVED, ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.VOID}
    ),
    # A person may take back a yes for as long as the run has not started.
    ApprovalState.APPROVED: frozenset(
        {ApprovalState.RUNNING, ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.VOID}
    ),
    # Leaving `approved` for `running` is the spending: there is no move back, so there is no second execution.
    ApprovalState.RUNNING: frozenset({ApprovalState.COMPLETED, ApprovalState.FAILED, ApprovalState.UNKNOWN}),
}

OPEN_STATES = (ApprovalState.PENDING, ApprovalState.APPROVED)
"""The states that time, a changed world or the end of a session can still take away."""

FINAL_STATES = tuple(state for state in ApprovalState if state not in _MOVES)

_ADVICE = {
    ApprovalState.APPROVED: "it was approved already and has not started yet",
    ApprovalState.DENIED: "it was denied",
    ApprovalState.EXPIRED: "it expired before anyone decided; the asker has to ask again",
    ApprovalState.VOID: "it is void, because what it was bound to has changed; the asker has to ask again",
    ApprovalState.RUNNING: "it was approved and has started",
    ApprovalState.COMPLETED: "it was approved and has run",
    ApprovalState.FAILED: "it was approved, ran and failed",
    ApprovalState.UNKNOWN: "it was approved and interrupted; whether it took effect is unknown",
    ApprovalState.PENDING: "nobody has decided yet",
}


class IllegalMoveError(ValueError):
    """A move that the table does not have."""

    def __init__(self, state: ApprovalState, target: ApprovalState) -> None:
        self.state = state
        self.target = target
        super().__init__(f"cannot go from {state} to {target}: {_ADVICE[state]}")


def sources_of(target: ApprovalState) -> tuple[ApprovalState, ...]:
    """Return the states from which a target can be reached."""
    return tuple(state for state, targets in _MOVES.items() if target in targets)


def check_move(state: ApprovalState, target: ApprovalState) -> None:
    """Refuse a move that the table does not have."""
    if target not in _MOVES.get(state, frozenset()):
        raise IllegalMoveError(state, target)


def explain(state: ApprovalState) -> str:
    """Say in a few words what a state means to someone who came too late or too early."""
    return _ADVICE[state]
