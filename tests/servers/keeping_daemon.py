"""Holds servers as the daemon does, until it is killed: a process for tests that kill it.

    python keeping_daemon.py FOLDER COMMAND ...

It starts the command, prints the process ids of the keeper and of the server, and waits.
"""

import asyncio
import sys
from pathlib import Path

from daemon.base.clock import SystemClock
from daemon.base.tasks import TaskSet
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.keeping.process import Keeping


async def hold(folder: Path, command: list[str]) -> None:
    """Hold one server."""
    keeping = Keeping(TaskSet(), graces=(0.1, 0.2))
    log = ServerLogs(folder, SystemClock()).of("held", str)
    kept = await keeping.start(command, {"PATH": "/usr/bin:/bin"}, folder, log)
    print(keeping.pid, kept.pid, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(Path(sys.argv[1]), sys.argv[2:]))
