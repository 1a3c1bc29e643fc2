"""A release is built only when version, changelog and tag agree, and is the same however often it is built."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from distributions.copies import CHANGELOG, Copy
from packaging.utils import canonicalize_name

from aileron_mcp.version import VERSION

NAMES = ("aileron-runtime", "aileron-mcp", "aileron-testing")


def test_a_release_has_three_distributions_their_hashes_and_what_each_consists_of(released: Path) -> None:
    expected = {"SHA256SUMS"}
    for name in NAMES:
        stem = f"{name.replace('-', '_')}-{VERSION}"
        expected |= {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz", f"{name}-{VERSION}.cdx.json"}
    assert {path.name for path in released.iterdir()} == expected


def test_the_hashes_are_those_of_the_files(released: Path) -> None:
    lines = dict(reversed(line.split("  ")) for line in (released / "SHA256SUMS").read_text().splitlines())
    assert lines == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in released.iterdir()
        if path.name != "SHA256SUMS"
    }


def test_the_same_commit_gives_the_same_bytes(copy: Copy, released: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert copy.release("build", "--out", str(again)).returncode == 0
    assert (again / "SHA256SUMS").read_text() == (released / "SHA256SUMS").read_text()


def test_a_source_distribution_gives_the_same_wheel(released: Path, tmp_path: Path) -> None:
    for name in NAMES:
        stem = f"{name.replace('-', '_')}-{VERSION}"
        subprocess.run(["tar", "-xzf", released / f"{stem}.tar.gz", "-C", tmp_path], check=True)
        words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "wheels"]
        subprocess.run(words, cwd=tmp_path / stem, check=True, capture_output=True)
        wheel = f"{stem}-py3-none-any.whl"
        assert sorted(_names(tmp_path / "wheels" / wheel)) == sorted(_names(released / wheel))


def _names(wheel: Path) -> list[str]:
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines()[1:]]


@pytest.mark.parametrize(
    ("name", "has", "has_not"),
    [
        ("aileron-runtime", {"wasmtime", "mcp", "cffi", "mako"}, {"pytest", "mypy", "hypothesis"}),
        ("aileron-mcp", {"mcp", "anyio", "httptools"}, {"wasmtime", "fastapi", "pytest"}),
        ("aileron-testing", {"pytest", "httpx", "pluggy"}, {"mcp", "wasmtime", "pydantic"}),
    ],
)
def test_the_bill_of_materials_names_what_was_locked_and_nothing_else(
    released: Path, copy: Copy, name: str, has: set[str], has_not: set[str]
) -> None:
    text = (released / f"{name}-{VERSION}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    wheel = released / f"{name.replace('-', '_')}-{VERSION}-py3-none-any.whl"
    subject = bill["metadata"]["component"]
    assert (bill["bomFormat"], bill["specVersion"], subject["name"], subject["version"]) == (
        "CycloneDX",
        "1.6",
        name,
        VERSION,
    )
    assert subject["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    parts = {part["name"]: part["version"] for part in bill["components"]}
    locked = {
        canonicalize_name(pinned[1]): pinned[2]
        for pinned in re.finditer(
            r"^(\S+)==(\S+)", (copy.folder / "requirements" / "dev.txt").read_text(), re.MULTILINE
        )
    }
    assert parts.items() <= locked.items()
    assert has <= parts.keys()
    assert not has_not & parts.keys()
    graph = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in bill["dependencies"]}
    reached: set[str] = set()
    waiting = {subject["bom-ref"]}
    while waiting:
        reached |= waiting
        waiting = set().union(*(graph[ref] for ref in waiting)) - reached
    assert reached == graph.keys() == {subject["bom-ref"], *(part["bom-ref"] for part in bill["components"])}


def test_a_release_does_not_overwrite_what_is_there(copy: Copy, released: Path) -> None:
    before = {path: path.read_bytes() for path in released.iterdir()}
    done = copy.release("build", "--out", str(released))
    assert done.returncode == 1
    assert "is not an empty folder" in done.stderr
    assert {path: path.read_bytes() for path in released.iterdir()} == before


@pytest.mark.parametrize(
    ("changelog", "why"),
    [
        (CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n"), "entries under [Unreleased]"),
        (CHANGELOG.replace(f"[{VERSION}]", "[9.9.9]"), "The newest release in CHANGELOG.md is 9.9.9"),
        (CHANGELOG.replace(" - 2026-01-31", ""), "needs its date"),
        (CHANGELOG.replace("01-31", "02-31"), "needs its date"),
        (CHANGELOG.partition("### Added")[0], "says nothing"),
        ("# Changelog\n", "The newest release in CHANGELOG.md is none"),
    ],
    ids=["unreleased", "other", "undated", "no such day", "empty", "none"],
)
def test_a_changelog_that_does_not_tell_of_the_version_stops_the_release(
    tmp_path: Path, changelog: str, why: str
) -> None:
    small = _small(tmp_path)
    small.write("CHANGELOG.md", changelog)
    small.commit()
    small.git("tag", "--force", f"v{VERSION}")
    done = small.release("check")
    assert done.returncode == 1
    assert why in done.stderr


def test_a_tag_that_is_missing_elsewhere_or_wrong_stops_the_release(tmp_path: Path) -> None:
    small = _small(tmp_path)
    assert small.release("check").stdout == f"Version, changelog and tag agree on {VERSION}.\n"
    small.git("tag", "v9.9.9")
    assert "v9.9.9: one of them is wrong" in small.release("check").stderr
    small.git("tag", "--delete", "v9.9.9")
    small.git("commit", "--quiet", "--allow-empty", "--message", "Later")
    assert f"No tag v{VERSION} points at this commit" in small.release("check").stderr


def test_a_version_that_is_no_release_stops_it(tmp_path: Path) -> None:
    small = _small(tmp_path)
    small.write("aileron_mcp/version.py", 'VERSION = "1.0.dev1"\n')
    assert "a release is three numbers" in small.release("check").stderr


def test_a_file_that_is_not_in_the_tagged_commit_stops_the_release(tmp_path: Path) -> None:
    small = _small(tmp_path)
    small.write("scripts/release/forgotten.py", "")
    done = small.release("build", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "forgotten.py" in done.stderr
    assert not (tmp_path / "out").exists()


def _small(folder: Path) -> Copy:
    return Copy(folder / "copy", only=(".gitignore", "scripts/release", "aileron_mcp"))
