"""Session records: who works, since when, until when. A token is valid no longer than its session."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, tuple_, update

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Deadline, IdSource, rfc3339
from daemon.base.platform import working_folder
from daemon.core.failures import Failure
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.core.principal import DAEMON, Means, Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.db import tables
from daemon.db.reader import Reader
from daemon.sessions.tokens import Capability, TokenAuthority, TokenClaims, TokenError

TERMINAL_LIFETIME_MS = 100 * 365 * 24 * 3600 * 1000
"""The session of the terminal belongs to the person and outlives the daemon; it does not end by itself."""


class SessionKind(StrEnum):
    """Where a session's calls come from."""

    TERMINAL = "terminal"
    HOST = "host"
    SANDBOX = "sandbox"
    API = "api"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process a session belongs to: its number, and what tells it from another that gets the same number later."""

    pid: int
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One span of work by one caller."""

    id: str
    kind: SessionKind
    label: str
    created_ms: int
    expires_ms: int
    ended_ms: int | None
    end_reason: str | None
    capabilities: frozenset[Capability]
    owner: Owner | None = None
    principal: Principal
    """Whose it is: the terminal's session is the person's, every other one its agent's."""
    opened_by: Principal | None
    """Who opened it; None in a record of a version that did not note it."""

    def as_json(self) -> dict[str, Any]:
        """Return the session as the API shows it."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "label": self.label,
            "capabilities": sorted(self.capabilities),
            "created_at": rfc3339(self.created_ms),
            "expires_at": rfc3339(self.expires_ms),
            "ended_at": None if self.ended_ms is None else rfc3339(self.ended_ms),
            "end_reason": self.end_reason,
            "owner_pid": None if self.owner is None else self.owner.pid,
            "principal": str(self.principal),
            "opened_by": None if self.opened_by is None else str(self.opened_by),
            "opened_with": None if self.opened_by is None else self.opened_by.means.value,
        }


class Sessions:
    """Opens, finds and ends sessions, and checks the tokens that belong to them."""

    def __init__(
        self, *, audit: AuditLog, reader: Reader, clock: Clock, ids: IdSource, authority: TokenAuthority
    ) -> None:
        self._audit = audit
        self._reader = reader
        self._clock = clock
        self._ids = ids
        self._authority = authority
        # Held in memory so that a token is checked without a read; the database is what survives a restart.
        self._open: dict[str, Session] = {}
        self._unwritten: dict[str, tuple[str, Principal]] = {}
        self._deadlines: dict[str, Deadline] = {}
        self._bearers: dict[str, Principal] = {}
        self._when_ended: list[Callable[[str], None]] = []

    def on_end(self, listener: Callable[[str], None]) -> None:
        """Call a listener for every session that ends, at the moment from which its token opens nothing."""
        self._when_ended.append(listener)

    async def load(self) -> None:
        """Read back the sessions that were open when the daemon stopped."""
        rows = await self._reader.read(
            lambda conn: conn.execute(select(tables.sessions).where(tables.sessions.c.ended_ms.is_(None))).all()
        )
        for row in rows:
            self._keep(_from_row(row))
        await self.end_expired()

    def draw_id(self) -> str:
        """Return an id for a session that may be opened later."""
        return self._ids.new(IdPrefix.SESSION)

    async def open(
        self,
        *,
        kind: SessionKind,
        label: str,
        capabilities: Iterable[Capability],
        lifetime_ms: int,
        actor: Principal,
        owner: Owner | None = None,
        session_id: str | None = None,
    ) -> tuple[Session, str]:
        """Start a session, with an id that was drawn for it or a new one, and mint its token."""
        now = self._clock.now_ms()
        named = session_id or self.draw_id()
        session = Session(
            id=named,
            kind=kind,
            label=label,
            created_ms=now,
            expires_ms=now + lifetime_ms,
            ended_ms=None,
            end_reason=None,
            capabilities=frozenset(capabilities),
            owner=owner,
            principal=_acting(named, kind, label),
            opened_by=actor,
        )

        def store(conn: Connection) -> None:
            conn.execute(
                insert(tables.sessions).values(
                    id=session.id,
                    kind=session.kind.value,
                    label=session.label,
                    created_ms=session.created_ms,
                    expires_ms=session.expires_ms,
                    capabilities=json.dumps(sorted(session.capabilities)),
                    owner_pid=None if owner is None else owner.pid,
                    owner_identity=None if owner is None else owner.identity,
                    opened_by=str(actor),
                    opened_with=actor.means.value,
                )
            )

        event = AuditEvent(
            type=EventType.SESSION_STARTED,
            session=session.id,
            actor=actor,
            payload={
                Attr.SESSION_KIND: kind.value,
                Attr.SESSION_LABEL: label,
                Attr.SESSION_CAPABILITIES: sorted(session.capabilities),
                Attr.SESSION_EXPIRES_AT: rfc3339(session.expires_ms),
            },
        )
        await self._audit.append(event, effect=store)
        self._keep(session)
        return session, self.token_for(session)

    def token_for(self, session: Session) -> str:
        """Mint a token for an open session."""
        return self._authority.mint(
            session=session.id, expires_ms=session.expires_ms, capabilities=session.capabilities
        )

    async def terminal(self) -> Session:
        """Return the person's own session; the daemon opens it for them the first time."""
        for session in self._open.values():
            if session.kind is SessionKind.TERMINAL:
                return session
        session, _ = await self.open(
            kind=SessionKind.TERMINAL,
            label="terminal",
            capabilities=(Capability.LIST_ACTIONS, Capability.RUN_ACTIONS, Capability.POLL_APPROVALS),
            lifetime_ms=TERMINAL_LIFETIME_MS,
            actor=DAEMON,
        )
        return session

    def check_token(self, token: str) -> TokenClaims:
        """Return a token's claims if its session is still open."""
        claims = self._authority.check(token, now_ms=self._clock.now_ms())
        deadline = self._deadlines.get(claims.session)
        if deadline is None or deadline.has_come(self._clock):
            raise TokenError("the token's session has ended")
        if claims.expires_ms < deadline.wall_ms and deadline.brought_forward(claims.expires_ms).has_come(self._clock):
            raise TokenError("the token has expired")
        return claims

    def check_token_at(self, token: str, *, only: str | None) -> TokenClaims:
        """Return a token's claims if it is good at one place: a sandbox's own listener, or, None, that of this machine.

        A sandbox's token opens its own listener and nothing else. So one that got out of its container is of no use.
        """
        claims = self.check_token(token)
        if only is None and self._open[claims.session].kind is SessionKind.SANDBOX:
            raise TokenError("it belongs to a sandbox, and opens nothing outside of it")
        if only not in {None, claims.session}:
            raise TokenError("it belongs to another session")
        return claims

    def bearer_of(self, token: str) -> str | None:
        """Return whose token it is, wherever it was shown; None if it is nobody's that may still act."""
        try:
            return self.check_token(token).session
        except TokenError:
            return None

    def is_open(self, session_id: str) -> bool:
        """Say whether a session may still act."""
        deadline = self._deadlines.get(session_id)
        return deadline is not None and not deadline.has_come(self._clock)

    def open_count(self) -> int:
        """Count the sessions that may still act."""
        return sum(self.is_open(session_id) for session_id in self._open)

    async def end(self, session_id: str, *, reason: str, actor: Principal) -> Session:
        """End a session; from here on its token opens nothing.

        Raises the Failure of a log that cannot be written; then end_expired tries again.
        """
        session = await self.get(session_id)
        if session.ended_ms is not None:
            return session
        now = self._clock.now_ms()
        self._open.pop(session_id, None)
        self._deadlines.pop(session_id, None)
        self._bearers.pop(session_id, None)
        for listener in self._when_ended:
            listener(session_id)

        def close(conn: Connection) -> None:
            conn.execute(
                update(tables.sessions)
                .where(tables.sessions.c.id == session_id)
                .values(ended_ms=now, end_reason=reason)
            )

        event = AuditEvent(
            type=EventType.SESSION_ENDED,
            session=session_id,
            actor=actor,
            payload={Attr.SESSION_END_REASON: reason},
        )
        try:
            await self._audit.append(event, effect=close)
        except Failure:
            # The token opens nothing while this daemon runs. For the next one the end must be written, so we try again.
            self._unwritten[session_id] = (reason, actor)
            raise
        self._unwritten.pop(session_id, None)
        return replace(session, ended_ms=now, end_reason=reason)

    async def end_expired(self) -> list[Session]:
        """End every session whose time is over, and write down the ends that could not be written before."""
        for session_id, (reason, actor) in list(self._unwritten.items()):
            await self.end(session_id, reason=reason, actor=actor)
        due = [session_id for session_id in self._open if not self.is_open(session_id)]
        return [await self.end(session_id, reason="expired", actor=DAEMON) for session_id in due]

    async def end_all_but_the_terminal(self, *, reason: str) -> int:
        """End every session of an agent; return how many there were."""
        agents = [session.id for session in self._open.values() if session.kind is not SessionKind.TERMINAL]
        for session_id in agents:
            await self.end(session_id, reason=reason, actor=DAEMON)
        return len(agents)

    def _keep(self, session: Session) -> None:
        self._deadlines[session.id] = Deadline.of(self._clock, since_ms=session.created_ms, until_ms=session.expires_ms)
        self._open[session.id] = session
        self._bearers[session.id] = _agent_of(session.id, session.label)

    def bearer(self, session_id: str) -> Principal:
        """Return who shows the token of an open session: always an agent, whatever kind the session is of."""
        return self._bearers[session_id]

    def owned(self) -> dict[str, Owner]:
        """Return the owner of each open session that has one."""
        return {session.id: session.owner for session in self._open.values() if session.owner is not None}

    def folder_of(self, session_id: str) -> Path | None:
        """Return where the process works that an open session belongs to, as far as that can be known."""
        session = self._open.get(session_id)
        owner = None if session is None else session.owner
        return None if owner is None else working_folder(owner.pid, owner.identity)

    async def get(self, session_id: str) -> Session:
        """Return one session, open or ended."""
        row = await self._reader.read(
            lambda conn: conn.execute(select(tables.sessions).where(tables.sessions.c.id == session_id)).one_or_none()
        )
        if row is None:
            raise no_such("session", session_id, prefix=IdPrefix.SESSION, remedy="See `aileron session list`.")
        return _from_row(row)

    async def list(
        self, *, active: bool | None = None, limit: int = 100, before: tuple[int, str] | None = None
    ) -> list[Session]:
        """Return sessions, the newest first; with `before`, those behind the one with this time and id."""
        place = tables.sessions.c.created_ms, tables.sessions.c.id
        query = select(tables.sessions).order_by(*(column.desc() for column in place)).limit(limit)
        if before is not None:
            query = query.where(tuple_(*place) < before)
        if active is not None:
            ended = tables.sessions.c.ended_ms
            query = query.where(ended.is_(None) if active else ended.is_not(None))
        rows = await self._reader.read(lambda conn: conn.execute(query).all())
        return [_from_row(row) for row in rows]


def _from_row(row: Any) -> Session:
    return Session(
        id=row.id,
        kind=SessionKind(row.kind),
        label=row.label,
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        ended_ms=row.ended_ms,
        end_reason=row.end_reason,
        capabilities=frozenset(Capability(name) for name in json.loads(row.capabilities)),
        owner=None if row.owner_pid is None else Owner(row.owner_pid, row.owner_identity),
        principal=_acting(row.id, SessionKind(row.kind), row.label),
        opened_by=None
        if row.opened_by is None
        else Principal.recorded(row.opened_by, means=row.opened_with, session=row.id),
    )


def _acting(session: str, kind: SessionKind, label: str) -> Principal:
    """Return whose session it is. How somebody who acts in it was authenticated is for the door to say."""
    if kind is SessionKind.TERMINAL:
        return Principal.person(Means.CLI)
    return _agent_of(session, label)


def _agent_of(session: str, label: str) -> Principal:
    return Principal.agent(session, label) if label else Principal.agent(session)
