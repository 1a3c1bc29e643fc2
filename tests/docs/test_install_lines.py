"""Every line that installs something, in every document, installs from a checkout or a wheel of ours (row N1)."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "aileron-runtime"

_INSTALL = re.compile(
    r"\b(?:pipx|uvx|(?:python3?\s+-m\s+)?pip3?[\"']?|uv\s+(?:pip|tool)|uv)\s+(?:install|run|add|inject|upgrade)\b(?P<rest>[^\n`#]*)"
    r"|\buvx\s+(?P<bare>[^\n`#]*)"
)
_WITH_VALUE = {"-r", "--requirement", "--python", "--target", "-c", "--constraint", "--find-links"}
_OURS = re.compile(
    r"""["']?(?:\.{1,2}(?:/\S*)?|/\S+|\$[A-Z_]+(?:/\S*)?|(?:\S*/)?aileron_(?:runtime|mcp|testing)-\S*\.whl)["']?"""
)
_HASHED = "--require-hashes"


def targets(rest: str) -> list[str]:
    """Return what a command line installs: its words without options and their values."""
    words, found = iter(rest.replace('"', " ").replace("'", " ").split()), []
    for word in words:
        if word in ("&&", "||", ";", "|"):
            break
        if word in _WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return found


def strangers(text: str) -> list[str]:
    """Return the lines of a text that install anything by a name of an index."""
    wrong = []
    for match in _INSTALL.finditer(text):
        rest = match["rest"] if match["bare"] is None else match["bare"]
        hashed = _HASHED in rest and re.search(r"-r\s+\S+", rest) is not None
        named = [target for target in targets(rest) if not _OURS.fullmatch(target)]
        if named or not (targets(rest) or hashed):
            wrong.append(match[0].strip())
    return wrong


def documents() -> list[Path]:
    """Return every document of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "*.yml", "*.yaml"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines()]


def test_no_document_installs_a_strangers_package() -> None:
    found = {str(path.relative_to(ROOT)): wrong for path in documents() if (wrong := strangers(path.read_text()))}
    assert found == {}


def test_documents_that_install_are_among_those_that_are_read() -> None:
    installing = {path.name for path in documents() if _INSTALL.search(path.read_text())}
    assert {"README.md", "ci.md"} <= installing


@pytest.mark.parametrize(
    "line",
    [
        "pipx install aileron",
        "pip install aileron==0.1.0",
        "pip install --upgrade aileron",
        "uv tool install aileron",
        "uv tool install 'aileron[all]'",
        "uv pip install aileron",
        "uvx aileron status",
        "pipx run aileron",
        "python -m pip install aileron",
        "pip install aileron-runtime",
        '"$VENV/bin/pip" install aileron',
        "uv tool install",
    ],
)
def test_a_line_that_installs_by_name_is_found(line: str) -> None:
    assert strangers(f"Before:\n\n    {line}\n") != []


@pytest.mark.parametrize(
    "line",
    [
        "uv tool install .",
        "pipx install ./aileron-source",
        "pip install dist/aileron_runtime-0.1.0-py3-none-any.whl",
        '"$RUNNER_TEMP/aileron/bin/pip" install --require-hashes -r ./aileron-source/requirements/runtime.txt',
        '"$HERE/bin/pip" install --no-deps "$SOURCE_OF_AILERON"',
    ],
)
def test_a_line_that_installs_what_is_ours_is_left_alone(line: str) -> None:
    assert strangers(f"    {line}\n") == []


def test_the_distribution_has_a_name_that_is_ours_and_the_command_stays_aileron(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(tmp_path),
            ".",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.iterdir()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert wheel.name == f"aileron_runtime-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        folder = next(name.split("/")[0] for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        described = Parser().parsestr(packed.read(f"{folder}/METADATA").decode())
        commands = packed.read(f"{folder}/entry_points.txt").decode()
    assert described["Name"] == DISTRIBUTION
    assert re.search(r"^aileron\s*=\s*daemon\.cli\.main:main$", commands, re.MULTILINE)
