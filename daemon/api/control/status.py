"""How the daemon is, what it finds wrong with itself, and stopping it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from daemon.api.control import checks
from daemon.api.control.checks import servers_in_short, service_checks
from daemon.api.envelopes import DOCUMENTED
from daemon.approvals.service import Approvals
from daemon.base.clock import Clock, rfc3339
from daemon.execution.executor import Executor
from daemon.questions.service import Questions
from daemon.sessions.service import Sessions
from daemon.tools.actions.fitness import readiness
from daemon.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What does not change while a daemon runs."""

    home: Path
    started_ms: int
    control_url: str
    agent_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    about: About
    checked: checks.Uses
    approvals: Approvals
    questions: Questions
    executor: Executor
    sessions: Sessions
    clock: Clock
    stop: Callable[[], None]
    """Asks the daemon to stop, and returns before it does."""


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    about, checked = uses.about, uses.checked

    @routes.get("/healthz", operation_id="health")
    async def health() -> dict[str, Any]:
        """Say that the daemon is there."""
        return {"status": "ok", "version": VERSION, "pid": os.getpid()}

    @routes.get("/v1/status", operation_id="status")
    async def status() -> dict[str, Any]:
        """Say how everything is."""
        audit = checked.audit.status()
        usage = checked.budget.usage()
        states = [(await readiness(checked.connectors, entry)).state for entry in checked.catalog.all()]
        now = uses.clock.now_ms()
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "started_at": rfc3339(about.started_ms),
            "uptime_seconds": (now - about.started_ms) / 1000,
            "home": str(about.home),
            "control_url": about.control_url,
            "agent_url": about.agent_url,
            "vault": {"state": checked.vault.state, "auto_lock_seconds": checked.vault.idle_seconds},
            "audit": {
                "available": audit.available,
                "reason": audit.reason,
                "damaged": bool(audit.damage),
                "head_seq": audit.head_seq,
                "head_hash": audit.head_hash,
                "checkpoint_seq": audit.checkpoint_seq,
            },
            "storage": {
                "state": usage.state,
                "used_bytes": usage.used,
                "budget_bytes": usage.budget,
                "database_bytes": usage.database,
                "attachment_bytes": usage.attachments,
            },
            "approvals": {"pending": await uses.approvals.pending_count()},
            "questions": {"open": len(uses.questions.open())},
            "runs": {"active": uses.executor.active},
            "sessions": {"active": uses.sessions.open_count()},
            "actions": {
                "enabled": sum(state in {"ready", "locked", "blocked"} for state in states),
                "ready": states.count("ready"),
                "locked": states.count("locked"),
                "blocked": states.count("blocked"),
                "disabled": states.count("disabled"),
                "broken": states.count("broken"),
            },
            "connectors": len(await checked.connectors.list()),
            "servers": servers_in_short(checked),
        }

    @routes.get("/v1/checks", operation_id="checks")
    async def run_checks() -> dict[str, Any]:
        """Say what is wrong with the installation as the daemon sees it, and how to mend it."""
        return {"items": await service_checks(checked)}

    @routes.post("/v1/stop", operation_id="stop", status_code=202)
    async def stop_daemon() -> dict[str, bool]:
        """Stop the daemon: runs under way are brought to an end first."""
        uses.stop()
        return {"stopping": True}

    return routes
