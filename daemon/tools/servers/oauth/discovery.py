"""Finds out where a person logs in for a server: whom the server believes, and what that one offers."""

from dataclasses import dataclass

from daemon.connectors.http.urls import parse_url
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.challenges import Challenge
from daemon.tools.servers.oauth.documents import (
    AuthorisationServer,
    Document,
    ProtectedResource,
    read_resource,
    read_server,
)
from daemon.tools.servers.oauth.places import origin_of, resource_documents, resource_of, server_documents
from daemon.tools.servers.oauth.problems import LoginError


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the person logs in, and for what."""

    resource: ProtectedResource
    server: AuthorisationServer


async def discover(asker: Asker, url: str, challenge: Challenge) -> Found:
    """Return where to log in for the server at a URL; raises LoginError.

    The server's own word in its challenge goes before the usual places. Of several authorization servers, the first
    one that can be used is taken. A server that names none anywhere may be of the older kind, which is one itself.
    """
    resource = await _resource(asker, url, challenge)
    if resource is None:
        return await _at_its_origin(asker, url)
    first: LoginError | None = None
    for issuer in resource.issuers:
        try:
            return Found(resource=resource, server=await describe(asker, issuer))
        except LoginError as problem:
            first = first or problem
    raise first or LoginError(f"{resource.resource} names no authorization server.")


async def describe(asker: Asker, issuer: str) -> AuthorisationServer:
    """Return an authorization server as it describes itself; raises LoginError."""
    target = asker.places.read(issuer, "The name of the authorization server")
    if target.query:
        raise LoginError(f"The name of the authorization server {target.host_port} has a query, which is not allowed.")
    places = server_documents(target)
    document = await _first(asker, places)
    if document is None:
        raise LoginError(f"{issuer} does not describe itself as one: there is no document at {', '.join(places)}.")
    return read_server(document, issuer=issuer, places=asker.places)


async def _resource(asker: Asker, url: str, challenge: Challenge) -> ProtectedResource | None:
    """Return whom a server believes; None if it does not say. Raises LoginError if it names a place that is empty."""
    said = challenge.metadata_url
    document = await _first(asker, resource_documents(url) if said is None else (said,))
    if document is not None:
        return read_resource(document, resource=resource_of(url))
    if said is not None:
        raise LoginError(f"{resource_of(url)} says that {said} tells where to log in, and there is no document.")
    return None


async def _at_its_origin(asker: Asker, url: str) -> Found:
    """Return the authorization server at the origin of a server, where the protocol had it until 2025-03-26.

    That version has paths for one without a document, too. They are not used: without a document nobody knows whether
    PKCE is checked, and then a client has to refuse by the newer versions.
    """
    origin = origin_of(url)
    place = server_documents(parse_url(origin))[0]
    document = await _first(asker, (place,))
    if document is None:
        raise LoginError(
            f"{resource_of(url)} does not say where to log in: there is no document at "
            f"{', '.join((*resource_documents(url), place))}. If it takes a token, add the server with --header."
        )
    # The name of an origin is written with a slash at its end, or without; both lead to the same document.
    issuer = origin + "/" if document.get("issuer") == origin + "/" else origin
    server = read_server(document, issuer=issuer, places=asker.places)
    return Found(resource=ProtectedResource(resource=resource_of(url), issuers=(issuer,), scopes=()), server=server)


async def _first(asker: Asker, urls: tuple[str, ...]) -> Document | None:
    """Return the first document that is there. Only an answer that says that there is none leads to the next place."""
    for url in urls:
        try:
            return await asker.document(url, "The address of the document about the login")
        except LoginError as problem:
            if problem.status is None or not 400 <= problem.status < 500:
                raise
    return None
