"""What a person asks of the servers and decides about them; each change is in the log with who made it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace

import structlog

from daemon.audit.changes import recorded, recorded_after
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock
from daemon.core.failures import DocumentError, Failure
from daemon.core.principal import DAEMON, Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.tools.servers.configuration.configuration import Configuration
from daemon.tools.servers.configuration.editing import (
    already_there,
    not_there,
    with_server,
    with_switch,
    without_server,
)
from daemon.tools.servers.failing import failure_of
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.lending import ScrubberOf
from daemon.tools.servers.lives.pool import Pool
from daemon.tools.servers.lives.states import ServerState
from daemon.tools.servers.looking import Looks
from daemon.tools.servers.oauth.store import Login
from daemon.tools.servers.pins.difference import ToolReview
from daemon.tools.servers.pins.pin import Pin, PinState
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.scrubbing import cleaned
from daemon.tools.servers.upstream.seam import Hello, UpstreamError
from daemon.tools.servers.values import ServerConfig

_MOST_NAMED = 100
_log = structlog.get_logger("daemon.servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What came of asking a server."""

    hello: Hello
    tools: int
    withheld: int
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerShown:
    """One server with what is known of it."""

    config: ServerConfig
    life: ServerState
    looked_at: bool
    tools: int
    withheld: int
    error: str | None
    login: Login | None


LoginOf = Callable[[ServerConfig], Login | None]


class ServerService:
    """The person's side of the servers."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        scrubber_of: ScrubberOf,
        login_of: LoginOf,
        check_secrets: Callable[[ServerConfig], None],
        lives: Pool,
        logs: ServerLogs,
        pins: Pins,
        looks: Looks,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._scrubber_of = scrubber_of
        self._login_of = login_of
        self._check_secrets = check_secrets
        self._lives = lives
        self._logs = logs
        self._pins = pins
        self._looks = looks
        self._audit = audit
        self._clock = clock
        self._known: Mapping[str, ServerConfig] = configuration.all()

    @property
    def problem(self) -> DocumentError | None:
        """Return what is wrong with the file; None if all of it is in force."""
        return self._configuration.problem

    @property
    def meanwhile(self) -> str:
        """Return what holds while something is wrong with the file."""
        return self._configuration.meanwhile

    @property
    def file(self) -> str:
        """Return where the file is."""
        return str(self._configuration.path)

    async def look(self) -> None:
        """Take over what a person wrote into the file a moment ago, so that their next command knows it."""
        await self._configuration.look()
        await self._take_in()

    # Looking

    def all(self) -> Sequence[ServerShown]:
        """Return every server that is configured."""
        return [self._shown(server) for server in self._configuration.all().values()]

    def show(self, name: str) -> ServerShown:
        """Return one server; raises Failure."""
        return self._shown(self.require(name))

    def tools(self, name: str) -> Sequence[tuple[Pin, str | None]]:
        """Return a server's tools with the names that agents call them by; raises Failure."""
        server = self.require(name)
        return [(pin, self._pins.name_of(pin, server.prefix)) for pin in self._pins.pinned(name)]

    def review(self, name: str) -> Sequence[ToolReview]:
        """Return what a person has to look at; raises Failure."""
        self.require(name)
        return self._pins.difference(name)

    def require(self, name: str) -> ServerConfig:
        """Return a server's configuration, or say how to find out which there are."""
        server = self._configuration.all().get(name)
        if server is None:
            raise not_there(name)
        return server

    async def test(self, name: str, session: str) -> Tested:
        """Ask a server for its tools, which starts it if need be; raises Failure."""
        server = self.require(name)
        began = self._clock.monotonic()
        with self._explained(name):
            async with self._lives.lent(server, session) as executor:
                await self._looks.current(server, executor, anew=True)
                hello = executor.hello
        took = round((self._clock.monotonic() - began) * 1000)
        ready, withheld = self._counted(name)
        return Tested(hello=hello, tools=ready, withheld=withheld, milliseconds=took)

    # Changing

    async def add(self, server: ServerConfig, *, by: Principal, session: str) -> ServerShown:
        """Write one more server into the file; raises Failure."""

        def change(text: str, file: str) -> str:
            return with_server(text, server, file)

        if server.name in self._configuration.all():
            raise already_there(server.name)
        event = _event(EventType.SERVER_ADDED, server, by=by, session=session)
        await recorded(self._audit, event, lambda: self._edit(server.name, change))
        return self.show(server.name)

    async def check_removal(self, name: str) -> None:
        """Raise the Failure of a server that cannot be taken out of the file."""
        self.require(name)
        await self._configuration.check(lambda text, file: without_server(text, name, file))

    async def remove(self, name: str, *, by: Principal, session: str) -> None:
        """Take a server out of the file, stop it and forget its tools; raises Failure."""
        server = self.require(name)
        event = _event(EventType.SERVER_REMOVED, server, by=by, session=session)
        await recorded_after(
            self._audit, event, lambda: self._edit(name, lambda text, file: without_server(text, name, file))
        )
        await self._pins.forget(name, by)

    async def switch(self, name: str, *, enabled: bool, by: Principal, session: str) -> ServerShown:
        """Enable or disable a server; raises Failure."""
        changed = replace(self.require(name), enabled=enabled)

        def change(text: str, file: str) -> str:
            return with_switch(text, changed, file)

        kind = EventType.SERVER_ENABLED if enabled else EventType.SERVER_DISABLED
        event = _event(kind, changed, by=by, session=session)
        await (recorded if enabled else recorded_after)(self._audit, event, lambda: self._edit(name, change))
        return self.show(name)

    async def restart(self, name: str, *, by: Principal, session: str) -> None:
        """End a server with what it does, forget its failures, and start it again; raises Failure.

        One that could not be started again because of its secrets is not ended.
        """
        server = self.require(name)
        if server.enabled:
            self._check_secrets(server)
        event = _event(EventType.SERVER_RESTARTED, server, by=by, session=session)
        with self._explained(name):
            await recorded(self._audit, event, lambda: self._lives.restart(server))

    async def accept(self, name: str, digests: Collection[str], *, by: Principal) -> Sequence[Pin]:
        """Let tools be called again whose definitions a person has looked at; raises Failure."""
        self.require(name)
        return await self._pins.accept(name, digests, by)

    async def follow(self) -> None:
        """Write down what somebody changed in the file itself, and let those end that are configured otherwise."""
        async with aclosing(self._configuration.changes()) as changes:
            async for _ in changes:
                await self._take_in()

    async def _edit(self, name: str, change: Callable[[str, str], str]) -> None:
        await self._configuration.edit(change)
        await self._take_in(told=name)

    async def _take_in(self, *, told: str | None = None) -> None:
        """Compare the servers with what they were; `told` is one whose change stands in the log already."""
        before, now = self._known, self._configuration.all()
        self._known = now
        self._lives.follow_configuration()
        other = [name for name in {**before, **now} if before.get(name) != now.get(name) and name != told]
        if not other:
            return
        event = AuditEvent(
            type=EventType.SERVER_FILE_CHANGED,
            session=None,
            actor=DAEMON,
            payload={
                Attr.SERVER_IDENTITIES: {
                    name: now[name].identity if name in now else None for name in other[:_MOST_NAMED]
                },
                Attr.SERVER_COUNT: len(other),
            },
        )
        try:
            await self._audit.append(event)
        except Failure as unwritten:
            # They are in force all the same. Nothing can be called until the log can be written again.
            _log.warning("a change of the servers is not in the log", reason=unwritten.message)

    async def log_lines(self, name: str, most: int) -> tuple[str, Sequence[str]]:
        """Return a server's log file and its last lines, which hold none of the secrets; raises Failure."""
        self.require(name)
        return str(self._logs.path(name)), await self._logs.last_lines(name, most)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Turn what goes wrong with a server into a failure with its remedy, without secrets."""
        try:
            yield
        except UpstreamError as trouble:
            what = "The list of its tools"
            failure = failure_of(trouble, server=name, what=what, sent=False, may_repeat=True)
            raise cleaned(self._scrubber_of(name), failure) from None

    def _shown(self, server: ServerConfig) -> ServerShown:
        ready, withheld = self._counted(server.name)
        life, looked = self._lives.state(server), self._looks.problem(server.name)
        error = None if looked is None else looked.message
        return ServerShown(
            config=server,
            life=life,
            looked_at=self._pins.looked_at(server.name),
            tools=ready,
            withheld=withheld,
            error=error if life.last_error is None else life.last_error.message,
            login=self._login_of(server),
        )

    def _counted(self, name: str) -> tuple[int, int]:
        pins = self._pins.pinned(name)
        return sum(pin.state is PinState.READY for pin in pins), sum(pin.withheld for pin in pins)


def _event(kind: EventType, server: ServerConfig, *, by: Principal, session: str) -> AuditEvent:
    payload = {
        Attr.SERVER_NAME: server.name,
        Attr.SERVER_IDENTITY: server.identity,
        Attr.EXECUTION_MODE: server.mode.value,
    }
    return AuditEvent(type=kind, session=session, actor=by, payload=payload)
