"""Keeps the agent, which has the same user, out of the first process; and makes that the parent of every orphan."""

import ctypes
import os

_SET_DUMPABLE = 4
_SET_CHILD_SUBREAPER = 36


def keep_to_itself() -> None:
    """Let no process of this user trace this one, or read its memory, its descriptors or its environment.

    It ends with the next program: what the agent starts may be traced, by a debugger for example.
    """
    _prctl(_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of what the agent's programs leave behind, because process 1 of the sandbox does not wait."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
