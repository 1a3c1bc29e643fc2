"""`aileron connector sign`: a publisher's part of a release. No daemon is asked, and no home is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.connectors.signing import Signed


def sign(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where connector.wasm and manifest.toml lie.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Your private key, an Ed25519 key in PEM.")],
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the key first, and FILE.pub to give away.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign a connector of your own.

    Writes signature.sig into the folder. Whoever trusts your public key installs it without --allow-unsigned. Keep the
    private key where no agent reads; it is never printed.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.connectors.signing import public_path

    signed = _signed(folder, key, new_key=new_key)
    public = public_path(key)
    if as_json:
        told = {"name": signed.name, "version": signed.version, "key_id": signed.key_id, "file": str(signed.signature)}
        invocation.output.json({**told, "public_key": str(public) if public.exists() else None})
        return
    output = invocation.output
    output.line(f"{one_line(signed.name)} {one_line(signed.version)} is signed with the key {signed.key_id}.")
    if new_key:
        output.line(f"The new key is {key}, for you alone; {public} is for those who install what you sign.")
    owner = signed.name.rsplit("/", 1)[0]
    where = public if public.exists() else "KEY"
    output.note("Whoever installs it trusts the key once, and then adds the folder:")
    output.note(f"  aileron keyring add {where} --namespace {one_line(owner)}\n  aileron connector add {folder}")


def _signed(folder: Path, key: Path, *, new_key: bool) -> "Signed":
    from daemon.connectors.errors import InstallError
    from daemon.connectors.signing import make_key, sign_folder

    try:
        if new_key:
            make_key(key)
        return sign_folder(folder, key)
    except InstallError as error:
        raise CliFailure(error.message) from error
    except FileExistsError as error:
        raise CliFailure.usage(f"{error.filename} is there already", remedy="Leave --new-key out to use it.") from error
    except FileNotFoundError as error:
        remedy = "To make a key, pass --new-key as well." if error.filename == str(key) else "Pass a path that exists."
        raise CliFailure.usage(f"there is no {error.filename}", remedy=remedy) from error
    except OSError as error:
        raise CliFailure(f"{error.filename or folder} cannot be used: {error.strerror}") from error
