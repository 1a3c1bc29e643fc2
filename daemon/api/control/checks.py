"""The part of `aileron doctor` that only the running daemon can know."""

from dataclasses import dataclass
from typing import Any

from daemon.approvals.rules import Rules
from daemon.audit.budget import LogBudget
from daemon.audit.log import AuditLog
from daemon.audit.refusals import LOOK, damaged, in_short
from daemon.connectors.keyring import Keyring
from daemon.connectors.service import ConnectorService
from daemon.core.failures import Failure
from daemon.core.named_errors import in_words
from daemon.core.quantities import readable_size
from daemon.db.reader import Reader
from daemon.tools.actions.catalog import ActionCatalog
from daemon.tools.actions.fitness import readiness
from daemon.tools.actions.provider import KIND as ACTION
from daemon.tools.servers.lives.states import State
from daemon.tools.servers.provider import ServerProvider
from daemon.tools.servers.service import ServerService
from daemon.tools.servers.values import KIND as SERVER
from daemon.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What the checks look at."""

    audit: AuditLog
    reader: Reader
    keyring: Keyring
    budget: LogBudget
    vault: Vault
    catalog: ActionCatalog
    connectors: ConnectorService
    rules: Rules
    servers: ServerProvider
    server_service: ServerService | None


async def service_checks(uses: Uses) -> list[dict[str, Any]]:
    """Return each check with its result and remedy."""
    return [
        await _audit(uses),
        _storage(uses),
        _vault(uses),
        *_keyring(uses),
        *await _actions(uses),
        *_servers(uses),
        *_rules(uses),
    ]


def _check(name: str, status: str, message: str, remedy: str = "") -> dict[str, Any]:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


async def _audit(uses: Uses) -> dict[str, Any]:
    """Read the whole log, as `audit verify` does: what it finds there is damage from then on."""
    report = await uses.reader.read(uses.audit.verify)
    status = uses.audit.status()
    if status.available and report.news:
        # The disk got in the way of the look, so the log counts as neither whole nor damaged.
        return _check("audit log", "failed", in_short(report.news), f"Run: {LOOK}")
    if status.available and not report.ok:
        message = f"It is damaged, and a person went on with it at event {report.resumed}: {in_short(report.problems)}"
        return _check("audit log", "warning", message, f"Run: {LOOK}")
    if status.available:
        return _check("audit log", "ok", f"{report.events} events, all of them whole; the log can be written.")
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
    sizes = f"{readable_size(usage.used)} of {readable_size(usage.budget)}"
    taken = f"{sizes} are taken by the log, its database and its attachments"
    if usage.state == "ok":
        return _check("log budget", "ok", f"{taken}.")
    remedy = "Raise [audit] budget in config.toml, then: aileron stop. The daemon starts anew by itself."
    if usage.state == "full":
        return _check("log budget", "failed", f"{taken}, so nothing new is begun.", remedy)
    return _check("log budget", "warning", f"{taken}; when it is full, nothing new is begun.", remedy)


def _vault(uses: Uses) -> dict[str, Any]:
    try:
        uses.vault.readable_contents()
    except (Failure, OSError) as problem:
        message = problem.message if isinstance(problem, Failure) else f"The vault cannot be read: {in_words(problem)}"
        return _check("vault", "failed", message, "Put back a copy: aileron restore FILE")
    if uses.vault.state == "absent":
        return _check("vault", "warning", "There is no vault yet.", "Make one with `aileron vault init`.")
    if uses.vault.state == "locked":
        return _check("vault", "warning", "The vault is locked.", "Unlock it with `aileron vault unlock`.")
    return _check("vault", "ok", "The vault is unlocked.")


def _keyring(uses: Uses) -> list[dict[str, Any]]:
    if uses.keyring.damage is None:
        return []
    return [_check("keyring", "failed", uses.keyring.damage, "Then look again: aileron keyring list")]


async def _actions(uses: Uses) -> list[dict[str, Any]]:
    found = []
    for entry in uses.catalog.all():
        looked = await readiness(uses.connectors, entry)
        for problem in looked.problems:
            remedy = f"Run: {problem.command}" if problem.command else ""
            if looked.state == "broken":
                remedy = f"Then: aileron action check {entry.path}"
            status = "failed" if looked.state == "broken" else "warning"
            found.append(_check(f"action {entry.name}", status, problem.message, remedy))
    return found or [_check("actions", "ok", f"{len(uses.catalog.names())} installed, none of them broken.")]


def _servers(uses: Uses) -> list[dict[str, Any]]:
    if uses.server_service is None:
        return []
    found = []
    if (problem := uses.server_service.problem) is not None:
        message = f"{problem} {uses.server_service.meanwhile}"
        found.append(_check("servers.yaml", "failed", message, "Mend the file; it is read again by itself."))
    every = uses.server_service.all()
    for each in every:
        name, review = each.config.name, f"aileron server review {each.config.name}"
        if each.withheld:
            message = f"{each.withheld} of its tools are new or changed, and withheld."
            found.append(_check(f"server {name}", "warning", message, f"Look at them: {review}"))
        elif each.config.enabled and (each.life.state is State.FAILED or (each.error and not each.looked_at)):
            remedy = f"Try again: aileron server test {name}"
            found.append(_check(f"server {name}", "warning", each.error or "It failed.", remedy))
    if found or not every:
        return found
    return [_check("servers", "ok", f"{len(every)} configured, and nothing is wrong with them as far as is known.")]


def servers_in_short(uses: Uses) -> dict[str, Any]:
    """Return how many servers there are and run, how many of their tools wait, and what is wrong with the file."""
    service = uses.server_service
    every = [] if service is None else service.all()
    return {
        "enabled": sum(each.config.enabled for each in every),
        "running": sum(each.life.running > 0 for each in every),
        "withheld_tools": sum(each.withheld for each in every),
        "problem": None if service is None or service.problem is None else f"{service.problem} {service.meanwhile}",
    }


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
            f"Check the spelling, or remove the rule: aileron config remove 'approvals.rules.{name}'",
        )
        for name, why in idle
    ]
