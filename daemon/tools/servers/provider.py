"""The tools of MCP servers as a kind of tool: which there are, and a call of one made ready.

Neither needs a server that runs: both are answered from the pins.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from daemon.approvals.rules import EVERY
from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal, PrincipalKind
from daemon.core.tools import ToolCall, ToolId, ToolSpec
from daemon.execution.seam import PreparedCall
from daemon.tools.servers import own_tools, sampling
from daemon.tools.servers.arguments import ArgumentChecks
from daemon.tools.servers.calls import CallServices, PreparedServerCall
from daemon.tools.servers.lending import Configured
from daemon.tools.servers.looking import Looks
from daemon.tools.servers.operations import OPERATIONS
from daemon.tools.servers.outcomes import READ_ON
from daemon.tools.servers.pins.definitions import Definition
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.requests import OperationRequest, subscription
from daemon.tools.servers.rests import Rests
from daemon.tools.servers.searching import nearest, search
from daemon.tools.servers.specs import UNAVAILABLE, specs_of, unavailable
from daemon.tools.servers.subscriptions import SUBSCRIBE, UNSUBSCRIBE, Subscriptions
from daemon.tools.servers.targets import Targets
from daemon.tools.servers.values import KIND, ServerConfig

_USUAL_FOUND = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """What was made of the pins once, until something of it changes."""

    key: tuple[Any, ...]
    tools: tuple[ToolSpec, ...]
    """All tools of servers."""
    by_name: Mapping[str, ToolSpec]
    """The same, by the names that agents call them by."""
    shown: tuple[ToolSpec, ...]
    """What agents are shown: these, or what stands in for them."""


class ServerProvider:
    """The kind of tool that another program offers."""

    def __init__(
        self,
        *,
        configured: Configured,
        pins: Pins,
        looks: Looks,
        calls: CallServices,
        subscriptions: Subscriptions,
        rests: Rests,
        tasks: TaskSet,
        most_listed: int,
    ) -> None:
        self._configured = configured
        self._pins = pins
        self._looks = looks
        self._calls = calls
        self._subscriptions = subscriptions
        self._rests = rests
        self._tasks = tasks
        self._most_listed = most_listed
        self._checks = ArgumentChecks()
        self._targets = Targets(calls, pins, self._checks)
        self._listed = _Listed(key=(), tools=(), by_name={}, shown=())

    @property
    def kind(self) -> str:
        """Return the name of the kind."""
        return KIND

    # Listing

    async def list(self, who: Principal) -> Sequence[ToolSpec]:
        """Return what the servers offer; this waits a while for those that were never looked at."""
        servers = self._enabled()
        new = [server for server in servers if not self._pins.looked_at(server.name)]
        await self._looks.first(new, who.id if who.kind is PrincipalKind.AGENT else "")
        for server in servers:
            if self._pins.looked_at(server.name) and any(
                self._pins.name_of(pin, server.prefix) is None for pin in self._pins.pinned(server.name)
            ):
                await self._pins.name_tools(server)
        return self._current(servers).shown

    def _enabled(self) -> tuple[ServerConfig, ...]:
        return tuple(server for server in self._configured.all().values() if server.enabled)

    def _current(self, servers: tuple[ServerConfig, ...]) -> _Listed:
        key = (self._pins.version, self._looks.version, servers)
        if self._listed.key != key:
            tools = specs_of(servers, self._pins)
            missing = unavailable(servers, self._pins, self._looks)
            many = len(tools) > self._most_listed
            shown = tuple(map(own_tools.spec_of, own_tools.STAND_INS)) if many else tools
            reading_on = (own_tools.spec_of(READ_ON),) if tools else ()
            by_name = {spec.name: spec for spec in tools}
            self._listed = _Listed(key=key, tools=tools, by_name=by_name, shown=(*shown, *missing, *reading_on))
        return self._listed

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time the servers, their tools, or why there are none, have changed."""
        changed = asyncio.Event()
        sources = (self._pins.changes(), self._looks.changes(), self._configured.changes())
        following = [self._tasks.start(_follow(source, changed), name="follow servers") for source in sources]
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    def offers(self, unasked: Callable[[str], bool]) -> Sequence[Mapping[str, Any]]:
        """Return which servers there are, what each offers beside tools as far as that is known, and its open lists.

        `unasked` says of a list, by its name in records, whether no rule holds it.
        """
        lists = [each.name for each in OPERATIONS.values() if each.may_repeat]
        offered = ((server, self._looks.offers(server.name)) for server in self._enabled())
        return [
            {
                "name": server.name,
                "prefix": server.prefix,
                "offers": None if known is None else sorted(known),
                "lists": [each for each in lists if unasked(f"{server.name}/{each}")],
            }
            for server, known in offered
        ]

    # Calling

    def known(self, name: str) -> ToolId | None:
        """Return the tool that was given this name once, also if it is withheld, gone, or its server disabled.

        What is asked of a server beside tools has such a name, too: `github__(read_resource)`.
        """
        prefix, _, operation = name.rpartition("__")
        if operation in OPERATIONS:
            named = (server for server in self._configured.all().values() if server.prefix == prefix)
            return next((ToolId(KIND, f"{server.name}/{operation}") for server in named), None)
        pin = self._pins.called(name)
        return None if pin is None else ToolId(KIND, pin.record)

    def meant(self, call: ToolCall) -> ToolCall:
        """Return the call of the tool that `call_tool` names; every other call as it is."""
        if call.tool.name != own_tools.CALL:
            return call
        given = own_tools.checked(call)
        spec = self._named(given["name"])
        return call._replace(tool=spec.tool, arguments=given.get("arguments", {}))

    async def prepare(self, call: ToolCall) -> PreparedCall:
        """Check that the tool is there, accepted and not withheld, and that the arguments fit it."""
        server_name, slash, tool = call.tool.name.partition("/")
        if not slash:
            return self._own(call)
        server = self._configured.all().get(server_name)
        if server is None:
            raise _not_found(f"There is no server named {server_name!r} (any more).")
        if not server.enabled:
            command = f"aileron server enable {server.name}"
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                f"The server {server.name} is disabled. A person can run `{command}`.",
                boundary=Boundary.USER,
                details={"server": server.name, "command": command},
            )
        if tool in OPERATIONS:
            operation = OPERATIONS[tool]
            if operation.method in {SUBSCRIBE, UNSUBSCRIBE}:
                request: OperationRequest = subscription(self._subscriptions, server, call, operation)
            else:
                request = OperationRequest(server.name, operation)
            target = self._targets.of(server, call.tool.name, request, definition=operation.definition)
            return PreparedServerCall(target, call.arguments)
        if tool == UNAVAILABLE:
            raise self._unavailable(server, call.session)
        bound = self._targets.of_tool(server, call.tool.name)
        bound.check.check(call.tool.name, call.arguments)
        return PreparedServerCall(bound.target, call.arguments)

    def idle_rule(self, name: str) -> str | None:
        """Return why a rule for a tool with this name in records, or for a whole server, is about nothing, if so."""
        server, _, tool = name.partition("/")
        if server not in self._configured.all():
            return f"no server is named {server}"
        if (
            tool in {EVERY, sampling.NAME}
            or tool in OPERATIONS
            or not self._pins.looked_at(server)
            or self._pins.find(name)
        ):
            return None
        return f"the server {server} has no such tool"

    def unchecked(self, definition: Definition) -> str:
        """Return why the arguments of a tool are left to its server to check; empty if they are checked here."""
        return self._checks.of(definition).unchecked

    def _own(self, call: ToolCall) -> own_tools.PreparedOwnTool:
        name, given = call.tool.name, call.arguments
        answers: Mapping[str, Callable[[], dict[str, Any]]] = {
            READ_ON: lambda: self._read_on(call.session, given),
            own_tools.SEARCH: lambda: self._found(given),
            own_tools.DESCRIBE: lambda: self._described(given),
        }
        if name not in answers:
            raise _not_found(f"There is no tool named {name!r} (any more). The list of tools has those there are.")
        own_tools.checked(call)
        return own_tools.PreparedOwnTool(name=name, arguments=given, answer=answers[name])

    def _read_on(self, session: str, given: Mapping[str, Any]) -> dict[str, Any]:
        size = self._calls.outcomes.limit
        piece = self._rests.read(session, given["handle"], offset=int(given.get("offset", 0)), size=size)
        return {"text": piece.text, "next_offset": piece.next_offset, "size": piece.size}

    def _found(self, given: Mapping[str, Any]) -> dict[str, Any]:
        tools = self._current(self._enabled()).tools
        return {"tools": search(tools, given["query"], int(given.get("limit", _USUAL_FOUND))), "all": len(tools)}

    def _described(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._named(given["name"]).as_json()

    def _named(self, name: str) -> ToolSpec:
        listed = self._current(self._enabled())
        if name not in listed.by_name:
            raise _not_found(f"There is no tool named {name[:100]!r}. {nearest(listed.tools, name)}")
        return listed.by_name[name]

    def _unavailable(self, server: ServerConfig, session: str) -> Failure:
        """Return why a server that was never looked at has no tools to offer, and look once more."""
        problem = self._looks.problem(server.name)
        self._looks.begin(server, session)
        return problem or Failure(
            FailureClass.RESOURCE_LIMIT_EXCEEDED,
            f"The tools of the server {server.name} are being looked at; look at the list of tools again.",
            boundary=Boundary.RUNTIME,
            retriable=True,
        )


def _not_found(message: str) -> Failure:
    return Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.ACTION)


async def _follow(source: AsyncGenerator[None, None], changed: asyncio.Event) -> None:
    async with aclosing(source) as changes:
        async for _ in changes:
            changed.set()
