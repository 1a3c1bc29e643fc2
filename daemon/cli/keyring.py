"""`aileron keyring`: the keys whose signatures on connectors are trusted."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_SHORTEST_KEY = 43
"""Characters of 32 bytes in base64 without padding; what is shorter was meant to be the name of a file."""

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Choose whose signatures on connectors you trust.",
)


@app.command()
def add(
    ctx: typer.Context,
    public_key: Annotated[
        str, typer.Argument(metavar="KEY", help="An Ed25519 public key: a PEM file, or the key itself in base64.")
    ],
    namespace: Annotated[
        list[str],
        typer.Option(
            "--namespace",
            metavar="NAMESPACE",
            help="What the key may sign for, such as github://acme. Can be repeated.",
        ),
    ],
    label: Annotated[
        str,
        typer.Option(
            "--label", metavar="LABEL", help="Whose key this is, in your words; else its file, or the first namespace."
        ),
    ] = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Trust a key for connectors of some namespaces."""
    invocation = Invocation.of(ctx, as_json=as_json)
    key = _read_key(public_key)
    spaces = ", ".join(one_line(item) for item in namespace)
    invocation.prompts.confirm(f"Trust everything that this key signs under {spaces}?", yes=yes)
    with invocation.connect() as client:
        label = label or (public_key if key != public_key else namespace[0])
        answer = client.post("/v1/keyring", body={"public_key": key, "label": label, "namespaces": namespace})
    invocation.answer(answer, f"The key {one_line(answer.get('key_id'))} is trusted for {spaces}.")


def _read_key(text: str) -> str:
    path = Path(text)
    try:
        if path.is_file():
            return path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise CliFailure.usage(
            f"{text} cannot be read as a key", remedy="Pass a PEM file, or the key itself in base64."
        ) from error
    if len(text) < _SHORTEST_KEY:
        raise CliFailure.usage(
            f"there is no file {one_line(text)}, and it is no key itself",
            remedy="Pass a PEM file, or the key itself in base64.",
        )
    return text


@app.command("list")
def list_keys(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the keys you trust, and those you no longer trust."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/keyring")
    if as_json:
        invocation.output.json(answer)
        return
    now = invocation.now()
    invocation.output.table(
        ["key", "label", "namespaces", "since", "state"],
        [
            [
                item["key_id"],
                item["label"],
                item["namespaces"],
                age(item["trusted_at"], now),
                "revoked" if item.get("revoked_at") else "trusted",
            ]
            for item in answer["items"]
        ],
        fold="namespaces",
        empty="No keys are trusted. Trust one with: aileron keyring add KEY --namespace github://owner",
        styles={"trusted": "green", "revoked": "red"},
    )


@app.command()
def remove(
    ctx: typer.Context,
    key_id: Annotated[
        str,
        typer.Argument(metavar="KEY_ID", help="The key's id, as `keyring list` shows it.", autocompletion=known.keys),
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="REASON", help="Kept in the keyring and in the audit log.")
    ] = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Trust a key no longer.

    Connectors that it signed stop working.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        stopping = _signed_by(client, key_id)
        if stopping:
            invocation.output.note(f"These connectors stop working: {one_line(stopping)}", style="yellow")
        invocation.prompts.confirm("Stop trusting this key? Connectors that it signed stop working.", yes=yes)
        answer = client.post("/v1/keyring/revoke", body={"key_id": key_id, **({"reason": reason} if reason else {})})
    invocation.answer(answer, f"The key {one_line(key_id)} is revoked.")


def _signed_by(client: "ControlClient", key_id: str) -> list[str]:
    """Return the installed connectors that a key signed; where they cannot be listed, a key is revoked all the same."""
    with suppress(CliFailure):
        items = client.get("/v1/connectors")["items"]
        mine = [item for item in items if (item.get("signature") or {}).get("key_id") == key_id]
        return [f"{item['name']} {item['version']}" for item in mine]
    return []
