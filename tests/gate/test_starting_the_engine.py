"""The engine that `make` starts goes on for long, and so must hold nothing of whoever started it."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from world import ROOT

ENGINE = f"""#!{sys.executable}
import os
held = [os.path.realpath(f"/proc/self/fd/{{each}}") for each in os.listdir("/proc/self/fd")]
with open(os.environ["UP"] + ".new", "w") as file:
    file.write("\\n".join(held))
os.rename(os.environ["UP"] + ".new", os.environ["UP"])
"""
TOOLS = {
    "dockerd": ENGINE,
    "systemctl": ENGINE,  # where an init system starts the engine, it is no child of ours
    "docker": '#!/bin/sh\n[ "$1" = image ] || [ -e "$UP" ]\n',
    "id": "#!/bin/sh\necho 0\n",
    "iptables": "#!/bin/sh\n",
    "apt-get": "#!/bin/sh\n",
}


def test_the_engine_keeps_no_lock_of_who_called_for_it(tmp_path: Path) -> None:
    for name, text in TOOLS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700)
    lock = tmp_path / "lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        subprocess.run(
            [ROOT / "scripts" / "ensure-docker"],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "UP": str(tmp_path / "up")},
            pass_fds=[] if Path("/run/systemd/system").is_dir() else [held.fileno()],
            timeout=60,
            check=True,
        )
    assert str(lock) not in (tmp_path / "up").read_text().splitlines()
