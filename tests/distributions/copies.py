"""A copy of the checkout that can be released: its changelog is finished, its commit is tagged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from world import ROOT

from aileron_mcp.version import VERSION

_WHO = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_AUTHOR_DATE": "2026-01-31T12:00:00+00:00",
    "GIT_COMMITTER_DATE": "2026-01-31T12:00:00+00:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
CHANGELOG = f"# Changelog\n\n## [Unreleased]\n\n## [{VERSION}] - 2026-01-31\n\n### Added\n\n- Everything.\n"


class Copy:
    """What git knows of the checkout, as it is now, or of some folders in it, in a repository of its own."""

    def __init__(self, folder: Path, *, only: tuple[str, ...] = ()) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *only],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        self.write("CHANGELOG.md", CHANGELOG)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()
        self.git("tag", f"v{VERSION}")

    def write(self, name: str, text: str) -> None:
        """Put a file there."""
        (self.folder / name).write_text(text)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Everything")

    def git(self, *words: str) -> None:
        """Run git there, without anybody's settings."""
        subprocess.run(["git", *words], cwd=self.folder, env=os.environ | _WHO, check=True, capture_output=True)

    def release(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the script of the copy."""
        return subprocess.run(
            [sys.executable, "scripts/release", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
