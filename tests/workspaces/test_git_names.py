"""Whatever git refuses as its own folder, on any system, is known by its name."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.workspaces.looking.git_names import is_git_name

_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
pieces = st.lists(
    st.sampled_from([".git", ".GIT", ".g", "it", "git~1", "GIT~1", "git~2", "\u200c", "\ufeff", "\u200d", ".", " ", ":",
                     "::$INDEX_ALLOCATION", "\\", "x", "~1", "gi7eba~1", "\u2064", "ignore"]),
    min_size=1,
    max_size=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository in which git protects for every system."""
    folder = tmp_path_factory.mktemp("names")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for key in ("core.protectHFS", "core.protectNTFS"):
        subprocess.run(["git", "config", key, "true"], cwd=folder, check=True)
    return folder


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces)
def test_what_git_refuses_as_a_name_is_a_name_of_gits(repository: Path, parts: list[str]) -> None:
    name = "".join(parts)
    added = subprocess.run(
        ["git", "update-index", "--add", "--cacheinfo", f"100644,{_BLOB},{name}/x"],
        cwd=repository,
        capture_output=True,
        check=False,
    )
    if added.returncode != 0 and name not in {".", ".."}:
        assert is_git_name(name) or any(part in {".", "..", ""} for part in name.split("\\")), name


@pytest.mark.parametrize(
    "name", [".gitignore", ".gitattributes", "git", "legit", ".github", "x.git", "git~", "a~1", "GIT"]
)
def test_other_names_are_not(name: str) -> None:
    assert not is_git_name(name)
