"""Writes the part of docs/sandbox.md that lists what lands only when it is named: `python -m` this module."""

import sys

from daemon.workspaces.looking.obeyed import OBEYED


def reference() -> str:
    """Return the list as a table in Markdown."""
    rows = ["| when it runs | what |", "|---|---|"]
    for rule in OBEYED:
        names = ", ".join(f"`{name}`" for name in rule.names)
        rows.append(f"| {rule.reason} | {names} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
