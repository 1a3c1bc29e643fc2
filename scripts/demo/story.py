"""How the story is told: commands are run as a user would, and shown with what they print."""

import contextlib
import json
import os
import pty
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

AILERON = Path(sys.executable).with_name("aileron")
PASSPHRASE = "a passphrase for a demonstration"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Story:
    """Runs commands as a user would and shows them as they are run."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
        self.environment = kept | {"AILERON_HOME": str(home), "COLUMNS": "110"}
        self.home = home
        self._chapter = 0

    def chapter(self, title: str, text: str) -> None:
        """Begin a part of the story."""
        self._chapter += 1
        heading = f"{self._chapter}. {title}"
        sys.stdout.write(f"\n{bold(heading)}\n{textwrap.fill(text, 100)}\n\n")
        sys.stdout.flush()

    def run(
        self, *words: str, given: str | None = None, expect: int = 0, quiet: bool = False, patient: bool = False
    ) -> str:
        """Run a command, show it and what it prints, and insist on its exit code."""
        done = subprocess.run(
            [AILERON, *words],
            env=self.environment,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800 if patient else 120,
        )
        if not quiet:
            shown = done.stdout + done.stderr
            sys.stdout.write(f"  {dim('$ aileron ' + ' '.join(quoted(word) for word in words))}\n")
            sys.stdout.write(textwrap.indent(shown, "    ") + ("\n" if shown else ""))
            sys.stdout.flush()
        if done.returncode != expect:
            raise SystemExit(f"the demonstration broke: exit code {done.returncode}, not {expect}\n{done.stderr}")
        return done.stdout

    def answer(self, *words: str, answers: Sequence[tuple[str, str]]) -> None:
        """Run a command at a terminal, answer each question when it is there, and show all of it."""
        keys, theirs = pty.openpty()
        process = subprocess.Popen(
            [AILERON, *words], env=self.environment | {"TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        shown = ""
        waiting = list(answers)
        with contextlib.suppress(OSError):  # the other end is closed when the command has ended
            while piece := os.read(keys, 65536):
                shown += piece.decode(errors="replace").replace("\r\n", "\n")
                if waiting and shown.endswith(waiting[0][0]):
                    os.write(keys, f"{waiting.pop(0)[1]}\n".encode())
        os.close(keys)
        sys.stdout.write(f"  {dim('$ aileron ' + ' '.join(quoted(word) for word in words))}\n")
        sys.stdout.write(textwrap.indent(shown, "    ") + "\n")
        if process.wait(120) != 0 or waiting:
            raise SystemExit(f"the demonstration broke: {shown}")

    def ask(self, *words: str) -> object:
        """Run a command for its JSON, without showing it."""
        return json.loads(self.run(*words, "--json", quiet=True))


def make_home(story: Story, *services: str, model: str = "") -> None:
    """Make the home of the story; what it reaches is on loopback, where nothing may go unless the person says so."""
    story.home.mkdir(mode=0o700)
    allowed = ", ".join(f'"{each}"' for each in (*services, model) if each)
    provider = f'[gateway.providers.openai]\nbase_url = "http://{model}"\n' if model else ""
    (story.home / "config.toml").write_text(f"[network]\nallow_private = [{allowed}]\n{provider}")
    (story.home / "actions").mkdir(mode=0o700)


def write_action(
    story: Story,
    name: str,
    pinned: str,
    place: str,
    *,
    op: str,
    capability: str,
    approval: bool,
    connector: str = "file://aileron/wellbehaved",
) -> None:
    writes = op == "post_json"
    declared = '[[inputs]]\nname = "state"\ntype = "string"\ndescription = "What to say."\nmax_length = 200\n'
    body = 'body = { state = "${args.state}" }\n'
    text = f"""+++
name = "{name}"
version = "1.0.0"

[[requires.connectors]]
name = "{connector}"
version = "1.0.0"
hash = "{pinned}"
capabilities = ["{capability}"]

{declared if writes else ""}
[approval]
required = {json.dumps(approval)}

[[execute]]
id = "call"
connector = "{connector}"
op = "{op}"
[execute.inputs]
url = "http://{place}/status"
{body if writes else ""}+++
# {name}

{"Post" if writes else "Read"} the status of the release.
"""
    (story.home / "actions" / f"{name}.md").write_text(text)


def until_done(story: Story, approval: str) -> None:
    for _ in range(200):
        shown = story.ask("approval", "show", approval)
        assert isinstance(shown, dict)
        if shown["state"] == "completed":
            sys.stdout.write("  The daemon has run it. What came back holds no key, although the service echoed it:\n")
            sys.stdout.write(textwrap.indent(json.dumps(shown["outcome"]["result"], indent=2), "    ") + "\n\n")
            return
        time.sleep(0.05)
    raise SystemExit(f"the demonstration broke: {approval} was not run")


def tamper(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "UPDATE audit_events SET payload = replace(payload, 'version 1.4.0 has', 'version 1.3.9 has')"
            " WHERE type = 'execution.started'"
        )
        connection.commit()


def quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if COLOUR else text


def dim(text: str) -> str:
    return f"\033[36m{text}\033[0m" if COLOUR else text
