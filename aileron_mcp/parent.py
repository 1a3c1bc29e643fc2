"""Ends this process when its parent is gone, also where another child still holds the pipe open."""

import os
import threading
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.5


def watch_parent(gone: Callable[[], object]) -> None:
    """Call a function, on a thread of its own, once the process that started this one has ended."""
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        gone()

    threading.Thread(target=look, name="parent", daemon=True).start()
