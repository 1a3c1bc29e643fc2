"""Starts another program in a running sandbox, in the agent's folder and with the agent's variables.

The daemon runs it beside the agent when a person asks for `aileron sandbox exec`. The first line that it writes is the
number of its process, by which the daemon can end the program and what that has started.
"""

import json
import os
import sys

_START = "/run/aileron/start.json"


def main() -> None:
    """Become the program; the arguments are the kind of terminal, or nothing, and then the command."""
    terminal, *command = sys.argv[1:]
    with open(_START, encoding="utf-8") as file:
        start = json.load(file)
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    environment = {**os.environ, **start["environment"], **({"TERM": terminal} if terminal else {})}
    try:
        os.chdir(start["folder"])
        os.execvpe(command[0], command, environment)  # noqa: S606 - a shell would read it anew
    except OSError as problem:
        sys.stderr.write(f"{command[0]} cannot be run: {problem.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
