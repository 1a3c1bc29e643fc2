"""Hears of changes from a server of the modern era, which tells them only to whoever asked for them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daemon.base.tasks import TaskSet
from daemon.tools.servers.upstream.seam import Message, Notices, Trouble, UpstreamError

METHOD = "subscriptions/listen"

_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_STEADY_SECONDS = 60.0
_MOST_RESOURCES = 1000

Listen = Callable[[Mapping[str, Any]], Awaitable[Message]]


class Listening:
    """Keeps one subscription open as long as the connection lives, and renews it when what is asked for changes."""

    def __init__(self, listen: Listen, capabilities: Message, notices: Notices) -> None:
        self._listen = listen
        self._notices = notices
        self._lists = {
            f"{kind}ListChanged": True for kind in ("tools", "prompts", "resources") if _says(capabilities, kind)
        }
        self._resources: list[str] = []
        self._tasks = TaskSet()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Subscribe, if there is anything to hear of."""
        self._renew()

    def subscribe(self, uri: str) -> None:
        """Hear when a resource changes; raises UpstreamError when there are too many already."""
        if uri in self._resources:
            return
        if len(self._resources) >= _MOST_RESOURCES:
            raise UpstreamError(Trouble.REFUSED, f"At most {_MOST_RESOURCES} resources are subscribed to at a time.")
        self._resources.append(uri)
        self._renew()

    def unsubscribe(self, uri: str) -> None:
        """Hear no more of a resource."""
        if uri in self._resources:
            self._resources.remove(uri)
            self._renew()

    async def close(self) -> None:
        """End the subscription."""
        await self._tasks.close()

    def _renew(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._lists or self._resources:
            wanted: dict[str, Any] = dict(self._lists)
            if self._resources:
                wanted["resourceSubscriptions"] = list(self._resources)
            self._task = self._tasks.start(self._keep(wanted), name="server-subscription")

    async def _keep(self, wanted: Mapping[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                await self._listen({"notifications": wanted})
            except UpstreamError as problem:
                if problem.trouble in {Trouble.REFUSED, Trouble.UNAUTHORISED}:
                    return  # it will not be otherwise the next time; calls say what is wrong
            failures = 0 if loop.time() - began > _STEADY_SECONDS else failures + 1
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES)) - 1] if failures else _PAUSES[0])
            self._say_what_may_have_changed()

    def _say_what_may_have_changed(self) -> None:
        """Tell of every change that nobody would have heard of while there was no subscription."""
        for kind in ("tools", "prompts", "resources"):
            if f"{kind}ListChanged" in self._lists:
                self._notices.notice(f"notifications/{kind}/list_changed", {})
        for uri in self._resources:
            self._notices.notice("notifications/resources/updated", {"uri": uri})


def _says(capabilities: Message, kind: str) -> bool:
    said = capabilities.get(kind)
    return isinstance(said, dict) and bool(said.get("listChanged"))
