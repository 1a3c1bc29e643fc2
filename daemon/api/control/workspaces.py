"""Workspaces: what agents changed in their layers, and the person's decisions about it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import Field

from daemon.api.answers import AsciiJson, Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Part, Whole, cut, first_of, paged
from daemon.api.principals import Who
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.wire_paths import from_wire
from daemon.workspaces.decisions import Decision, How, Mode
from daemon.workspaces.service import Workspaces

WorkspaceId = Annotated[str, Path(max_length=100)]
_MOST_PATHS = 20_000
_LONGEST_PATH = 4096
_MOST_CHANGES = 10_000_000
"""Changes are a list that a decision is about as a whole, so without a limit all of them come."""


Everything = Annotated[Part, paged(_MOST_CHANGES, _MOST_CHANGES)]
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

    @routes.get("/v1/workspaces", operation_id="workspaces_list", response_model=ListPart)
    async def list_workspaces(part: Whole) -> Response:
        """Return the layers there are, the newest first."""
        standing = await workspaces.list()
        items, cursor = cut("workspaces", standing, key=lambda each: (each["session"],), part=part, newest_first=True)
        return AsciiJson({"items": items, "next_cursor": cursor})

    @routes.get("/v1/workspaces/{session_id}", operation_id="workspace_show")
    async def show(session_id: WorkspaceId) -> Response:
        """Return one layer."""
        return AsciiJson(await workspaces.show(session_id))

    @routes.get("/v1/workspaces/{session_id}/changes", operation_id="workspace_changes")
    async def changes(
        session_id: WorkspaceId, part: Everything, summary: bool = True, unseen: bool = False
    ) -> Response:
        """Return what changed, with the digest that a decision names, in one piece unless a limit is given.

        With `summary` the changed lines are counted. With `unseen` it does not count as looked at by a person.
        """
        told = await workspaces.changes(session_id, counted=summary, by_person=not unseen)
        return AsciiJson(_part_of_changes(told, part))

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


def _part_of_changes(told: dict[str, Any], part: Part) -> dict[str, Any]:
    """Return a part of changes; all of them are of one look, whose digest the cursor names."""
    plan, all_of_them = str(told["plan"]), told["changes"]
    behind = part.behind("changes", str, int)
    if behind is not None and behind[0] != plan:
        raise Failure(
            FailureClass.APPROVAL_VOID,
            "The workspace has changed since the part before. Begin again, without a cursor.",
            boundary=Boundary.USER,
        )
    numbered = list(enumerate(all_of_them))[int(behind[1]) + 1 if behind else 0 :]
    items, cursor = first_of("changes", numbered[: part.limit + 1], key=lambda each: (plan, each[0]), part=part)
    return told | {"changes": [change for _, change in items], "next_cursor": cursor}
