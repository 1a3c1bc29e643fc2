"""The agents run in a network of their own with nothing but loopback: what they need is proved to be here."""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_UP_AND_RUNNING = 0x41


@pytest.fixture(scope="module", autouse=True)
def nothing_but_loopback() -> Iterator[bool]:
    """Take this thread, and every process it starts, into an empty network; only root may."""
    if os.geteuid() != 0:
        yield False
        return
    libc = ctypes.CDLL(None, use_errno=True)
    outside = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            yield False  # a container without the right to do so
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
        yield True
        if libc.setns(outside, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "the tests' own network is lost")
    finally:
        os.close(outside)
