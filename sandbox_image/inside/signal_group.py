"""Sends a signal to a program that a person started beside the agent, and to what that has started."""

import os
import sys


def main() -> None:
    """Send it; the arguments are the number of the process and that of the signal."""
    process, number = map(int, sys.argv[1:])
    try:
        # The engine makes each program that it starts the first of a session, and so of a group.
        os.killpg(process, number)
    except ProcessLookupError:
        pass  # it has ended


if __name__ == "__main__":
    main()
