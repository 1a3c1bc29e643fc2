"""Every tool there is, of whatever kind: by its kind and name, and by the name that agents call it by."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

import structlog

from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.tools import ToolCall, ToolId, ToolSpec
from daemon.execution.seam import PreparedCall, ToolProvider

_NO_KIND = "none"
_log = structlog.get_logger("daemon")


class Toolbox:
    """Asks the kinds of tools. A name that agents call is looked up in a table, never taken apart."""

    def __init__(self, providers: Sequence[ToolProvider], *, tasks: TaskSet) -> None:
        self._tasks = tasks
        self._providers = {provider.kind: provider for provider in providers}
        if len(self._providers) != len(providers):
            raise ValueError("two providers have the same kind")
        self._table: dict[str, ToolId] = {}
        self._listeners: dict[object, Callable[[], None]] = {}
        self._following: list[asyncio.Task[None]] = []

    async def list(self, who: Principal) -> Sequence[ToolSpec]:
        """Return the tools that somebody may call, in the order of the kinds. The first to have a name keeps it."""
        named: dict[str, ToolSpec] = {}
        for provider in self._providers.values():
            for spec in await provider.list(who):
                if spec.name in named:
                    _log.warning("a tool is not offered: another one has its name", name=spec.name, tool=str(spec.tool))
                else:
                    named[spec.name] = spec
        self._table = {name: spec.tool for name, spec in named.items()}
        return tuple(named.values())

    def named(self, name: str) -> ToolId | None:
        """Return which tool agents mean by a name, if it is one of the last list."""
        return self._table.get(name)

    async def find(self, name: str, who: Principal) -> ToolId:
        """Return which tool agents mean by a name; for a name of none, one that `prepare` refuses."""
        if name not in self._table:
            await self.list(who)
        if name in self._table:
            return self._table[name]
        known = (provider.known(name) for provider in self._providers.values())
        return next((tool for tool in known if tool is not None), ToolId(_NO_KIND, name))

    def meant(self, call: ToolCall) -> ToolCall:
        """Return the call that is meant by one whose tool may stand in for others."""
        provider = self._providers.get(call.tool.kind)
        return call if provider is None else provider.meant(call)

    async def prepare(self, call: ToolCall) -> PreparedCall:
        """Have a call checked by its kind."""
        provider = self._providers.get(call.tool.kind)
        if provider is None:
            raise Failure(
                FailureClass.NOT_FOUND,
                f"There is no tool named {call.tool.name!r} (any more). The list of tools has those there are.",
                boundary=Boundary.ACTION,
            )
        return await provider.prepare(call)

    @contextmanager
    def noticing(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call a listener each time the list of some kind of tool has changed.

        Each kind is followed once, for as long as anybody listens.
        """
        key = object()
        self._listeners[key] = listener
        if not self._following:
            self._following = [
                self._tasks.start(self._follow(provider), name=f"follow tools of kind {provider.kind}")
                for provider in self._providers.values()
            ]
        try:
            yield
        finally:
            del self._listeners[key]
            if not self._listeners:
                for task in self._following:
                    task.cancel()
                self._following = []

    async def _follow(self, provider: ToolProvider) -> None:
        async with aclosing(provider.changes()) as changes:
            async for _ in changes:
                for listener in list(self._listeners.values()):
                    listener()
