"""The story of one action, told with the real program on an empty temporary home: `make demo`."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from connectors.build import build  # noqa: E402 - found through the line above

AILERON = Path(sys.executable).with_name("aileron")
KEY = "demo-key-4c1d9f"
PASSPHRASE = "a passphrase for a demonstration"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Service(BaseHTTPRequestHandler):
    """A service on loopback that wants a key: it stands for the world outside."""

    posted: list[str] = []  # noqa: RUF012 - one server, one list
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the status that was posted last."""
        self._answer({"status": self.posted[-1] if self.posted else "nothing shipped yet"})

    def do_POST(self) -> None:
        """Take a status."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self._allowed():
            self.posted.append(json.loads(body)["state"])
        self._answer({"accepted": self._allowed(), "your_key_was": self.headers.get("authorization", "none")})

    def _allowed(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {KEY}"

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200 if self._allowed() else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal; the story is told there."""


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
        sys.stdout.write(f"\n{_bold(heading)}\n{textwrap.fill(text, 100)}\n\n")
        sys.stdout.flush()

    def run(self, *words: str, given: str | None = None, expect: int = 0, quiet: bool = False) -> str:
        """Run a command, show it and what it prints, and insist on its exit code."""
        done = subprocess.run(
            [AILERON, *words],
            env=self.environment,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if not quiet:
            shown = done.stdout + done.stderr
            sys.stdout.write(f"  {_dim('$ aileron ' + ' '.join(_quoted(word) for word in words))}\n")
            sys.stdout.write(textwrap.indent(shown, "    ") + ("\n" if shown else ""))
            sys.stdout.flush()
        if done.returncode != expect:
            raise SystemExit(f"the demonstration broke: exit code {done.returncode}, not {expect}\n{done.stderr}")
        return done.stdout

    def ask(self, *words: str) -> object:
        """Run a command for its JSON, without showing it."""
        return json.loads(self.run(*words, "--json", quiet=True))


def main() -> None:
    """Tell the story and leave nothing behind."""
    began = time.monotonic()
    sys.stdout.write(f"{_bold('Aileron: from an action file to a service, sealed, bounded, approved, audited')}\n")
    with _service() as place, tempfile.TemporaryDirectory(prefix="aileron-demo-") as folder:
        story = Story(Path(folder) / "home")
        try:
            _tell(story, Path(folder), place)
        finally:
            subprocess.run(
                [AILERON, "stop"],
                env=story.environment,
                capture_output=True,
                check=False,
                timeout=60,
            )
    sys.stdout.write(f"\nThat was all, in {time.monotonic() - began:.0f} s. The home is gone; nothing of it runs.\n")


def _tell(story: Story, folder: Path, place: str) -> None:
    story.home.mkdir(mode=0o700)
    # The service of this story is on loopback, which no connector may reach unless the person says so.
    (story.home / "config.toml").write_text(f'[network]\nallow_private = ["{place}"]\n')
    (story.home / "actions").mkdir(mode=0o700)
    connector = build("wellbehaved", folder / "connector", hosts=[place], fqn="file://aileron/wellbehaved")

    story.chapter(
        "Install a connector",
        "A connector is a small WebAssembly program. It has no files, no sockets and no clock of its own. This one was "
        "just compiled from C. What it may reach is in its manifest, and you see that before you agree.",
    )
    story.run("vault", "init", "--passphrase-file", "-", given=PASSPHRASE)
    story.run("connector", "install", str(connector), "--allow-unsigned", "--yes")

    story.chapter(
        "Bind a key",
        "The key goes into the vault. It is bound to exactly this connector, for exactly these hosts. The daemon "
        "attaches it to requests on their way out; the connector never sees it.",
    )
    story.run("binding", "setup", "file://aileron/wellbehaved", "--value-file", "-", "--yes", given=KEY)

    release = story.ask("connector", "show", "file://aileron/wellbehaved")
    assert isinstance(release, dict)
    pinned = str(release["hash"])
    _write(story, "read-status", pinned, place, op="get_json", capability="items:read", approval=False)
    _write(story, "post-status", pinned, place, op="post_json", capability="items:write", approval=True)
    _write(story, "sneaky-status", pinned, place, op="post_json", capability="items:read", approval=False)

    story.chapter("Run an action", "An action is one file. This one only reads, so nobody has to approve it.")
    story.run("action", "run", "read-status")

    story.chapter(
        "An action that matters waits for you",
        "This one changes something. The command ends with exit code 75 and the id of a request. What you then approve "
        "is exactly this call: session, file, connector and arguments are bound together by a digest, spent once.",
    )
    story.run("action", "run", "post-status", "state=version 1.4.0 has shipped", expect=75)
    waiting = story.ask("approval", "list")
    assert isinstance(waiting, dict)
    approval = str(waiting["items"][0]["id"])
    story.run("approval", "show", approval)
    story.run("approval", "approve", approval, "--reason", "I have seen the release")
    _until_done(story, approval)
    story.run("action", "run", "read-status")

    story.chapter(
        "What was not declared is refused",
        "sneaky-status declares that it reads, and uses an operation that writes. Nothing leaves.",
    )
    story.run("action", "run", "sneaky-status", "state=nobody asked me", expect=1)

    story.chapter(
        "The log proves what happened",
        "Every event carries the hash of the one before it, and signed checkpoints fix the chain. First it is whole:",
    )
    story.run("audit", "list", "--limit", "40")
    story.run("audit", "verify")
    story.run("stop")
    _tamper(story.home / "aileron.db")
    sys.stdout.write("  Now somebody edits the database, and makes the approved state a harmless one:\n\n")
    story.run("audit", "verify", expect=1)


def _write(story: Story, name: str, pinned: str, place: str, *, op: str, capability: str, approval: bool) -> None:
    writes = op == "post_json"
    declared = '[[inputs]]\nname = "state"\ntype = "string"\ndescription = "What to say."\nmax_length = 200\n'
    body = 'body = \'{"state": "${args.state}"}\'\n'
    text = f"""+++
name = "{name}"
version = "1.0.0"

[[requires.connectors]]
name = "file://aileron/wellbehaved"
version = "1.0.0"
hash = "{pinned}"
capabilities = ["{capability}"]

{declared if writes else ""}
[approval]
required = {json.dumps(approval)}

[[execute]]
id = "call"
connector = "file://aileron/wellbehaved"
op = "{op}"
[execute.inputs]
url = "http://{place}/status"
{body if writes else ""}+++
# {name}

{"Post" if writes else "Read"} the status of the release.
"""
    (story.home / "actions" / f"{name}.md").write_text(text)


def _until_done(story: Story, approval: str) -> None:
    for _ in range(200):
        shown = story.ask("approval", "show", approval)
        assert isinstance(shown, dict)
        if shown["state"] == "completed":
            sys.stdout.write("  The daemon has run it. What came back holds no key, although the service echoed it:\n")
            sys.stdout.write(textwrap.indent(json.dumps(shown["outcome"]["result"], indent=2), "    ") + "\n\n")
            return
        time.sleep(0.05)
    raise SystemExit(f"the demonstration broke: {approval} was not run")


def _tamper(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "UPDATE audit_events SET payload = replace(payload, 'version 1.4.0 has', 'version 1.3.9 has')"
            " WHERE type = 'execution.started'"
        )
        connection.commit()


@contextlib.contextmanager
def _service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if COLOUR else text


def _dim(text: str) -> str:
    return f"\033[36m{text}\033[0m" if COLOUR else text


if __name__ == "__main__":
    if not AILERON.exists() and shutil.which("aileron") is None:
        raise SystemExit("aileron is not installed here; run: make demo")
    main()
