"""A daemon that has a server `shop` beside its actions: its tools `post` and `ask` send one request to the service."""

import asyncio
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from daemon import app
from daemon.base.home import Home
from daemon.lifecycle.process import run_daemon
from daemon.tools.servers.upstream.seam import Message, Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig
from tests.servers.small_servers import SmallServers, text

SCHEMA = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "body": {"type": "string"}},
    "required": ["url", "body"],
}


async def post(arguments: Mapping[str, Any]) -> Message:
    """Send one request, and return what came back; one whose answer does not come is lost."""
    url = urlsplit(arguments["url"])
    try:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
    except OSError as problem:
        raise UpstreamError(Trouble.NOT_REACHED, str(problem)) from problem
    body = arguments["body"].encode()
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    try:
        writer.write(head.encode() + body)
        answer = await reader.read()
    except OSError as problem:
        raise UpstreamError(Trouble.LOST, str(problem)) from problem
    finally:
        writer.close()
    if not answer:
        raise UpstreamError(Trouble.LOST, "the connection ended")
    return text(answer.partition(b"\r\n\r\n")[2].decode())


def main() -> int:
    """Be that daemon."""
    servers = SmallServers(ServerConfig(name="shop", command=("shop",)))
    shop = servers.servers["shop"]
    shop.tools = [{"name": name, "inputSchema": SCHEMA} for name in ("post", "ask")]
    shop.answers = {"post": post, "ask": post}
    return run_daemon(Home.find(), partial(app.start, held=servers.held()))


if __name__ == "__main__":
    sys.exit(main())
