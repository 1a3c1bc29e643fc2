"""`aileron backup`: everything of the home that is not made again by itself, in one file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line
from daemon.core.quantities import readable_size

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.custody.packing import Packed

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def backup(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to; else aileron-DATE.backup in this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pack everything of your installation into one file.

    The daemon goes on meanwhile. In the file are the audit log, the vault as it is (encrypted with your passphrase),
    actions, connectors, settings, and the key that signs the log. Work of agents that did not land is not in it.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    home = invocation.home().path
    if not home.is_dir():
        raise CliFailure(f"there is nothing to back up: {home} does not exist")
    target = file or Path(f"aileron-{invocation.now():%Y%m%d-%H%M%S}.backup")
    _check_target(target, invocation.home().backups_dir, home)
    with invocation.connect() as client:
        not_landed = _not_landed(client)
        with invocation.output.progress("Backing up"):
            packed = _pack(home, client.post("/v1/backups", patient=True), target)
    size = target.stat().st_size
    if as_json:
        about = packed.manifest.about.as_json()
        left = {"left_out": packed.left_out, "followed": packed.followed, "not_landed": not_landed}
        invocation.output.json({"file": str(target), "bytes": size, **about, **left})
        return
    _tell(invocation, target, packed, not_landed, size)


def _check_target(target: Path, backups: Path, home: Path) -> None:
    place = target.absolute()
    if os.path.lexists(place):
        raise CliFailure.usage(f"{target} is there already", remedy="Give another name, or move that one away.")
    if not place.parent.is_dir():
        raise CliFailure.usage(f"there is no folder {place.parent}", remedy="Make it, or give another name.")
    inside = place.parent.resolve()
    if inside.is_relative_to(home.resolve()) and not inside.is_relative_to(backups.resolve()):
        raise CliFailure.usage(
            f"{target} lies in the home itself", remedy="Put a backup elsewhere, best on another disk."
        )


def _not_landed(client: "ControlClient") -> list[str]:
    return [str(item["session"]) for item in client.get("/v1/workspaces")["items"]]


def _pack(home: Path, taken: dict[str, Any], target: Path) -> "Packed":
    """Write the backup beside its name, read it through, and give it the name; raises CliFailure."""
    import shutil

    from daemon.base.files import Draft, confirm_name
    from daemon.core.named_errors import in_words
    from daemon.custody.manifest import About, BackupError
    from daemon.custody.packing import pack
    from daemon.custody.unpacking import check

    snapshot = Path(taken["folder"])
    try:
        with Draft(target) as draft:
            with open(draft.descriptor, "wb", closefd=False) as file:
                packed = pack(file, home, snapshot, About.from_json(taken["about"]))
            draft.sync()
            if check(draft.path) != packed.manifest:
                raise BackupError("What was written is not what was read.")
            draft.become_target()
        confirm_name(target)
    except FileExistsError as error:
        raise CliFailure(f"{target} was made by somebody else meanwhile; nothing was written") from error
    except BackupError as error:
        raise CliFailure(f"the backup failed, and no file was left: {error}") from error
    except OSError as error:
        raise CliFailure(f"the backup failed, and no file was left: {in_words(error)}") from error
    finally:
        shutil.rmtree(snapshot, ignore_errors=True)
    return packed


def _tell(invocation: Invocation, target: Path, packed: "Packed", not_landed: list[str], size: int) -> None:
    output, about = invocation.output, packed.manifest.about
    output.line(f"{target} is written and was read through: {len(packed.manifest.files)} files, {readable_size(size)}.")
    output.line(f"The log in it ends at event {about.head_seq}. Bring it back with: aileron restore {target}")
    output.note(
        "Your passphrase protects the secrets in it, and nothing else: whoever has the file reads the log with the "
        "arguments of all calls, and can sign as this installation. Keep it like the home itself.",
        style="yellow",
    )
    for path in packed.left_out:
        output.note(f"Left out: {one_line(path)}", style="yellow")
    for path in packed.followed:
        output.note(f"{one_line(path)} is a link here, and in the backup the file that it leads to.")
    if not_landed:
        sessions = ", ".join(one_line(each) for each in not_landed)
        output.note(
            f"NOT in it: what agents changed and did not land ({sessions}). See: aileron session list", style="yellow"
        )
