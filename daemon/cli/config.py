"""`aileron config`: see the settings and where they come from, and change them in the file of the home."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.base.settings_shown import Shown

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="See and change the settings."
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Such as vault.auto_lock.")]


@app.command()
def show(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show every setting, its value, and where that comes from.

    The values are those of the file and of the environment of this command. What headers of providers hold is left out.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    found = _all(invocation)
    waiting = _waiting(invocation)
    if as_json:
        items = [each.as_json() | {"waits_for_next_start": each.name in waiting} for each in found]
        invocation.output.json({"file": str(invocation.home().config_path), "items": items})
        return
    invocation.output.table(
        ("SETTING", "VALUE", "FROM"),
        [(each.name, each.words, each.origin) for each in found],
        fold="VALUE",
        empty="There are no settings.",
    )
    if waiting:
        names = ", ".join(one_line(name) for name in waiting)
        invocation.output.note(f"The daemon that runs does not have these yet: {names}. They wait for: aileron stop")
    invocation.output.note(f"The file: {invocation.home().config_path}", style="dim")


@app.command()
def get(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Print the value of one setting."""
    invocation = Invocation.of(ctx, as_json=as_json)
    found = _all(invocation)
    wanted = next((each for each in found if each.name == name), None)
    if wanted is None:
        raise _unknown(name, [each.name for each in found])
    if as_json:
        invocation.output.json(wanted.as_json())
    else:
        invocation.output.line(one_line(wanted.words))


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_value(
    ctx: typer.Context,
    name: NameArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As in the file; quotes around text may be left out.")],
    as_json: JsonOption = False,
) -> None:
    """Set one setting in the file.

    The value is checked first, and the file keeps its comments and its order. Says whether the daemon that runs has
    taken it over, or takes it at its next start.
    """
    from daemon.base.settings_edit import with_setting

    invocation = Invocation.of(ctx, as_json=as_json)
    _change(invocation, lambda text, file: with_setting(text, name, value, file=file))
    _say_if_hidden(invocation, name)
    _say_if_idle(invocation, name)


@app.command()
def remove(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Take one setting out of the file, so that its default holds again."""
    from daemon.base.settings_edit import without_setting

    invocation = Invocation.of(ctx, as_json=as_json)
    _change(invocation, lambda text, file: without_setting(text, name, file=file))
    _say_if_hidden(invocation, name)


@app.command()
def edit(ctx: typer.Context) -> None:
    """Edit the file in your editor ($VISUAL or $EDITOR).

    What you wrote is checked before it is taken; if something in it is wrong, it is said and you may go on with it.
    """
    invocation = Invocation.of(ctx)
    from daemon.cli.config_editing import edited

    _change(invocation, lambda text, file: edited(invocation, text, file=file))


def _change(invocation: Invocation, change: Any) -> None:
    from daemon.base.settings import SettingsError
    from daemon.cli.config_writing import rewrite

    try:
        done = rewrite(invocation, change)
    except SettingsError as problem:
        raise _wrong(problem) from problem
    if invocation.as_json:
        invocation.output.json(done.as_json())
        return
    for sentence in done.sentences():
        invocation.output.line(sentence)


def _all(invocation: Invocation) -> "list[Shown]":
    from daemon.base.settings import SettingsError, read_source, settings_from
    from daemon.base.settings_shown import shown

    try:
        source = read_source(invocation.home().config_path)
        return shown(settings_from(source, invocation.environ), source, invocation.environ)
    except SettingsError as problem:
        raise _wrong(problem) from problem


def _waiting(invocation: Invocation) -> list[str]:
    """Return what a daemon that runs has not taken over; nothing if none runs, or if it cannot be asked."""
    try:
        client = invocation.connect_if_running()
        if client is None:
            return []
        with client:
            return list(client.get("/v1/settings")["waiting"])
    except CliFailure:
        return []


def _say_if_hidden(invocation: Invocation, name: str) -> None:
    """Say if a variable of the environment wins over what was written."""
    variable = f"AILERON_{name.replace('.', '__')}".upper()
    if variable in invocation.environ:
        invocation.output.note(f"{variable} is set here, and wins over the file where it is.", style="yellow")


def _say_if_idle(invocation: Invocation, name: str) -> None:
    """Say if a rule that was written is about nothing that is there: then it holds nothing back."""
    group, _, rule = name.partition("approvals.rules.")
    if group or not rule or invocation.as_json:
        return
    wanted = f"rule for {rule.strip(chr(34))}"
    try:
        client = invocation.connect_if_running()
        if client is None:
            return
        with client:
            checks = client.get("/v1/checks")["items"]
    except CliFailure:
        return  # the rule is written all the same
    for check in checks:
        if check["name"] == wanted:
            invocation.output.note(f"{one_line(check['message'])} {one_line(check['remedy'])}", style="yellow")


def _wrong(problem: Exception) -> CliFailure:
    return CliFailure(f"{problem}", failure_class="invalid_arguments")


def _unknown(name: str, known: list[str]) -> CliFailure:
    import difflib

    near = difflib.get_close_matches(name, known, 1, 0.4)
    remedy = f"Did you mean {near[0]}?" if near else "See them all: aileron config show"
    return CliFailure.usage(f"{name} is no setting", remedy=remedy)
