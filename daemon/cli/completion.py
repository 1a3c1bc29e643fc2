"""`aileron completion`: the script with which a shell completes commands, options and names."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.completion_scripts import SCRIPTS, place
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.rendering import one_line

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_LOADED_BY = {
    "bash": "bash loads it from there with the package bash-completion. Without that, put this into ~/.bashrc:",
    "zsh": "zsh loads it from there if the folder is in its fpath. If not, put this into ~/.zshrc behind compinit:",
}


@app.command()
def completion(
    ctx: typer.Context,
    shell: Annotated[
        str | None, typer.Argument(metavar="bash|zsh|fish", help="Which one; the one of $SHELL, if not given.")
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Put it where the shell looks for it.")] = False,
) -> None:
    """Have your shell complete what you type.

    Prints the script for your shell. It completes commands, options and the names of actions, approvals, sessions,
    bindings and connectors, for which it asks the daemon if that runs; it never starts it.
    """
    invocation = Invocation.of(ctx)
    chosen = shell or Path(invocation.environ.get("SHELL", "")).name
    if chosen not in SCRIPTS:
        raise CliFailure.usage(
            f"{chosen or 'nothing'!r} is not a shell that this can complete for",
            remedy=f"Write one of: {', '.join(SCRIPTS)}.",
        )
    if not install:
        invocation.output.raw(SCRIPTS[chosen])
        return
    path = place(chosen, environ=invocation.environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SCRIPTS[chosen], encoding="utf-8")
    except OSError as error:
        raise CliFailure(
            f"{path} cannot be written: {error.strerror}",
            remedy=f"Or print it, and put it where {chosen} reads it: aileron completion {chosen}",
        ) from error
    invocation.output.line(f"Written to {one_line(str(path))}. A shell that is started from now on completes aileron.")
    if chosen in _LOADED_BY:
        invocation.output.note(_LOADED_BY[chosen], style="dim")
        invocation.output.note(f'    eval "$(aileron completion {chosen})"', style="dim")
