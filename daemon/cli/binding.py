"""`aileron binding`: which credential a connector may use, and where it is sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.binding_value import read_value
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, in_full
from daemon.cli.options import JsonOption, ValueFileOption, YesOption
from daemon.cli.rendering import one_line
from daemon.cli.takes_secret import TakesSecret
from daemon.cli.vault_check import need_open_vault

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Give connectors the credentials they may use.",
)

ConnectorArgument = Annotated[
    str,
    typer.Argument(
        metavar="CONNECTOR",
        help="The connector's full name, such as github://acme/slack, or provider://NAME.",
        autocompletion=known.connectors,
    ),
]
NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The binding's name, as `binding list` shows it.", autocompletion=known.bindings
    ),
]


@app.command(cls=TakesSecret)
def add(
    ctx: typer.Context,
    connector: ConnectorArgument,
    identity: Annotated[
        str, typer.Option("--identity", metavar="NAME", help="A name for the account, if you have several.")
    ] = "default",
    replace: Annotated[bool, typer.Option("--replace", help="Replace the credential of an existing binding.")] = False,
    username: Annotated[
        str | None, typer.Option("--username", metavar="NAME", help="The user name of a `basic` credential.")
    ] = None,
    value_file: ValueFileOption = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--from-secret",
            metavar="NAME",
            help="Take the value of this stored secret, as `secret list` shows it.",
            autocompletion=known.secrets,
        ),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Store a credential and let one connector use it.

    Shows first to which hosts and in which header the credential will be sent. The value is asked for on the
    terminal without being shown, or read from --value-file: the key (api_key), the password (basic), or a JSON
    object with access_token, refresh_token, expires_at_ms, scopes and token_type (oauth2). With --from-secret it is
    copied from a stored secret, inside the vault; if that changes later, add the binding again with --replace.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    invocation.need_yes_with_json(yes=yes)
    with invocation.connect() as client:
        shown = _grantee(client, connector)
        credential = shown.get("credential")
        if not credential or credential.get("kind") in (None, "none"):
            raise CliFailure(f"{connector} uses no credential, so there is nothing to add")
        if not as_json:
            show_credential(invocation, shown)
        if invocation.prompts.interactive and value_file is None and secret is None:
            # Before the key is asked for: to type it for nothing is annoying, and it is on a clipboard meanwhile.
            need_open_vault(client, f"A credential for {one_line(shown['name'])}")
            _need_place(client, shown, identity, replace=replace)
        value = read_value(invocation.prompts, credential["kind"], username=username, file=value_file, stored=secret)
        invocation.prompts.confirm("Let this connector use the credential there?", yes=yes, unseen=True)
        binding = client.post(
            "/v1/bindings",
            body={"connector": str(shown["name"]), "identity": identity, "value": value, "replace": replace},
        )
    invocation.answer(binding, f"{one_line(binding['name'])} is stored, and {one_line(shown['name'])} may use it.")
    if binding.get("choice_needed"):
        invocation.output.note(
            f"It may now use several. Choose one: aileron binding use {one_line(shown['name'])} NAME", style="yellow"
        )


def _need_place(client: "ControlClient", shown: dict[str, Any], identity: str, *, replace: bool) -> None:
    """Raise CliFailure if a credential of this identity is there, and is not to be replaced."""
    connector, kind = shown["name"], shown["credential"]["kind"]
    for each in [] if replace else client.get("/v1/bindings")["items"]:
        if (each["kind"], each["identity"]) == (kind, identity) and connector in each["connectors"]:
            raise CliFailure(
                f"{one_line(each['name'])} is set up already; nothing was changed",
                remedy="To give it a new value, pass --replace. To keep both, pass another --identity.",
            )


def _grantee(client: "ControlClient", ref: str) -> dict[str, Any]:
    """Return what takes a credential: a connector, or a model provider."""
    scheme, separator, name = ref.partition("://")
    if not separator or scheme != "provider":
        shown: dict[str, Any] = client.get("/v1/connectors/show", ref=ref)
        return shown
    provider = client.get("/v1/providers/{}", name)
    return {"name": provider["ref"], "version": provider["base_url"], "credential": provider["credential"]}


def show_credential(invocation: Invocation, connector: dict[str, Any]) -> None:
    """Write where a connector's credential goes, so that a person can agree to it."""
    credential = connector["credential"]
    header = "-"
    if credential.get("header"):
        header = f"{credential['header']}: {str(credential.get('format')).replace('{secret}', '********')}"
    fields = [
        ("connector", f"{connector['name']} {connector['version']}"),
        ("credential", credential["kind"]),
        ("sent to", credential["hosts"]),
        ("as header", header),
    ]
    if credential.get("scope"):
        fields.append(("scope", credential["scope"]))
    invocation.output.fields(fields)


@app.command("list")
def list_bindings(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the bindings and the connectors that may use them."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/bindings")
    if as_json:
        invocation.output.json(answer)
        return
    now = invocation.now()
    invocation.output.table(
        ["name", "kind", "connectors", "changed"],
        [
            [item["name"], item["kind"], sorted(item["connectors"]), age(item["updated_at"], now)]
            for item in answer["items"]
        ],
        fold="connectors",
        empty="There are no bindings. Set one up with: aileron binding add CONNECTOR",
    )


@app.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show a binding and where its credential is sent.

    The value is never shown.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/bindings/inspect", name=name)
    if as_json:
        invocation.output.json(item)
        return
    fields: list[tuple[str, Any]] = [(key, item[key]) for key in ("name", "kind", "service", "identity")]
    fields += [(f"{connector} sends it to", hosts) for connector, hosts in sorted(item["connectors"].items())]
    fields.append(("chosen for", item["chosen_for"]))
    fields += [(label, item[key]) for key, label in (("scopes", "scopes"), ("expires_at", "expires")) if item.get(key)]
    now = invocation.now()
    fields += [("created", in_full(item["created_at"], now)), ("changed", in_full(item["updated_at"], now))]
    invocation.output.fields(fields)


@app.command()
def use(
    ctx: typer.Context,
    connector: ConnectorArgument,
    name: NameArgument,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the binding that a connector uses.

    The connector may then use it for the hosts that it names now.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    invocation.need_yes_with_json(yes=yes)
    with invocation.connect() as client:
        shown = _grantee(client, connector)
        if shown.get("credential") and not as_json:
            show_credential(invocation, shown)
        invocation.prompts.confirm(f"Let this connector use {name} there?", yes=yes)
        binding = client.post("/v1/bindings/rebind", body={"connector": str(shown["name"]), "name": name})
    invocation.answer(binding, f"{one_line(shown['name'])} now uses {one_line(name)}.")


@app.command()
def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Remove a binding and its credential for good."""
    invocation = Invocation.of(ctx, as_json=as_json)
    invocation.prompts.confirm(f"Remove {name} and its credential for good?", yes=yes)
    with invocation.connect() as client:
        gone = client.delete("/v1/bindings", name=name)
    invocation.answer(gone, f"{one_line(name)} is removed.")
    for connector, names in gone.get("left", {}).items():
        left = one_line(names) if names else "nothing; set one up again before it is needed"
        invocation.output.note(f"{one_line(connector)} is left with {left}.", style="yellow")
    invocation.output.note("The service itself still knows the credential: revoke it there, too.", style="dim")
