"""The rooms below the two APIs, each built from values and from those before it; the order is that of the floors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from daemon.app.basis import Basis
from daemon.app.servers import BelowServers, PersonsSide, open_servers, read_configuration
from daemon.approvals import build as approvals_room
from daemon.approvals.build import Decisions
from daemon.approvals.rules import Decision, Rule
from daemon.audit import build as audit_room
from daemon.audit.build import Audit, AuditBounds
from daemon.base.processes import Processes
from daemon.base.settings import Settings
from daemon.connectors import build as connectors_room
from daemon.connectors.build import Connectors, GuestLimits, Places
from daemon.connectors.http.records import NetworkPolicy
from daemon.core.authority import HostPort
from daemon.core.tools import ToolId
from daemon.db import build as database_room
from daemon.db.build import Database
from daemon.execution import build as execution_room
from daemon.execution.build import OnePath, RunLimits
from daemon.execution.seam import ToolProvider
from daemon.questions.service import Questions
from daemon.sessions import build as sessions_room
from daemon.sessions.service import Sessions
from daemon.tools.actions import build as actions_room
from daemon.tools.actions.build import Actions
from daemon.tools.actions.provider import KIND as ACTION
from daemon.tools.servers.build import Servers
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.values import KIND as SERVER
from daemon.vault import build as vault_room
from daemon.vault.build import Secrets
from daemon.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What the rooms up to the tools offer. Only this package sees all of it; a router gets what it uses."""

    database: Database
    audit: Audit
    secrets: Secrets
    connectors: Connectors
    sessions: Sessions
    decisions: Decisions
    questions: Questions
    actions: Actions
    servers: Servers
    server_side: PersonsSide | None
    """The person's side of the servers; None where they are none of `servers.yaml`."""
    execution: OnePath
    processes: Processes


async def open_rooms(basis: Basis, more_providers: Sequence[ToolProvider], held: HeldServers | None = None) -> Rooms:
    """Build the rooms from the ground up; nothing runs in them yet.

    `more_providers` are kinds of tools beside those that the daemon has itself. `held` are servers in place of those
    of `servers.yaml`.
    """
    database = _open_database(basis)
    audit = _open_log(basis, database)
    secrets = _open_vault(basis)
    connectors = await _open_connectors(basis, secrets, audit)
    processes = Processes()
    basis.stops.callback(processes.close)
    clock, ids, faults, home = basis.clock, basis.ids, basis.faults, basis.home
    sessions = sessions_room.build(
        key=home.ca_dir / "session.key",
        audit=audit.log,
        reader=database.reader,
        clock=clock,
        ids=ids,
        entropy=basis.entropy,
    )
    decisions = approvals_room.build(
        rules=rules_of(basis.settings),
        sessions=sessions,
        audit=audit.log,
        reader=database.reader,
        clock=clock,
        ids=ids,
        faults=faults,
    )
    configuration = await read_configuration(basis)
    # What runs in the background uses everything above, so it is ended before any of that is.
    basis.stops.push_async_callback(basis.tasks.close)
    actions = actions_room.build(folder=home.actions_dir, connectors=connectors.service, clock=clock)
    below = BelowServers(
        vault=secrets.vault,
        audit=audit.log,
        reader=database.reader,
        sessions=sessions,
        allowed=allowed_private(basis),
        ruling=partial(decisions.rules.ruling, required=True),
    )
    servers, server_side = await open_servers(basis, configuration, below, held)
    providers: tuple[ToolProvider, ...] = (actions.provider, servers.provider, *more_providers)
    questions = _open_questions(basis, audit, sessions)
    execution = _open_path(basis, providers, audit=audit, decisions=decisions, sessions=sessions, questions=questions)
    return Rooms(
        database=database,
        audit=audit,
        secrets=secrets,
        connectors=connectors,
        sessions=sessions,
        decisions=decisions,
        questions=questions,
        actions=actions,
        servers=servers,
        server_side=server_side,
        execution=execution,
        processes=processes,
    )


def _open_questions(basis: Basis, audit: Audit, sessions: Sessions) -> Questions:
    questions = Questions(
        audit=audit.log,
        clock=basis.clock,
        ids=basis.ids,
        tasks=basis.tasks,
        expires_seconds=basis.settings.servers.question_expires,
    )
    sessions.on_end(questions.session_ended)
    return questions


def _open_path(
    basis: Basis,
    providers: Sequence[ToolProvider],
    *,
    audit: Audit,
    decisions: Decisions,
    sessions: Sessions,
    questions: Questions,
) -> OnePath:
    limits = basis.settings.limits
    return execution_room.build(
        providers=providers,
        limits=RunLimits(most=limits.max_concurrent_runs, queued=limits.queued_runs, wait_seconds=limits.wait_seconds),
        audit=audit,
        approvals=decisions.approvals,
        rules=decisions.rules,
        sessions=sessions,
        questions=questions,
        clock=basis.clock,
        ids=basis.ids,
        tasks=basis.tasks,
        faults=basis.faults,
    )


def rules_of(settings: Settings) -> dict[ToolId, Rule]:
    """Return what the person decided beforehand."""
    given = settings.approvals.rules.items()
    return {_ruled(name): Rule(decision=Decision(each.decision), reason=each.reason, name=name) for name, each in given}


def _ruled(name: str) -> ToolId:
    """Return which tool, or which tools of a server, a rule is about; no name of a server holds two underscores."""
    server, joined, tool = name.partition("__")
    return ToolId(SERVER, f"{server}/{tool}") if joined else ToolId(ACTION, name)


def allowed_private(basis: Basis) -> frozenset[HostPort]:
    """Return the private addresses that the person allowed."""
    return frozenset(map(HostPort.parse, basis.settings.network.allow_private))


def _open_database(basis: Basis) -> Database:
    home = basis.home
    database = database_room.build(home.database_path, backups=home.backups_dir, now_ms=basis.started_ms)
    basis.stops.push_async_callback(database.close)
    return database


def _open_log(basis: Basis, database: Database) -> Audit:
    home, settings = basis.home, basis.settings.audit
    audit = audit_room.build(
        engine=database.engine,
        database=home.database_path,
        key=home.ca_dir / "audit.key",
        attachments=home.attachments_dir,
        bounds=AuditBounds(
            checkpoint_every=settings.checkpoint_every,
            checkpoint_seconds=settings.checkpoint_seconds,
            budget=settings.budget,
            session_hourly=settings.session_hourly,
            attachments=settings.attachments,
        ),
        clock=basis.clock,
        ids=basis.ids,
        entropy=basis.entropy,
        faults=basis.faults,
    )
    basis.stops.push_async_callback(audit.close)
    return audit


def _open_vault(basis: Basis) -> Secrets:
    secrets = vault_room.build(
        basis.home.vault_path,
        idle_seconds=basis.settings.vault.auto_lock,
        clock=basis.clock,
        entropy=basis.entropy,
        faults=basis.faults,
    )
    basis.stops.push_async_callback(secrets.close)
    return secrets


async def _open_connectors(basis: Basis, secrets: Secrets, audit: Audit) -> Connectors:
    home, settings = basis.home, basis.settings
    connectors = await connectors_room.build(
        places=Places(store=home.store_dir, keyring=home.keyring_path, compiled=home.cache_dir / "wasm"),
        network=NetworkPolicy(
            allow_private=allowed_private(basis),
            extra_ca_file=settings.network.extra_ca_file,
            user_agent=f"aileron/{VERSION}",
        ),
        guests=GuestLimits(threads=settings.limits.wasm_threads, active=settings.limits.active_guests),
        credentials=secrets.bindings,
        audit=audit.log,
        clock=basis.clock,
        entropy=basis.entropy,
        faults=basis.faults,
    )
    basis.stops.push_async_callback(connectors.close)
    return connectors
