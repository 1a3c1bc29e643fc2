"""The jobs of docs/ci.md, followed: what they set up works, with nobody there and a connector that somebody signed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ruamel.yaml import YAML

from connectors.build import build
from daemon.connectors.signatures import sign

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ci.md"
NAME = "github://acme/my-connector"


def job(heading: str) -> Any:
    """Return the example of a section as what its service would read."""
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ") or not line]
    return YAML(typ="safe").load("\n".join(lines))


def github_script() -> str:
    """Return the step that sets a job up."""
    (step,) = (step for step in job("GitHub Actions")["jobs"]["agent"]["steps"] if step.get("name") == "Set up")
    return str(step["run"])


def gitlab_script() -> str:
    """Return the lines between the installation and the launch."""
    lines: list[str] = job("GitLab CI")["agent"]["script"]
    first = next(place for place, line in enumerate(lines) if line.startswith("mkdir"))
    last = next(place for place, line in enumerate(lines) if line.startswith("aileron launch"))
    return "\n".join(lines[first:last])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Offer a project that has what the page asks for."""
    folder = tmp_path / "project"
    ours = folder / "ci" / "aileron"
    (ours / "actions").mkdir(parents=True)
    (ours / "config.toml").write_text(
        '[approvals.rules.post-status]\ndecision = "allow"\nreason = "the release job may"\n'
    )
    release = build("wellbehaved", ours / "my-connector", fqn=NAME, hosts=["api.example.com:443"])
    key = Ed25519PrivateKey.generate()
    wasm, manifest = (release / "connector.wasm").read_bytes(), (release / "manifest.toml").read_bytes()
    (release / "signature.sig").write_bytes(sign(key, wasm, manifest))
    (ours / "publisher.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (ours / "actions" / "post-status.md").write_text(
        '+++\nname = "post-status"\nversion = "1.0.0"\n[[requires.connectors]]\n'
        f'name = "{NAME}"\nversion = "1.0.0"\nhash = "sha256:{"0" * 64}"\ncapabilities = ["items:read"]\n'
        f'[[execute]]\nid = "get"\nconnector = "{NAME}"\nop = "get_json"\n'
        '[execute.inputs]\nurl = "https://api.example.com/status"\n+++\n# Post status\n\nSays it.\n'
    )
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Offer the environment of a job: an empty home, masked variables, the command on the path."""
    home = tmp_path / "person"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
    given = kept | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AILERON_VAULT_PASSPHRASE": "correct horse battery staple",
        "SERVICE_KEY": "key-of-the-service",
        "MODEL_KEY": "key-of-the-model",
    }
    yield given
    subprocess.run(["aileron", "stop"], env=given, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("script", "variables"),
    [(github_script, {}), (gitlab_script, {"AILERON_HOME": "project.aileron"})],
    ids=["github", "gitlab"],
)
def test_what_a_job_sets_up_is_installed_trusted_and_bound(
    script: Any, variables: dict[str, str], project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {name: str(tmp_path / value) for name, value in variables.items()}

    def run(text: str) -> str:
        ended = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    run(script())
    (connector,) = json.loads(run("aileron connector list --json"))["items"]
    assert (connector["name"], connector["signature"]["state"]) == (NAME, "trusted")
    bound = {item["name"] for item in json.loads(run("aileron binding list --json"))["items"]}
    assert bound == {"api_key/my-connector/default", "api_key/openai/default"}
    assert "whole" in run("aileron audit verify")


def test_what_runs_after_a_job_finds_the_command_again() -> None:
    after: list[str] = job("GitLab CI")["agent"]["after_script"]
    install: list[str] = job("GitLab CI")["agent"]["script"]
    (path,) = (line for line in install if line.startswith("export PATH="))
    assert after[0] == path  # after_script is another shell: what a script exported is gone there


def test_no_variable_of_the_jobs_is_taken_for_a_setting() -> None:
    from daemon.base.settings import OTHER_VARIABLES, setting_paths

    known = OTHER_VARIABLES | {"AILERON_" + "__".join(path).upper() for path in setting_paths()}
    assert set(re.findall(r"\bAILERON_[A-Z_]+", PAGE.read_text())) <= known
