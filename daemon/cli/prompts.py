"""Asks the person at the terminal, and refuses to ask when nobody is there."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from daemon.cli.failure import CliFailure
from daemon.cli.rendering import neutralise

if TYPE_CHECKING:
    from daemon.cli.rendering import Output
    from daemon.cli.typed_lines import TypedLines
    from daemon.cli.unseen_typing import UnseenTyping

_TRIES = 3


class Prompts:
    """Questions to the person, each with the option that answers it when stdin is not a terminal."""

    def __init__(self, *, stdin: TextIO, output: "Output", environ: Mapping[str, str]) -> None:
        self._stdin = stdin
        self._output = output
        self._environ = environ
        self._unseen: UnseenTyping | None = None
        self._has_secret = False

    @property
    def interactive(self) -> bool:
        """Say whether a person can be asked."""
        return self._stdin.isatty() and self._output.err_terminal

    def typed_lines(self) -> "TypedLines":
        """Return the terminal, to be read line by line."""
        from daemon.cli.typed_lines import TypedLines

        return TypedLines(self._stdin)

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Show nothing that is typed, but at questions for what is no secret: one that is asked for may come early."""
        if not self.interactive:
            yield
            return
        from daemon.cli.unseen_typing import UnseenTyping

        with suppress(OSError, ValueError):  # a stream that only says it is a terminal has no descriptor
            self._unseen = UnseenTyping(self._stdin.fileno())
        try:
            if self._unseen is not None:
                self._unseen.begin()
            yield
        finally:
            if self._unseen is not None:
                # What was typed and never asked for is a secret, as far as is known.
                self._unseen.end(forget=not self._has_secret)
                self._unseen = None

    def confirm(self, question: str, *, yes: bool, option: str = "--yes", unseen: bool = False) -> None:
        """Go on when the person, or the option, said yes; end the command otherwise.

        What was typed before the question could be read does not answer it. An unseen answer is not shown while it is
        typed: where a secret was asked for, people paste it at the next question, too.
        """
        if yes:
            return
        self._require(question, option)
        self._forget_typed()
        answer = self._ask_unseen(f"{question} [y/N] ") if unseen else self._ask(f"{question} [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise CliFailure("not confirmed; nothing was changed")

    def answer(self, question: str) -> str | None:
        """Return what was typed, in lower case and possibly nothing; None for Ctrl-C and the end of the input.

        What was typed before the question could be read does not answer it.
        """
        self._forget_typed()
        try:
            with self._seen():
                self._output.ask(neutralise(question))
                line = self._stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            self._output.ask("\n")
            return None
        return line.strip().lower()

    def line(self, question: str) -> str:
        """Return what was typed, as it was typed; end the command at the end of the input.

        What was typed before the question could be read does not answer it.
        """
        self._require(question, "the value as an option")
        self._forget_typed()
        return self._ask(question).removesuffix("\n")

    def secret(self, label: str, *, option: str, twice: bool = False) -> str:
        """Ask for a text that must not be seen while it is typed."""
        self._require(label, option)
        for left in reversed(range(_TRIES)):
            value = self._ask_unseen(f"{label}: ")
            if not value:
                problem = CliFailure.usage(f"{label}: nothing was entered", remedy=f"Enter a value, or pass {option}.")
                again = "Nothing was entered."
            elif twice and self._ask_unseen(f"{label}, once more: ") != value:
                problem = CliFailure("the two entries differ; nothing was changed")
                again = "The two entries differ."
            else:
                self._has_secret = True
                return value
            if left:
                self._output.note(f"{again} Try again, or press Ctrl-C.", style="yellow")
        raise problem

    def secret_file(self, path: Path, *, option: str) -> str:
        """Read a secret from a file, or from stdin for `-`; the line end that editors add is not part of it."""
        try:
            text = self._stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CliFailure.usage(
                # Not the name: it may be the secret itself, put there by mistake.
                f"the file that {option} names cannot be read: {_reason(error)}",
                remedy=f"Pass a readable UTF-8 text file with {option}.",
            ) from error
        value = text.removesuffix("\n").removesuffix("\r")
        self._has_secret = True
        if not value:
            raise CliFailure.usage(
                f"the file that {option} names is empty", remedy=f"Pass a file that holds the value with {option}."
            )
        return value

    def passphrase(
        self,
        file: Path | None,
        *,
        label: str = "Vault passphrase",
        option: str = "--passphrase-file",
        variable: str = "AILERON_VAULT_PASSPHRASE",
        twice: bool = False,
    ) -> str:
        """Take a vault passphrase from a file, the environment or the terminal, in this order; never from argv."""
        if file is not None:
            return self.secret_file(file, option=option)
        if value := self._environ.get(variable):
            self._has_secret = True
            return value
        return self.secret(label, option=f"{option} FILE, or set {variable}", twice=twice)

    def _require(self, question: str, option: str) -> None:
        if not self.interactive:
            raise CliFailure.usage(
                f"this needs an answer, and there is no terminal to ask on: {neutralise(question)}",
                remedy=f"Pass {option}.",
            )

    def _forget_typed(self) -> None:
        with suppress(OSError, ValueError):  # a stream that only says it is a terminal has no descriptor
            self.typed_lines().forget()

    def _ask_unseen(self, question: str) -> str:
        from getpass import getpass

        with self._line_ended():
            try:
                return getpass(neutralise(question))
            except EOFError:
                raise CliFailure("no answer was given; nothing was changed") from None

    @contextmanager
    def _line_ended(self) -> Iterator[None]:
        """End the line of a question that is left by Ctrl-C: what comes next begins on a line of its own."""
        try:
            yield
        except KeyboardInterrupt:
            self._output.ask("\n")
            raise

    def _seen(self) -> AbstractContextManager[None]:
        return nullcontext() if self._unseen is None else self._unseen.seen()

    def _ask(self, question: str) -> str:
        # The question goes to stderr, so that stdout stays what the command answers.
        with self._seen(), self._line_ended():
            self._output.ask(neutralise(question))
            answer = self._stdin.readline()
        if not answer:
            self._output.ask("\n")
            raise CliFailure("no answer was given; nothing was changed")
        return answer


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"
