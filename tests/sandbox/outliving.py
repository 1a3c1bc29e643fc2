"""What an agent could do beforehand so that it works on when the daemon is gone. Run inside: outliving.py WAY MARK.

Only the standard library. Says "ready" when it has done what it could, and then stays for as long as it is let.
"""

import contextlib
import ctypes
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
ATTACH, SEIZE, INTERRUPT = 16, 0x4206, 0x4207
PIECE = 1024 * 1024
FIRST = os.getppid()
"""The first process of this container, which hears from the daemon."""
TARGETS = (1, FIRST)
held: list[object] = []


def trace() -> None:
    """Trace every thread of what could end this, and leave it stopped."""
    for process in TARGETS:
        for thread in map(int, os.listdir(f"/proc/{process}/task")):
            if LIBC.ptrace(SEIZE, thread, None, None) == 0:
                LIBC.ptrace(INTERRUPT, thread, None, None)
            LIBC.ptrace(ATTACH, thread, None, None)


def stop() -> None:
    """Stop what could end this."""
    for process in TARGETS:
        with contextlib.suppress(PermissionError):
            os.kill(process, signal.SIGSTOP)


def slow_down() -> None:
    """Leave no processor, no memory and no descriptors to what could end this, as far as another process may."""
    for process in TARGETS:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
        for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_NOFILE, resource.RLIMIT_STACK):
            with contextlib.suppress(PermissionError):
                resource.prlimit(process, limit, (0, 0))
    spin()


def spin() -> None:
    """Use every processor."""
    for _ in range(20):
        if os.fork() == 0:
            while True:
                pass


def processes() -> None:
    """Have as many processes as there can be."""
    with contextlib.suppress(OSError):
        while True:
            if os.fork() == 0:
                time.sleep(600)


def orphans() -> None:
    """Have processes that are nobody's, in sessions of their own."""
    for _ in range(50):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        os.wait()


def memory() -> None:
    """Use nearly all the memory there is, and go on to use it."""
    for _ in range(int(os.environ["EATEN_MIB"])):
        block = mmap.mmap(-1, PIECE)
        block.write(b"x" * PIECE)
        held.append(block)


def descriptors() -> None:
    """Have every descriptor there can be, among them connections to the daemon."""
    address = (socket.gethostbyname("aileron.internal"), int(os.environ["AILERON_URL"].rsplit(":", 1)[1]))
    with contextlib.suppress(OSError):
        for _ in range(200):
            held.append(socket.create_connection(address, timeout=5))
    with contextlib.suppress(OSError):
        while len(held) < 50_000:
            held.append(open("/dev/null", "rb"))


WAYS: dict[str, Callable[[], None]] = {
    "trace": trace,
    "stop": stop,
    "slow down": slow_down,
    "spin": spin,
    "processes": processes,
    "orphans": orphans,
    "memory": memory,
    "descriptors": descriptors,
}

if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    WAYS[sys.argv[1]]()
    os.write(1, b"ready\n")
    while True:
        time.sleep(0.05)
