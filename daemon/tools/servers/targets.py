"""What a call of a server is bound to: made once, and kept for as long as nothing of it changes."""

from typing import NamedTuple

from daemon.core.account import Account
from daemon.core.subject import NamedHash, Subject
from daemon.core.tools import Stage
from daemon.tools.servers.arguments import ArgumentCheck, ArgumentChecks
from daemon.tools.servers.calls import CallServices, Request, Target
from daemon.tools.servers.pins.pin import Pin
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.requests import ToolRequest, ready
from daemon.tools.servers.values import KIND, ServerConfig

_STAGE = "call"
_KEPT = 2048


class ToolTarget(NamedTuple):
    """What a call of a tool is bound to, and what its arguments are checked with, for one state of its pin."""

    pin: Pin
    target: Target
    check: ArgumentCheck


class Targets:
    """Makes them from the configuration, the pins, and the account of the moment."""

    def __init__(self, calls: CallServices, pins: Pins, checks: ArgumentChecks) -> None:
        self._calls = calls
        self._pins = pins
        self._checks = checks
        self._identities: dict[str, tuple[ServerConfig, str]] = {}
        self._tools: dict[str, ToolTarget] = {}

    def of_tool(self, server: ServerConfig, record: str) -> ToolTarget:
        """Return what a call of a tool is bound to. Raises the Failure of a tool that may not be called now."""
        pin, known = self._pins.find(record), self._tools.get(record)
        if known is not None and known.pin is pin:
            target = known.target
            if target.server is server and target.subject.accounts == self._accounts(server):
                return known
        definition = ready(server.name, record, pin)
        assert pin is not None  # noqa: S101 - `ready` has refused what is not there
        if len(self._tools) >= _KEPT:
            self._tools.pop(next(iter(self._tools)))
        request = ToolRequest(self._pins, pin, definition)
        target = self.of(server, record, request, definition=definition.digest)
        made = self._tools[record] = ToolTarget(pin, target, self._checks.of(definition))
        return made

    def of(self, server: ServerConfig, name: str, request: Request, *, definition: str) -> Target:
        """Return what a call of any other request is bound to; `name` is the one that records have."""
        identity = self._identity(server)
        return Target(
            services=self._calls,
            server=server,
            identity=identity,
            request=request,
            subject=Subject(
                kind=KIND,
                origin=server.name,
                name=name,
                version="",
                definition=definition,
                depends_on=(NamedHash(f"the configuration of the server {server.name}", identity),),
                accounts=self._accounts(server),
            ),
            stage=Stage(name=_STAGE, op=request.method, target=server.name, may_repeat=request.may_repeat),
        )

    def _accounts(self, server: ServerConfig) -> tuple[Account, ...]:
        account = self._calls.account_of(server)
        return () if account is None else (account,)

    def _identity(self, server: ServerConfig) -> str:
        """Return the hash of what a server is, worked out once for each configuration of it."""
        known = self._identities.get(server.name)
        if known is None or known[0] is not server:
            known = self._identities[server.name] = (server, server.identity)
        return known[1]
