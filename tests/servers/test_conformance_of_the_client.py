"""The official conformance suite against the daemon's side towards servers; logins have tests of their own."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.test_conformance import NODE, SUITE
from world import ROOT

CLIENT = f"{sys.executable} {Path(__file__).with_name('conformance_client.py')}"
SCENARIOS = {
    "2025-11-25": ("initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"),
    "2026-07-28": (
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ),
}
pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="it runs on the Node of the pinned agents, which is for Linux"),
]


def test_a_server_of_either_revision_finds_a_client_that_does_what_it_requires(tmp_path: Path) -> None:
    def run(revision: str, scenario: str) -> tuple[str, int, str]:
        command = (str(NODE), str(SUITE), "client", "--command", CLIENT, "--scenario", scenario)
        done = subprocess.run(
            (*command, "--spec-version", revision),
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return f"{scenario} of {revision}", done.returncode, done.stdout[-3000:] + done.stderr[-1000:]

    pairs = [(revision, scenario) for revision, scenarios in SCENARIOS.items() for scenario in scenarios]
    with ThreadPoolExecutor(2) as threads:
        ran = list(threads.map(lambda pair: run(*pair), pairs))
    assert [(name, said) for name, code, said in ran if code != 0] == []
