"""Opens a server: fills in its secrets, starts its process or reaches it over HTTP, and finds out what it speaks."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from daemon.core.visible import visible
from daemon.net.http1.pool import Pool as HttpPool
from daemon.tools.servers.keeping.environment import environment_of
from daemon.tools.servers.keeping.kept import Kept, StartError
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.keeping.process import Keeping
from daemon.tools.servers.lives.known_secrets import KnownSecrets
from daemon.tools.servers.lives.opened import Opened
from daemon.tools.servers.lives.put_in import PutIn
from daemon.tools.servers.upstream.connecting import connect, too_slow
from daemon.tools.servers.upstream.http import HttpTransport
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.negotiating import ProbeEndedServer
from daemon.tools.servers.upstream.seam import Answers, Era, Message, ToolExecutor, Trouble, UpstreamError
from daemon.tools.servers.upstream.stdio import StdioTransport
from daemon.tools.servers.upstream.transport import Authorisation, Transport
from daemon.tools.servers.values import Mode, ServerConfig

_ENDED = frozenset({Trouble.NOT_REACHED, Trouble.LOST})

OnNotice = Callable[[ServerConfig, str, str, Message], None]
"""Hears what a server says unasked: the server, its session (empty for all), the method, what it says."""

AuthorisationOf = Callable[[ServerConfig], Authorisation | None]
AnswersOf = Callable[[ServerConfig, str], Answers | None]
"""Returns who answers what a server asks outside of a call: the server, its session (empty for all)."""


class Secrets(Protocol):
    """Puts the person's secrets into the configuration of a server."""

    def put_in(self, server: ServerConfig) -> PutIn:
        """Return the configuration with the values; raises the Failure of a locked vault or a missing name."""
        ...


def _nobody_hears(server: ServerConfig, session: str, method: str, params: Message) -> None:
    pass


def no_login(server: ServerConfig) -> Authorisation | None:  # noqa: ARG001 - so it is called
    """Return nothing: the server is reached with the headers of its configuration alone."""
    return None


def no_answers(server: ServerConfig, session: str) -> Answers | None:  # noqa: ARG001 - so it is called
    """Return nobody: what a server asks outside of a call is refused."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a server is started in."""

    environment: Mapping[str, str]
    """The daemon's own; a server gets a few named variables of it."""
    folder: Path
    """Where a server works that does not say where: the person's home."""

    def folder_of(self, server: ServerConfig) -> Path:
        """Return where a server works."""
        return self.folder if server.folder is None else Path(server.folder).expanduser()


class Opener:
    """Opens servers. `on_notice` is set by whoever wants to hear what servers say unasked."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        keeping: Keeping,
        logs: ServerLogs,
        http: HttpPool,
        surroundings: Surroundings,
        authorisation_of: AuthorisationOf = no_login,
        answers_of: AnswersOf = no_answers,
    ) -> None:
        self._secrets = secrets
        self._keeping = keeping
        self._logs = logs
        self._http = http
        self._surroundings = surroundings
        self._authorisation_of = authorisation_of
        self._answers_of = answers_of
        self.secrets_known = KnownSecrets()
        self._older: set[str] = set()
        """Servers, by their identity, that speak the older era only: they are not asked for it again."""
        self.on_notice: OnNotice = _nobody_hears

    def check_secrets(self, server: ServerConfig) -> None:
        """Raise the Failure of a server that could not be started now, because a secret of it cannot be had."""
        self._secrets.put_in(server)

    async def open(self, server: ServerConfig, session: str) -> Opened:
        """Start a server and return it when it said who it is. Raises UpstreamError or the Failure of its secrets.

        One that is called off, or takes too long, leaves no process and no connection.
        """
        filled = self._secrets.put_in(server)
        self.secrets_known.put_in(server.name, filled.secrets)
        try:
            async with asyncio.timeout(server.start_seconds):
                if server.mode is Mode.REMOTE:
                    return _Remote(await self._reached(filled.config, server, session))
                return await self._local(filled.config, server, session)
        except TimeoutError as error:
            raise too_slow(server.name, server.start_seconds) from error
        except UpstreamError as problem:
            message = visible(self.secrets_known.scrubbed(server.name, problem.message))
            raise problem.told(message=message) from problem

    async def _local(self, filled: ServerConfig, server: ServerConfig, session: str) -> Opened:
        try:
            return await self._started(filled, server, session)
        except ProbeEndedServer:
            self._older.add(server.identity)
            return await self._started(filled, server, session)

    async def _started(self, filled: ServerConfig, server: ServerConfig, session: str) -> Opened:
        environment = environment_of(self._surroundings.environment, filled.env)
        log = self._logs.of(server.name, partial(self.secrets_known.scrubbed, server.name))
        try:
            kept = await self._keeping.start(filled.command, environment, self._surroundings.folder_of(filled), log)
        except StartError as problem:
            raise UpstreamError(Trouble.NO_PROCESS, str(problem)) from problem
        try:
            transport = StdioTransport(kept.pipes, stop=kept.stop)
            return _Local(kept, await self._connected(transport, server, session))
        except ProbeEndedServer:
            raise
        except UpstreamError as problem:
            message = problem.message + await kept.last_words()
            # A process that ended before it said who it is has not started, whether or not the first question left.
            trouble = Trouble.NOT_STARTED if problem.trouble in _ENDED else problem.trouble
            raise problem.told(trouble=trouble, message=message) from problem

    async def _reached(self, filled: ServerConfig, server: ServerConfig, session: str) -> ToolExecutor:
        transport = HttpTransport(filled.url or "", filled.headers, self._http, self._authorisation_of(server))
        return await self._connected(transport, server, session)

    async def _connected(self, transport: Transport, server: ServerConfig, session: str) -> ToolExecutor:
        """Find out what a server speaks, and remember it if that is the older era only."""
        try:
            executor = await connect(
                transport,
                name=server.name,
                notices=_Notices(self, server, session),
                limits=Limits(start_seconds=server.start_seconds),
                answers=self._answers_of(server, session),
                era=Era.HANDSHAKE if server.identity in self._older else None,
            )
        except ProbeEndedServer:
            raise
        except UpstreamError:
            self._older.discard(server.identity)
            raise
        if executor.hello.era is Era.HANDSHAKE:
            self._older.add(server.identity)
        return executor


@dataclass(frozen=True, slots=True)
class _Notices:
    opener: Opener
    server: ServerConfig
    session: str

    def notice(self, method: str, params: Message) -> None:
        """Hand on what a server said."""
        self.opener.on_notice(self.server, self.session, method, params)


@dataclass(frozen=True, slots=True)
class _Local:
    """A server that is a process of ours."""

    kept: Kept
    executor: ToolExecutor

    async def over(self) -> None:
        """Return when the process ended, or closed its output."""
        await self.kept.over.wait()

    async def why(self) -> str:
        """Return how it ended."""
        return "It ended unexpectedly." + await self.kept.last_words()


@dataclass(frozen=True, slots=True)
class _Remote:
    """A server that runs elsewhere. Whether its session still holds is known when something is asked."""

    executor: ToolExecutor

    async def over(self) -> None:
        """Wait for ever: there is no process to end."""
        await asyncio.Event().wait()

    async def why(self) -> str:
        """Return what there is to say."""
        return "Its session has ended."
