"""The daemon's side towards servers as the official conformance suite runs it: calls all tools, and logs in if asked.

All scenarios run in one process, because starting one for each would take longer than all of them. What the suite
starts is `conformance_relay.py`, which hands the URL over.
"""

import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx
from servers.login_room import logins_of_this_machine
from servers.pin_room import PERSON
from servers.started import reached

from daemon.tools.servers.oauth.choosing import OwnClient
from daemon.tools.servers.oauth.pending import Stage
from daemon.tools.servers.upstream.seam import Answers, Asking, Message, ToolExecutor, Trouble, UpstreamError
from daemon.tools.servers.values import Mode, ServerConfig

KNOWN = {"add_numbers": {"a": 5, "b": 3}}
METADATA_URL = "https://conformance-test.local/client-metadata.json"
MOST_LOGINS = 3
RELAY = f"{sys.executable} -ISsE {Path(__file__).with_name('conformance_relay.py')}"


class Person:
    """Accepts what is asked, with the defaults of the question."""

    capabilities: ClassVar[Message] = {"elicitation": {"form": {}, "url": {}}, "roots": {}}

    async def answer(self, method: str, params: Message, name: str = "") -> Message:  # noqa: ARG002 - so it is asked
        if method == "roots/list":
            return {"roots": []}
        properties = params.get("requestedSchema", {}).get("properties", {})
        chosen = {name: said.get("default", _any(said)) for name, said in properties.items()}
        return {"action": "accept", "content": chosen}

    def together(self, others: Sequence[Answers]) -> None:
        """Answer for one request only."""


def _any(schema: dict[str, Any]) -> Any:
    return {"boolean": True, "integer": 1, "number": 1}.get(schema.get("type", ""), "any")


async def call_everything(server: ToolExecutor, asking: Asking, context: Mapping[str, Any]) -> list[str]:
    """Call what the scenario names, or all tools; return what went wrong. Raises UpstreamError for want of a login."""
    schemas = {tool["name"]: tool["inputSchema"] for tool in await server.tools(asking)}
    known = KNOWN | {"json_schema_echo": {"schema": schemas.get("json_schema_2020_12_tool")}}
    calls = context.get("toolCalls") or [{"name": name, "arguments": known.get(name, {})} for name in schemas]
    problems = []
    for call in calls:
        try:
            await server.call_tool(call["name"], call["arguments"], asking)
        except UpstreamError as trouble:
            if trouble.trouble is Trouble.UNAUTHORISED:
                raise
            problems.append(f"{call['name']}: {trouble}")
    return problems


async def scenario(url: str, context: Mapping[str, Any], folder: Path) -> list[str]:
    """Do what one scenario wants; return what went wrong on the way."""
    person = Person()
    asking = Asking(seconds=20, answers=person)
    config = ServerConfig(name="far", mode=Mode.REMOTE, url=url, client_id=context.get("client_id"))
    secrets = {"far/client_secret": str(context.get("client_secret", "")).encode()}
    async with logins_of_this_machine(folder, own=OwnClient(metadata_url=METADATA_URL), plain=secrets) as (
        logins,
        service,
    ):
        for logged_in in range(MOST_LOGINS + 1):
            try:
                authorisation = logins.authorisation_of(config)
                async with reached(url, answers=person, authorisation=authorisation) as server:
                    return await call_everything(server.connection, asking, context)
            except UpstreamError as trouble:
                if trouble.trouble is not Trouble.UNAUTHORISED or logged_in == MOST_LOGINS:
                    raise
            begun = await service.begin(config, device=False, by=PERSON, session="ses_test")
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=20) as browser:
                await browser.get(begun.url or "")
            shown = await service.state(config, 20)
            if shown.stage is not Stage.DONE:
                return [f"not logged in: {shown.message}"]
    return []


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = json.loads(await reader.readline())
    context = json.loads(asked["context"] or "{}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            problems = await scenario(asked["url"], context, Path(folder))
        said = {"code": int(any("not logged in" in each for each in problems)), "said": "\n".join(problems)}
    except Exception as problem:  # noqa: BLE001 - whatever it is, the suite shows it
        said = {"code": 1, "said": repr(problem)}
    with suppress(OSError):
        writer.write(json.dumps(said).encode() + b"\n")
        await writer.drain()
    writer.close()


@asynccontextmanager
async def _serving(socket: Path) -> AsyncIterator[None]:
    async with await asyncio.start_unix_server(_answer, socket):
        yield


class Serving:
    """Runs scenarios in a thread, for as long as the context is entered."""

    def __init__(self, socket: Path) -> None:
        self.command = f"{RELAY} {socket}"
        self._socket = socket
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        async with _serving(self._socket):
            self._ready.set()
            await self._over.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)
        self._loop.close()
