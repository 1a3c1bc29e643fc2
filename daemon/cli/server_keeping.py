"""Where the secrets of a line of `aileron server add` go: into the vault, and their names into servers.yaml."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.importing.hiding import Doubt, Hiding, has_secret_path
from daemon.cli.invocation import Invocation
from daemon.cli.rendering import one_line
from daemon.cli.secret_texts import scheme_of, secret_name
from daemon.cli.server_line import strayed
from daemon.cli.vault_check import need_open_vault
from daemon.core.likely_secrets import looks_secret

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


_FORMS = {
    "--env": (re.compile(r"([A-Za-z_]\w*)(?:(=)(.*))?", re.ASCII | re.DOTALL), "--env NAME=VALUE"),
    # A header may also be written as everywhere else, with a colon.
    "--header": (
        re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:(=|:[ \t]*)(.*))?", re.DOTALL),
        "--header NAME=VALUE, or --header 'NAME: VALUE'",
    ),
}


def _parted(given: str, option: str) -> tuple[str, bool, str]:
    """Return the name, whether there is a value, and the value; what is written otherwise is not repeated."""
    rule, form = _FORMS[option]
    match = rule.fullmatch(given)
    if match is None:
        raise CliFailure.usage(
            f"what {option} was given has no name that it could have; it is not repeated here",
            remedy=f"Write {form}; with the name alone the value is asked for, and not shown.",
        )
    return match[1], match[2] is not None, match[3] or ""


class Keeping:
    """Brings values that are secrets into the vault."""

    def __init__(self, invocation: Invocation, client: "ControlClient", server: str, *, plain: bool) -> None:
        self._invocation = invocation
        self._client = client
        self._server = server
        self._plain = plain
        self._values: dict[str, str] = {}
        self.warnings: list[str] = []
        """What a person has to know of where words of the line, and secrets, stand now."""

    def texts(self, given: Sequence[str], option: str) -> Mapping[str, str]:
        """Return the texts for the file, by name."""
        found: dict[str, str] = {}
        for each in given:
            name, equals, value = _parted(each, option)
            if name in found:
                raise CliFailure.usage(f"{option} is given twice with one name", remedy="Take one of them out.")
            if not equals:
                if self._invocation.prompts.interactive:
                    need_open_vault(self._client, one_line(name))
                form = " (most servers want: Bearer TOKEN)" if name.lower() == "authorization" else ""
                value = self._invocation.prompts.secret(
                    f"Value of {name}{form}", option=f"{option} {name}=vault://secrets/SECRET"
                )
                found[name] = self._stored(name, value)
            elif looks_secret(name, value) and self._wanted(name):
                found[name] = self._stored(name, value)
            else:
                found[name] = value
        return found

    def command(self, command: Sequence[str]) -> Mapping[str, Any]:
        """Return what the daemon is told of a command."""
        for word in strayed(command):
            self.warnings.append(f"{word} stands behind the two dashes, so it goes to the program.")
        hiding = self._hiding()
        words = list(command) if self._plain else hiding.command(command)
        if hiding.secrets:
            self.warnings.append(
                "A secret stands in an argument: while the server runs, every user of this machine can read it. If the "
                "program takes it from a variable, too, use --env."
            )
        return {"mode": "local", "command": words, "unsafe_args": bool(hiding.secrets)}

    def url(self, url: str) -> Mapping[str, Any]:
        """Return what the daemon is told of an address."""
        try:
            in_path = not self._plain and has_secret_path(url)
        except ValueError:  # it is no URL, which the daemon says
            return {"mode": "remote", "url": url}
        if in_path:
            self.warnings.append(
                "Something like a secret stands in the URL before the ?, where no name of the vault may stand: it is "
                "in servers.yaml as you wrote it."
            )
        return {"mode": "remote", "url": url if self._plain else self._hiding().query(url)}

    def _hiding(self) -> Hiding:
        def is_secret(doubt: Doubt) -> bool:
            # An argument or a parameter that looks random is often an identifier, so only a yes counts.
            return self._asks and self._wanted(doubt.where)

        return Hiding(self._server, free=self._free, is_secret=is_secret)

    @property
    def _asks(self) -> bool:
        return not self._invocation.as_json and self._invocation.prompts.interactive

    def _wanted(self, name: str) -> bool:
        if self._plain:
            return False
        if not self._asks:
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
        secret, _ = self._free(secret_name(self._server, name), value.removeprefix(scheme))
        return f"{scheme}vault://secrets/{secret}"

    def _free(self, wanted: str, value: str) -> tuple[str, bool]:
        """Take a value under a name that no other value of this line has; it is not in the vault yet."""
        name, number = wanted, 1
        while self._values.setdefault(name, value) != value:
            number += 1
            name = f"{wanted}-{number}"
        return name, False
