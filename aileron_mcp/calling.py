"""The calls of tools: made of the daemon, and told to the model."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import mcp_types as types
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from aileron_mcp import texts
from aileron_mcp.agents import Context
from aileron_mcp.callers import Caller
from aileron_mcp.client import AgentApiError, AgentClient, result_of
from aileron_mcp.daemon_link import Link
from aileron_mcp.exchange import Sent
from aileron_mcp.listing import Listing
from aileron_mcp.outcomes import CallPending, CallResult
from aileron_mcp.results import model_of
from aileron_mcp.rounds import Round, Rounds
from aileron_mcp.texts import STATUS_TOOL, Reply
from aileron_mcp.tools import MAX_WAIT_SECONDS
from aileron_mcp.troubles import raise_if_lacking, told

_SLICE_SECONDS = 5.0
_NOT_FOUND = 404


class Calls:
    """Makes the calls of one agent."""

    def __init__(self, link: Link, listing: Listing, rounds: Rounds) -> None:
        self._link = link
        self._listing = listing
        self._rounds = rounds

    async def call(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Answer a request that the library handles."""
        name, arguments = params.name, params.arguments or {}
        ended = await self._rounds.run(ctx, params, lambda call: self.reply(name, arguments, call))
        return ended if isinstance(ended, types.InputRequiredResult) else model_of(ended)

    def begin(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        answers: Sequence[str],
        log_level: str | None,
        told: Callable[[], None],
    ) -> Sent | None:
        """Send a call of a server's tool to the daemon now; None if something must be waited for first.

        When `told` is called, what became of it is told by `reply_at_once` or, always, by `reply`.
        """
        client = self._link.at_hand
        if client is None or tool not in self._listing.offer.of_servers:
            return None
        return client.begin(tool, arguments, answers=answers, log_level=log_level, told=told)

    def reply_at_once(self, tool: str, sent: Sent) -> Reply | None:
        """Return what a call that was sent is answered, if that has come and is a result; may raise for any other."""
        outcome = result_of(sent)
        if outcome is None:
            return None
        return texts.handed_on(outcome, shaped=tool in self._listing.offer.shaped, objects_only=True)

    async def reply(self, tool: str, arguments: dict[str, Any], call: Round, *, sent: Sent | None = None) -> Reply:
        """Call a tool, or tell why not. Raises MCPError, which only the newer era has here."""
        try:
            if tool == STATUS_TOOL:
                return await self._status(arguments, call.caller)
            if sent is None and tool not in self._listing.offer.names:
                with contextlib.suppress(AgentApiError):  # that it is away is told by the call
                    await self._listing.refresh()
            if sent is not None or tool in self._listing.offer.of_servers:
                return await self._heard(tool, arguments, call, sent)
            return await self._run(tool, arguments)
        except AgentApiError as problem:
            raise_if_lacking(call.caller.session, problem)
            return told(problem, tool, self._link.session_id)

    async def _run(self, tool: str, arguments: dict[str, Any]) -> Reply:
        try:
            outcome = await self._link.do(lambda client: client.call(tool, arguments))
        except AgentApiError as problem:
            # A name that is not in the list is asked for all the same: the daemon knows why, such as that a person
            # must look at the tool first. Of one that nobody knows, the model is helped by those there are.
            if problem.status != _NOT_FOUND or problem.envelope is None:
                raise
            return texts.not_there(problem.envelope, self._listing.offer.names)
        if isinstance(outcome, CallPending):
            return texts.waiting(
                approval_id=outcome.approval_id, review_url=outcome.review_url, asked_by=outcome.asked_by
            )
        return texts.finished(
            audit_id=outcome.audit_id, result=outcome.result, content=outcome.content, failed=outcome.failed
        )

    async def _heard(self, tool: str, arguments: dict[str, Any], call: Round, sent: Sent | None) -> Reply:
        async def run(client: AgentClient) -> CallResult | CallPending:
            nonlocal sent
            begun, sent = sent, None  # in another session it is sent again, because in this one nothing ran
            return await client.call_heard(tool, arguments, call, sent=begun)

        outcome = await self._link.do(run)
        if isinstance(outcome, CallPending):
            return texts.waiting(
                approval_id=outcome.approval_id, review_url=outcome.review_url, asked_by=outcome.asked_by
            )
        older = call.caller.session.protocol_version not in MODERN_PROTOCOL_VERSIONS
        return texts.handed_on(outcome, shaped=tool in self._listing.offer.shaped, objects_only=older)

    async def _status(self, arguments: dict[str, Any], caller: Caller) -> Reply:
        approval, wait = arguments.get("approval_id"), arguments.get("wait_seconds", 20)
        if not isinstance(approval, str) or isinstance(wait, bool) or not isinstance(wait, int | float):
            message = f"{STATUS_TOOL} takes approval_id, a text, and wait_seconds, a number."
            return texts.trouble(message, failure_class="invalid_arguments", retriable=False)
        left = float(min(max(wait, 0), MAX_WAIT_SECONDS))
        waited = 0.0
        while True:
            part = min(left, _SLICE_SECONDS)

            async def poll(client: AgentClient, seconds: float = part) -> Reply:
                return texts.standing(await client.poll(approval, wait_seconds=seconds))

            reply: Reply = await self._link.do(poll)
            left -= part
            waited += part
            if left <= 0 or reply.failed or reply.structured.get("status") not in {"pending", "approved", "running"}:
                return reply
            await caller.progress(waited, waited + left, "Waiting for a person's decision.")
