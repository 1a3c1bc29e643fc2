"""Runs many command lines as processes of their own, where streams are closed and a home cannot be written.

One interpreter imports the program once and forks for each line, so that a walk over all commands takes seconds:
`python forked_walk.py < JSON > JSON`.
"""

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
from typing import Any

import daemon.cli
import daemon.custody
import daemon.lifecycle
from daemon.cli.invocation import Invocation
from daemon.cli.main import run
from daemon.cli.streams import leave, open_streams

_SECONDS = 30
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_TOLD = 100_000


def obey_permissions() -> None:
    """Have root be refused what the permissions of a file refuse, as everybody is."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def forked(line: dict[str, Any]) -> dict[str, Any]:
    """Run one line; return how it ended and what it wrote."""
    streams = [os.open(os.devnull, os.O_RDONLY), os.memfd_create("out"), os.memfd_create("err")]
    pid = os.fork()
    if pid == 0:
        try:
            be(line, streams)
        finally:
            os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = [os.pread(each, _MOST_TOLD, 0).decode(errors="replace") for each in streams[1:]]
    for each in streams:
        os.close(each)
    return {"words": line["words"], "code": code, "said": "".join(said)}


def be(line: dict[str, Any], streams: list[int]) -> None:
    """Become the program, as it is started by a shell."""
    signal.alarm(_SECONDS)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for number in line["closed"]:
        os.close(number)
    names = ("stdin", "stdout", "stderr")
    for number, name in enumerate(names):
        # As the interpreter does it when it starts.
        closed = number in line["closed"]
        setattr(sys, name, None if closed else open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    os.environ["AILERON_HOME"] = line["home"]
    os.chdir(line["folder"])
    obey_permissions()
    open_streams()
    leave(run(line["words"], Invocation.from_process()))


def import_everything() -> None:
    """Import once what each line would import anew."""
    for folder in (daemon.cli, daemon.lifecycle, daemon.custody):
        for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # what the children collect would copy the memory that they share


if __name__ == "__main__":
    import_everything()
    json.dump([forked(each) for each in json.load(sys.stdin)], sys.stdout)
