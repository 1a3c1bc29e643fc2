"""Builds the connectors of this folder from their C sources, for tests and demonstrations."""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
NAMES = ("wellbehaved", "hostile")
DEFAULT_HOSTS = ("api.example.test:443",)

_FLAGS = (
    *(
        "-target",
        "wasm32-freestanding",
        "-std=c11",
        "-O2",
        "-g0",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
    ),
    *("-nostdlib", "-ffreestanding", "-fno-builtin", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536"),
)

_CREDENTIALS = {
    "none": "",
    "api_key": """
[capabilities.credential]
kind = "api_key"
inject = { header = "Authorization", format = "Bearer {secret}" }
hosts = @hosts@
""",
    "basic": """
[capabilities.credential]
kind = "basic"
inject = { header = "Authorization", format = "Basic {secret}" }
hosts = @hosts@
""",
}


class BuildFailed(Exception):
    """A source does not compile; the message is the compiler's, or says that there is none."""


def build(
    name: str,
    out_dir: Path,
    *,
    hosts: Sequence[str] = DEFAULT_HOSTS,
    version: str = "1.0.0",
    fqn: str | None = None,
    credential: str = "api_key",
    memory: str | None = None,
    time: str | None = None,
) -> Path:
    """Put connector.wasm and manifest.toml into a folder, and return it.

    The credential is "api_key", "basic" or "none"; memory and time become the manifest's limits if they are given.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / "connector.wasm").write_bytes(compile_c(SOURCES / name / "connector.c"))
    limits = "".join(f'{key} = "{value}"\n' for key, value in (("memory", memory), ("time", time)) if value)
    manifest = (SOURCES / name / "manifest.toml.in").read_text("utf-8")
    for place, text in (
        ("@credential@", _CREDENTIALS[credential]),
        ("@limits@", f"\n[limits]\n{limits}" if limits else ""),
        ("@hosts@", json.dumps(list(hosts))),
        ("@version@", version),
        ("@fqn@", fqn or f"github://acme/{name}"),
    ):
        manifest = manifest.replace(place, text)
    (out_dir / "manifest.toml").write_text(manifest, "utf-8")
    return out_dir


def compile_c(source: Path) -> bytes:
    """Compile one C file to a core module, or take it from the cache if neither it nor the compiler changed."""
    key = hashlib.sha256(f"{_compiler_version()};{_FLAGS}".encode())
    for part in (source, *sorted((SOURCES / "include").iterdir())):
        key.update(part.read_bytes())
    cached = _cache_folder() / f"{source.parent.name}-{key.hexdigest()[:24]}.wasm"
    with contextlib.suppress(FileNotFoundError):
        return cached.read_bytes()
    with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
        output = Path(scratch, "connector.wasm")
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "ziglang",
                "cc",
                *_FLAGS,
                f"-I{SOURCES / 'include'}",
                str(source),
                "-o",
                str(output),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise BuildFailed(f"{source} does not compile:\n{run.stderr}")
        output.replace(cached)
    return cached.read_bytes()


def _compiler_version() -> str:
    try:
        return installed_version("ziglang")
    except PackageNotFoundError:
        raise BuildFailed(
            "the compiler is not installed here; `make bootstrap` brings it, or: pip install ziglang. "
            "A connector that is built already comes from: aileron connector init FOLDER --host HOST:PORT"
        ) from None


def _cache_folder() -> Path:
    """Return a private folder outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "aileron" / "connector-builds"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def main() -> None:
    """Build connectors from the command line."""
    parser = argparse.ArgumentParser(prog="python -m connectors.build", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--out", type=Path, required=True, help="a folder; each connector gets one of its own in it")
    parser.add_argument("--host", action="append", dest="hosts", help="host:port, as often as needed")
    parser.add_argument("--fqn", help="what the connector is called, such as file://me/github; for one connector")
    given = parser.parse_args()
    if given.fqn and len(given.names) != 1:
        parser.error("--fqn is the name of one connector; name the one to build")
    for name in given.names or NAMES:
        try:
            made = build(name, given.out / name, hosts=given.hosts or DEFAULT_HOSTS, fqn=given.fqn)
        except BuildFailed as problem:
            sys.exit(f"error: {problem}")
        sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
