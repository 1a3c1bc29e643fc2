"""The value of a credential, as `aileron binding add` gets it: typed unseen, from a file, or from a stored secret.

A person may paste the key at whichever question comes first. So the key is the first question, and no question of this
command shows what is typed, or repeats it afterwards.
"""

import json
from pathlib import Path
from typing import Any

from daemon.cli.failure import CliFailure
from daemon.cli.prompts import Prompts

_TOKENS = 'a JSON object such as {"access_token": "...", "refresh_token": "...", "expires_at_ms": 1800000000000}'


def read_value(
    prompts: Prompts, kind: str, *, username: str | None, file: Path | None, stored: str | None
) -> dict[str, Any]:
    """Return the value as the API takes it; ask for what was not given."""
    if file is not None and stored is not None:
        raise CliFailure.usage("--value-file and --from-secret both say where the value is", remedy="Pass one of them.")
    if stored is not None:
        name = _username(prompts, username, password=None) if kind == "basic" else None
        return {"type": "stored", "secret": stored, **({} if name is None else {"username": name})}
    match kind:
        case "api_key":
            return {"type": "api_key", "key": _secret(prompts, "API key", file)}
        case "basic":
            password = _secret(prompts, "Password", file)
            return {
                "type": "basic",
                "username": _username(prompts, username, password=password),
                "password": password,
            }
        case "oauth2":
            return {"type": "oauth2", **_tokens(prompts, file)}
    raise CliFailure(f"this version of aileron cannot take a credential of kind {kind!r}")


def _secret(prompts: Prompts, label: str, file: Path | None) -> str:
    if file is not None:
        return prompts.secret_file(file, option="--value-file")
    return prompts.secret(label, option="--value-file FILE")


def _username(prompts: Prompts, given: str | None, *, password: str | None) -> str:
    name = prompts.secret("User name (not shown)", option="--username NAME") if given is None else given
    if name == password:
        raise CliFailure.usage(
            "the user name is the same as the password; nothing was stored",
            remedy="Run it again: the password is asked for first, then the user name.",
        )
    return name


def _tokens(prompts: Prompts, file: Path | None) -> dict[str, Any]:
    if file is None:
        raise CliFailure.usage(
            "an oauth2 credential is taken from a file of tokens", remedy=f"Pass --value-file FILE, {_TOKENS}."
        )
    try:
        tokens = json.loads(prompts.secret_file(file, option="--value-file"))
    except ValueError:
        tokens = None
    if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str):
        # What was read is not repeated here: it is, after all, a secret.
        raise CliFailure.usage("the file that --value-file names does not hold the tokens", remedy=f"Write {_TOKENS}.")
    return tokens
