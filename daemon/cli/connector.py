"""`aileron connector`: install connectors after seeing what they may do, and look at those installed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.connector_init import init
from daemon.cli.connector_sign import sign
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import one_line
from daemon.core.quantities import readable_size

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Install and look at connectors."
)

RefArgument = Annotated[
    str,
    typer.Argument(
        metavar="CONNECTOR",
        help="A full name, a full name and @version, or a hash (sha256:...).",
        autocompletion=known.connectors,
    ),
]
_BYTES_A_SECOND = 600_000
"""How fast a processor of 2026 compiles: 18 MB of Python take about 30 s. A guess for the person, and no limit."""
_SIGNATURES = {
    "trusted": "signed by a key you trust",
    "untrusted": "SIGNED BY A KEY YOU DO NOT TRUST",
    "unsigned": "NOT SIGNED",
    "revoked": "SIGNED BY A KEY THAT WAS REVOKED",
}


@app.command()
def add(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A folder with a connector, or a .tar, .tar.gz or .tgz file of one."),
    ],
    yes: YesOption = False,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Install it although nobody you trust vouches for it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Install a connector, after showing what it may do.

    Without a terminal nobody can be asked, so --yes is needed there.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    invocation.need_yes_with_json(yes=yes)
    source = _absolute(source)
    with invocation.connect() as client:
        with invocation.output.progress("Looking at the connector"):
            plan = client.post("/v1/connectors/inspect", body={"source": source}, patient=True)
        if not as_json:
            show_plan(invocation, plan)
        _check_signature(plan["signature"], allow_unsigned=allow_unsigned)
        invocation.prompts.confirm("Install it?", yes=yes)
        installed = _install(invocation, client, source, plan, allow_unsigned=allow_unsigned)
    if as_json:
        invocation.output.json(installed)
        return
    done = "Was installed already:" if installed.get("already_installed") else "Installed"
    invocation.output.line(f"\n{done} {one_line(plan['name'])} {one_line(plan['version'])}.", style="green")
    invocation.output.line("To use it, put this into an action:\n")
    invocation.output.line(requirement_block(plan))
    if plan.get("credential"):
        invocation.output.note(f"\nIt needs a credential: aileron binding add {one_line(plan['name'])}", style="yellow")


def _install(
    invocation: Invocation, client: "ControlClient", source: str, plan: dict[str, Any], *, allow_unsigned: bool
) -> dict[str, Any]:
    """Have it installed, and say how long that may take; Ctrl-C stops it, and says whether that came in time."""
    size = int(plan.get("program_bytes", 0))
    said = f"Compiling {readable_size(size)}, which takes long only this once"
    body = {"source": source, "expected_hash": plan["hash"], "allow_unsigned": allow_unsigned}
    try:
        with invocation.output.progress(said, about=size / _BYTES_A_SECOND):
            return dict(client.post("/v1/connectors", body=body, patient=True))
    except KeyboardInterrupt:
        stopped = client.post("/v1/connectors/stop-install", body={"hash": plan["hash"]})["stopped"]
        hashes = [] if stopped else [each["hash"] for each in client.get("/v1/connectors")["items"]]
        if plan["hash"] in hashes:
            message, remedy = "it was too late to stop: it is installed", f"aileron connector remove {plan['hash']}"
        else:
            message, remedy = "stopped: nothing was installed", None
        raise CliFailure(message, exit_code=ExitCode.INTERRUPTED, remedy=remedy) from None


def _absolute(source: str) -> str:
    """Make a path absolute, since the daemon does not stand where the person stands."""
    from pathlib import Path

    if "://" in source:
        return source
    path = Path(source).expanduser()
    if not path.exists():
        raise CliFailure.usage(
            f"there is no file or folder {source}",
            remedy="Write the path of a connector's folder, or of its .tar, .tar.gz or .tgz file.",
        )
    return str(path.resolve())


def _check_signature(signature: dict[str, Any], *, allow_unsigned: bool) -> None:
    """Refuse what the daemon would refuse, before the person is asked about it."""
    state = signature["state"]
    if state == "trusted" or (allow_unsigned and state != "revoked"):
        return
    if state == "revoked":
        remedy = "Get a release that is signed by a key that is not revoked."
    else:
        remedy = (
            "Trust the publisher's key first (aileron keyring add), or pass --allow-unsigned "
            "if you know where it comes from."
        )
    raise CliFailure(
        f"{signature.get('message') or _SIGNATURES.get(state, state)} Nothing was installed.",
        failure_class="signature_failure",
        remedy=remedy,
    )


def show_plan(invocation: Invocation, plan: dict[str, Any]) -> None:
    """Write what a connector is and may do."""
    output = invocation.output
    signature = plan["signature"]
    signed = _SIGNATURES.get(signature["state"], signature["state"])
    if signature.get("key_id"):
        signed += f" ({signature['key_id']})"
    fields = [
        ("connector", plan["name"]),
        ("version", plan["version"]),
        ("description", plan.get("description")),
        ("hash", plan["hash"]),
        ("signature", signed),
        ("reaches", plan["hosts"] or "nothing"),
        ("credential", _credential_line(plan.get("credential"))),
    ]
    if plan.get("state") not in (None, "ready"):
        fields.append(("state", f"{plan['state']}: {plan.get('problem')}"))
    output.fields(fields)
    for warning in plan.get("warnings") or ():
        output.line(f"warning: {one_line(warning)}", style="yellow")
    output.line()
    output.table(
        ["operation", "capability", "effect", "description"],
        [[op["name"], op["capability"], _effect(op), op.get("description")] for op in plan["ops"]],
        empty="It offers no operations.",
        fold="description",
        styles={"changes things": "yellow"},
    )


def _effect(op: dict[str, Any]) -> str:
    return "safe to repeat" if op["idempotent"] else "changes things"


def _credential_line(credential: dict[str, Any] | None) -> str:
    if not credential:
        return "none"
    where = ", ".join(credential.get("hosts", [])) or "nowhere"
    return f"{credential['kind']}, sent to {where} in the header {credential.get('header') or '-'}"


def requirement_block(plan: dict[str, Any]) -> str:
    """Return the lines with which an action requires a connector."""
    from daemon.core.toml_writer import toml_string, toml_value

    capabilities = sorted({op["capability"] for op in plan["ops"]})
    return "\n".join(
        [
            "[[requires.connectors]]",
            f"name = {toml_string(plan['name'])}",
            f"version = {toml_string(plan['version'])}",
            f"hash = {toml_string(plan['hash'])}",
            f"capabilities = {toml_value(capabilities)}  # keep only what the action uses",
        ]
    )


@app.command("list")
def list_connectors(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the installed connectors."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/connectors")
    if as_json:
        invocation.output.json(answer)
        return
    invocation.output.table(
        ["name", "version", "state", "signature", "hash"],
        [
            # Of one whose files are damaged, the hash is all that is known.
            [item.get("name"), item.get("version"), item.get("state"), _signature_state(item), item["hash"]]
            for item in answer["items"]
        ],
        empty="No connectors are installed. Install one with: aileron connector add SOURCE",
        styles={"trusted": "green", "untrusted": "red", "unsigned": "yellow", "damaged": "red", "refused": "red"},
    )


def _signature_state(item: dict[str, Any]) -> Any:
    return (item.get("signature") or {}).get("state")


@app.command()
def show(ctx: typer.Context, ref: RefArgument, as_json: JsonOption = False) -> None:
    """Show what an installed connector is and may do."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/connectors/show", ref=ref)
    if as_json:
        invocation.output.json(item)
        return
    if item.get("name") is None:
        raise CliFailure(f"{one_line(item['hash'])} is {one_line(item.get('state'))}: {one_line(item.get('problem'))}")
    show_plan(invocation, item)
    if item.get("used_by"):
        invocation.output.line(f"\nUsed by the actions {one_line(item['used_by'])}.")
    invocation.output.line()
    invocation.output.line(requirement_block(item))


@app.command()
def remove(ctx: typer.Context, ref: RefArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Remove an installed connector.

    Actions that require it cannot run any more.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        found = client.get("/v1/connectors/show", ref=ref)
        if found.get("used_by"):
            invocation.output.note(f"These actions cannot run without it: {one_line(found['used_by'])}", style="yellow")
        invocation.prompts.confirm(f"Remove {ref}?", yes=yes)
        removed = client.delete("/v1/connectors", ref=ref)
    invocation.answer(removed, f"{one_line(ref)} is removed.")
    if removed.get("used_by") and removed["used_by"] != found.get("used_by"):
        invocation.output.note(f"These actions cannot run any more: {one_line(removed['used_by'])}", style="yellow")


app.command()(init)
app.command()(sign)
