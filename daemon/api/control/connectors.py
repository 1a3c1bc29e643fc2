"""Connectors: looking at one before it is let in, installing, listing, removing."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import Key, ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.connectors.plan import InstalledConnector
from daemon.connectors.service import ConnectorService
from daemon.sessions.service import Sessions
from daemon.tools.actions.catalog import ActionCatalog

Ref = Annotated[str, Query(max_length=600)]


class SourceBody(Body):
    """Where a connector is to be had."""

    source: str = Field(max_length=4096)


class InstallBody(Body):
    """What to install; the hash says what the person looked at and agreed to."""

    source: str = Field(max_length=4096)
    expected_hash: str = Field(max_length=100)
    allow_unsigned: bool = False


class StopBody(Body):
    """The content of the connector whose install is to stop."""

    hash: str = Field(max_length=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    connectors: ConnectorService
    catalog: ActionCatalog
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    connectors = uses.connectors

    def used_by(content_hash: str) -> list[str]:
        return [
            entry.name
            for entry in uses.catalog.all()
            if entry.action is not None and any(r.hash == content_hash for r in entry.action.requires)
        ]

    @routes.get("/v1/connectors", operation_id="connectors_list")
    async def list_connectors(part: Whole) -> ListPart:
        """Return the installed connectors by name and age, then those whose files are damaged."""
        items, cursor = cut("connectors", await connectors.list(), key=_place, part=part)
        return ListPart(items=[item.as_json() for item in items], next_cursor=cursor)

    @routes.post("/v1/connectors/inspect", operation_id="connector_inspect")
    async def inspect(body: SourceBody) -> dict[str, Any]:
        """Say what a connector could do if it were installed."""
        return (await connectors.inspect_source(body.source)).as_json()

    @routes.post("/v1/connectors", operation_id="connector_install", status_code=201)
    async def install(body: InstallBody, who: Who) -> dict[str, Any]:
        """Install exactly what was looked at."""
        session = await uses.sessions.terminal()
        report = await connectors.install(
            body.source,
            allow_unsigned=body.allow_unsigned,
            consent=True,
            expected_hash=body.expected_hash,
            actor=who,
            session=session.id,
        )
        return report.as_json()

    @routes.post("/v1/connectors/stop-install", operation_id="connector_install_stop")
    async def stop_install(body: StopBody) -> dict[str, Any]:
        """Stop an install before it is committed; its own answer says that it was, and so does the log."""
        return {"stopped": connectors.stop_install(body.hash)}

    @routes.get("/v1/connectors/show", operation_id="connector_show")
    async def show(ref: Ref) -> dict[str, Any]:
        """Return one connector, found by hash, name, or name@version."""
        shown = await connectors.show(ref)
        return shown.as_json() | {"used_by": used_by(shown.hash)}

    @routes.delete("/v1/connectors", operation_id="connector_remove")
    async def remove(ref: Ref, who: Who) -> dict[str, Any]:
        """Remove a connector; actions that name it do not run until it is installed again."""
        session = await uses.sessions.terminal()
        removed = await connectors.remove(ref, actor=who, session=session.id)
        return removed.as_json() | {"used_by": used_by(removed.hash)}

    return routes


def _place(item: InstalledConnector) -> Key:
    if item.stored is None:
        return 1, "", 0, item.hash
    return 0, str(item.stored.manifest.name), item.stored.record.installed_ms, item.hash
