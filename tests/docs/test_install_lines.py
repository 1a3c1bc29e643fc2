"""Every line that installs something, in every document, installs from a checkout or a wheel of ours (row N1)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

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
