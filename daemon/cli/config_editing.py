"""Has a person edit the settings file in their editor, and checks what they wrote before it is taken."""

import shlex
import subprocess
import tempfile
from pathlib import Path

from daemon.base.settings import SettingsError, parse_source, settings_from
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation

_EDITORS = ("VISUAL", "EDITOR")
_USUAL = "vi"
_BEGINNING = """\
# Settings of Aileron; `aileron config show` lists them all. For example:
#
# [vault]
# auto_lock = "2h"
"""


def edited(invocation: Invocation, text: str, *, file: str) -> str:
    """Return what the person made of a text, once it is right; raise CliFailure if they give up.

    A copy is edited. What they wrote and gave up is kept, and said where.
    """
    chosen = next((invocation.environ[name] for name in _EDITORS if invocation.environ.get(name)), None)
    if chosen is None and not (invocation.prompts.interactive and invocation.output.terminal):
        # One that edits without a terminal would have been named; the usual one waits there for ever, and takes time.
        raise CliFailure.usage("there is no terminal to edit on", remedy="Use: aileron config set, or set EDITOR.")
    words = shlex.split(chosen or _USUAL)
    # Not removed when something goes wrong: it may be the only copy of half an hour's work.
    folder = Path(tempfile.mkdtemp(prefix="aileron-config-"))
    draft = folder / "config.toml"
    draft.write_text(text or _BEGINNING, encoding="utf-8")
    while True:
        _edit(words, draft)
        try:
            new = draft.read_text(encoding="utf-8")
            settings_from(parse_source(new, file=file), {})
        except (SettingsError, OSError, UnicodeDecodeError) as problem:
            _go_on(invocation, str(problem), draft)
            continue
        draft.unlink()
        folder.rmdir()
        return text if new == _BEGINNING and not text else new


def _edit(words: list[str], draft: Path) -> None:
    try:
        code = subprocess.run([*words, str(draft)], check=False).returncode
    except OSError as problem:
        remedy = "Set EDITOR to one that is there, or use: aileron config set"
        raise CliFailure(f"{words[0]} cannot be run: {problem.strerror}", remedy=remedy) from problem
    if code:
        raise CliFailure(f"{words[0]} ended with {code}, so nothing was taken; what it left: {draft}")


def _go_on(invocation: Invocation, problem: str, draft: Path) -> None:
    invocation.output.note(problem, style="yellow")
    kept = CliFailure(f"nothing was taken; what you wrote is in {draft}")
    if not invocation.prompts.interactive:
        raise kept
    try:
        invocation.prompts.confirm("Go on editing?", yes=False)
    except CliFailure:
        raise kept from None
