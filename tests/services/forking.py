"""The process from which tests/processes.py forks daemons and stand-ins: it has imported them, and runs none itself.

It reads requests from its standard input, a socket. Each is one message: the name of a module, its arguments and its
environment as JSON, and with it two descriptors: what becomes standard output and error, and a pipe. Into the pipe go
the number of the new process at once and its exit code when it has ended. It ends when nobody can ask any more.
"""

import gc
import importlib
import json
import os
import selectors
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

ENTRIES = {"daemon": "daemon.__main__", "tests.services.upstream": "tests.services.upstream"}
"""What is imported beforehand, as after `python -m`, and where its `main` is; others are imported when asked for."""
LATER = ("pydantic.v1", "uvicorn.lifespan.off", "uvloop", "sandbox_image", "encodings.utf_16_le", "encodings.utf_16_be")
"""What a daemon imports only as it starts: a sixth of the start of a forked one."""
REQUEST_BYTES = 128 * 1024


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a forked process is to be."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    errors_too: bool
    output: int


@dataclass(frozen=True)
class Child:
    """A process that was forked, and where its end is told."""

    pid: int
    ended: int  # a descriptor that can be read when the process has ended
    report: int


def serve(requests: socket.socket) -> Wanted | None:
    """Fork what is asked for; return, in a forked process, what it is to be, and None when the server is done."""
    children: dict[int, Child] = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fd in children:
                    waiting.unregister(key.fd)
                    _bury(children.pop(key.fd))
                    continue
                message, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 2)
                if not message:
                    return None
                output, report = descriptors
                pid = os.fork()
                if pid == 0:
                    return Wanted(**json.loads(message), output=output)
                os.close(output)
                _say(report, pid)
                child = Child(pid, os.pidfd_open(pid), report)
                children[child.ended] = child
                waiting.register(child.ended, selectors.EVENT_READ)


def _bury(child: Child) -> None:
    _, status = os.waitpid(child.pid, 0)
    _say(child.report, os.waitstatus_to_exitcode(status))
    os.close(child.ended)
    os.close(child.report)


def _say(report: int, number: int) -> None:
    with suppress(BrokenPipeError):  # who asked is gone, and wants to know nothing any more
        os.write(report, f"{number}\n".encode())


def _run(wanted: Wanted) -> Any:
    """Make of a forked process what a fresh one would be: session, streams, environment, nothing open; then run."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(wanted.output, 1)
    if wanted.errors_too:
        os.dup2(wanted.output, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(wanted.folder)
    os.environ.clear()
    os.environ.update(wanted.environment)
    sys.argv = [wanted.module, *wanted.arguments]
    gc.enable()
    return importlib.import_module(ENTRIES.get(wanted.module, wanted.module)).main()


def main() -> Any:
    """Import, serve, and in a forked process run what it was forked for."""
    gc.disable()
    for module in ("daemon.app", "daemon.db.upgrade", *ENTRIES.values(), *LATER):
        importlib.import_module(module)
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as requests:
        wanted = serve(requests)
    return None if wanted is None else _run(wanted)


if __name__ == "__main__":
    sys.exit(main())
