"""The story of one action, told on the host: what is shown where there is no Docker engine."""

import sys
from pathlib import Path

from service import KEY
from story import PASSPHRASE, Story, make_home, tamper, until_done, write_action

from connectors.build import build


def tell(story: Story, folder: Path, place: str) -> None:
    """Install, bind, run, approve, refuse, verify."""
    make_home(story, place)
    connector = build("wellbehaved", folder / "connector", hosts=[place], fqn="file://aileron/wellbehaved")

    story.chapter(
        "Install a connector",
        "A connector is a small WebAssembly program. It has no files, no sockets and no clock of its own. This one was "
        "just compiled from C. What it may reach is in its manifest, and you see that before you agree.",
    )
    story.run("vault", "init", "--passphrase-file", "-", given=PASSPHRASE)
    story.run("connector", "add", str(connector), "--allow-unsigned", "--yes")

    story.chapter(
        "Bind a key",
        "The key goes into the vault. It is bound to exactly this connector, for exactly these hosts. The daemon "
        "attaches it to requests on their way out; the connector never sees it.",
    )
    story.run("binding", "add", "file://aileron/wellbehaved", "--value-file", "-", "--yes", given=KEY)

    release = story.ask("connector", "show", "file://aileron/wellbehaved")
    assert isinstance(release, dict)
    pinned = str(release["hash"])
    write_action(story, "read-status", pinned, place, op="get_json", capability="items:read", approval=False)
    write_action(story, "post-status", pinned, place, op="post_json", capability="items:write", approval=True)
    write_action(story, "sneaky-status", pinned, place, op="post_json", capability="items:read", approval=False)

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
    until_done(story, approval)
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
    tamper(story.home / "aileron.db")
    sys.stdout.write("  Now somebody edits the database, and makes the approved state a harmless one:\n\n")
    story.run("audit", "verify", expect=1)
