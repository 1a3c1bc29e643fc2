"""Checks that what a release says of itself agrees: version, changelog, tag, and the files that are built from."""

import datetime as dt
import re
import subprocess
from pathlib import Path

VERSION_FILE = "aileron_mcp/version.py"
_VERSION = re.compile(r'^VERSION = "(?P<version>[^"]*)"$', re.MULTILINE)
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?[ \t]*$", re.MULTILINE)


def version_of(root: Path) -> str:
    """Return the version that the program, and all three distributions, will say."""
    found = _VERSION.search((root / VERSION_FILE).read_text())
    if found is None:
        raise ValueError(f'{VERSION_FILE} has no line VERSION = "..."')
    return found["version"]


def disagreements(root: Path) -> list[str]:
    """Return what stands in the way of a release, each with what to do about it."""
    version = version_of(root)
    problems = []
    if not _SEMVER.fullmatch(version):
        problems.append(f"{VERSION_FILE} says {version!r}; a release is three numbers, like 1.4.0.")
    return problems + _of_changelog((root / "CHANGELOG.md").read_text(), version) + _of_git(root, version)


def _of_changelog(text: str, version: str) -> list[str]:
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings] + [len(text)]
    sections = [
        (at["name"], at["date"], text[at.end() : end].strip()) for at, end in zip(headings, ends[1:], strict=True)
    ]
    problems = []
    released = [section for section in sections if section[0] != "Unreleased"]
    if any(name == "Unreleased" and written for name, _, written in sections):
        problems.append(f"CHANGELOG.md has entries under [Unreleased]; move them under ## [{version}] - (the date).")
    if not released or released[0][0] != version:
        newest = released[0][0] if released else "none"
        problems.append(f"The newest release in CHANGELOG.md is {newest}, and {VERSION_FILE} says {version}.")
        return problems
    _, date, written = released[0]
    if not _is_date(date):
        problems.append(f"[{version}] in CHANGELOG.md needs its date: ## [{version}] - 2026-01-31")
    if not written:
        problems.append(f"[{version}] in CHANGELOG.md says nothing.")
    return problems


def _is_date(text: str | None) -> bool:
    try:
        return text is not None and dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _of_git(root: Path, version: str) -> list[str]:
    problems = []
    tags = _git(root, "tag", "--points-at", "HEAD").split()
    if f"v{version}" not in tags:
        problems.append(f"No tag v{version} points at this commit. Set it: git tag -a v{version}")
    wrong = [tag for tag in tags if re.match(r"v\d", tag) and tag != f"v{version}"]
    if wrong:
        problems.append(f"This commit also has the tag {', '.join(wrong)}: one of them is wrong.")
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        problems.append(f"What is built would not be what is tagged; these differ: {', '.join(changed[:5])}")
    return problems


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout
