"""Reads the documents in which a server and an authorization server describe themselves: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.tools.servers.oauth.challenges import scopes_in
from daemon.tools.servers.oauth.places import Places, covers
from daemon.tools.servers.oauth.problems import LoginError

_MOST_SERVERS = 5
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedResource:
    """Whom a server believes."""

    resource: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationServer:
    """One authorization server, as its own document says. All its URLs may be asked."""

    issuer: str
    authorization_url: str | None
    token_url: str
    registration_url: str | None = None
    device_url: str | None = None
    revocation_url: str | None = None
    says_iss: bool = False
    """Whether it names itself in every answer to the browser (RFC 9207)."""
    takes_metadata_url: bool = False
    """Whether the URL of a client id metadata document is a client for it."""
    secret_in_body: bool = False
    """Whether it takes a client's secret in the body alone, and not in the header."""
    has_refresh_scope: bool = False
    """Whether a refresh token is asked for by the scope `offline_access`."""


def read_resource(document: Document, *, resource: str) -> ProtectedResource:
    """Return whom a server believes; raises LoginError if the document is about another one."""
    named = document.get("resource")
    if not isinstance(named, str) or not covers(named, resource):
        raise LoginError(f"The document about the login at {resource} is for another server: {_shown(named)}.")
    issuers = tuple(each for each in _texts(document.get("authorization_servers")) if each)[:_MOST_SERVERS]
    if not issuers:
        raise LoginError(f"{resource} names no authorization server.")
    return ProtectedResource(
        resource=named, issuers=issuers, scopes=scopes_in(" ".join(_texts(document.get("scopes_supported"))))
    )


def read_server(document: Document, *, issuer: str, places: Places) -> AuthorisationServer:
    """Return an authorization server; raises LoginError if it says that it is another one, or cannot be trusted."""
    named = document.get("issuer")
    if named != issuer:
        raise LoginError(f"The authorization server at {issuer} says that it is {_shown(named)}. It is not used.")
    if "S256" not in _texts(document.get("code_challenge_methods_supported")):
        raise LoginError(
            f"The authorization server {issuer} does not say that it checks PKCE with S256, so a code that somebody "
            "else caught could be used there. It is not used."
        )

    def url(key: str) -> str | None:
        return places.read(document[key], f"The {key} of {issuer}").url if document.get(key) is not None else None

    ways = _texts(document.get("token_endpoint_auth_methods_supported"))
    return AuthorisationServer(
        issuer=issuer,
        authorization_url=url("authorization_endpoint"),
        token_url=places.read(document.get("token_endpoint"), f"The token_endpoint of {issuer}").url,
        registration_url=url("registration_endpoint"),
        device_url=url("device_authorization_endpoint"),
        revocation_url=url("revocation_endpoint"),
        says_iss=document.get("authorization_response_iss_parameter_supported") is True,
        takes_metadata_url=document.get("client_id_metadata_document_supported") is True,
        secret_in_body="client_secret_post" in ways and "client_secret_basic" not in ways,
        has_refresh_scope="offline_access" in _texts(document.get("scopes_supported")),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _shown(value: object) -> str:
    return f"{value[:200]!r}" if isinstance(value, str) else "nothing that can be read"
