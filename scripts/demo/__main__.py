"""`make demo`: a real agent in a sandbox, or, where there is no Docker engine, the story of one action."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import host  # noqa: E402 - found through the line above
import sandboxed  # noqa: E402
from service import service  # noqa: E402
from story import AILERON, Story, bold  # noqa: E402


def main() -> None:
    """Tell the story and leave nothing behind."""
    if not AILERON.exists():
        raise SystemExit("aileron is not installed here; run: make demo")
    began = time.monotonic()
    with_engine = os.environ.get("AILERON_DEMO_ENGINE", "yes") == "yes"
    sys.stdout.write(f"{bold('Aileron: an agent acts; sealed, bounded, approved, audited')}\n")
    with service() as place, tempfile.TemporaryDirectory(prefix="aileron-demo-") as folder:
        story = Story(Path(folder) / "home")
        try:
            (sandboxed if with_engine else host).tell(story, Path(folder), place)
        finally:
            subprocess.run([AILERON, "stop"], env=story.environment, capture_output=True, check=False, timeout=60)
    sys.stdout.write(f"\nThat was all, in {time.monotonic() - began:.0f} s. The home is gone; nothing of it runs.\n")


if __name__ == "__main__":
    main()
