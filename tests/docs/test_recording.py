"""The recording at the top of the README is what happens today."""

import re
import subprocess
import sys

from world import ROOT

MARKED = re.compile(r"<!-- Made by scripts/record. -->\n```text\n(.*?)```\n<!-- End of the recording. -->", re.DOTALL)


def alike(text: str) -> str:
    """Return a recording without what other work on the product changes without making it wrong."""
    return re.sub(r"\d+ events checked in [\d.]+ s", "… events checked", text)


def test_the_recording_in_the_readme_is_what_happens_today() -> None:
    (shown,) = MARKED.findall((ROOT / "README.md").read_text())
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts" / "record"], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert alike(ended.stdout) == alike(shown), "run: .venv/bin/python scripts/record --write"
