"""Who made a request, and how they are told and asked of it while it runs."""

from typing import Protocol

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.message import ServerMessageMetadata

from aileron_mcp.agents import Context
from aileron_mcp.asking import Answer, Asked


class Caller(Protocol):
    """The agent, as the maker of one request."""

    @property
    def session(self) -> ServerSession:
        """Return what knows the era of the connection, and what the agent said of itself."""
        ...

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        """Tell how far the request is, if the agent sent a token for that."""
        ...

    async def log(self, line: types.LoggingMessageNotificationParams) -> None:
        """Tell a line for the log."""
        ...

    async def ask(self, request: Asked, form: type[Answer]) -> Answer:
        """Ask something in the older era. Raises MCPError or ValidationError."""
        ...


class ByLibrary:
    """The maker of a request that the library handles."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @property
    def session(self) -> ServerSession:
        """Return what knows the era of the connection, and what the agent said of itself."""
        return self._ctx.session

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        """Tell how far the request is, if the agent sent a token for that."""
        await self.session.report_progress(done, total, message)

    async def log(self, line: types.LoggingMessageNotificationParams) -> None:
        """Tell a line for the log."""
        told = types.LoggingMessageNotification(params=line)
        await self.session.send_notification(told, related_request_id=self._ctx.request_id)

    async def ask(self, request: Asked, form: type[Answer]) -> Answer:
        """Ask something in the older era. Raises MCPError or ValidationError."""
        related = ServerMessageMetadata(related_request_id=self._ctx.request_id)
        return await self.session.send_request(request, form, metadata=related)
