"""The forms a credential takes: what is stored, what goes into a header, and what must never be seen outside."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from daemon.core.canonical import canonical_json
from daemon.vault.errors import EntryRefused


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One secret text."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Basic:
    """A user name and a password; neither is shown, since some services take their key as the user name."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuth2Tokens:
    """What a sign-in brought."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at_ms: int | None = None
    scopes: tuple[str, ...] = ()
    token_type: str = "Bearer"  # noqa: S105  the usual type, not a token


SecretValue = ApiKey | Basic | OAuth2Tokens
ValueKind = Literal["api_key", "basic", "oauth2"]


def kind_of(value: SecretValue) -> ValueKind:
    """Return the kind of credential a value is."""
    if isinstance(value, ApiKey):
        return "api_key"
    return "basic" if isinstance(value, Basic) else "oauth2"


def header_payload(value: SecretValue) -> str:
    """Return what stands in the place of the secret in a header."""
    if isinstance(value, ApiKey):
        return value.key
    if isinstance(value, Basic):
        return base64.b64encode(f"{value.username}:{value.password}".encode()).decode()
    return value.access_token


def secret_forms(value: SecretValue, *, header: str) -> tuple[str, ...]:
    """Return every form of the value that must be scrubbed, the longest first."""
    forms = {header, header_payload(value)}
    if isinstance(value, Basic):
        forms |= {f"{value.username}:{value.password}", value.password or value.username}
    elif isinstance(value, OAuth2Tokens) and value.refresh_token:
        forms.add(value.refresh_token)
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def check_value(value: SecretValue) -> None:
    """Refuse what cannot be a credential, and name the slip in copying that most likely made it."""
    if isinstance(value, ApiKey):
        _check_text(value.key, what="API key")
    elif isinstance(value, Basic):
        if not value.username and not value.password:
            raise EntryRefused("The user name and the password are both empty.")
        if ":" in value.username:
            raise EntryRefused("The user name holds a ':', which basic authentication cannot carry.")
        for what, text in (("user name", value.username), ("password", value.password)):
            if not text.isprintable():
                raise EntryRefused(f"The {what} holds a line break or another character that cannot be typed.")
    else:
        _check_text(value.access_token, what="access token")
        if value.refresh_token is not None:
            _check_text(value.refresh_token, what="refresh token")
        for what, text in (("token type", value.token_type), *(("scope", scope) for scope in value.scopes)):
            _check_text(text, what=what)


def header_problem(text: str) -> str | None:
    """Say why a text cannot be a header's value, or None; the text itself is never repeated.

    ASCII only, which is narrower than HTTP: what lies above it reaches services in different encodings.
    """
    if not text:
        return "is empty"
    if text != text.strip():
        return "begins or ends with a space or a line break, usually a slip of copying"
    for place, character in enumerate(text, start=1):
        if not character.isascii():
            return f"holds a character outside ASCII (character {place}), such as a typographic quote or dash"
        if not character.isprintable():
            return f"holds a line break or another control character (character {place})"
    return None


def encode_value(value: SecretValue) -> bytes:
    """Write a value the way it is stored."""
    if isinstance(value, ApiKey):
        data: dict[str, Any] = {"key": value.key}
    elif isinstance(value, Basic):
        data = {"username": value.username, "password": value.password}
    else:
        data = {
            "access_token": value.access_token,
            "refresh_token": value.refresh_token,
            "expires_at_ms": value.expires_at_ms,
            "scopes": value.scopes,
            "token_type": value.token_type,
        }
    return canonical_json({"type": kind_of(value), **data}).encode()


def decode_value(raw: bytes) -> SecretValue | None:
    """Read a stored value; None if it is not one. (No exception, because a parser's would carry the secret.)"""
    try:
        data = json.loads(raw)
        kind = data.pop("type")
        value: SecretValue
        if kind == "api_key":
            value = ApiKey(**data)
        elif kind == "basic":
            value = Basic(**data)
        elif kind == "oauth2":
            value = OAuth2Tokens(**(data | {"scopes": tuple(data["scopes"])}))
        else:
            return None
        return value if isinstance(header_payload(value), str) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return None


def _check_text(text: str, *, what: str) -> None:
    problem = header_problem(text)
    if problem is not None:
        raise EntryRefused(f"The {what} {problem}. Check it and enter it again.")
