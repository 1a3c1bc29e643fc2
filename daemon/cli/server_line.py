"""The line of `aileron server add`: what it cannot mean is refused with the order that was probably meant.

No sentence of these repeats a word of the line, because a token may stand in it.
"""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure
from daemon.cli.takes_secret import TakesSecret

if TYPE_CHECKING:
    from typer._click import Context

_COMMAND = "aileron server add NAME -- npx -y PACKAGE"
_ADDRESS = "aileron server add NAME --url URL"
_ORDERS = {
    "--url": _ADDRESS,
    "--header": f"{_ADDRESS} --header HEADER",
    "--env": "aileron server add NAME --env VARIABLE -- npx -y PACKAGE",
}
_OURS_ONLY = frozenset({"--no-test", "--per-session", "--plain"})
"""Options that hardly any server has."""
_IS_ADDRESS = re.compile(r"(?:https?|wss?)://", re.IGNORECASE)
_UPWARDS = re.compile(r"\.{1,2}(?:/.*)?", re.DOTALL)


class AddsServer(TakesSecret):
    """`aileron server add`: who forgets the two dashes before the command is told of them."""

    def hint(self, given: list[str]) -> str:
        """Return what a person who wrote such a line may have meant."""
        return super().hint(given) or (
            f"What belongs to the command that starts the server is written behind two dashes: {_COMMAND}"
        )

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Read the line; refuse an option that may be Aileron's or the command's."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        command = list(ctx.params.get("command") or ())
        if command and "--" not in given and given[-len(command) :] != command and not ctx.resilient_parsing:
            raise CliFailure.usage(
                "an option stands among the words of the command, and may be meant for Aileron or for the command",
                remedy=f"Write Aileron's options first, then two dashes, then the command: {_ORDERS['--env']}",
            )
        return rest


def check_line(
    name: str,
    command: Sequence[str],
    url: str | None,
    *,
    env: bool,
    header: bool,
    folder: bool,
    options: Collection[str],
) -> None:
    """Raise CliFailure for a line that cannot mean a server. `options` are those of the command itself. Pure."""
    if _IS_ADDRESS.match(name):
        raise CliFailure.usage("the server has no name: an address stands in its place", remedy=f"Write: {_ADDRESS}")
    if command:
        _check_program(command[0], options)
    if url is not None and command:
        raise CliFailure.usage(
            "an address and the words of a command are given, and a server has one of them",
            remedy=f"Write: {_ADDRESS}. A value with a space, as of --header, stands in quotation marks.",
        )
    if url is None and not command:
        raise CliFailure.usage(
            "a server is started by a command, or reached at a URL",
            remedy=f"Write it like: {_COMMAND}, or: {_ADDRESS}",
        )
    if url is not None and (env or folder):
        raise CliFailure.usage("a remote server has no variables and no folder", remedy="Pass --header instead.")
    if url is None and header:
        raise CliFailure.usage("a server that is started here has no headers", remedy="Pass --env instead.")


def strayed(command: Sequence[str]) -> Sequence[str]:
    """Return the words of a command that are most probably options of Aileron's in the wrong place. Pure."""
    return [word for word in command if word in _OURS_ONLY]


def _check_program(word: str, options: Collection[str]) -> None:
    option = word.partition("=")[0]
    if option in options:
        order = _ORDERS.get(option, f"aileron server add NAME {option} -- npx -y PACKAGE")
        raise CliFailure.usage(
            f"{option} stands behind the two dashes, where the command begins, so it would be started as a program",
            remedy=f"Write it before the dashes: {order}",
        )
    if word.startswith("-"):
        raise CliFailure.usage(
            "the command begins with an option, and has no program", remedy=f"Write the program first: {_COMMAND}"
        )
    if _IS_ADDRESS.match(word):
        raise CliFailure.usage(
            "an address stands where the program should be", remedy=f"A server at an address is added so: {_ADDRESS}"
        )
    if not word.strip():
        raise CliFailure.usage("the program is empty", remedy=f"Write it like: {_COMMAND}")


def check_program_is_one_word(word: str, is_program: Callable[[str], bool]) -> None:
    """Raise CliFailure if a whole command stands in quotation marks. A program may have spaces in its name."""
    first = word.split(maxsplit=1)[0]
    if first != word and not is_program(word) and ("/" not in first or is_program(first)):
        raise CliFailure.usage(
            "the command stands in one pair of quotation marks, so all of it would be the name of one program",
            remedy=f"Write its words without them: {_COMMAND}",
        )


def check_paths(command: Sequence[str], here: Path, home: Path) -> None:
    """Raise CliFailure if a path counts from the folder that the person stands in: the server works in another one.

    Without this, `server-filesystem .` typed in a project would hand over the whole home.
    """
    if here == home:
        return
    if any(_UPWARDS.fullmatch(word) or _is_file_of(word, here) for word in command):
        raise CliFailure.usage(
            "a path in the command counts from this folder, and the server works in your home",
            remedy="Write the whole path, or say where the server works: --folder . for this folder, --folder ~ for "
            "your home.",
        )


def _is_file_of(word: str, folder: Path) -> bool:
    """Say whether a word names something in a folder and is more than a word that happens to be a name there."""
    if word.startswith(("-", "/", "~")) or not ("/" in word or "." in word):
        return False
    try:
        return (folder / word).exists()
    except (OSError, ValueError):
        return False


def whole_folder(folder: str, here: Path) -> str:
    """Return a folder as servers.yaml takes it: what does not begin with / or ~/ counts from where one stands."""
    if folder == "~" or folder.startswith(("/", "~/")) or not folder:
        return folder
    return str((here / folder).resolve())
