"""The part of `aileron doctor` that only the running daemon can know."""

from dataclasses import dataclass
from typing import Any

from daemon.approvals.rules import Rules
from daemon.audit.budget import LogBudget
from daemon.audit.log import AuditLog
from daemon.audit.refusals import LOOK, damaged
from daemon.connectors.service import ConnectorService
from daemon.core.failures import Failure
from daemon.tools.actions.catalog import ActionCatalog
from daemon.tools.actions.provider import KIND as ACTION
from daemon.tools.servers.provider import ServerProvider
from daemon.tools.servers.values import KIND as SERVER
from daemon.vault.vault import Vault

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What the checks look at."""

    audit: AuditLog
    budget: LogBudget
    vault: Vault
    catalog: ActionCatalog
    connectors: ConnectorService
    rules: Rules
    servers: ServerProvider


async def service_checks(uses: Uses) -> list[dict[str, Any]]:
    """Return each check with its result and remedy."""
    return [_audit(uses), _storage(uses), _vault(uses), *await _actions(uses), *_rules(uses)]


def _check(name: str, status: str, message: str, remedy: str = "") -> dict[str, Any]:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


def _audit(uses: Uses) -> dict[str, Any]:
    status = uses.audit.status()
    if status.available:
        return _check("audit log", "ok", f"{status.head_seq} events; the log can be written.")
    if status.damage:
        return _check("audit log", "failed", damaged(status.damage).message, f"First run: {LOOK}")
    return _check(
        "audit log",
        "failed",
        f"The audit log cannot be written, so no action runs: {status.reason}",
        "Free some space or mend the disk; the daemon goes on by itself as soon as writing works again.",
    )


def _storage(uses: Uses) -> dict[str, Any]:
    usage = uses.budget.usage()
    taken = f"{usage.used // _MIB} of {usage.budget // _MIB} MiB are taken by the log, its database and its attachments"
    if usage.state == "ok":
        return _check("log budget", "ok", f"{taken}.")
    remedy = "Raise [audit] budget in config.toml, then: aileron stop. The daemon starts anew by itself."
    if usage.state == "full":
        return _check("log budget", "failed", f"{taken}, so nothing new is begun.", remedy)
    return _check("log budget", "warning", f"{taken}; when it is full, nothing new is begun.", remedy)


def _vault(uses: Uses) -> dict[str, Any]:
    if uses.vault.state == "absent":
        return _check("vault", "warning", "There is no vault yet.", "Make one with `aileron vault init`.")
    if uses.vault.state == "locked":
        return _check("vault", "warning", "The vault is locked.", "Unlock it with `aileron vault unlock`.")
    return _check("vault", "ok", "The vault is unlocked.")


async def _actions(uses: Uses) -> list[dict[str, Any]]:
    found = []
    for entry in uses.catalog.all():
        if entry.action is None:
            found.append(
                _check(f"action {entry.name}", "failed", str(entry.problem), f"Then: aileron action check {entry.path}")
            )
            continue
        for requirement in entry.action.requires:
            try:
                uses.connectors.account(await uses.connectors.check(requirement))
            except Failure as failure:
                command = str(failure.details.get("command", ""))
                remedy = f"Run: {command}" if command and command not in failure.message else ""
                found.append(_check(f"action {entry.name}", "warning", failure.message, remedy))
    return found or [_check("actions", "ok", f"{len(uses.catalog.names())} installed, none of them broken.")]


def _rules(uses: Uses) -> list[dict[str, Any]]:
    installed = set(uses.catalog.names())
    idle = [(name, "no such action is installed") for name in uses.rules.names(ACTION) if name not in installed]
    of_servers = ((name.replace("/", "__", 1), uses.servers.idle_rule(name)) for name in uses.rules.names(SERVER))
    idle += [(name, why) for name, why in of_servers if why is not None]
    return [
        _check(
            f"rule for {name}",
            "warning",
            f"config.toml has a rule for {name}, but {why}.",
            "Check the spelling, or remove the rule.",
        )
        for name, why in idle
    ]
