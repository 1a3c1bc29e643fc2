"""`aileron restore`: brings an installation back from a backup, on this machine or another one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.base.home import Home
    from daemon.custody.restoring import Restored

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `aileron backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Although there is a home; that one is kept beside it.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an installation back from a backup.

    Every file is checked first. What was open when the backup was made is not open afterwards: sessions have ended, and
    approvals are void, because they may have been used since.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.custody.restoring import is_taken, left_behind

    home = _resolved(invocation.home())
    try:
        taken = is_taken(home.path)
    except OSError as error:
        raise CliFailure(
            f"{home.path} cannot be looked into: {error.strerror}", remedy="Check its permissions."
        ) from error
    if taken:
        if not replace:
            raise CliFailure(
                f"there is a home at {home.path} already, and a restore would take its place",
                remedy="With --replace it is kept beside the restored one. Or name another home in AILERON_HOME.",
            )
        question = f"Put the home of {file} in the place of {home.path}? The one that is there is kept beside it."
        invocation.prompts.confirm(question, yes=yes)
    with _nobody_uses(home), invocation.output.progress("Restoring"):
        restored = _restore(invocation, file, home)
    if as_json:
        about = restored.manifest.about.as_json()
        kept = None if restored.kept is None else str(restored.kept)
        invocation.output.json({"home": str(home.path), "kept": kept, **about})
        return
    _tell(invocation, restored)
    for path in left_behind(home.path):
        invocation.output.note(f"An interrupted restore has left a home: {path}. Look at it, then remove it.")


def _resolved(home: "Home") -> "Home":
    from daemon.base.home import Home

    return Home(home.path.resolve())


@contextmanager
def _nobody_uses(home: "Home") -> Iterator[None]:
    """Hold the locks of the home that is there, so that no daemon runs in it or begins to."""
    from daemon.lifecycle.lock import FileLock

    held = []
    try:
        for path in (home.spawn_lock_path, home.lock_path) if home.path.is_dir() else ():
            lock = FileLock(path)
            if not lock.acquire():
                raise CliFailure(f"the daemon of {home.path} runs", remedy="First: aileron stop")
            held.append(lock)
        yield
    except OSError as error:
        raise CliFailure(f"{home.path} cannot be used: {error.strerror}") from error
    finally:
        for lock in held:
            lock.release()


def _restore(invocation: Invocation, file: Path, home: "Home") -> "Restored":
    from daemon.core.named_errors import in_words
    from daemon.custody.manifest import BackupError
    from daemon.custody.restoring import restore as bring_back

    stamp = f"{invocation.now():%Y%m%d-%H%M%S}"
    try:
        return bring_back(file, home.path, stamp=stamp)
    except BackupError as error:
        raise CliFailure(f"nothing was restored: {error}") from error
    except OSError as error:
        raise CliFailure(f"nothing was restored: {in_words(error)}") from error


def _tell(invocation: Invocation, restored: "Restored") -> None:
    output, about = invocation.output, restored.manifest.about
    output.line(
        f"{restored.home} is the home of {one_line(about.made_at)} again; its log ends at event {about.head_seq}."
    )
    if restored.kept is not None:
        output.line(f"The home that was there before lies in {restored.kept}.")
    output.note("What happened after the backup was made is not in this log. It goes on from here, as another one.")
    output.note(
        "What you revoked or removed since then is back: keys, bindings, secrets, an old passphrase.", style="yellow"
    )
    output.note("Next: aileron vault unlock, aileron doctor, and aileron agent list for agents on this machine.")
