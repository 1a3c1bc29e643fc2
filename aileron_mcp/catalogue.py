"""What servers offer beside tools, as one list each: resources, their templates, prompts; and whose each of them is.

Prompts are called like tools, `github__greet`. A resource keeps its address; a second one with the same address is
offered as `SERVER+ADDRESS`, and every resource can be asked for in that form.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aileron_mcp.client import AgentApiError, AgentClient
from aileron_mcp.outcomes import CallResult

Do = Callable[[Callable[[AgentClient], Awaitable[Any]]], Awaitable[Any]]
"""Does something with a client of the daemon."""

_WAIT_SECONDS = 3.0
"""How long a list waits for servers that must be started; what comes later is announced."""
_EXPRESSION = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of list."""

    offer: str
    """What a server says that it offers."""
    operation: str
    entries: str
    address: str
    """Where an entry has what it is asked for by."""


RESOURCES = Kind("resources", "(list_resources)", "resources", "uri")
TEMPLATES = Kind("resources", "(list_resource_templates)", "resourceTemplates", "uriTemplate")
PROMPTS = Kind("prompts", "(list_prompts)", "prompts", "name")


@dataclass(frozen=True, slots=True)
class Owned:
    """An entry of a list: the server that it is asked of, and what that calls it."""

    prefix: str
    address: str
    entry: Mapping[str, Any]


@dataclass
class Catalogue:
    """What was last listed, by kind and by the address for agents."""

    do: Do
    late: Callable[[Kind], None]
    """Is called when a server has answered after its list was given out."""
    known: dict[Kind, dict[str, Owned]] = field(default_factory=dict)
    _asking: dict[tuple[Kind, str], "asyncio.Task[Sequence[Mapping[str, Any]]]"] = field(default_factory=dict)

    async def list(self, kind: Kind) -> Sequence[Mapping[str, Any]]:
        """Return the entries of all servers; raises AgentApiError if the daemon does not answer.

        A server that cannot be asked has none: why that is, is said by its tools.
        """
        servers = await self.do(lambda client: client.servers())
        prefixes = [str(server["prefix"]) for server in servers if _may_offer(server, kind)]
        asking = [self._ask(kind, prefix) for prefix in prefixes]
        if asking:
            await asyncio.wait(asking, timeout=_WAIT_SECONDS)
        owned: dict[str, Owned] = {}
        for prefix, task in zip(prefixes, asking, strict=True):
            if not task.done():
                task.add_done_callback(lambda done: self._came(kind, done))
            elif not task.cancelled():
                _take(owned, kind, prefix, task.result())
        self.known[kind] = owned
        return [_named(item.entry, kind, address) for address, item in owned.items()]

    def _came(self, kind: Kind, done: "asyncio.Task[Sequence[Mapping[str, Any]]]") -> None:
        if not done.cancelled() and done.result():
            self.late(kind)

    def _ask(self, kind: Kind, prefix: str) -> "asyncio.Task[Sequence[Mapping[str, Any]]]":
        key = kind, prefix
        if key not in self._asking:
            self._asking[key] = asyncio.ensure_future(self._entries(kind, prefix))
            self._asking[key].add_done_callback(lambda _: self._asking.pop(key, None))
        return self._asking[key]

    async def _entries(self, kind: Kind, prefix: str) -> Sequence[Mapping[str, Any]]:
        try:
            listed = await self.do(lambda client: client.call(f"{prefix}__{kind.operation}", {}))
        except AgentApiError:
            return ()
        found = listed.result.get(kind.entries) if isinstance(listed, CallResult) and listed.result else None
        return [
            entry for entry in found or () if isinstance(entry, Mapping) and isinstance(entry.get(kind.address), str)
        ]

    async def prompt(self, name: str) -> Owned | None:
        """Return whose a prompt is."""
        if PROMPTS not in self.known or name not in self.known[PROMPTS]:
            await self.list(PROMPTS)
        return self.known[PROMPTS].get(name)

    async def resource(self, uri: str) -> Owned | None:
        """Return whose a resource is: a listed one, one of a template, or one that names its server."""
        if (found := self._resource(uri)) is None:
            await asyncio.gather(self.list(RESOURCES), self.list(TEMPLATES))
            found = self._resource(uri)
        if found is None:
            servers = await self.do(lambda client: client.servers())
            named = (str(server["prefix"]) for server in servers)
            prefix = next((prefix for prefix in named if uri.startswith(f"{prefix}+")), None)
            found = None if prefix is None else Owned(prefix, uri.removeprefix(f"{prefix}+"), {})
        return found

    def template(self, uri: str) -> Owned | None:
        """Return whose a template is."""
        return self.known.get(TEMPLATES, {}).get(uri)

    def _resource(self, uri: str) -> Owned | None:
        if (found := self.known.get(RESOURCES, {}).get(uri)) is not None:
            return found
        for address, owned in self.known.get(TEMPLATES, {}).items():
            if _fits(address, uri):
                said = uri if address == owned.address else uri.removeprefix(f"{owned.prefix}+")
                return Owned(owned.prefix, said, owned.entry)
        return None


def _may_offer(server: Mapping[str, Any], kind: Kind) -> bool:
    return kind.operation in server["lists"] and (server["offers"] is None or kind.offer in server["offers"])


def _take(owned: dict[str, Owned], kind: Kind, prefix: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for entry in entries:
        address = str(entry[kind.address])
        shown = f"{prefix}__{address}" if kind is PROMPTS else address
        if shown in owned:
            shown = f"{prefix}+{address}"
        owned.setdefault(shown, Owned(prefix, address, entry))


def _named(entry: Mapping[str, Any], kind: Kind, address: str) -> Mapping[str, Any]:
    return {**entry, kind.address: address}


def _fits(template: str, uri: str) -> bool:
    """Say whether an address may have been made of a template. Only its fixed parts are looked at, in their order."""
    parts = _EXPRESSION.split(template)
    if len(parts) == 1 or not uri.startswith(parts[0]) or not uri.endswith(parts[-1]):
        return False
    place, end = len(parts[0]), len(uri) - len(parts[-1])
    for part in parts[1:-1]:
        place = uri.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return place <= end
