"""What a call of a server is bound to: made once, and kept for as long as nothing of it changes."""

from daemon.core.account import Account
from daemon.core.subject import NamedHash, Subject
from daemon.core.tools import Stage
from daemon.tools.servers.calls import CallServices, Request, Target
from daemon.tools.servers.pins.definitions import Definition
from daemon.tools.servers.pins.pin import Pin
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.requests import ToolRequest
from daemon.tools.servers.values import KIND, ServerConfig

_STAGE = "call"
_KEPT = 2048


class Targets:
    """Makes them from the configuration, the pins, and the account of the moment."""

    def __init__(self, calls: CallServices, pins: Pins) -> None:
        self._calls = calls
        self._pins = pins
        self._identities: dict[str, tuple[ServerConfig, str]] = {}
        self._tools: dict[str, tuple[Pin, Target]] = {}

    def of_tool(self, server: ServerConfig, pin: Pin, definition: Definition) -> Target:
        """Return what a call of a tool is bound to."""
        known = self._tools.get(pin.record)
        if known is not None:
            former, target = known
            if former is pin and target.server is server and target.subject.accounts == self._accounts(server):
                return target
        if len(self._tools) >= _KEPT:
            self._tools.pop(next(iter(self._tools)))
        made = self.of(server, pin.record, ToolRequest(self._pins, pin, definition), definition=definition.digest)
        self._tools[pin.record] = (pin, made)
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
