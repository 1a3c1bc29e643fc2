"""The engine, and the images agents run in."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path as FolderPath
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import Key, ListPart, Whole, cut
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.images import Images
from daemon.sandbox.service import Sandboxes


class BuildBody(Body):
    """Which image to build."""

    agent: str = Field(max_length=40)
    build_ca: str | None = Field(default=None, max_length=4096)


class BuildOwnBody(Body):
    """Somebody's own Dockerfile."""

    context: str = Field(max_length=4096)
    dockerfile: str = Field(max_length=4096)
    arguments: dict[str, str] = Field(default_factory=dict, max_length=100)
    build_ca: str | None = Field(default=None, max_length=4096)


class PruneBody(Body):
    """Which images to remove."""

    everything: bool = False


def router(sandboxes: Sandboxes) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/v1/sandbox-engine", operation_id="sandbox_engine")
    async def engine() -> dict[str, Any]:
        """Describe the Docker engine."""
        return await sandboxes.engine.describe()

    @routes.get("/v1/sandbox-images", operation_id="sandbox_images")
    async def images(part: Whole) -> ListPart:
        """Return our images, and what is pinned for each agent."""
        pins = [sandboxes.images.pin(agent) for agent in sandboxes.images.agents]
        pinned = [{"agent": pin.agent, "version": pin.version, "tag": pin.tag} for pin in pins]
        items, cursor = cut("images", await sandboxes.images.images(), key=_place, part=part)
        return ListPart.model_validate({"items": items, "next_cursor": cursor, "pinned": pinned})

    @routes.post("/v1/sandbox-images/build", operation_id="sandbox_image_build", response_class=StreamingResponse)
    async def build(body: BuildBody) -> StreamingResponse:
        """Build the image of an agent; the answer is a line of JSON for each thing that happens."""
        known(sandboxes.images, body.agent)
        ca_file = None if body.build_ca is None else FolderPath(body.build_ca)
        return StreamingResponse(_lines(sandboxes.images.build(body.agent, build_ca=ca_file)), media_type="text/plain")

    @routes.post("/v1/sandbox-images/build-own", operation_id="sandbox_own_build", response_class=StreamingResponse)
    async def build_own(body: BuildOwnBody) -> StreamingResponse:
        """Build an image from somebody's own Dockerfile; the answer is a line of JSON for each thing that happens."""
        context, dockerfile = FolderPath(body.context), FolderPath(body.dockerfile)
        if not context.is_absolute() or not dockerfile.is_relative_to(context):
            raise _usage("The Dockerfile lies in the context, and both are absolute paths.")
        said = sandboxes.build_own(context, dockerfile, body.arguments)
        return StreamingResponse(_lines(said), media_type="text/plain")

    @routes.post("/v1/sandbox-images/prune", operation_id="sandbox_images_prune")
    async def prune(body: PruneBody) -> dict[str, Any]:
        """Remove images that no launch would use."""
        return {"removed": await sandboxes.prune(everything=body.everything)}

    @routes.get("/v1/sandbox-images/examine", operation_id="sandbox_image_examine")
    async def look_into(image: Annotated[str, Query(min_length=1, max_length=300)]) -> dict[str, Any]:
        """Say what somebody else's image lacks for an agent to run in it."""
        return {"image": image, "lacks": await sandboxes.examine(image)}

    return routes


def _place(image: Mapping[str, Any]) -> Key:
    return str(image["agent"]), str(image["version"]), str(image["tag"]), str(image["id"])


def known(images: Images, agent: str) -> None:
    """Refuse an agent there is no image of."""
    if agent not in images.agents:
        raise _usage(f"There is no image for {agent[:40]!r}. Agents: {', '.join(images.agents)}.")


async def _lines(said: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    try:
        async for each in said:
            yield json.dumps(each).encode() + b"\n"
    except Failure as failure:  # the answer has begun, so it is told in it
        yield json.dumps({"error": failure.message, "output": []}).encode() + b"\n"


def _usage(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)
