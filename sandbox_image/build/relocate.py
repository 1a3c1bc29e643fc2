"""Copies Debian's Python with the libraries it needs, so that it runs from a mounted folder in any image with a shell.

The C library and its loader come along: an image whose own one is older does not matter.
"""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

_LIBRARIES = Path(f"/usr/lib/{platform.machine()}-linux-gnu")
_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_LEFT_OUT = (
    "__pycache__",
    "test",
    "idlelib",
    "lib2to3",
    "tkinter",
    "turtledemo",
    "distutils",
    "ensurepip",
    "pydoc_data",
)
_BY_NAME = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
"""Found by name at run time, and not by the loader."""
_FOR_AGENTS = ("libstdc++.so.6", "libgcc_s.so.1")


def main(root: Path) -> None:
    """Fill <root>/python with Python, <root>/python/libc with its libraries, <root>/lib with those that agents need."""
    home, libraries, for_agents = root / "python", root / "python/libc", root / "lib"
    for folder in (home / "bin", libraries, for_agents, root / "bin"):
        folder.mkdir(parents=True)
    shutil.copy("/usr/bin/python3.11", home / "bin/python3")
    left_out = shutil.ignore_patterns("dist-packages", "sitecustomize.py", "config-3.11*", *_LEFT_OUT)
    shutil.copytree("/usr/lib/python3.11", home / "lib/python3.11", ignore=left_out)
    programs = [home / "bin/python3", *home.rglob("lib-dynload/*.so"), *(root / "site").rglob("*.so")]
    for needed in {found for program in programs for found in needed_by(program)}:
        shutil.copy(needed, libraries / needed.name)
    for name in _BY_NAME:
        shutil.copy(_LIBRARIES / name, libraries / name)
    shutil.copy(_LOADERS[platform.machine()], libraries / "loader")
    for name in _FOR_AGENTS:  # without the C library: a program of the image must never find that beside its own loader
        shutil.copy(_LIBRARIES / name, for_agents / name)


def needed_by(program: Path) -> set[Path]:
    """Return the files of the libraries a program is linked with."""
    told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return {Path(found) for found in re.findall(r"=> (/\S+)", told)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
