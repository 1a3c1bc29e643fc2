"""`aileron server add`: a server is written into servers.yaml, and its secrets go to the vault."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line
from daemon.cli.secret_texts import scheme_of, secret_name
from daemon.cli.vault_check import need_open_vault
from daemon.core.likely_secrets import looks_secret

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the server, such as github.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND", help="The command that starts it, behind two dashes."),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Where a remote server is.")] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="A variable for it; a NAME alone is asked for unseen."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME=VALUE", help="A header for a remote server; a NAME alone is asked for."),
    ] = None,
    folder: Annotated[
        str | None, typer.Option("--folder", metavar="FOLDER", help="Where it works; your home if not said.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="NAME", help="What its tools' names begin with, if not its name.")
    ] = None,
    per_session: Annotated[
        bool, typer.Option("--per-session", help="Start one for each session, and not one for all.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write values that look like secrets into the file as they are.")
    ] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Start it once, and see what it offers.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Add an MCP server: its tools become tools of your agents.

    A value that looks like a secret goes to the vault, and only its name into servers.yaml. So that it does not stand
    in the history of your shell, write --env NAME without a value: it is asked for. What is in the vault already is
    named with --env NAME=vault://secrets/SECRET.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    _check(command, url, env, header, folder)
    with invocation.connect() as client:
        keeping = _Keeping(invocation, client, name, plain=plain)
        texts = {"env": keeping.texts(env or [], "--env"), "headers": keeping.texts(header or [], "--header")}
        keeping.check_vault()
        where = {"mode": "local" if url is None else "remote", "command": command or [], "url": url, "folder": folder}
        body = {"name": name, **where, **texts, "tool_prefix": prefix}
        body["scope"] = "session" if per_session else "shared"
        added = client.post("/v1/servers", body=body)
        # After the server: one that is refused must not have replaced the secret of another one.
        keeping.store()
        tested, failure = _tested(client, invocation, name) if test else (None, None)
    if as_json:
        error = None if failure is None else failure.envelope()["error"]
        invocation.output.json(added | {"stored": keeping.stored, "test": tested, "test_error": error})
    else:
        _write(invocation, name, keeping.stored, tested, failure)


def _write(
    invocation: Invocation,
    name: str,
    stored: Sequence[str],
    tested: dict[str, Any] | None,
    failure: CliFailure | None,
) -> None:
    invocation.output.line(f"{one_line(name)} is added.")
    for secret in stored:
        invocation.output.note(f"In the vault: {one_line(secret)}", style="dim")
    if tested is not None:
        count = tested["tools"]
        invocation.output.line(f"It offers {count} {'tool' if count == 1 else 'tools'}: aileron server tools {name}")
    if failure is not None:
        invocation.output.note(f"It cannot be asked yet: {one_line(failure.message)}", style="yellow")
        again = f"Mend it, then try again: aileron server test {name}"
        invocation.output.note(one_line(failure.remedy or again), style="yellow")


def _check(
    command: Sequence[str] | None,
    url: str | None,
    env: Sequence[str] | None,
    header: Sequence[str] | None,
    folder: str | None,
) -> None:
    if (url is None) == (not command):
        raise CliFailure.usage(
            "a server is started by a command, or reached at a URL",
            remedy="Write it like: aileron server add NAME -- npx -y PACKAGE, or: aileron server add NAME --url URL",
        )
    if url is not None and (env or folder):
        raise CliFailure.usage("a remote server has no variables and no folder", remedy="Pass --header instead.")
    if url is None and header:
        raise CliFailure.usage("a server that is started here has no headers", remedy="Pass --env instead.")


class _Keeping:
    """Brings values that are secrets into the vault."""

    def __init__(self, invocation: Invocation, client: "ControlClient", server: str, *, plain: bool) -> None:
        self._invocation = invocation
        self._client = client
        self._server = server
        self._plain = plain
        self._values: dict[str, str] = {}

    def texts(self, given: Sequence[str], option: str) -> Mapping[str, str]:
        """Return the texts for the file, by name."""
        found: dict[str, str] = {}
        for each in given:
            name, equals, value = each.partition("=")
            if not name or name in found:
                raise CliFailure.usage(f"{option} is given without a name, or twice with one", remedy="Check it.")
            if not equals:
                if self._invocation.prompts.interactive:
                    need_open_vault(self._client, one_line(name))
                form = " (most servers want: Bearer TOKEN)" if name.lower() == "authorization" else ""
                value = self._invocation.prompts.secret(f"Value of {name}{form}", option=f"{option} {name}=vault://...")
                found[name] = self._stored(name, value)
            elif looks_secret(name, value) and self._wanted(name):
                found[name] = self._stored(name, value)
            else:
                found[name] = value
        return found

    def _wanted(self, name: str) -> bool:
        if self._plain:
            return False
        if self._invocation.as_json or not self._invocation.prompts.interactive:
            return True
        answer = self._invocation.prompts.answer(f"{name} looks like a secret. Keep it in the vault? [Y/n] ")
        if answer is None:
            raise CliFailure("no answer was given; nothing was changed")
        return answer not in {"n", "no"}

    @property
    def stored(self) -> list[str]:
        """Return the names of what goes to the vault."""
        return list(self._values)

    def check_vault(self) -> None:
        """Raise CliFailure if there is something to store and the vault does not take it."""
        if self._values:
            otherwise = "Or pass --plain to write the value into servers.yaml."
            need_open_vault(self._client, ", ".join(self._values), otherwise=otherwise)

    def store(self) -> None:
        """Put the values into the vault."""
        for secret, value in self._values.items():
            self._client.put("/v1/secrets", body={"name": secret, "value": value})

    def _stored(self, name: str, value: str) -> str:
        """Return what the file says in place of a value that goes to the vault.

        What stands before the secret in a header, such as `Bearer `, stays in the file.
        """
        scheme = scheme_of(value)
        secret = secret_name(self._server, name)
        self._values[secret] = value.removeprefix(scheme)
        return f"{scheme}vault://secrets/{secret}"


def _tested(
    client: "ControlClient", invocation: Invocation, name: str
) -> tuple[dict[str, Any] | None, CliFailure | None]:
    try:
        with invocation.output.progress(f"Starting {name}"):
            return client.post("/v1/servers/{}/test", name, patient=True), None
    except CliFailure as failure:
        return None, failure
