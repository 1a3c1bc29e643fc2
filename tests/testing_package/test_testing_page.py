"""docs/testing.md, followed: a suite from an empty folder to a test that passes."""

from pathlib import Path

import pytest
from docs.following import Reader
from world import ROOT

pytestmark = pytest.mark.docker


def test_a_suite_is_set_up_and_passes_by_following_one_page(tmp_path: Path) -> None:
    with Reader(tmp_path, outside={}) as reader:
        reader.follow(ROOT / "docs" / "testing.md")
        assert "1 passed" in reader.printed[-1]
