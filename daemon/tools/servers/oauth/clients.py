"""Who we are for an authorization server: a client that the person gave, a metadata document, or a registration."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.documents import AuthorisationServer
from daemon.tools.servers.oauth.problems import LoginError

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_MOST_CHARACTERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What an authorization server knows us by."""

    id: str
    secret: str | None = field(default=None, repr=False)
    secret_in_body: bool = False
    registered_for: str | None = None
    """The redirect that it was registered with; None if it was not registered by us."""
    secret_until_ms: int | None = None

    def told(self) -> tuple[dict[str, str], str | None]:
        """Return how it shows itself at the token endpoint: fields of the form, and what stands behind `Basic`."""
        if self.secret is None:
            return {"client_id": self.id}, None
        if self.secret_in_body:
            return {"client_id": self.id, "client_secret": self.secret}, None
        pair = f"{quote(self.id, safe='')}:{quote(self.secret, safe='')}"
        return {}, base64.b64encode(pair.encode()).decode()


async def register(asker: Asker, server: AuthorisationServer, redirect_url: str) -> Client:
    """Register a client by RFC 7591; raises LoginError."""
    if server.registration_url is None:
        raise LoginError(f"{server.issuer} registers no clients.")
    grants = ["authorization_code", "refresh_token"] + ([DEVICE_GRANT] if server.device_url is not None else [])
    said = {
        "client_name": "Aileron",
        "application_type": "native",
        "redirect_uris": [redirect_url],
        "grant_types": grants,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    return read_registration(await asker.posted(server.registration_url, said), server, redirect_url)


def read_registration(answer: Mapping[str, Any], server: AuthorisationServer, redirect_url: str) -> Client:
    """Return the client of an answer; raises LoginError."""
    name, secret, until = (answer.get(key) for key in ("client_id", "client_secret", "client_secret_expires_at"))
    way = answer.get("token_endpoint_auth_method")
    if not isinstance(name, str) or not 0 < len(name) <= _MOST_CHARACTERS:
        raise LoginError(f"{server.issuer} registered a client and did not say its id.")
    if secret is not None and not (isinstance(secret, str) and 0 < len(secret) <= _MOST_CHARACTERS):
        raise LoginError(f"{server.issuer} registered a client with a secret that cannot be read.")
    return Client(
        id=name,
        secret=None if way == "none" else secret,
        secret_in_body=way == "client_secret_post" or (way is None and server.secret_in_body),
        registered_for=redirect_url,
        secret_until_ms=until * 1000 if isinstance(until, int) and until > 0 and secret is not None else None,
    )
