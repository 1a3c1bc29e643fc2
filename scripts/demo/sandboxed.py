"""The main story: real Codex in a sandbox, with a scripted model, acts, asks, is approved, and gets nowhere else."""

import contextlib
import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

from model import KEY as MODEL_KEY
from model import Model, serving
from service import KEY
from story import AILERON, PASSPHRASE, Story, dim, make_home, quoted, tamper, until_done, write_action

from connectors.build import build

_ELSEWHERE = "curl -sS -m 5 https://example.com/ || curl -sS -m 5 https://1.1.1.1/"
_APPROVE = (
    "cd /run/aileron; at=$(jq -r '\"https://\\(.host):\\(.port)\"' start.json); "
    "curl -sS -w '\\nanswered %{http_code}\\n' --cacert ca.pem -X POST "
    '-H "Authorization: Bearer $(jq -r .token start.json)" '
    '"$at/v1/approvals/{id}/approve"'
)
_WRITE = (
    "printf '# 1.4.0\\n\\nShipped.\\n' > RELEASE.md; sed -i 's/1.3.9/1.4.0/' version.txt; "
    "mkdir -p .vscode; echo '{\"tasks\": []}' > .vscode/tasks.json; ls -A"
)
_PROMPT = (
    "Write RELEASE.md for version 1.4.0, set version.txt and add an editor task. Read the status, post that it has "
    "shipped, and while you wait for the approval, try to reach the internet and try to approve your own request. "
    "Then report."
)
_SECONDS = 180


def tell(story: Story, folder: Path, place: str) -> None:
    """Set up, launch, approve, verify."""
    real = os.environ.get("AILERON_DEMO_MODEL") == "real"
    if real and not os.environ.get("OPENAI_API_KEY"):
        raise SystemExit("AILERON_DEMO_MODEL=real needs a key in OPENAI_API_KEY.")
    model = Model(_script())
    with contextlib.ExitStack() as held:
        where = "" if real else held.enter_context(serving(model))
        _prepare(story, folder, place, where)
        _act(story, folder, model, real=real)
    _land(story, folder / "project", real=real)
    story.chapter(
        "The log proves what happened",
        "Every event carries the hash of the one before it, and signed checkpoints fix the chain. First it is whole:",
    )
    story.run("audit", "list", "--limit", "60")
    story.run("audit", "verify")
    story.run("stop")
    tamper(story.home / "aileron.db")
    sys.stdout.write("  Now somebody edits the database, and makes the approved state a harmless one:\n\n")
    story.run("audit", "verify", expect=1)


def _prepare(story: Story, folder: Path, place: str, where: str) -> None:
    make_home(story, place, model=where)
    connector = build("wellbehaved", folder / "connector", hosts=[place], fqn="file://aileron/wellbehaved")
    story.chapter(
        "A connector, two keys, two actions",
        "A connector is a small WebAssembly program without files or sockets; its manifest names the hosts it may "
        "reach. The service's key is bound to it, and the model's key to the model. No agent will ever see either.",
    )
    story.run("vault", "init", "--passphrase-file", "-", given=PASSPHRASE)
    story.run("connector", "add", str(connector), "--allow-unsigned", "--yes")
    story.run("binding", "add", "file://aileron/wellbehaved", "--value-file", "-", "--yes", given=KEY)
    key = MODEL_KEY if where else os.environ["OPENAI_API_KEY"]
    story.run("binding", "add", "provider://openai", "--value-file", "-", "--yes", given=key)
    release: Any = story.ask("connector", "show", "file://aileron/wellbehaved")
    pinned = str(release["hash"])
    write_action(story, "read-status", pinned, place, op="get_json", capability="items:read", approval=False)
    write_action(story, "post-status", pinned, place, op="post_json", capability="items:write", approval=True)
    story.run("action", "list")


def _launch(story: Story, project: Path, *, real: bool) -> "subprocess.Popen[str]":
    """Start the agent in its sandbox, and show the line that does."""
    model_name = () if real else ("-m", "gpt-5")
    own = ("exec", "--skip-git-repo-check", *model_name, _PROMPT)
    words = ("launch", "--sandbox", "--land", "never", "codex", "--", *own)
    sys.stdout.write(f"  {dim('$ aileron ' + ' '.join(quoted(word) for word in words))}\n")
    sys.stdout.flush()
    return subprocess.Popen(
        [AILERON, *words],
        cwd=project,
        env=story.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _act(story: Story, folder: Path, model: Model, *, real: bool) -> None:
    project = folder / "project"
    project.mkdir()
    (project / "version.txt").write_text("1.3.9\n")
    if os.geteuid() == 0:  # an agent never runs as root, so the folder belongs to somebody else
        for each in (project, project / "version.txt"):
            os.chown(each, 1000, 1000)
    story.chapter(
        "Codex, in a container whose only way out is the daemon",
        "The first time, its image is built. Then a probe inside proves that nothing else can be reached, and the "
        "agent starts on a throw-away project. It has neither key: model requests go through the daemon, which "
        "attaches it.",
    )
    story.run("sandbox", "build", "codex", patient=True)
    agent = _launch(story, project, real=real)
    said: list[str] = []
    listening = threading.Thread(target=_listen, args=(agent, said))
    listening.start()
    try:
        approval = _wait_for_request(story, agent, said)
        # It has tried everything by the time it asks how its request stands.
        if not real and not model.reached[5].wait(_SECONDS):
            raise SystemExit("the demonstration broke: the agent does not go on\n" + "".join(said))
        story.chapter(
            "It waits for you",
            "While it waited it tried to get out, and to approve its own request. Both came to nothing. This is what "
            "you are asked: exactly this call, bound by a digest, spent once.",
        )
        story.run("approval", "show", approval)
        story.run("approval", "approve", approval, "--reason", "I have seen the release")
        until_done(story, approval)
        code = agent.wait(_SECONDS)
    finally:
        agent.kill()
        agent.wait(30)
        listening.join(30)
    if code != 0:
        raise SystemExit(f"the demonstration broke: the agent ended with {code}\n{''.join(said)}")
    if not real and model.keys != {f"Bearer {MODEL_KEY}"}:
        raise SystemExit("the demonstration broke: the model was asked with another key")
    story.chapter("What the agent saw of all this", "Its own words and the output of its tools, as it printed them.")
    sys.stdout.write(textwrap.indent("".join(said), "    "))


def _land(story: Story, project: Path, *, real: bool) -> None:
    story.chapter(
        "What it changed lands when you say so",
        "The agent worked on a layer over the project; nothing of it is in the folder yet. At a terminal a launch ends "
        "with this question. What an editor would run by itself is shown first, and asked for by itself.",
    )
    kept: Any = story.ask("session", "list")
    session = next(str(each["id"]) for each in kept["items"] if each["kind"] == "sandbox")
    sys.stdout.write(f"  In the folder before: {_names(project)}\n\n")
    story.run("session", "diff", session[-8:])
    if real:
        return  # what it wrote, and so what would be asked, is its own affair
    story.answer("session", "land", session[-8:], answers=[("[y/N/diff] ", "y"), ("[y/N] ", "n")])
    sys.stdout.write(f"  In the folder now: {_names(project)}\n")
    if (project / "version.txt").read_text() != "1.4.0\n" or (project / ".vscode").exists():
        raise SystemExit("the demonstration broke: something else landed than was said yes to")


def _names(folder: Path) -> str:
    return ", ".join(sorted(each.name for each in folder.iterdir()))


def _listen(agent: "subprocess.Popen[str]", said: list[str]) -> None:
    assert agent.stdout is not None
    said.extend(agent.stdout)


def _wait_for_request(story: Story, agent: "subprocess.Popen[str]", said: list[str]) -> str:
    for _ in range(_SECONDS * 4):
        waiting: Any = story.ask("approval", "list")
        if waiting["items"]:
            return str(waiting["items"][0]["id"])
        if agent.poll() is not None:
            break
    raise SystemExit("the demonstration broke: the agent asked for nothing\n" + "".join(said))


def _script() -> list[Any]:
    """What the model does, step by step; each sees what came back so far."""

    def request(said: list[str]) -> str:
        found = re.search(r"apr_[0-9a-f-]{36}", said[2])
        return found[0] if found else "apr_unknown"

    def ask(said: list[str]) -> tuple[str, dict[str, Any]]:
        return "check_action_status", {"approval_id": request(said), "wait_seconds": 50}

    def report(said: list[str]) -> Any:
        if "completed" not in said[-1] and len(said) < 9:
            return ask(said)
        out = "no" if "answered" not in said[3] and "<html" not in said[3] else "yes"
        mine = "no" if "answered 404" in said[4] else "yes"
        return f"Shipped, and said so. Could I reach the internet? {out}. Could I approve my own request? {mine}."

    return [
        lambda _: ("sh", {"script": _WRITE}),
        lambda _: ("read_status", {}),
        lambda _: ("post_status", {"state": "version 1.4.0 has shipped"}),
        lambda _: ("sh", {"script": _ELSEWHERE}),
        lambda said: ("sh", {"script": _APPROVE.replace("{id}", request(said))}),
        ask,
        report,
    ]
