"""The files by which others find their way in: they are well formed, and say what is true."""

import configparser
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git knows, or would take."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *patterns]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def loaded(path: Path) -> Any:
    """Return what a YAML file says."""
    return YAML(typ="safe").load(path.read_text())


def test_the_workflow_runs_what_everybody_can_run_and_holds_no_rights() -> None:
    workflow = loaded(GITHUB / "workflows" / "ci.yml")
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    assert job["timeout-minutes"] <= 90


def test_the_workflow_starts_the_oldest_python_that_is_supported() -> None:
    (job,) = loaded(GITHUB / "workflows" / "ci.yml")["jobs"].values()
    (version,) = (step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {}))
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"] == f">={version}"


@pytest.mark.parametrize("path", sorted(GITHUB.glob("ISSUE_TEMPLATE/[!c]*.yml")), ids=lambda path: path.stem)
def test_a_form_for_issues_has_what_github_asks_for(path: Path) -> None:
    form = loaded(path)
    assert {"name", "description", "body"} <= form.keys()
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert asked
    assert all(field["attributes"]["label"] and field["id"] for field in asked)


def test_whoever_reports_a_bug_is_told_where_weaknesses_go() -> None:
    assert "SECURITY.md" in (GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text()
    assert loaded(GITHUB / "ISSUE_TEMPLATE" / "config.yml") == {"blank_issues_enabled": False}


def test_updates_are_looked_for_where_versions_are_pinned() -> None:
    watched = {
        (update["package-ecosystem"], place)
        for update in loaded(GITHUB / "dependabot.yml")["updates"]
        for place in update.get("directories", [update.get("directory")])
    }
    pinning = {("pip", f"/{path.parent.relative_to(ROOT)}".removesuffix(".")) for path in tracked("*pyproject.toml")}
    pinning |= {("npm", f"/{path.parent.relative_to(ROOT)}") for path in tracked("*package-lock.json")}
    pinning |= {("docker", f"/{path.parent.relative_to(ROOT)}") for path in tracked("*Dockerfile")}
    assert pinning <= watched
    assert all((ROOT / place.lstrip("/")).is_dir() for _, place in watched)


def test_nobody_can_take_a_placeholder_for_an_address() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    addresses = re.findall(r"[\w.+-]+@[\w.-]+", text)
    assert addresses
    assert all(address.endswith(".invalid") for address in addresses)
    assert "placeholder" in text


def test_every_make_target_that_is_named_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        target
        for path in [*tracked("*.md"), GITHUB / "dependabot.yml"]
        for target in re.findall(r"(?:^    |`)make ([a-z]+)\b", path.read_text(), re.MULTILINE)
    }
    assert {"test", "lock", "upgrade", "release"} <= named <= targets


def test_text_files_are_as_the_editorconfig_says() -> None:
    rules = configparser.ConfigParser()
    rules.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    assert {"*", "*.py"} <= set(rules.sections())
    width = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["line-length"]
    assert rules["*.py"]["max_line_length"] == str(width)
    for path in tracked("*.py", "*.md", "*.toml", "*.yml", "*.in", "*.sh", "Makefile", "scripts/*", ".ci/*"):
        content = path.read_bytes()
        if "tests/data" in path.as_posix() or "tests/vectors" in path.as_posix() or not content:
            continue
        content.decode()
        assert content.endswith(b"\n"), f"{path} has no end of line at its end"
        assert not re.search(rb"[ \t\r]$", content, re.MULTILINE), f"{path} has blanks at the end of a line"
        if path.name != "Makefile":
            assert b"\t" not in re.sub(rb"\S.*", b"", content), f"{path} is indented with tabs"
