"""What has been said and written down over all lives of a home; nothing of it may ever be taken back."""

from typing import Any

FINAL = frozenset({"denied", "expired", "void", "completed", "failed", "unknown"})
SPENT = frozenset({"running", "completed", "failed", "unknown"})
ENDS = {"execution.succeeded": "completed", "execution.failed": "failed", "execution.unknown": "unknown"}
_NEXT = {
    None: {"requested"},
    "requested": {"approved", "denied", "expired", "void"},
    "approved": {"running", "withdrawn", "expired", "void"},
    "running": set(ENDS.values()),
}


class Ledger:
    """Follows the log from life to life, beside the daemon's own idea of what is true."""

    def __init__(self) -> None:
        self.seq = 0
        self.secrets: set[str] = set()
        self.connectors: set[str] = set()
        self._started: dict[str, dict[str, Any]] = {}
        self._ended: dict[str, dict[str, Any]] = {}
        self._stages: dict[str, list[str]] = {}
        self._spent: dict[str, str] = {}
        self._allowed: dict[str, set[str]] = {}
        self._queued: set[str] = set()

    def said(self, approval: str, states: set[str]) -> None:
        """Note what a caller was told: from now on the approval is in one of these states."""
        self._allowed[approval] = states

    def queued(self, approval: str) -> None:
        """Note that the call of this approval can only have queued when the daemon died."""
        self._queued.add(approval)

    def take(self, events: list[dict[str, Any]], cycle: object) -> None:
        """Read on in the log, and insist that it tells one possible story."""
        for event in events:
            assert event["seq"] == self.seq + 1, f"{cycle}: the log was rewritten at event {event['seq']}"
            self.seq = event["seq"]
            assert event["failure_class"] != "internal_error", f"{cycle}: a defect: {event['payload']}"
            family, _, kind = event["type"].partition(".")
            if family == "approval":
                self._move(event["payload"]["aileron.approval.id"], kind, cycle)
            elif event["type"] == "execution.started":
                self._start(event, cycle)
            elif event["type"] in ENDS:
                self._end(event, cycle)
        assert set(self._started) == set(self._ended), f"{cycle}: executions without an end"

    def check_approvals(self, states: dict[str, str], cycle: object) -> None:
        """Insist that nothing a caller was told is taken back, and that what is final stays."""
        for approval, allowed in self._allowed.items():
            assert approval in states, f"{cycle}: an approval that was acknowledged is gone"
            assert states[approval] in allowed, f"{cycle}: {approval} went back to {states[approval]}"
        for approval, state in states.items():
            if state in FINAL:
                self._allowed[approval] = {state}

    def check_outcomes(self, states: dict[str, str], cycle: object) -> None:
        """Insist that the state of each approval is what the log says became of it."""
        for approval, state in states.items():
            last = self._stages[approval][-1]
            assert ("denied" if last == "withdrawn" else last) == state, (
                f"{cycle}: {approval}: {self._stages[approval]}, but {state}"
            )

    def check_spent(self, states: dict[str, str], cycle: object) -> None:
        """Insist that no approval is spent without a start, that none starts unspent, and none twice."""
        started = sorted(self._spent.values())
        spent = sorted(approval for approval, state in states.items() if state in SPENT)
        assert started == spent, f"{cycle}: approvals spent and approvals of runs that began are not the same"

    def check_queued(self, states: dict[str, str], cycle: object) -> None:
        """Insist that an approval whose call only queued was not spent by the crash: its call ran afterwards."""
        for approval in self._queued:
            assert states[approval] == "completed", f"{cycle}: {approval} only queued, and is {states[approval]}"

    def check_path(self, path: str, *, posted: int, arrived: int, before_restart: int, cycle: object) -> None:
        """Insist that what the service saw and what the log says of it agree."""
        runs = [key for key, event in self._started.items() if _is_about(event, path)]
        assert len(runs) <= 1, f"{cycle}: one request, {len(runs)} executions"
        assert runs or not before_restart, f"{cycle}: something left before its beginning was written down"
        for run in runs:
            end = self._ended[run]
            if end["type"] == "execution.failed":
                assert not posted, f"{cycle}: what reached the service is reported as failed: {end['payload']}"
            if end["type"] == "execution.succeeded":
                assert arrived, f"{cycle}: a success without a request"

    def check_answer(self, answer: dict[str, Any], cycle: object) -> None:
        """Insist that a success that a caller saw is in the log as one."""
        if answer.get("status", "completed") == "completed":
            ids = {event["id"] for event in self._ended.values() if event["type"] == "execution.succeeded"}
            assert answer["audit_id"] in ids, f"{cycle}: a success that was answered was not kept"

    def _move(self, approval: str, kind: str, cycle: object) -> None:
        stages = self._stages.setdefault(approval, [])
        if kind == "waiting":
            assert stages[-1] == "approved", f"{cycle}: {approval}: {stages}, then it is said to wait"
            return
        assert kind in _NEXT.get(stages[-1] if stages else None, set()), f"{cycle}: {approval}: {stages}, then {kind}"
        stages.append(kind)

    def _start(self, event: dict[str, Any], cycle: object) -> None:
        run, approval = event["payload"]["aileron.execution.id"], event["payload"].get("aileron.approval.id")
        assert run not in self._started, f"{cycle}: {run} began twice"
        self._started[run] = event
        if approval is not None:
            self._move(approval, "running", cycle)
            self._spent[run] = approval

    def _end(self, event: dict[str, Any], cycle: object) -> None:
        run = event["payload"]["aileron.execution.id"]
        assert run in self._started, f"{cycle}: {run} ended without a beginning"
        assert run not in self._ended, f"{cycle}: {run} ended twice"
        self._ended[run] = event
        if run in self._spent:
            self._move(self._spent[run], ENDS[event["type"]], cycle)


def _is_about(event: dict[str, Any], path: str) -> bool:
    payload = event["payload"]
    key = "aileron.action.arguments"
    arguments = payload.get(key, payload.get("aileron.tool.arguments"))
    return str(arguments.get("url", "")).endswith(path)
