"""The list of tools as it was last heard of."""

import mcp_types as types
from pydantic import ValidationError

from aileron_mcp.client import AgentClient, ToolList
from aileron_mcp.daemon_link import Link
from aileron_mcp.tools import offer

_PLAIN = ("name", "description", "inputSchema")


class Listing:
    """What the daemon offers to one agent."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: ToolList | None = None
        self.offer = offer(())

    async def refresh(self) -> None:
        """Ask the daemon; raises AgentApiError."""
        await self._link.do(self._refresh)

    async def _refresh(self, client: AgentClient) -> None:
        listed = await client.list_tools(known=self._known)
        if listed is not self._known:
            self._known, self.offer = listed, offer(listed.items)

    def tools(self) -> list[types.Tool]:
        """Return the tools; of one that says of itself what the protocol does not know, what it needs to be called."""
        found: list[types.Tool] = []
        for tool in self.offer.tools:
            try:
                found.append(types.Tool.model_validate(tool))
            except ValidationError:
                found.append(types.Tool.model_validate({name: tool[name] for name in _PLAIN}))
        return found
