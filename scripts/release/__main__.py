"""Makes a release: `python scripts/release check` says whether all agrees, and `build` builds it into a folder.

Nothing is uploaded and no tag is set. What a release needs beforehand is in CONTRIBUTING.md.
"""

import argparse
import sys
from pathlib import Path

from agreement import disagreements, version_of
from building import build_release

ROOT = Path(__file__).resolve().parents[2]


def main(words: list[str]) -> int:
    """Check, and build if that was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__)
    parser.add_argument("step", choices=("check", "build"))
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="an empty or new folder (default: dist)")
    asked = parser.parse_args(words)
    problems = disagreements(ROOT)
    if problems:
        sys.stderr.write("This cannot be released as it is:\n" + "".join(f"- {problem}\n" for problem in problems))
        return 1
    version = version_of(ROOT)
    if asked.step == "check":
        sys.stdout.write(f"Version, changelog and tag agree on {version}.\n")
        return 0
    if asked.out.exists() and (not asked.out.is_dir() or any(asked.out.iterdir())):
        sys.stderr.write(f"{asked.out} is not an empty folder. Remove it, or name another one with --out.\n")
        return 1
    for path in build_release(ROOT, version, asked.out):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
