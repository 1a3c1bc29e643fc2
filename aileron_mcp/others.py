"""Resources, prompts and completion of servers, asked of the daemon for the agent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ValidationError

from aileron_mcp import texts
from aileron_mcp.agents import Context
from aileron_mcp.catalogue import PROMPTS, RESOURCES, TEMPLATES, Catalogue, Kind, Owned
from aileron_mcp.client import AgentApiError, AgentClient
from aileron_mcp.daemon_link import Link
from aileron_mcp.outcomes import CallPending, CallResult
from aileron_mcp.rounds import Round, Rounds
from aileron_mcp.troubles import raise_if_lacking, told

M = TypeVar("M", bound=BaseModel)


class Others:
    """Answers what an agent asks beside tools. A refusal is an error of the protocol: these have no other form."""

    def __init__(self, link: Link, rounds: Rounds, late: Callable[[Kind], None]) -> None:
        self._link = link
        self._rounds = rounds
        self._catalogue = Catalogue(link.do, late)

    async def resources(self, _: Context, __: Any) -> types.ListResourcesResult:
        """List the resources of all servers."""
        return types.ListResourcesResult(resources=await self._listed(RESOURCES, types.Resource))

    async def templates(self, _: Context, __: Any) -> types.ListResourceTemplatesResult:
        """List the templates of all servers."""
        return types.ListResourceTemplatesResult(
            resource_templates=await self._listed(TEMPLATES, types.ResourceTemplate)
        )

    async def prompts(self, _: Context, __: Any) -> types.ListPromptsResult:
        """List the prompts of all servers."""
        return types.ListPromptsResult(prompts=await self._listed(PROMPTS, types.Prompt))

    async def read(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult | types.InputRequiredResult:
        """Read a resource."""
        owned = await self.owner(params.uri)

        async def work(call: Round) -> types.ReadResourceResult:
            given = {"uri": owned.address}
            return await self._ask(owned, "(read_resource)", given, call, types.ReadResourceResult)

        return await self._rounds.run(ctx, params, work)

    async def prompt(
        self, ctx: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        """Make a prompt."""
        owned = await self._owned(self._catalogue.prompt(params.name), "prompt", params.name)

        async def work(call: Round) -> types.GetPromptResult:
            given = {"name": owned.address, "arguments": params.arguments or {}}
            return await self._ask(owned, "(get_prompt)", given, call, types.GetPromptResult)

        return await self._rounds.run(ctx, params, work)

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        """Complete an argument of a prompt or a template."""
        if isinstance(params.ref, types.PromptReference):
            owned = await self._owned(self._catalogue.prompt(params.ref.name), "prompt", params.ref.name)
            ref: Mapping[str, Any] = {"type": "ref/prompt", "name": owned.address}
        else:
            owned = await self._owned(self._template(params.ref.uri), "template of resources", params.ref.uri)
            ref = {"type": "ref/resource", "uri": owned.address}
        given: dict[str, Any] = {"ref": ref, "argument": params.argument.model_dump(by_alias=True)}
        if params.context is not None:
            given["context"] = params.context.model_dump(by_alias=True, exclude_none=True)
        return await self._ask(owned, "(complete)", given, self._rounds.begin(ctx), types.CompleteResult)

    async def owner(self, uri: str) -> Owned:
        """Return whose a resource is; raises MCPError."""
        return await self._owned(self._catalogue.resource(uri), "resource", uri)

    async def watch(self, owned: Owned, operation: str, ctx: Context | None) -> None:
        """Have the daemon watch a resource, or watch it no longer; raises MCPError."""
        given = {"uri": owned.address}
        if ctx is not None:
            await self._ask(owned, operation, given, self._rounds.begin(ctx), types.EmptyResult)
            return
        try:
            outcome = await self._link.do(lambda client: client.call(f"{owned.prefix}__{operation}", given))
        except AgentApiError as problem:
            raise self._refused(problem) from None
        if isinstance(outcome, CallPending):
            raise MCPError(types.INTERNAL_ERROR, outcome.message)

    async def _template(self, uri: str) -> Owned | None:
        if self._catalogue.template(uri) is None:
            await self._catalogue.list(TEMPLATES)
        return self._catalogue.template(uri) or await self._catalogue.resource(uri)

    async def _listed(self, kind: Kind, model: type[M]) -> list[M]:
        try:
            entries = await self._catalogue.list(kind)
        except AgentApiError as problem:
            raise self._refused(problem) from None
        return list(_readable(entries, model))

    async def _owned(self, finding: Awaitable[Owned | None], what: str, name: str) -> Owned:
        try:
            owned = await finding
        except AgentApiError as problem:
            raise self._refused(problem) from None
        if owned is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no {what} {name[:200]!r}.", {"uri": name})
        return owned

    async def _ask(self, owned: Owned, operation: str, given: Mapping[str, Any], call: Round, model: type[M]) -> M:
        async def run(client: AgentClient) -> CallResult | CallPending:
            return await client.call_heard(f"{owned.prefix}__{operation}", given, call)

        try:
            outcome = await self._link.do(run)
        except AgentApiError as problem:
            raise_if_lacking(call.caller.session, problem)
            raise self._refused(problem) from None
        if isinstance(outcome, CallPending):
            reply = texts.waiting(
                approval_id=outcome.approval_id, review_url=outcome.review_url, asked_by=outcome.asked_by
            )
            raise MCPError(types.INTERNAL_ERROR, reply.text, dict(reply.structured))
        try:
            return model.model_validate(outcome.result)
        except ValidationError:
            said = " ".join(str(block.get("text", "")) for block in outcome.content)[-500:]
            raise MCPError(types.INTERNAL_ERROR, f"The answer has another form than it should. {said}") from None

    def _refused(self, problem: AgentApiError) -> MCPError:
        reply = told(problem, "this", self._link.session_id)
        return MCPError(types.INTERNAL_ERROR, reply.text, dict(reply.structured))


def _readable(entries: Sequence[Mapping[str, Any]], model: type[M]) -> Sequence[M]:
    found = []
    for entry in entries:
        try:
            found.append(model.model_validate(entry))
        except ValidationError:
            continue  # one entry that is none must not take the others along
    return found
