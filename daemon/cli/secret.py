"""`aileron secret`: plain named secrets in the vault; their values go in and are never shown."""

from typing import Annotated

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age
from daemon.cli.options import JsonOption, ValueFileOption, YesOption
from daemon.cli.rendering import one_line
from daemon.cli.secret_texts import is_free_of_a_value
from daemon.cli.takes_secret import TakesSecret
from daemon.cli.vault_check import need_open_vault

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Store plain secrets in the vault."
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name, such as team/deploy-key.")]
KnownArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name, as `secret list` shows it.", autocompletion=known.secrets)
]


@app.command(cls=TakesSecret)
def add(
    ctx: typer.Context, name: NameArgument, value_file: ValueFileOption = None, as_json: JsonOption = False
) -> None:
    """Store a secret, or replace its value.

    The value is asked for on the terminal without being shown, or read from --value-file. It is never an argument,
    because other programs can read those. One line end at the end of the file is not part of the value. A connector
    gets it with: aileron binding add CONNECTOR --from-secret NAME
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if not is_free_of_a_value(name):
        raise CliFailure.usage(
            "the name holds a sign that no name has, and perhaps the value; it is not repeated here",
            remedy="Write the name alone: the value is asked for, and not shown. If it stood on the line, it is in the "
            "history of your shell now: take another one.",
        )
    prompts = invocation.prompts
    with invocation.connect() as client:
        if value_file is not None:
            value = prompts.secret_file(value_file, option="--value-file")
        else:
            if prompts.interactive:
                need_open_vault(client, one_line(name))
            value = prompts.secret(f"Value of {name}", option="--value-file FILE")
        client.put("/v1/secrets", body={"name": name, "value": value})
    invocation.answer({"name": name}, f"{one_line(name)} is stored.")


@app.command("list")
def list_secrets(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the names of the stored secrets; values are never shown."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/secrets")
    if as_json:
        invocation.output.json(answer)
        return
    now = invocation.now()
    invocation.output.table(
        ["name", "kind", "version", "changed"],
        [[item["name"], item["kind"], item["version"], age(item["updated_at"], now)] for item in answer["items"]],
        empty="No secrets are stored.",
    )


@app.command()
def remove(ctx: typer.Context, name: KnownArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Remove a secret for good.

    Bindings that were made from it keep their own copy.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    invocation.prompts.confirm(f"Remove {name} for good?", yes=yes)
    with invocation.connect() as client:
        client.delete("/v1/secrets", name=name)
    invocation.answer({"name": name}, f"{one_line(name)} is removed.")
