"""`aileron vault`: the passphrase, and the lock it opens."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import span, time_left
from daemon.cli.options import JsonOption, PassphraseFileOption
from daemon.cli.takes_secret import TakesSecret

_NO_RECOVERY = (
    "There is no way to recover this passphrase, by anyone. Without it, everything in the vault is lost.\n"
    "Choose a long one, and write it down where you keep things that matter."
)

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Create, unlock and lock the vault."
)


@app.command(cls=TakesSecret)
def init(ctx: typer.Context, passphrase_file: PassphraseFileOption = None, as_json: JsonOption = False) -> None:
    """Create the vault, and leave it unlocked.

    The passphrase is asked for on the terminal, or comes from --passphrase-file or AILERON_VAULT_PASSPHRASE.
    There is no way to recover it.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        if client.get("/v1/vault")["state"] != "absent":
            raise CliFailure(
                "there is a vault already; nothing was changed",
                remedy="To choose another passphrase, run: aileron vault passwd",
            )
        invocation.output.note(_NO_RECOVERY, style="yellow")
        passphrase = invocation.prompts.passphrase(passphrase_file, label="New vault passphrase", twice=True)
        with invocation.output.progress("Creating the vault"):
            answer = client.post("/v1/vault/create", body={"passphrase": passphrase})
    invocation.answer(answer, "The vault is created and unlocked.")


@app.command(cls=TakesSecret)
def unlock(ctx: typer.Context, passphrase_file: PassphraseFileOption = None, as_json: JsonOption = False) -> None:
    """Unlock the vault.

    It stays so until it is locked again, or was not used for a while.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/vault")
        if answer["state"] == "absent":
            raise CliFailure("there is no vault yet", remedy="run: aileron vault init")
        if answer["state"] == "unlocked":
            invocation.answer(answer, "The vault is unlocked already.")
            return
        passphrase = invocation.prompts.passphrase(passphrase_file)
        with invocation.output.progress("Unlocking the vault"):
            answer = client.post("/v1/vault/unlock", body={"passphrase": passphrase})
    invocation.answer(answer, "The vault is unlocked.")


@app.command()
def lock(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Lock the vault; nothing in it can be used then."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.post("/v1/vault/lock")
    invocation.answer(answer, "The vault is locked.")


@app.command(cls=TakesSecret)
def passwd(
    ctx: typer.Context,
    passphrase_file: PassphraseFileOption = None,
    new_passphrase_file: Annotated[
        Path | None, typer.Option("--new-passphrase-file", metavar="FILE", help="Read the new passphrase from here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change the passphrase; what the vault holds stays as it is.

    For scripts, the new passphrase can also come from AILERON_VAULT_NEW_PASSPHRASE.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        old = invocation.prompts.passphrase(passphrase_file, label="Current vault passphrase")
        new = invocation.prompts.passphrase(
            new_passphrase_file,
            label="New vault passphrase",
            option="--new-passphrase-file",
            variable="AILERON_VAULT_NEW_PASSPHRASE",
            twice=True,
        )
        with invocation.output.progress("Changing the passphrase"):
            answer = client.post("/v1/vault/passphrase", body={"old": old, "new": new})
    invocation.answer(answer, "The passphrase is changed.")


@app.command()
def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show whether the vault is locked."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/vault")
    if as_json:
        invocation.output.json(answer)
        return
    fields: list[tuple[str, Any]] = [("vault", answer["state"]), ("entries", str(answer["entries"]))]
    if answer.get("auto_lock_seconds"):
        fields.append(("locks after", f"{span(answer['auto_lock_seconds'])} without use"))
    if answer.get("locks_at"):
        fields.append(("locks in", time_left(answer["locks_at"], invocation.now())))
    invocation.output.fields(fields)
