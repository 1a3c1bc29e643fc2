"""Builds the three distributions, says what each consists of, and writes the hashes of all of it."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from inventory import inventory
from locked import read_lock

DISTRIBUTIONS = {"aileron-runtime": ".", "aileron-mcp": "aileron_mcp", "aileron-testing": "aileron_testing"}
"""The folder of each, in which its pyproject.toml is."""
LOCK = "requirements/dev.txt"
"""The versions that everything was tested with; it has the dependencies of all three."""
SUMS = "SHA256SUMS"


def build_release(root: Path, version: str, out: Path) -> list[Path]:
    """Build everything into a folder, which is there whole or not at all; return the files."""
    commit_time = int(_output(root, "git", "log", "-1", "--format=%ct"))
    locked = read_lock((root / LOCK).read_text())
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".release-") as folder:
        made = Path(folder) / "dist"
        made.mkdir()
        for name, place in DISTRIBUTIONS.items():
            # The same commit gives the same bytes, whenever and wherever it is built.
            _output(
                root / place,
                *(sys.executable, "-m", "hatchling", "build", "--directory", str(made)),
                SOURCE_DATE_EPOCH=str(commit_time),
            )
            wheel = made / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
            described = inventory(
                name, version, locked, project=f"{place}/pyproject.toml", wheel=wheel, commit_time=commit_time
            )
            (made / f"{name}-{version}.cdx.json").write_text(described)
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(made.iterdir())}
        (made / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in hashes.items()))
        if out.exists():
            out.rmdir()
        made.rename(out)
    return sorted(out.iterdir())


def _output(folder: Path, *words: str, **environment: str) -> str:
    done = subprocess.run(words, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed in {folder}:\n{done.stdout}{done.stderr}")
    return done.stdout
