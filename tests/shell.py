"""Runs the program as a person does, against one home."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from world import ROOT

_RUN = (
    # A shell that starts the tests in the background makes them ignore Ctrl-C, and children inherit that.
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from daemon.cli.main import main; main()"
)


class Shell:
    """Runs command lines against one home."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
        self.environ = kept | {"AILERON_HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm"}
        self.environ.pop("DISPLAY", None)
        self.environ.pop("NO_COLOR", None)

    def __call__(
        self, *arguments: str, stdin: str = "", expect: int = 0, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, without a terminal."""
        ended = subprocess.run(
            [sys.executable, "-c", _RUN, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=self.environ | environ,
        )
        assert ended.returncode == expect, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
        return ended

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """Start and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-c", _RUN, *arguments], text=True, cwd=self.folder, env=self.environ, **options
        )
