"""Follows a page as a reader would: writes its files and runs its commands in order, in an empty home."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from docs.pages import Block, blocks
from world import PASSPHRASE, ROOT

_SHARED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aileron" / "tools-of-pages"
"""What a page downloads is kept here, so that it is downloaded once."""

_TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
_TRUSTED = dict.fromkeys(("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"), str(_TRUST)) if _TRUST.exists() else {}
"""Behind a proxy that signs anew, what the system trusts is right, and what npm and uv bring along is not."""

_LOOKED_UP = {
    "apr_…": ("approval list --state all --limit 1", "id"),
    "ses_…": ("session list", "id"),
    "SESSION": ("session list", "id"),
    "aud_…": ("audit list --limit 1", "id"),
    "sha256:…": ("connector list", "hash"),
}
"""What a reader puts in: the newest of its kind, which a command of ours names."""


class Reader:
    """A person in an empty home, with a checkout, a terminal, and the services that `outside` puts on loopback."""

    def __init__(
        self,
        folder: Path,
        *,
        outside: Mapping[str, str],
        start: Path | None = None,
        between: Callable[[], None] = lambda: None,
        **more: str,
    ) -> None:
        """Make the home.

        `outside` maps what a page names to a `host:port` of this machine, `start` is the folder in which it begins,
        `between` is done after each block, and `more` are variables of the shell.
        """
        self._between = between
        self.home = folder / "person"
        self._state = folder / "state.sh"
        self._outside = dict(outside)
        self.printed: list[str] = []
        """What each block of commands printed."""
        place = start or self.home / "somewhere"
        place.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
        self.environment = (
            _TRUSTED
            | kept
            | {
                "HOME": str(self.home),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "AILERON": str(ROOT),
                "AILERON_VAULT_PASSPHRASE": PASSPHRASE,  # typed at a terminal by a person
                "UV_CACHE_DIR": str(_SHARED / "uv"),
                "npm_config_cache": str(_SHARED / "npm"),
                **more,
            }
        )
        self._state.write_text(f"cd '{place}'\n")
        between()
        ours = self.home / ".aileron"
        ours.mkdir(mode=0o700, parents=True)
        allowed = ", ".join(f'"{there}"' for there in self._outside.values())
        (ours / "config.toml").write_text(f"[network]\nallow_private = [{allowed}]\n")
        (ours / "config.toml").chmod(0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["aileron", "stop"], env=self.environment, capture_output=True, check=False, timeout=60)

    def follow(self, page: Path, *, until: str = "", only: str = "") -> None:
        """Do what a page says: all of it, or what stands before a heading, or what stands below one."""
        found = blocks(page)
        if until or only:
            place = next(place for place, block in enumerate(found) if block.section == (until or only))
            found = found[:place] if until else [block for block in found[place:] if block.section == only]
        for block in found:
            if block.mark == "file":
                self._write(block)
            elif block.is_run:
                self._run(block, page.name)
            self._between()

    def owns(self, name: str, text: str) -> None:
        """Put a file into the home: what a person brings along."""
        (self.home / name).write_text(text)

    def goes_to(self, name: str) -> None:
        """Go on in another folder of the home."""
        self.shell(f"mkdir -p ~/{name} && cd ~/{name}")

    def has_command(self, name: str, script: str) -> None:
        """Put a stand-in for a program of others first on the PATH."""
        folder = self.home / "stand-ins"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
        self.shell(f'export PATH="{folder}:$PATH"')

    def shell(self, text: str) -> str:
        """Run one more command where the page has led to, and return what it prints."""
        ended = self._execute(text)
        assert ended.returncode == 0, f"{text}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def ask(self, command: str) -> Any:
        """Return what a command of ours says in JSON."""
        return json.loads(self.shell(f"aileron {command} --json"))

    def _write(self, block: Block) -> None:
        text = self._here(block.text)
        written = self._execute(f"cat > {block.said}", given=text)
        assert written.returncode == 0, written.stderr

    def _run(self, block: Block, page: str) -> None:
        text = block.text.rstrip()
        if block.mark == "answered by":
            text = f"{text} {block.said}"
        ended = self._execute(self._here(text))
        self.printed.append(ended.stdout)
        assert ended.returncode == block.ends_with, (
            f"{page} says that this ends with {block.ends_with}; it ended with {ended.returncode}\n\n"
            f"{text}\n\n{ended.stdout}{ended.stderr}"
        )

    def _here(self, text: str) -> str:
        """Put in what a reader would: the services of this machine, and what a command printed before."""
        for there, here in self._outside.items():
            name = there.removesuffix(":443")
            text = text.replace(f"https://{name}", f"http://{here}").replace(there, here)
        for sign, find in _LOOKED_UP.items():
            if sign in text:
                command, name = find
                text = text.replace(sign, self.ask(command)["items"][0][name])
        return text

    def _execute(self, text: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run lines in a shell that goes on where the one before ended: same folder, same variables."""
        keep = f'trap \'{{ export -p; printf "cd %q\\n" "$PWD"; }} > {self._state}\' EXIT'
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", f". {self._state}; {keep}\n{text}\n"],
            env=self.environment,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
