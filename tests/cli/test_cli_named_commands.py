"""Every command that a message, a comment or a page names is one that there is, in the spelling of today."""

import re
from pathlib import Path

from cli.command_tree import find, groups

ROOT = Path(__file__).parents[2]
TEXTS = (
    *("daemon", "aileron_mcp", "launchers", "sandbox_image", "aileron_testing", "migrations"),
    *("scripts", "benchmarks", "connectors", "docs", ".github"),
)
ENDINGS = {".py", ".html", ".md", ".txt", ".toml", ".yml", ".yaml", ".sh", ""}
TYPED = re.compile(
    r"(?:`|: |'|^\s{4,}|\$ )aileron (?P<first>[a-z][a-z-]*)\b(?: (?P<second>[a-z][a-z-]*)\b)?", re.MULTILINE
)
"""What stands where a person is told what to type."""
ANYWHERE = re.compile(r"\baileron (?P<first>[a-z][a-z-]*) (?P<second>[a-z][a-z-]*)\b")
SHORT = re.compile(r"`(?P<first>[a-z]+) (?P<second>[a-z][a-z-]*)[` ]")
"""A command without the name of the program, as pages have it: `binding add`."""
NO_COMMANDS = frozenset({"vault entry", "vault file", "vault key"})
"""Names of what is encrypted in a vault's file."""
OLD_SPELLINGS = ("docs/cli.md", "### Old spellings", "## Exit codes")
"""The one place that names them: the table for whoever looks for one."""


def texts() -> dict[str, str]:
    """Return every text that could name a command."""
    files = [path for name in TEXTS for path in (ROOT / name).rglob("*") if path.is_file() and path.suffix in ENDINGS]
    found = {}
    for path in (*files, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "Makefile"):
        if "node_modules" not in path.parts and path.stat().st_size < 1_000_000:
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8", errors="replace")
    page, begin, end = OLD_SPELLINGS
    head, _, rest = found[page].partition(begin)
    found[page] = head + rest.partition(end)[2]
    return found


def is_known(first: str, second: str | None) -> bool:
    """Say whether two words begin a command; behind a command that is no group anything may stand."""
    if f"{first} {second}" in NO_COMMANDS:
        return True
    command = find((first,))
    if command is None:
        return False
    return second is None or not hasattr(command, "commands") or find((first, second)) is not None


def test_every_command_that_is_named_exists() -> None:
    nouns = {path[0] for path in groups()}
    wrong = set()
    named = 0
    for file, text in texts().items():
        for match in TYPED.finditer(text):
            named += 1
            if not is_known(match["first"], match["second"]):
                wrong.add(f"{file}: {match[0].strip()}")
        for match in (*ANYWHERE.finditer(text), *SHORT.finditer(text)):
            if match["first"] in nouns and not is_known(match["first"], match["second"]):
                wrong.add(f"{file}: {match[0].strip()}")
    assert named > 100
    assert not wrong, "\n".join(sorted(wrong))
