"""What `aileron launch` can be told: the options, and the words that they know."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure

Word = TypeVar("Word", bound=str)

LAND_WORDS = ("ask", "auto", "branch", "never")

AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", help="claude, codex, goose, opencode or pi.", autocompletion=known.agents)
]
OwnArguments = Annotated[
    list[str] | None, typer.Argument(metavar="-- ARGUMENTS", help="What the agent itself is given.")
]
LabelOption = Annotated[str, typer.Option("--label", metavar="LABEL", help="A name for the session, shown in lists.")]
FolderOption = Annotated[
    Path | None, typer.Option("-C", "--dir", metavar="FOLDER", help="Where the agent works; here, if not given.")
]
SandboxOption = Annotated[
    bool,
    typer.Option("--sandbox", help="In a container whose only way out is the daemon; the options below need it."),
]
ImageOption = Annotated[
    str | None, typer.Option("--image", metavar="IMAGE", help="An image of yours, with the agent mounted in it.")
]
DevcontainerOption = Annotated[
    bool, typer.Option("--devcontainer", help="In the container that the folder's devcontainer.json describes.")
]
ProgramOption = Annotated[
    str | None, typer.Option("--program", metavar="NAME", help="A program of the image in place of the agent.")
]
NetworkOption = Annotated[
    str, typer.Option("--network", metavar="internal|open", help="`open` lets the agent reach everything. Loud.")
]
VariablesOption = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME[=VALUE]", help="Hand a variable in; may be repeated.")
]
UserOption = Annotated[str | None, typer.Option("--user", metavar="UID[:GID]", help="As whom, if you are root.")]
MemoryOption = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Such as 4GiB.")]
CpusOption = Annotated[float | None, typer.Option("--cpus", metavar="NUMBER", help="Such as 2.")]
TimeoutOption = Annotated[
    str | None,
    typer.Option("--timeout", metavar="TIME", help="End it after this time, such as 30m; exit code 124."),
]
LandOption = Annotated[
    str | None,
    typer.Option(
        "--land",
        metavar="ask|auto|branch|never",
        help="What becomes of the agent's work at the end; ask at a terminal, else branch in a repository.",
    ),
]
WorkspaceOption = Annotated[
    str,
    typer.Option("--workspace", metavar="auto|copy|live", help="`live` mounts the folder itself. Read the docs."),
]
ResumeOption = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="SESSION",
        help="Go on in the workspace of an earlier session.",
        autocompletion=known.sessions,
    ),
]
BuildCaOption = Annotated[
    Path | None, typer.Option("--build-ca", metavar="FILE", help="Whom to trust, too, if the image must be built.")
]


def one_of(option: str, word: str, known: Sequence[Word]) -> Word:
    """Return a word that an option knows; raise CliFailure for another one."""
    for each in known:
        if each == word:
            return each
    raise CliFailure.usage(f"{option} {word}: there is no such way", remedy=f"Write one of: {', '.join(known)}")


def check_land(wish: str | None, *, live: bool, interactive: bool) -> None:
    """Raise CliFailure for a way of landing that is unknown, or that this launch cannot take."""
    if wish is None:
        return
    one_of("--land", wish, LAND_WORDS)
    if wish == "ask" and not interactive:
        raise CliFailure.usage(
            "--land ask needs a terminal to ask on; nothing was started", remedy="Write --land auto, branch or never."
        )
    if live:
        raise CliFailure.usage("--workspace live writes to the folder itself, so there is nothing for --land to decide")
