"""Pins as the tools that agents are shown. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daemon.core.tools import Annotations, ToolId, ToolSpec
from daemon.core.visible import visible
from daemon.tools.servers.looking import Looks
from daemon.tools.servers.pins.definitions import Definition
from daemon.tools.servers.pins.pin import PinState
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.values import KIND, ServerConfig

UNAVAILABLE = "(unavailable)"


def specs_of(servers: Iterable[ServerConfig], pins: Pins) -> tuple[ToolSpec, ...]:
    """Return every tool that may be called, by the name that agents call it by."""
    return tuple(_specs(servers, pins))


def _specs(servers: Iterable[ServerConfig], pins: Pins) -> Iterator[ToolSpec]:
    for server in servers:
        for pin in pins.pinned(server.name):
            name = pins.name_of(pin, server.prefix)
            if pin.state is PinState.READY and pin.accepted is not None and name is not None:
                yield _spec(server.name, pin.record, name, pin.accepted)


def _spec(server: str, record: str, name: str, definition: Definition) -> ToolSpec:
    said = definition.said
    hints: Mapping[str, Any] = said.get("annotations", {})
    title = said.get("title") or hints.get("title")
    return ToolSpec(
        tool=ToolId(KIND, record),
        name=name,
        origin=server,
        title=title if isinstance(title, str) else definition.tool,
        version="",
        description=said.get("description", ""),
        input_schema=said["inputSchema"],
        output_schema=said.get("outputSchema"),
        definition=definition.digest,
        approval_required=False,
        annotations=Annotations(
            read_only=hints.get("readOnlyHint") is True,
            destructive=hints.get("destructiveHint") is not False,
            idempotent=hints.get("idempotentHint") is True,
            open_world=hints.get("openWorldHint") is not False,
        ),
        meta=said.get("_meta"),
    )


def unavailable(servers: Iterable[ServerConfig], pins: Pins, looks: Looks) -> tuple[ToolSpec, ...]:
    """Return one tool for each server whose tools nobody has seen yet because it cannot be asked: it says why.

    Without it, a login that failed would look like a server that offers nothing.
    """
    return tuple(
        ToolSpec(
            tool=ToolId(KIND, f"{server.name}/{UNAVAILABLE}"),
            name=f"{server.prefix}__unavailable"[:50],
            origin=server.name,
            title=f"{server.name} cannot be used now",
            version="",
            description=f"The tools of the server {server.name} cannot be listed: {visible(problem.message)} Calling "
            "this does nothing but look again.",
            input_schema={"type": "object", "properties": {}},
            definition="",
            approval_required=False,
            annotations=Annotations(read_only=True, destructive=False, idempotent=True, open_world=False),
        )
        for server in servers
        if not pins.looked_at(server.name) and (problem := looks.problem(server.name)) is not None
    )
