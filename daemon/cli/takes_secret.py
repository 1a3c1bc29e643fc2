"""Commands that ask for something secret: what is typed is not shown, and what stands on their line not repeated."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation

if TYPE_CHECKING:
    from typer._click import Context


class TakesSecret(TyperCommand):
    """A command on whose line somebody may have put a secret: no message about the line repeats a word of it.

    What is typed while it waits, such as for the daemon to start, is not shown: it may be the secret.
    """

    def hint(self, given: list[str]) -> str:
        """Return what a person who wrote such a line may have meant, or nothing; no word of theirs is in it."""
        from difflib import get_close_matches

        ours = [option for each in self.params for option in (*each.opts, *each.secondary_opts)]
        for word in given:
            option = word.partition("=")[0]
            near = get_close_matches(option, ours, 1, 0.7) if option.startswith("--") and option not in ours else []
            if near and option != "--":
                return f"Did you mean {near[0]}?"
        return ""

    def invoke(self, ctx: "Context") -> Any:
        """Run it at a terminal that shows nothing but answers to questions for what is no secret."""
        invocation = ctx.find_object(Invocation)
        with nullcontext() if invocation is None else invocation.prompts.unseen():
            return super().invoke(ctx)

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Read the line; a word that does not belong there is not named."""
        from typer._click.exceptions import BadOptionUsage, MissingParameter, UsageError

        line = list(args)
        given = [word for each in args for word in (each, *each.split("=", 1)) if word]
        try:
            return super().parse_args(ctx, args)
        except (MissingParameter, BadOptionUsage):
            raise  # these name what is missing, in words of ours
        except UsageError as error:
            said = error.format_message()
            if not any(word in said for word in given):
                raise
        hint = self.hint(line[: line.index("--")] if "--" in line else line)
        raise CliFailure.usage(
            f"`{ctx.command_path}` was given a word or an option that it does not take; it is not repeated here",
            remedy=(
                (f"{hint}\n  " if hint else "")
                + "What is secret is never written on the line: it is asked for, or read with --value-file "
                "or --passphrase-file. If it stood there, it is in the history of your shell now: take another one.\n"
                f"  See `{ctx.command_path} --help`."
            ),
        )
