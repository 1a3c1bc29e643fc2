"""Logins at remote servers: begun, finished, called off and ended by the person."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.principals import Who
from daemon.core.visible import visible
from daemon.sessions.service import Sessions
from daemon.tools.servers.oauth.pending import Shown
from daemon.tools.servers.oauth.service import LoggedOut, LoginService
from daemon.tools.servers.service import ServerService

Name = Annotated[str, Path(max_length=100)]


class LoginBody(Body):
    """How the person logs in."""

    device: bool = False
    """By a code that they type on another device, and not by a browser on this machine."""


class ReplyBody(Body):
    """The address that the browser ended on."""

    url: str = Field(min_length=1, max_length=16384)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    servers: ServerService
    logins: LoginService
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    logins, server = uses.logins, uses.servers.require

    async def own() -> str:
        return (await uses.sessions.terminal()).id

    @routes.post("/v1/servers/{name}/login", operation_id="server_login")
    async def begin(name: Name, body: LoginBody, who: Who) -> dict[str, Any]:
        """Begin a login at a remote server, and return where the person goes."""
        return _as_json(name, await logins.begin(server(name), device=body.device, by=who, session=await own()))

    @routes.get("/v1/servers/{name}/login", operation_id="server_login_show")
    async def show(name: Name, wait: Annotated[float, Query(ge=0, le=60)] = 0) -> dict[str, Any]:
        """Return how a login goes, after waiting so many seconds for its end."""
        return _as_json(name, await logins.state(server(name), wait))

    @routes.post("/v1/servers/{name}/login/reply", operation_id="server_login_reply")
    async def reply(name: Name, body: ReplyBody) -> dict[str, Any]:
        """Finish a login with the address that the browser ended on, where that cannot reach this machine."""
        return _as_json(name, await logins.finish(server(name), body.url))

    @routes.delete("/v1/servers/{name}/login", operation_id="server_login_cancel", status_code=204)
    async def cancel(name: Name) -> Response:
        """Call off a login that waits."""
        await logins.cancel(server(name).name)
        return Response(status_code=204)

    @routes.post("/v1/servers/{name}/logout", operation_id="server_logout")
    async def logout(name: Name, who: Who) -> dict[str, Any]:
        """Take the tokens of a server out of the vault, and have them revoked."""
        found = await logins.logout(server(name), by=who, session=await own())
        return {"name": name} | logged_out_as_json(found)

    return routes


def logged_out_as_json(found: LoggedOut) -> dict[str, Any]:
    """Return what came of a logout."""
    return {"issuer": _clean(found.issuer), "revoked": found.revoked, "problem": _clean(found.problem)}


def _as_json(name: str, shown: Shown) -> dict[str, Any]:
    return {
        "name": name,
        "state": shown.stage.value,
        "url": shown.url,
        "code": shown.code,
        "message": _clean(shown.message),
        "issuer": _clean(shown.issuer),
        "scopes": [visible(scope) for scope in shown.scopes],
    }


def _clean(text: str | None) -> str | None:
    return None if text is None else visible(text)[:1000]
