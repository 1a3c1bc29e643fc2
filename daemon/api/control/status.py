"""How the daemon is, what it finds wrong with itself, and stopping it."""

import os
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from daemon.api.control.checks import service_checks
from daemon.api.envelopes import DOCUMENTED
from daemon.api.services import Services
from daemon.base.clock import rfc3339
from daemon.version import VERSION


def router(services: Services, *, stop: Callable[[], None]) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/healthz", operation_id="health")
    async def health() -> dict[str, Any]:
        """Say that the daemon is there."""
        return {"status": "ok", "version": VERSION, "pid": os.getpid()}

    @routes.get("/v1/status", operation_id="status")
    async def status() -> dict[str, Any]:
        """Say how everything is."""
        audit = services.audit.status()
        usage = services.budget.usage()
        states = [entry.state for entry in services.catalog.all()]
        now = services.clock.now_ms()
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "started_at": rfc3339(services.started_ms),
            "uptime_seconds": (now - services.started_ms) / 1000,
            "home": str(services.home.path),
            "control_url": services.addresses.control,
            "agent_url": services.addresses.agent,
            "vault": {"state": services.vault.state, "auto_lock_seconds": services.settings.vault.auto_lock},
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
            "approvals": {"pending": await services.approvals.pending_count()},
            "runs": {"active": services.executor.active},
            "sessions": {"active": services.sessions.open_count()},
            "actions": {
                "enabled": states.count("ready"),
                "disabled": states.count("disabled"),
                "broken": states.count("broken"),
            },
            "connectors": len(await services.connectors.list()),
        }

    @routes.get("/v1/checks", operation_id="checks")
    async def checks() -> dict[str, Any]:
        """Say what is wrong with the installation as the daemon sees it, and how to mend it."""
        return {"items": await service_checks(services)}

    @routes.post("/v1/stop", operation_id="stop", status_code=202)
    async def stop_daemon() -> dict[str, bool]:
        """Stop the daemon: runs under way are brought to an end first."""
        stop()
        return {"stopping": True}

    return routes
