"""Finds out where a person logs in for a server: whom the server believes, and what that one offers."""

from dataclasses import dataclass

from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.challenges import Challenge
from daemon.tools.servers.oauth.documents import (
    AuthorisationServer,
    Document,
    ProtectedResource,
    read_resource,
    read_server,
)
from daemon.tools.servers.oauth.places import resource_documents, resource_of, server_documents
from daemon.tools.servers.oauth.problems import LoginError


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the person logs in, and for what."""

    resource: ProtectedResource
    server: AuthorisationServer


async def discover(asker: Asker, url: str, challenge: Challenge) -> Found:
    """Return where to log in for the server at a URL; raises LoginError.

    The server's own word in its challenge goes before the usual places. Of several authorization servers, the first
    one that can be used is taken.
    """
    resource = await _resource(asker, url, challenge)
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
    document = await _first(asker, server_documents(target), f"{issuer} does not describe itself as one")
    return read_server(document, issuer=issuer, places=asker.places)


async def _resource(asker: Asker, url: str, challenge: Challenge) -> ProtectedResource:
    places = (challenge.metadata_url,) if challenge.metadata_url is not None else resource_documents(url)
    why = f"{resource_of(url)} does not say where to log in"
    return read_resource(await _first(asker, places, why), resource=resource_of(url))


async def _first(asker: Asker, urls: tuple[str, ...], otherwise: str) -> Document:
    """Return the first document that is there. Only an answer that says that there is none leads to the next place."""
    for url in urls:
        try:
            return await asker.document(url, "The address of the document about the login")
        except LoginError as problem:
            if problem.status is None or not 400 <= problem.status < 500:
                raise
    raise LoginError(f"{otherwise}: there is no document at {', '.join(urls)}.")
