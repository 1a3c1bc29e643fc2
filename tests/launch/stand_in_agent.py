"""Stands in for an agent where the agent is not the point: says what it was given, and ends as it is told to."""

import json
import os
import signal
import sys
import time
from pathlib import Path

if sys.argv[1:] == ["--version"]:
    print(os.environ.get("STAND_IN_VERSION", "codex-cli 0.169.0"))
    sys.exit(0)
interrupted: list[int] = []
seen = {
    "argv": sys.argv[1:],
    "env": dict(os.environ),
    "pid": os.getpid(),
    "cwd": os.getcwd(),  # noqa: PTH109 - what the process says, not what a path library makes of it
    "terminal": os.isatty(0),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "ignored": [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) == signal.SIG_IGN],
}
if os.environ.get("STAND_IN_ENDS") == "go on":
    signal.signal(signal.SIGINT, lambda *_: None)
target = Path(os.environ["STAND_IN_SAYS"])
draft = target.with_suffix(f".{os.getpid()}")
draft.write_text(json.dumps(seen))
draft.replace(target)
match os.environ.get("STAND_IN_ENDS", "0"):
    case "interrupt":
        signal.signal(signal.SIGINT, lambda *_: interrupted.append(1))
        os.kill(0, signal.SIGINT)
        time.sleep(2)  # what comes back would come at once
        sys.exit(len(interrupted))
    case "wait" | "go on":
        time.sleep(120)
    case "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    case code:
        sys.exit(int(code))
