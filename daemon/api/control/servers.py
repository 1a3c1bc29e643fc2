"""MCP servers: which there are, what they offer, and a person's decisions about them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.control.server_logins import logged_out_as_json
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.approvals.rules import Rules
from daemon.base.clock import rfc3339
from daemon.core.failures import DocumentError
from daemon.core.tools import ToolId
from daemon.core.visible import visible
from daemon.sessions.service import Sessions
from daemon.tools.servers import references
from daemon.tools.servers.oauth.service import LoginService
from daemon.tools.servers.oauth.store import Login
from daemon.tools.servers.pins.pin import Pin
from daemon.tools.servers.removing import login_shared_with, remove_server
from daemon.tools.servers.service import ServerService, ServerShown
from daemon.tools.servers.values import KIND, Mode, Scope, ServerConfig

Name = Annotated[str, Path(max_length=200)]
_TEXT = 8192
_DAY = 86_400
Text = Annotated[str, Field(max_length=_TEXT)]


class ServerBody(Body):
    """A server to be added, with the keys of `servers.yaml`."""

    name: str = Field(max_length=100)
    mode: Literal["local", "remote"] = "local"
    command: list[Text] = Field(default_factory=list, max_length=500)
    env: dict[str, Text] = Field(default_factory=dict, max_length=500)
    folder: Text | None = None
    url: Text | None = None
    headers: dict[str, Text] = Field(default_factory=dict, max_length=100)
    tool_prefix: str | None = Field(default=None, max_length=100)
    scope: Literal["shared", "session"] = "shared"
    enabled: bool = True
    unsafe_args: bool = False
    client_id: Text | None = None
    start_seconds: float | None = Field(default=None, ge=1, le=_DAY)
    call_seconds: float | None = Field(default=None, ge=1, le=_DAY)

    def config(self) -> ServerConfig:
        """Return it as a value; whether it keeps the rules of the file is found out when it is written."""
        limits = {"start_seconds": self.start_seconds, "call_seconds": self.call_seconds}
        return ServerConfig(
            name=self.name,
            mode=Mode(self.mode),
            command=tuple(self.command),
            env=self.env,
            folder=self.folder,
            url=self.url,
            headers=self.headers,
            tool_prefix=self.tool_prefix,
            scope=Scope(self.scope),
            enabled=self.enabled,
            unsafe_args=self.unsafe_args,
            client_id=self.client_id,
            **{key: seconds for key, seconds in limits.items() if seconds is not None},
        )


class AcceptBody(Body):
    """The definitions that a person has looked at, by their digests."""

    digests: list[Annotated[str, Field(max_length=100)]] = Field(min_length=1, max_length=5000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    servers: ServerService
    logins: LoginService
    rules: Rules
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    servers = uses.servers
    # Who has just changed the file means what it says now: it is looked at before each of these.
    routes = APIRouter(responses=DOCUMENTED, dependencies=[Depends(servers.look)])

    async def own() -> str:
        return (await uses.sessions.terminal()).id

    @routes.get("/v1/servers", operation_id="servers_list")
    async def every(part: Whole) -> ListPart:
        """Return the servers by name, also those that are disabled, and what is wrong with their file."""
        items, cursor = cut("servers", servers.all(), key=lambda shown: (shown.config.name,), part=part)
        return ListPart(
            items=[_summary(each) for each in items],
            next_cursor=cursor,
            file=servers.file,
            problem=_problem(servers.problem, servers.meanwhile),
        )

    @routes.post("/v1/servers", operation_id="server_add", status_code=201)
    async def add(body: ServerBody, who: Who) -> dict[str, Any]:
        """Add a server to `servers.yaml`."""
        return _whole(await servers.add(body.config(), by=who, session=await own()))

    @routes.get("/v1/servers/{name}", operation_id="server_show")
    async def show(name: Name) -> dict[str, Any]:
        """Return one server with its configuration."""
        shown = servers.show(name)
        return _whole(shown) | {"login_shared_with": login_shared_with(servers, uses.logins, shown.config)}

    @routes.delete("/v1/servers/{name}", operation_id="server_remove")
    async def remove(name: Name, who: Who) -> dict[str, Any]:
        """Take a server out of `servers.yaml` with its login, stop it, and forget what its tools were."""
        removed = await remove_server(servers, uses.logins, name, by=who, session=await own())
        gone = None if removed.logged_out is None else logged_out_as_json(removed.logged_out)
        return {"name": name, "login": gone, "login_shared_with": removed.shared_with}

    @routes.post("/v1/servers/{name}/enable", operation_id="server_enable")
    async def enable(name: Name, who: Who) -> dict[str, Any]:
        """Offer a server's tools again."""
        return _summary(await servers.switch(name, enabled=True, by=who, session=await own()))

    @routes.post("/v1/servers/{name}/disable", operation_id="server_disable")
    async def disable(name: Name, who: Who) -> dict[str, Any]:
        """Keep a server, but neither start it nor offer its tools."""
        return _summary(await servers.switch(name, enabled=False, by=who, session=await own()))

    @routes.post("/v1/servers/{name}/restart", operation_id="server_restart")
    async def restart(name: Name, who: Who) -> dict[str, Any]:
        """End a server with what it does, and start it again."""
        await servers.restart(name, by=who, session=await own())
        return _summary(servers.show(name))

    @routes.post("/v1/servers/{name}/test", operation_id="server_test")
    async def test(name: Name) -> dict[str, Any]:
        """Start a server if need be, and ask it for its tools."""
        tested = await servers.test(name, await own())
        return {
            "name": name,
            "era": tested.hello.era.value,
            "protocol": visible(tested.hello.version)[:100],
            "server": visible(str(tested.hello.server.get("name", "")))[:200],
            "tools": tested.tools,
            "withheld": tested.withheld,
            "milliseconds": tested.milliseconds,
        }

    @routes.get("/v1/servers/{name}/tools", operation_id="server_tools")
    async def tools(name: Name, part: Whole) -> ListPart:
        """Return the tools of a server as they were at the last look."""
        found, cursor = cut("server_tools", servers.tools(name), key=lambda tool: (tool[0].record,), part=part)
        return ListPart(items=[_tool(uses.rules, pin, exposed) for pin, exposed in found], next_cursor=cursor)

    @routes.get("/v1/servers/{name}/review", operation_id="server_review")
    async def review(name: Name, part: Whole) -> ListPart:
        """Return the definitions that are new, changed or gone, with what is different."""
        found, cursor = cut("server_review", servers.review(name), key=lambda each: (each.tool,), part=part)
        return ListPart(items=[each.as_json() for each in found], next_cursor=cursor)

    @routes.post("/v1/servers/{name}/review", operation_id="server_accept")
    async def accept(name: Name, body: AcceptBody, who: Who) -> dict[str, Any]:
        """Let the tools be called whose definitions, named by their digests, a person has looked at."""
        accepted = await servers.accept(name, body.digests, by=who)
        return {"name": name, "accepted": [visible(pin.tool) for pin in accepted]}

    @routes.get("/v1/servers/{name}/logs", operation_id="server_logs")
    async def logs(name: Name, lines: Annotated[int, Query(ge=0, le=10_000)] = 50) -> dict[str, Any]:
        """Return the last lines that a server wrote to its error output, and the file that they are in."""
        file, found = await servers.log_lines(name, lines)
        return {"name": name, "file": file, "lines": found}

    return routes


def _summary(shown: ServerShown) -> dict[str, Any]:
    config, hello = shown.config, shown.life.hello
    return {
        "name": config.name,
        "mode": config.mode.value,
        "enabled": config.enabled,
        "state": shown.life.state.value,
        "era": None if hello is None else hello.era.value,
        "protocol": None if hello is None else visible(hello.version)[:100],
        "looked_at": shown.looked_at,
        "tools": shown.tools,
        "withheld": shown.withheld,
        "error": shown.error,
        "login": None if shown.login is None else _login(shown.login),
    }


def _login(login: Login) -> dict[str, Any]:
    return {
        "issuer": visible(login.issuer)[:1000],
        "scopes": [visible(scope) for scope in login.scopes],
        "expires_at": None if login.expires_at_ms is None else rfc3339(login.expires_at_ms),
        "renews": login.renews,
    }


def _whole(shown: ServerShown) -> dict[str, Any]:
    config = shown.config
    texts = [*config.command, *config.env.values(), config.url or "", *config.headers.values()]
    return _summary(shown) | {
        "command": list(config.command),
        "env": dict(config.env),
        "folder": config.folder,
        "url": config.url,
        "headers": dict(config.headers),
        "tool_prefix": config.prefix,
        "scope": config.scope.value,
        "unsafe_args": config.unsafe_args,
        "start_seconds": config.start_seconds,
        "call_seconds": config.call_seconds,
        "idle_seconds": config.idle_seconds,
        "client_id": config.client_id,
        "secrets": sorted({name for text in texts for name in references.used(text)}),
        "identity": config.identity,
    }


def _tool(rules: Rules, pin: Pin, exposed: str | None) -> dict[str, Any]:
    definition = pin.accepted or pin.pending
    said: Any = {} if definition is None else definition.said
    return {
        "tool": visible(pin.tool),
        "name": exposed,
        "rule": pin.record.replace("/", "__", 1),
        "state": pin.state.value,
        "decision": rules.ruling(ToolId(KIND, pin.record), required=False).decision.value,
        "description": visible(str(said.get("description", ""))),
        "digest": None if definition is None else definition.digest,
    }


def _problem(problem: DocumentError | None, meanwhile: str) -> dict[str, Any] | None:
    if problem is None:
        return None
    told = {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}
    return told | {"meanwhile": meanwhile}
