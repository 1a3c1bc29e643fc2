"""A release that was built from a copy of this checkout."""

from pathlib import Path

import pytest
from distributions.copies import Copy


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Offer a copy that can be released."""
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="module")
def released(copy: Copy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Offer the folder of a release."""
    out = tmp_path_factory.mktemp("released") / "dist"
    done = copy.release("build", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    return out
