"""Every test that a document names exists: a promise whose test was renamed or removed has none."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NAMED = re.compile(r"`(?:tests/[\w/]*/)?(test_\w+)(\.py)?`")
TESTS = list((ROOT / "tests").rglob("test_*.py"))
FILES = {path.stem for path in TESTS}
FUNCTIONS = {name for path in TESTS for name in re.findall(r"def (test_\w+)", path.read_text())}


@pytest.mark.parametrize("page", ["security.md", "sandbox.md", "agents.md", "gateway.md", "ci.md", "testing.md"])
def test_every_test_that_a_document_names_exists(page: str) -> None:
    named = NAMED.findall((ROOT / "docs" / page).read_text())
    missing = [name for name, file in named if name not in FILES and (file or name not in FUNCTIONS)]
    assert missing == []


def test_every_file_of_ours_that_a_document_names_is_there() -> None:
    rooms = "daemon|tests|sandbox_image|launchers|aileron_mcp|aileron_testing|benchmarks|scripts"
    places = rf"\b(?:{rooms})/[\w/]+\.(?:py|toml)\b"
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
    named = {(page.name, place) for page in pages for place in re.findall(places, page.read_text())}
    assert len(named) > 80
    assert [each for each in sorted(named) if not (ROOT / each[1]).is_file()] == []


def test_the_threat_model_names_tests() -> None:
    assert len(NAMED.findall((ROOT / "docs" / "security.md").read_text())) > 100
