"""Workspaces: what agents changed in their layers, and the person's decisions about it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import Field

from daemon.api.answers import AsciiJson, Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.principals import Who
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.wire_paths import from_wire
from daemon.workspaces.decisions import Decision, How, Mode
from daemon.workspaces.service import Workspaces

WorkspaceId = Annotated[str, Path(max_length=100)]
_MOST_PATHS = 20_000
_LONGEST_PATH = 4096


PathText = Annotated[str, Field(min_length=1, max_length=3 * _LONGEST_PATH)]
"""A path as `daemon.core.wire_paths` writes it, also one that is not UTF-8."""


class LandBody(Body):
    """What a person decided, and the digests of what they were shown."""

    mode: Annotated[Mode, Field(strict=False)] = Mode.FILES
    how: Literal["question", "option", "auto"] = "option"
    plan: str = Field(max_length=100)
    commits_plan: str = Field(default="", max_length=100)
    paths: list[PathText] | None = Field(default=None, max_length=_MOST_PATHS)
    yes_to: list[PathText] = Field(default_factory=list, max_length=_MOST_PATHS)
    branch: str = Field(default="", max_length=200)

    def decision(self, by: Principal) -> Decision:
        """Return it as a value."""
        return Decision(
            by=by,
            mode=self.mode,
            how=How(self.how),
            plan=self.plan,
            commits_plan=self.commits_plan,
            paths=None if self.paths is None else tuple(map(from_wire, self.paths)),
            yes_to=frozenset(map(from_wire, self.yes_to)),
            branch=self.branch,
        )


class PathsBody(Body):
    """Files and folders; none for everything."""

    paths: list[PathText] = Field(default_factory=list, max_length=_MOST_PATHS)


class FileBody(Body):
    """One file."""

    path: PathText


def router(workspaces: Workspaces) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED, default_response_class=AsciiJson)

    @routes.get("/v1/workspaces", operation_id="workspaces_list")
    async def list_workspaces() -> Response:
        """Return the layers there are, the newest first."""
        return AsciiJson({"items": await workspaces.list(), "next": None})

    @routes.get("/v1/workspaces/{session_id}", operation_id="workspace_show")
    async def show(session_id: WorkspaceId) -> Response:
        """Return one layer."""
        return AsciiJson(await workspaces.show(session_id))

    @routes.get("/v1/workspaces/{session_id}/changes", operation_id="workspace_changes")
    async def changes(session_id: WorkspaceId, summary: bool = True, unseen: bool = False) -> Response:
        """Return what changed, with the digest that a decision names.

        With `summary` the changed lines are counted. With `unseen` it does not count as looked at by a person.
        """
        return AsciiJson(await workspaces.changes(session_id, counted=summary, by_person=not unseen))

    @routes.get("/v1/workspaces/{session_id}/commits", operation_id="workspace_commits")
    async def commits(session_id: WorkspaceId) -> Response:
        """Return the commits that the agent made, and what landing would make of them."""
        return AsciiJson(await workspaces.commits(session_id))

    # These two only read. They take a body, because an address has no room for many paths.
    @routes.post("/v1/workspaces/{session_id}/difference", operation_id="workspace_difference")
    async def difference(session_id: WorkspaceId, body: PathsBody) -> Response:
        """Return the differences, in text that is safe to show."""
        return AsciiJson(await workspaces.difference(session_id, tuple(map(from_wire, body.paths))))

    @routes.post("/v1/workspaces/{session_id}/file", operation_id="workspace_file", response_class=Response)
    async def file(session_id: WorkspaceId, body: FileBody) -> Response:
        """Return a regular file as it is on the agent's side."""
        content = await workspaces.content(session_id, from_wire(body.path))
        return Response(content, media_type="application/octet-stream")

    @routes.post("/v1/workspaces/{session_id}/land", operation_id="workspace_land")
    async def land(session_id: WorkspaceId, body: LandBody, who: Who) -> Response:
        """Land what was shown and chosen; the same decision once more finds it landed and changes nothing."""
        if body.mode is Mode.AUTO and body.how != "auto":
            raise Failure(
                FailureClass.INVALID_ARGUMENTS, "The mode auto goes with how auto only.", boundary=Boundary.USER
            )
        return AsciiJson((await workspaces.land(session_id, body.decision(who))).as_json())

    @routes.post("/v1/workspaces/{session_id}/discard", operation_id="workspace_discard")
    async def discard(session_id: WorkspaceId, who: Who) -> Response:
        """Throw away what the agent did and nobody landed; once more changes nothing."""
        return AsciiJson(await workspaces.discard(session_id, by=who, how=How.OPTION))

    return routes
