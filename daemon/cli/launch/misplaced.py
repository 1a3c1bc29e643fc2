"""Options of `aileron launch` that were written behind the agent's name, where they would be passed to the agent.

`aileron launch pi --sandbox` must not run on the host without a word. Which options are ours is read from the command
itself, so a new one is covered as soon as it is there.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure

if TYPE_CHECKING:
    import typer

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
"""What editors and web pages make of a hyphen."""
_SEPARATOR = "--"
_FOR_EVERY_LAUNCH = frozenset({"sandbox", "label", "folder", "as_json", "help", None})
"""Options that mean something without a container, too. Every other one is about the container."""


@dataclass(frozen=True, slots=True)
class OwnOption:
    """One option of the command: what it is called, and whether a value follows it."""

    parameter: str | None
    names: tuple[str, ...]
    takes_value: bool


def own_options(ctx: "typer.Context") -> tuple[OwnOption, ...]:
    """Return the options of the running command, its help among them."""
    return tuple(
        OwnOption(
            parameter.name, (*parameter.opts, *parameter.secondary_opts), not getattr(parameter, "is_flag", False)
        )
        for parameter in ctx.command.get_params(ctx)
        if parameter.param_type_name == "option"
    )


def refuse_without_sandbox(ctx: "typer.Context") -> None:
    """Raise if an option about the container was written for a launch on this machine; call it without --sandbox."""
    written = [
        option.names[0]
        for option in own_options(ctx)
        if option.parameter not in _FOR_EVERY_LAUNCH and _is_written(ctx, option.parameter)
    ]
    if written:
        verb = "needs" if len(written) == 1 else "need"
        raise CliFailure.usage(
            f"{', '.join(written)} {verb} --sandbox; nothing was started",
            remedy="Add --sandbox before the agent's name, or leave the rest away.",
        )


def _is_written(ctx: "typer.Context", parameter: str | None) -> bool:
    source = ctx.get_parameter_source(parameter) if parameter is not None else None
    return source is not None and source.name == "COMMANDLINE"


def refuse_misplaced(ctx: "typer.Context", agent: str, arguments: Sequence[str]) -> None:
    """Raise if one of our options stands behind the agent's name and not behind `--`; show the line that is right."""
    options = own_options(ctx)
    before = list(arguments[: arguments.index(_SEPARATOR)] if _SEPARATOR in arguments else arguments)
    ours, theirs = split(before, options)
    if not ours:
        return
    rest = [*theirs, *arguments[len(before) :]]
    if rest and rest[0] != _SEPARATOR:
        rest = [_SEPARATOR, *rest]
    placed = [*_well_placed(ctx, options), *ours]
    name = ours[0].partition("=")[0]
    raise CliFailure.usage(
        f"{name} stands behind the agent's name, where it would be passed to {agent}; nothing was started",
        remedy=(
            f"For Aileron: {_line([*placed, agent, *rest])}\n"
            f"  for {agent} itself: {_line([*_well_placed(ctx, options), agent, _SEPARATOR, *arguments])}"
        ),
    )


def split(arguments: Sequence[str], options: Sequence[OwnOption]) -> tuple[list[str], list[str]]:
    """Return our options as they should be written, each with its value, and what is left for the agent."""
    ours: list[str] = []
    theirs: list[str] = []
    left = iter(arguments)
    for word in left:
        found = _meant(word, options)
        if found is None:
            theirs.append(word)
            continue
        option, written = found
        ours.append(written)
        if option.takes_value and written in option.names:
            ours.extend(value for value in [next(left, None)] if value is not None)
    return ours, theirs


def _meant(word: str, options: Sequence[OwnOption]) -> "tuple[OwnOption, str] | None":
    """Return the option that a word means and its right spelling: `-sandbox` and `--SANDBOX=yes` mean one, too."""
    if len(word) < 2 or word[0] not in _DASHES:
        return None
    name, equals, value = word.partition("=")
    bare = name.lstrip(_DASHES).lower().replace("_", "-")
    for option in options:
        for known in option.names:
            if known.startswith("--"):
                if bare == known.lstrip("-"):
                    return option, f"{known}={value}" if equals and option.takes_value else known
            elif word == known or (option.takes_value and word.startswith(known)):
                return option, word  # a short one, with its value behind it: -C/tmp
    return None


def _well_placed(ctx: "typer.Context", options: Sequence[OwnOption]) -> Iterator[str]:
    """Write out again the options that stood where they belong."""
    for option in options:
        source = ctx.get_parameter_source(option.parameter or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        value = ctx.params[option.parameter or ""]
        for one in value if isinstance(value, list | tuple) else [value]:
            yield option.names[-1]
            if option.takes_value:
                yield str(one)


def _line(words: Sequence[str]) -> str:
    return shlex.join(["aileron", "launch", *words])
