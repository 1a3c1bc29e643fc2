"""Tells the person how far the copy of their folder is, while a launch waits for it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure
from daemon.core.quantities import readable_size

if TYPE_CHECKING:
    from daemon.cli.invocation import Invocation
    from daemon.cli.waiting import Waiting

_FIRST_SECONDS = 2.0
_SECONDS = 5.0


@contextmanager
def told_of_a_copy(invocation: "Invocation", waiting: "Waiting") -> Iterator[None]:
    """Say every few seconds how much of a folder is copied, if one is."""
    over = threading.Event()
    thread = threading.Thread(target=_tell, args=(invocation, waiting, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _tell(invocation: "Invocation", waiting: "Waiting", over: threading.Event) -> None:
    pause = _FIRST_SECONDS
    while not over.wait(pause):
        pause = _SECONDS
        try:
            client = invocation.connect_if_running()
            if client is None:
                return
            with client:
                items = client.get("/v1/sandboxes")["items"]
        except CliFailure:
            return  # the launch itself says what is wrong
        for item in items:
            copied = item["copied"]
            if copied is not None and item["owner_pid"] == os.getpid() and not over.is_set():
                size = readable_size(copied["bytes"])
                waiting.note(f"Copying the folder: {copied['files']:,} files, {size}")
