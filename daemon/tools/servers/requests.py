"""What can be asked of a server: the call of a tool that is pinned, or one of the operations beside tools."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.outcome import Outcome
from daemon.core.tools import ToolCall
from daemon.tools.servers.operations import Operation
from daemon.tools.servers.outcomes import Outcomes
from daemon.tools.servers.pins.definitions import Definition
from daemon.tools.servers.pins.pin import Pin, PinState
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.subscriptions import SUBSCRIBE, Subscriptions
from daemon.tools.servers.upstream.seam import Asking, Message, ToolExecutor
from daemon.tools.servers.values import ServerConfig

_LONGEST_ADDRESS = 4096


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """The call of a tool, as its accepted definition has it."""

    pins: Pins
    pin: Pin
    definition: Definition

    method = "tools/call"
    may_repeat = False
    """What a server says of its tools is its own claim, so every one may do something each time."""

    @property
    def title(self) -> str:
        """Return the tool's name, safe to look at."""
        return self.pin.record

    @property
    def description(self) -> str:
        """Return what the server says that it does."""
        return str(self.definition.said.get("description", ""))

    def check_again(self) -> None:
        """Raise the Failure of a tool whose definition has changed since the call was checked."""
        now = self.pins.find(self.pin.record)
        if now is not self.pin and ready(self.pin.server, self.pin.record, now).digest != self.definition.digest:
            raise withheld(self.pin.server, self.pin.record, changed=True)

    def send(
        self, executor: ToolExecutor, arguments: Mapping[str, Any], asking: Asking
    ) -> Coroutine[Any, Any, Message]:
        """Call the tool by the server's own name of it."""
        return executor.call_tool(self.pin.tool, arguments, asking)

    def outcome(self, answer: Message, outcomes: Outcomes, session: str) -> Outcome:
        """Return what the tool answered."""
        return outcomes.of_tool(answer, session=session)


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """A request of another method; there is no definition that could change."""

    server: str
    operation: Operation

    @property
    def method(self) -> str:
        """Return the method of the protocol."""
        return self.operation.method

    @property
    def title(self) -> str:
        """Return our name of it."""
        return f"{self.server}/{self.operation.name}"

    @property
    def description(self) -> str:
        """Return what it does."""
        return self.operation.description

    @property
    def may_repeat(self) -> bool:
        """Say whether it only lists something."""
        return self.operation.may_repeat

    def check_again(self) -> None:
        """Find nothing: there is no definition that could change."""

    async def send(self, executor: ToolExecutor, arguments: Mapping[str, Any], asking: Asking) -> Message:
        """Make the request with the arguments as its parameters; a list is asked for whole, from every page."""
        if self.operation.may_repeat:
            return {self.operation.entries: await executor.every(self.operation.method, asking)}
        # What stands in `_meta` is said by the client of a server, which the daemon is, and not by an agent.
        params = {key: value for key, value in arguments.items() if key != "_meta"}
        return await executor.ask(self.operation.method, params, asking)

    def outcome(self, answer: Message, outcomes: Outcomes, session: str) -> Outcome:
        """Return the answer as it is."""
        return outcomes.of_operation(answer, session=session)


@dataclass(frozen=True, slots=True)
class SubscriptionRequest(OperationRequest):
    """The wish to watch a resource, or to watch it no longer. The server is asked only for the first and the last."""

    config: ServerConfig
    session: str
    subscriptions: Subscriptions

    async def send(self, executor: ToolExecutor, arguments: Mapping[str, Any], asking: Asking) -> Message:
        """Have the session watch the resource, or not."""
        change = self.subscriptions.add if self.method == SUBSCRIBE else self.subscriptions.remove
        await change(self.config, self.session, _address(arguments), executor, asking)
        return {}


def subscription(
    subscriptions: Subscriptions, config: ServerConfig, call: ToolCall, operation: Operation
) -> SubscriptionRequest:
    """Return the request of one session; raise the Failure of one that names no resource, or one too many."""
    if operation.method == SUBSCRIBE:
        subscriptions.check_room(config, call.session, _address(call.arguments))
    return SubscriptionRequest(config.name, operation, config, call.session, subscriptions)


def _address(arguments: Mapping[str, Any]) -> str:
    address = arguments.get("uri")
    if not isinstance(address, str) or not 0 < len(address) <= _LONGEST_ADDRESS:
        raise Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"`uri` is the address of a resource: a text of at most {_LONGEST_ADDRESS} characters.",
            boundary=Boundary.USER,
        )
    return address


def ready(server: str, record: str, pin: Pin | None) -> Definition:
    """Return the definition by which a tool may be called now. Raises the Failure that says why it may not."""
    if pin is None or pin.state is PinState.GONE:
        raise Failure(
            FailureClass.NOT_FOUND,
            f"The server {server} offers no tool {record} (any more). The list of tools has those there are.",
            boundary=Boundary.ACTION,
        )
    if pin.withheld or pin.accepted is None:
        raise withheld(server, record, changed=pin.state is PinState.CHANGED)
    return pin.accepted


def withheld(server: str, tool: str, *, changed: bool) -> Failure:
    """Return the failure of a tool that waits for a person."""
    why = "has changed since it was accepted" if changed else "is new and was not accepted yet"
    command = f"aileron server review {server}"
    return Failure(
        FailureClass.HASH_MISMATCH if changed else FailureClass.CAPABILITY_DENIED,
        f"{tool} of the server {server} {why}, so it is withheld and nothing was run. A person can look at it with "
        f"`{command}`.",
        boundary=Boundary.USER,
        details={"server": server, "command": command},
    )
