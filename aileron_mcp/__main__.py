"""`aileron-mcp`: the person's actions as MCP tools, on standard input and output."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aileron_mcp.version import VERSION

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_CLOSING_SECONDS = 2.0
_USAGE = """\
usage: aileron-mcp [--version] [--help]

Serves the actions of Aileron as MCP tools on standard input and output. An agent starts it; `aileron launch` and
`aileron agent add` see to that. It reads AILERON_URL, AILERON_TOKEN, AILERON_SESSION_ID and AILERON_CA_FILE;
without them it looks for the daemon of this account.
"""


def main() -> None:
    """Serve, and end at once when the pipe, the parent or a signal says so."""
    given = sys.argv[1:]
    if given in (["--version"], ["--help"], ["-h"]):
        sys.stdout.write(f"aileron-mcp {VERSION}\n" if given == ["--version"] else _USAGE)
        return
    if given:
        sys.stderr.write(f"aileron-mcp takes no {given[0]!r}.\n{_USAGE}")
        sys.exit(2)
    _serve()


def _serve() -> None:
    import asyncio  # noqa: PLC0415 - `--version` answers without it

    from aileron_mcp.daemon_link import DaemonLink  # noqa: PLC0415
    from aileron_mcp.parent import watch_parent  # noqa: PLC0415
    from aileron_mcp.server import ToolServer  # noqa: PLC0415

    async def run() -> None:
        link = DaemonLink(os.environ)
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def stop(why: str) -> None:
            if not told.done():
                told.set_result(why)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, stop, f"aileron-mcp was told to end ({number.name})")
        watch_parent(lambda: loop.call_soon_threadsafe(stop, "its agent ended"))
        serving = asyncio.ensure_future(ToolServer(link).serve())
        either: set[asyncio.Future[Any]] = {serving, told}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        why = told.result() if told.done() else "its agent closed the connection"
        # Ends what was begun, within the time an agent gives; then the process goes, whatever still waits: a thread
        # of the library reads a pipe on which nobody may ever write again.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await link.close(why=why)
        code = 0
        if serving.done() and serving.exception() is not None:
            sys.stderr.write(f"aileron-mcp: {serving.exception()}\n")
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


def _loop_factory() -> "Callable[[], AbstractEventLoop] | None":
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
